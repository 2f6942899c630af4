"""The people of the demonstration: made-up names, addresses of example domains, and the programs that they use."""

import itertools
import random

import attrs

from mailtrack.cli._demo.programs import Device, Program, Programs

_FIRST = (
    *("Ada", "Alan", "Amira", "Ann", "Anton", "Bea", "Ben", "Bob", "Cat", "Chen", "Clara", "Dan", "Dina", "Ed"),
    *("Ella", "Emil", "Eva", "Finn", "Fred", "Grace", "Hana", "Hugo", "Ida", "Ines", "Ivan", "Jan", "Joan", "Kim"),
    *("Lars", "Lea", "Leo", "Lin", "Lucy", "Marc", "Maria", "Max", "Maya", "Mia", "Nina", "Noah", "Olga", "Omar"),
    *("Otto", "Paul", "Pia", "Ravi", "Rosa", "Ruth", "Sam", "Sara", "Sofia", "Theo", "Tim", "Tom", "Uma", "Vera"),
    *("Will", "Yara", "Yusuf", "Zoe"),
)
_LAST = (
    *("Ahmed", "Baker", "Bauer", "Berg", "Brown", "Carter", "Costa", "Cruz", "Diaz", "Evans", "Fischer", "Gray"),
    *("Hill", "Ito", "Jensen", "Kaya", "Khan", "King", "Kovac", "Lopez", "Meyer", "Moreau", "Nagy", "Novak"),
    *("Park", "Patel", "Reed", "Rossi", "Sato", "Shaw", "Silva", "Singh", "Smith", "Stone", "Tanaka", "Vogel"),
    *("Walker", "Weber", "Wood"),
)
_HOMES = ("example.com", "example.net", "example.org")
_OFFICES = (
    *("bakery", "bikes", "books", "bridge", "brewery", "city", "clinic", "college", "design", "energy", "farm"),
    *("films", "garden", "glass", "harbour", "hotel", "lab", "law", "library", "logistics", "media", "museum"),
    *("music", "optics", "paper", "pharma", "press", "print", "rail", "school", "shop", "solar", "sports", "steel"),
    *("studio", "theatre"),
)
_AT_WORK = 0.42  # of the people
_SECOND_PROGRAM = 0.2  # of the people, such as a phone beside the computer
_IPV6 = 0.4  # of the homes

_NETWORKS = ("192.0.2.", "203.0.113.")  # reserved for documentation, as is 2001:db8::/32


@attrs.frozen
class Company:
    """A company.

    Attributes:
        domain: the domain of its addresses.
        address: the address that its people share.
        gateway: what checks all mails to it, `None` for nothing.
    """

    domain: str
    address: str
    gateway: Device | None


@attrs.frozen
class Person:
    """A person.

    Attributes:
        name: the name.
        email: the address.
        devices: the programs that the person reads mail with, the first one mostly.
        company: where the address is from, `None` for a person's own.
    """

    name: str
    email: str
    devices: tuple[Device, ...]
    company: Company | None


def make_people(number: int, programs: Programs, chance: random.Random) -> list[Person]:
    """Return people with different names, up to 2,340."""
    names = [" ".join(one) for one in itertools.product(_FIRST, _LAST)]
    companies = _make_companies(programs.gateways, chance)
    return [_make_person(name, programs.programs, companies, chance) for name in chance.sample(names, number)]


def _make_companies(gateways: list[Program], chance: random.Random) -> list[Company]:
    """Return companies, of which each kind of gateway protects its share."""
    domains = [f"{name}.{chance.choice(_HOMES)}" for name in chance.sample(_OFFICES, len(_OFFICES))]
    protected = [one.install(chance) for one in gateways for _ in range(round(one.share * len(domains)))]
    return [
        Company(domain, _address(chance), gateway)
        for domain, gateway in itertools.zip_longest(domains, protected, fillvalue=None)
        if domain
    ]


def _make_person(name: str, programs: list[Program], companies: list[Company], chance: random.Random) -> Person:
    company = chance.choice(companies) if chance.random() < _AT_WORK else None
    weights = [one.home if company is None else one.office for one in programs]
    home = f"2001:db8:{chance.randrange(1 << 16):x}::{chance.randrange(1, 1 << 16):x}"
    address = company.address if company else home if chance.random() < _IPV6 else _address(chance)
    number = 2 if chance.random() < _SECOND_PROGRAM else 1
    devices = tuple(one.install(chance, address) for one in chance.choices(programs, weights, k=number))
    domain = company.domain if company else chance.choice(_HOMES)
    return Person(name, f"{name.lower().replace(' ', '.')}@{domain}", devices, company)


def _address(chance: random.Random) -> str:
    return chance.choice(_NETWORKS) + str(chance.randrange(1, 127))

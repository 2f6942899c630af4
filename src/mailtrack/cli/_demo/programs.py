"""`Program`: a mail program or a machine of the demonstration, and the requests that it sends."""

import ipaddress
import random
import re
import tomllib
from functools import cached_property
from importlib.resources import files
from typing import Any

import attrs

_CHROMIUM = re.compile(r"Chrome/(\d+)")


@attrs.frozen
class Device:
    """One installed program: where its requests come from, and what they say of it.

    Attributes:
        program: its kind.
        user_agent: its user agent.
        address: the address of its owner, which its requests come from unless the program has networks.
        page: the page that shows the mails, "" for none.
    """

    program: "Program"
    user_agent: str
    address: str
    page: str

    def headers(self, chance: random.Random) -> dict[str, str]:
        """Return what a WSGI environment has of a request for an image: its address and its headers."""
        found = {
            "REMOTE_ADDR": self.program.choose_address(chance) or self.address,
            "HTTP_USER_AGENT": self.user_agent,
            "HTTP_ACCEPT": "image/*,*/*;q=0.8",
        }
        if self.program.language:
            found["HTTP_ACCEPT_LANGUAGE"] = "en-GB,en;q=0.9"
        if self.program.browser:
            found["HTTP_SEC_FETCH_DEST"] = "image"
            if chromium := _CHROMIUM.search(self.user_agent):
                found["HTTP_SEC_CH_UA"] = f'"Chromium";v="{chromium[1]}", "Not/A)Brand";v="8"'
        if self.page:
            found["HTTP_REFERER"] = self.page
        return found


@attrs.frozen(kw_only=True, slots=False)
class Program:
    """A kind of mail program or machine, as a table of `programs.toml` describes it.

    Attributes:
        home: its weight among people's own addresses.
        office: its weight among those of companies.
        share: of a machine, its share of the companies or mails.
        prefetches: whether it loads each image soon after the mail arrives.
        browser: whether it sends the headers of a browser.
        language: whether it sends `Accept-Language`.
        networks: the networks that its requests come from.
        pages: the pages that show the mails.
        user_agents: its user agents.
    """

    home: float = 0
    office: float = 0
    share: float = 0
    prefetches: bool = False
    browser: bool = False
    language: bool = False
    networks: list[str] = attrs.field(factory=list)
    pages: list[str] = attrs.field(factory=lambda: [""])
    user_agents: list[str]

    def install(self, chance: random.Random, address: str = "") -> Device:
        """Return a device of a person with an address."""
        return Device(self, chance.choice(self.user_agents), address, chance.choice(self.pages))

    def choose_address(self, chance: random.Random) -> str | None:
        """Return an address in its networks, `None` where it has none."""
        if not self._networks:
            return None
        network = chance.choice(self._networks)
        return str(network[chance.randrange(network.num_addresses)])

    @cached_property
    def _networks(self) -> list[ipaddress.IPv4Network]:
        return [ipaddress.IPv4Network(one) for one in self.networks]


@attrs.frozen
class Programs:
    """All that loads images.

    Attributes:
        programs: the mail programs of people.
        gateways: machines that check all mails of a company.
        robots: machines that find the image of a single mail.
    """

    programs: list[Program]
    gateways: list[Program]
    robots: list[Program]


def load_programs() -> Programs:
    """Return the programs of `programs.toml`."""
    text = (files("mailtrack.cli._demo") / "programs.toml").read_text(encoding="utf-8")
    tables: dict[str, list[dict[str, Any]]] = tomllib.loads(text)
    return Programs(**{name: [Program(**one) for one in rows] for name, rows in tables.items()})

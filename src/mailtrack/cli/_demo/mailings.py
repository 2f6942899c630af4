"""The mailings of the demonstration: a newsletter to a thousand people and two before it, invoices, welcome mails."""

import itertools
import random
from collections.abc import Sequence
from datetime import datetime, timedelta

import attrs

from mailtrack._model import NewRecipient
from mailtrack.cli._demo.people import Person

_MAILS = 1000
_NEWSLETTERS = ((400, 126, True), (880, 37, False), (_MAILS, 6, False))  # recipients, days ago, archived
_CUSTOMERS = 24
_INVOICE_DAYS = (65, 34, 4)  # ago
_FIRST_INVOICE = 2031
_WELCOME_DAYS = 40
_WELCOMES = 3  # a day
_READERS, _INVOICE_READERS, _WELCOME_READERS = 0.44, 0.85, 0.7

PEOPLE = _MAILS
"""Number of people that the mailings go to."""


@attrs.frozen
class Sending:
    """Mails that are sent together.

    Attributes:
        at: when.
        mails: each person, and what the mail's token is made for.
    """

    at: datetime
    mails: Sequence[tuple[Person, NewRecipient]]


@attrs.frozen(kw_only=True)
class Mailing:
    """All mails with one pixel.

    Attributes:
        name: the pixel's name.
        note: its note.
        readers: the share of recipients who read their mail.
        archived: whether the pixel is archived.
        sendings: the mails.
    """

    name: str
    note: str
    readers: float
    archived: bool = False
    sendings: Sequence[Sending]


def make_mailings(people: Sequence[Person], now: datetime, chance: random.Random) -> list[Mailing]:
    """Return the mailings; the last one is the newsletter of the last week."""
    customers = [one for one in people[: _NEWSLETTERS[0][0]] if one.company][:_CUSTOMERS]
    newsletters = [
        _newsletter(people[:number], _morning(now, days), archived=archived) for number, days, archived in _NEWSLETTERS
    ]
    return [_invoices(customers, now, chance), _welcomes(people, now), *newsletters]


def _newsletter(people: Sequence[Person], sent_at: datetime, *, archived: bool) -> Mailing:
    """Return a newsletter that is sent in batches of a hundred, one each half minute."""
    batches = [people[start : start + 100] for start in range(0, len(people), 100)]
    return Mailing(
        name=f"{sent_at:%B} newsletter",
        note=f"To all {len(people):,} subscribers. Made up, as all of this is.",
        readers=_READERS,
        archived=archived,
        sendings=[
            Sending(sent_at + timedelta(seconds=30 * number), [(one, NewRecipient(one.email)) for one in batch])
            for number, batch in enumerate(batches)
        ],
    )


def _invoices(customers: Sequence[Person], now: datetime, chance: random.Random) -> Mailing:
    """Return some months' invoices: one pixel, and a reference for each mail."""
    number = _FIRST_INVOICE
    sendings = []
    for days in _INVOICE_DAYS:
        mails = []
        for one in customers:
            data = {"name": one.name, "amount": f"{chance.randrange(4_000, 90_000) / 100:.2f}"}
            mails.append((one, NewRecipient(one.email, ref=f"INV-{number}", data=data)))
            number += 1
        sendings.append(Sending(_morning(now, days), mails))
    return Mailing(
        name="Invoices",
        note="One pixel for all invoices: each mail has its number as a reference.",
        readers=_INVOICE_READERS,
        sendings=sendings,
    )


def _welcomes(people: Sequence[Person], now: datetime) -> Mailing:
    """Return a mail that a few new subscribers get each day: the last of the people."""
    new = iter(people[-_WELCOMES * _WELCOME_DAYS :])
    sendings = [
        Sending(_morning(now, days), [(one, NewRecipient(one.email)) for one in itertools.islice(new, _WELCOMES)])
        for days in range(_WELCOME_DAYS, 0, -1)
    ]
    return Mailing(
        name="Welcome mail",
        note="Sent every morning to those who subscribed the day before.",
        readers=_WELCOME_READERS,
        sendings=sendings,
    )


def _morning(now: datetime, days: int) -> datetime:
    """Return a quarter past nine, UTC, some days ago."""
    return (now - timedelta(days=days)).replace(hour=9, minute=15, second=0, microsecond=0)

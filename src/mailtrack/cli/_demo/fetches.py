"""When which program loads the image of a mail: the opens of people, and what machines load besides."""

import random
from bisect import bisect_left
from collections.abc import Iterator
from datetime import datetime, timedelta

import attrs

from mailtrack.cli._demo.people import Person
from mailtrack.cli._demo.programs import Device, Program

_HOUR = 3600.0
_DAY = 24 * _HOUR

# Of all opens of a week, 28 % come in the first hour, 53 % in three, 64 % in six (Inntopia, 25 mailings), 83 % in a day
# (MailerMailer, 1.4 billion mails), counted for a week (i-Emailer).
_SHARES = ((0.0, 0.0), (0.28, _HOUR), (0.53, 3 * _HOUR), (0.64, 6 * _HOUR), (0.83, _DAY), (1.0, 7 * _DAY))

_NIGHT = range(6)  # hours of UTC in which few people read
_AWAKE = 0.1  # of those whose time it is
_AGAIN = 0.28  # a person reads the mail once more
_OTHER_DEVICE = 0.3  # of these times, if there is a second one
_PREFETCHED = 0.9  # of the mails to programs that prefetch; the others' devices are off
_SOON = 0.25  # of these: within a minute
_LATER = 5 * _HOUR  # the mean of the others, which wait for power and a network
_CHECKED = 0.97  # of the mails to companies with a gateway


@attrs.frozen
class Fetch:
    """A request for the image of a mail.

    Attributes:
        at: when it arrives.
        device: what sends it.
    """

    at: datetime
    device: Device


def fetches(
    person: Person, sent_at: datetime, readers: float, robots: list[Program], chance: random.Random
) -> Iterator[Fetch]:
    """Yield the requests for the image of a mail, in no order.

    Args:
        person: the recipient.
        sent_at: when it was sent.
        readers: the share of recipients who read it.
        robots: the machines that may find it.
        chance: decides.
    """
    gateway = person.company and person.company.gateway
    if gateway and chance.random() < _CHECKED:
        yield Fetch(sent_at + timedelta(seconds=chance.uniform(0.4, 7)), gateway)
    first = person.devices[0]
    if first.program.prefetches:
        if chance.random() < _PREFETCHED:
            wait = chance.uniform(2, 60) if chance.random() < _SOON else chance.expovariate(1 / _LATER)
            yield Fetch(sent_at + timedelta(seconds=wait), first)
        return  # the person then sees the loaded image, without a request
    if chance.random() >= readers:
        return
    at = _first_reading(sent_at, chance)
    yield Fetch(at, first)
    for robot in robots:
        if chance.random() < robot.share:
            yield Fetch(at + timedelta(seconds=chance.uniform(60, _HOUR)), robot.install(chance))
    while chance.random() < _AGAIN:
        at = _by_day(at + timedelta(seconds=chance.expovariate(1 / _DAY)), chance)
        second = len(person.devices) > 1 and chance.random() < _OTHER_DEVICE
        yield Fetch(at, person.devices[1 if second else 0])


def _first_reading(sent_at: datetime, chance: random.Random) -> datetime:
    share = chance.random()
    place = bisect_left(_SHARES, (share,), lo=1, hi=len(_SHARES) - 1)
    (before, start), (after, end) = _SHARES[place - 1], _SHARES[place]
    wait = start + (end - start) * (share - before) / (after - before)
    return _by_day(sent_at + timedelta(seconds=20 + wait), chance)


def _by_day(at: datetime, chance: random.Random) -> datetime:
    """Return a time, or one in the next morning if it is in the night."""
    if at.hour not in _NIGHT or chance.random() < _AWAKE:
        return at
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + timedelta(seconds=chance.triangular(6 * _HOUR, 11 * _HOUR, 7.5 * _HOUR))

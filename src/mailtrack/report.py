"""`Report`: a pixel's figures, from what the storage has counted, without looking at single opens."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, tzinfo
from typing import TypeVar

import attrs

from mailtrack._delays import from_bucket
from mailtrack._model import DelayCount, Facet, Figures, Pixel, Recipient

__all__ = [
    "DEFAULT_TOP",
    "HOURS_TOLD",
    "Count",
    "Delay",
    "DelayRange",
    "Named",
    "Period",
    "Rate",
    "Report",
    "make_report",
]

# Ends of the ranges in which delays are shown: people open mail within minutes, hours or days.
_RANGES = tuple(
    timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 180, 360, 720, 1440, 2 * 1440, 7 * 1440, 30 * 1440)
)

DEFAULT_TOP = 10
"""How many recipients, and names in each breakdown, a report tells, if nobody says."""

HOURS_TOLD = 744
"""How many hours with opens a report tells of, at most."""

_Key = TypeVar("_Key")


@attrs.frozen
class Count:
    """A number of opens or recipients.

    Attributes:
        counted: how many are taken for people's.
        raw: how many there are with machines'.
    """

    counted: int = 0
    raw: int = 0

    def __add__(self, other: "Count") -> "Count":
        return Count(self.counted + other.counted, self.raw + other.raw)


@attrs.frozen
class Rate:
    """A share, from 0 to 1, or `None` where there is nothing to have a share in.

    Attributes:
        counted: of those that are taken for people's.
        raw: with machines'.
    """

    counted: float | None
    raw: float | None


@attrs.frozen
class Delay:
    """How long it took from the making of the token to the first open: the median, within 5 %, `None` without any.

    Attributes:
        counted: to the first open that counts.
        raw: to the first of all.
    """

    counted: timedelta | None
    raw: timedelta | None


@attrs.frozen
class Named:
    """The opens that share a property.

    Attributes:
        name: the value of the property.
        opens: the number of opens.
    """

    name: str
    opens: Count


@attrs.frozen
class Period:
    """The opens of an hour or a day.

    Attributes:
        start: when it begins, in the report's time zone.
        opens: the number of opens.
    """

    start: datetime
    opens: Count


@attrs.frozen
class DelayRange:
    """How many recipients opened first within a delay, and not within the range before.

    Attributes:
        within: the end of the range, `None` for all that took longer.
        recipients: how many.
    """

    within: timedelta | None
    recipients: Count


@attrs.frozen(kw_only=True)
class Report:
    """The figures of a pixel at one moment.

    Each number of opens is told as `Count`: those that count, and all. Opens without a recipient are among the opens,
    and not among the recipients.

    Attributes:
        pixel: the pixel; `pixel.opens` and `pixel.counted` tell the first and the last open.
        time_zone: the name of the zone in which hours and days begin.
        recipients: how many there are: the base of `rate`.
        opened: how many of them have opened.
        rate: `opened` as a share of `recipients`.
        not_opened: how many have no open that counts.
        fetches: how often the image was asked for.
        views: the same without repeats within seconds.
        delay: the median from the making of a token to the first open.
        delays: recipients by that delay, in order; no range is left out.
        hours: opens by hour, in order, of the last 744 hours that have any: a month, where no hour is without.
        days: opens by day, likewise. An hour of UTC is one piece: where a zone is not whole hours from UTC, the opens
            of an hour belong to the day in which that hour begins.
        hours_of_day: 24 counts, by the hour of the day in which opens came.
        verdicts: opens by kind of verdict, the most frequent first, as are all below.
        vendors: those whose vendor is known, by vendor.
        clients: by the client's name.
        systems: by operating system.
        devices: by kind of device.
        top: the recipients with the most opens that count.
    """

    pixel: Pixel
    time_zone: str
    recipients: int
    opened: Count
    rate: Rate
    not_opened: int
    fetches: Count
    views: Count
    delay: Delay
    delays: tuple[DelayRange, ...]
    hours: tuple[Period, ...]
    days: tuple[Period, ...]
    hours_of_day: tuple[Count, ...]
    verdicts: tuple[Named, ...]
    vendors: tuple[Named, ...]
    clients: tuple[Named, ...]
    systems: tuple[Named, ...]
    devices: tuple[Named, ...]
    top: tuple[Recipient, ...]


def make_report(figures: Figures, *, zone: tzinfo) -> Report:
    """Make a report of a pixel's figures, with hours and days of a time zone."""
    pixel = figures.pixel
    # Added up by the hour of UTC: Python takes the two hours of a zone that have one name for equal.
    by_hour = _sum_up((one.hour, one.counted, one.opens) for one in figures.hours)
    hours = [Period(start.astimezone(zone), opens) for start, opens in by_hour]
    by_hour_of_day = dict(_sum_up((one.start.hour, one.opens.counted, one.opens.raw) for one in hours))
    by_day = _sum_up((_midnight(one.start), one.opens.counted, one.opens.raw) for one in hours)
    by_kind = _sum_up((one.kind, one.counted, one.opens) for one in figures.hours)
    return Report(
        pixel=pixel,
        time_zone=str(zone),
        recipients=pixel.recipients,
        opened=Count(pixel.opened, pixel.opened_raw),
        rate=Rate(_share(pixel.opened, pixel.recipients), _share(pixel.opened_raw, pixel.recipients)),
        not_opened=pixel.recipients - pixel.opened,
        fetches=Count(pixel.counted.number, pixel.opens.number),
        views=Count(pixel.counted_views, pixel.views),
        delay=Delay(
            _median((count.bucket, count.counted) for count in figures.delays),
            _median((count.bucket, count.recipients) for count in figures.delays),
        ),
        delays=tuple(_to_ranges(figures.delays)),
        hours=tuple(hours[-HOURS_TOLD:]),
        days=tuple(Period(start, opens) for start, opens in by_day),
        hours_of_day=tuple(by_hour_of_day.get(hour, Count()) for hour in range(24)),
        verdicts=tuple(
            Named(kind.value, opens) for kind, opens in sorted(by_kind, key=lambda one: (-one[1].raw, one[0]))
        ),
        vendors=_named(figures, Facet.VENDOR),
        clients=_named(figures, Facet.CLIENT),
        systems=_named(figures, Facet.OS),
        devices=_named(figures, Facet.DEVICE),
        top=figures.top,
    )


def _midnight(time: datetime) -> datetime:
    return time.replace(hour=0, minute=0, second=0, fold=0)


def _sum_up(numbers: Iterable[tuple[_Key, int, int]]) -> Iterator[tuple[_Key, Count]]:
    """Add up counted and raw numbers that have the same key, in the order in which keys come first."""
    found: dict[_Key, list[int]] = {}
    for key, counted, raw in numbers:
        if count := found.get(key):
            count[0] += counted
            count[1] += raw
        else:
            found[key] = [counted, raw]
    return ((key, Count(counted, raw)) for key, (counted, raw) in found.items())


def _named(figures: Figures, facet: Facet) -> tuple[Named, ...]:
    return tuple(Named(one.name, Count(one.counted, one.opens)) for one in figures.facets if one.facet is facet)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _median(buckets: Iterable[tuple[int, int]]) -> timedelta | None:
    found = [(bucket, number) for bucket, number in buckets if number]
    middle = (sum(number for _, number in found) + 1) // 2
    for bucket, number in found:
        middle -= number
        if middle <= 0:
            return from_bucket(bucket)
    return None


def _to_ranges(delays: Iterable[DelayCount]) -> Iterator[DelayRange]:
    counts: defaultdict[timedelta | None, Count] = defaultdict(Count)
    for delay in delays:
        took = from_bucket(delay.bucket)
        counts[next((end for end in _RANGES if took <= end), None)] += Count(delay.counted, delay.recipients)
    return (DelayRange(end, counts[end]) for end in (*_RANGES, None))

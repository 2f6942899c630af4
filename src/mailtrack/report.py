"""`Report`: a pixel's figures, made of the numbers that the storage has counted, without reading single opens."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import TypeVar

import attrs

from mailtrack._columns import Hours
from mailtrack._counts import Count
from mailtrack._delays import from_bucket
from mailtrack._figures import DelayCount, Facet, Figures
from mailtrack._model import Pixel, Recipient
from mailtrack._times import from_all_milliseconds, start_of_day

__all__ = [
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
"""Default number of recipients, and of entries per breakdown, in a report."""

MAX_HOURS = 744
"""The most hours with opens in a report: a month, where no hour is without."""

_Key = TypeVar("_Key")


@attrs.frozen
class Rate:
    """Recipients that have opened as shares, from 0 to 1; `None` where there is no recipient to take a share of.

    Whether a recipient in the state `prefetched` has opened the mail can't be known. A mail that is read without its
    image is in none of these.

    Attributes:
        counted: recipients with an open that counts, as a share of all.
        raw: recipients with any open, machines' included, as a share of all.
        measurable: recipients with an open that counts, as a share of those that are not `prefetched`.
        lower: the true rate if none of the `prefetched` ones has opened: the same as `counted`.
        upper: the true rate if all of the `prefetched` ones have opened.
    """

    counted: float | None
    raw: float | None
    measurable: float | None
    lower: float | None
    upper: float | None


@attrs.frozen
class Delay:
    """The median time to the first open, within 5 %; `None` without any.

    It runs from the sending of a mail (`Tracker.mark_sent`), where that is not known, from the making of its token.

    Attributes:
        counted: to the first open that counts.
        raw: to the first open of all.
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


@attrs.frozen(slots=False)  # there are hundreds, made in half the time that ones with slots take
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
    """The recipients that opened first within a delay, and not within the range before.

    Attributes:
        within: the end of the range, `None` for all longer delays.
        recipients: the number of recipients.
    """

    within: timedelta | None
    recipients: Count


@attrs.frozen(kw_only=True)
class Report:
    """The figures of a pixel at one moment.

    Opens without a recipient are among the opens, and not among the recipients.

    Attributes:
        pixel: the pixel; `pixel.opens` has the times of the first and the last open.
        time_zone: the name of the zone in which hours and days begin.
        recipients: the number of recipients: the base of `rate`.
        opened: the number of recipients that have opened.
        rate: `opened` as a share of `recipients`, what is known of the true rate, and its bounds.
        not_opened: the number of recipients without an open that counts.
        prefetched: the number of those among them in the state `prefetched`: whether they opened can't be known.
        fetches: the number of requests for the image.
        views: the same without repeats within seconds.
        delay: the median time from the sending of a mail, or the making of its token, to the first open.
        delays: recipients by that time, in order; no range is left out.
        hours: opens by hour, in order, of the last 744 hours that have any.
        days: opens by day, in order, of all days that have any. An hour of UTC is one piece: where a zone is not whole
            hours from UTC, the opens of an hour belong to the day in which that hour begins.
        hours_of_day: 24 counts, by the hour of the day in which opens came.
        verdicts: opens by kind of verdict, the most frequent first, as are all below.
        vendors: opens with a known vendor, by vendor.
        clients: opens by the client's name.
        systems: opens by operating system.
        devices: opens by kind of device.
        top: the recipients with the most opens that count.
    """

    pixel: Pixel
    time_zone: str
    recipients: int
    opened: Count
    rate: Rate
    not_opened: int
    prefetched: int
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


def rate_of(pixel: Pixel) -> Rate:
    """Return the rate of a pixel."""
    opened, everyone = pixel.opened, pixel.recipients
    return Rate(
        counted=_share(opened.counted, everyone),
        raw=_share(opened.raw, everyone),
        measurable=_share(opened.counted, everyone - pixel.prefetched),
        lower=_share(opened.counted, everyone),
        upper=_share(opened.counted + pixel.prefetched, everyone),
    )


def make_report(figures: Figures, *, zone: tzinfo) -> Report:
    """Make a report of a pixel's figures, with hours and days of a time zone."""
    pixel, given = figures.pixel, Hours.of(figures.hours)
    # Added up by the hour of UTC: Python takes the two hours of a zone that have one name for equal.
    by_hour = _sum_up(given.starts, given.counted, given.raw)
    starts = [start.astimezone(zone) for start in from_all_milliseconds(by_hour)]
    numbers = [[one[place] for one in by_hour.values()] for place in (0, 1)]
    by_hour_of_day = _sum_up([start.hour for start in starts], *numbers)
    by_day = _sum_up(map(start_of_day, starts), *numbers)
    by_kind = _sum_up(given.kinds, given.counted, given.raw)
    counted, raw = pixel.opens.counted, pixel.opens.raw
    return Report(
        pixel=pixel,
        time_zone=str(zone),
        recipients=pixel.recipients,
        opened=pixel.opened,
        rate=rate_of(pixel),
        not_opened=pixel.recipients - pixel.opened.counted,
        prefetched=pixel.prefetched,
        fetches=Count(counted.number, raw.number),
        views=pixel.views,
        delay=Delay(
            _median((one.bucket, one.recipients.counted) for one in figures.delays),
            _median((one.bucket, one.recipients.raw) for one in figures.delays),
        ),
        delays=tuple(_to_ranges(figures.delays)),
        hours=_to_periods(starts[-MAX_HOURS:], list(by_hour.values())[-MAX_HOURS:]),
        days=_to_periods(by_day, by_day.values()),
        hours_of_day=tuple(Count(*by_hour_of_day.get(hour, ())) for hour in range(24)),
        verdicts=tuple(
            Named(kind.value, Count(*opens))
            for kind, opens in sorted(by_kind.items(), key=lambda one: (-one[1][1], one[0]))
        ),
        vendors=_named(figures, Facet.VENDOR),
        clients=_named(figures, Facet.CLIENT),
        systems=_named(figures, Facet.OS),
        devices=_named(figures, Facet.DEVICE),
        top=figures.top,
    )


def _sum_up(keys: Iterable[_Key], counted: Iterable[int], raw: Iterable[int]) -> dict[_Key, list[int]]:
    """Return the sums of both numbers of opens that have the same key, in the order in which keys come first."""
    sums: dict[_Key, list[int]] = {}
    for key, one, other in zip(keys, counted, raw, strict=True):
        if found := sums.get(key):
            found[0] += one
            found[1] += other
        else:
            sums[key] = [one, other]
    return sums


def _to_periods(starts: Iterable[datetime], sums: Iterable[Sequence[int]]) -> tuple[Period, ...]:
    return tuple(Period(start, Count(*opens)) for start, opens in zip(starts, sums, strict=True))


def _named(figures: Figures, facet: Facet) -> tuple[Named, ...]:
    return tuple(Named(one.name, one.opens) for one in figures.facets if one.facet is facet)


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
        counts[next((end for end in _RANGES if took <= end), None)] += delay.recipients
    return (DelayRange(end, counts[end]) for end in (*_RANGES, None))

"""Charts: the bars that a template draws, and their labels."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

import attrs

from mailtrack._counts import Count
from mailtrack.report import MAX_HOURS, Period, Report

HEIGHT = 1000
"""The height of a chart, in its own units."""

_STEP = 10  # from bar to bar, in the chart's units
_WIDTH = 8
_MOST_BARS = 75
_FEWEST_BARS = 12

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_UNITS = (
    (_HOUR, "hour"),
    (3 * _HOUR, "3 hours"),
    (6 * _HOUR, "6 hours"),
    (12 * _HOUR, "half day"),
    (_DAY, "day"),
    (2 * _DAY, "2 days"),
    (7 * _DAY, "week"),
    (28 * _DAY, "4 weeks"),
    (364 * _DAY, "year"),
)


@attrs.frozen(kw_only=True)
class Bar:
    """The opens of one period: counted ones above the base line, the rest of the raw ones below it.

    Attributes:
        x: its left edge.
        top: its upper edge.
        height_above: height of the counted part, down to the base line.
        height_below: height of the rest, from the base line down.
        start: when the period begins.
        label: the same in words, in UTC.
        opens: the opens of the period.
    """

    x: int
    top: int
    height_above: int
    height_below: int
    start: datetime
    label: str
    opens: Count


@attrs.frozen(kw_only=True)
class Chart:
    """Opens over time.

    Attributes:
        bars: in order of time, without gaps.
        unit: length of each period, in words.
        by_day: whether each period begins with a day of UTC.
        width: width of all bars together.
        base: distance of the base line from the upper edge.
        bar_width: width of one bar.
    """

    bars: tuple[Bar, ...]
    unit: str
    by_day: bool
    width: int
    base: int
    bar_width: int = _WIDTH

    @property
    def opens(self) -> Count:
        """The opens of all periods together."""
        return sum((bar.opens for bar in self.bars), Count())

    @property
    def peak(self) -> int:
        """The most counted opens in one period."""
        return max(bar.opens.counted for bar in self.bars)

    @property
    def peak_below(self) -> int:
        """The most opens in one period that are not counted."""
        return max(bar.opens.raw - bar.opens.counted for bar in self.bars)


def chart_of_report(report: Report, *, now: datetime) -> Chart | None:
    """Return the chart of all opens of a pixel, `None` without any. Its unit depends on the time that they span.

    Args:
        report: the figures of the pixel.
        now: the end of a chart with few bars; further empty bars precede the first open.
    """
    if not report.hours:
        return None
    whole = len(report.hours) < MAX_HOURS  # else the first hours may be missing; no day is
    periods = report.hours if whole else report.days
    length, unit, origin = _choose_unit(periods[0].start, periods[-1].start, _HOUR if whole else _DAY)
    last = periods[-1].start
    end = max((last - origin) // length, min(_FEWEST_BARS - 1, (now - origin) // length))
    shown = range(min(max(end + 1 - _MOST_BARS, 0), end + 1 - _FEWEST_BARS), end + 1)
    sums = _sum_up(periods, origin, length)
    return _make_chart([(origin + place * length, sums.get(place, Count())) for place in shown], length, unit)


def _choose_unit(first: datetime, last: datetime, shortest: timedelta) -> tuple[timedelta, str, datetime]:
    """Return the shortest unit that divides a time into few enough bars, and the start of the first bar."""
    midnight = first.replace(hour=0)
    for length, unit in _UNITS:
        origin = midnight if length >= _DAY else first - (first - midnight) % length
        if length >= shortest and (last - origin) // length < _MOST_BARS:
            return length, unit, origin
    return *_UNITS[-1], midnight


def chart_of_days(days: dict[datetime, Count], *, until: datetime, number: int) -> Chart:
    """Return the chart of the last `number` days, including the one that begins at `until`."""
    shown = [until - place * _DAY for place in reversed(range(number))]
    return _make_chart([(day, days.get(day, Count())) for day in shown], _DAY, "day")


def _sum_up(periods: Iterable[Period], origin: datetime, length: timedelta) -> dict[int, Count]:
    found: dict[int, Count] = {}
    for period in periods:
        place = (period.start - origin) // length
        found[place] = found.get(place, Count()) + period.opens
    return found


def _make_chart(periods: Sequence[tuple[datetime, Count]], length: timedelta, unit: str) -> Chart:
    above = max(opens.counted for _, opens in periods)
    below = max(opens.raw - opens.counted for _, opens in periods)
    scale = HEIGHT / max(above + below, 1)
    base = round(above * scale) if above + below else HEIGHT
    by_day = length >= _DAY
    bars = tuple(_bars(periods, scale, base, "%-d %b %Y" if by_day else "%-d %b %Y, %H:%M"))
    return Chart(bars=bars, unit=unit, by_day=by_day, width=len(bars) * _STEP, base=base)


def _bars(periods: Sequence[tuple[datetime, Count]], scale: float, base: int, pattern: str) -> Iterator[Bar]:
    for place, (start, opens) in enumerate(periods):
        height_above = _visible(opens.counted, scale)
        yield Bar(
            x=place * _STEP + (_STEP - _WIDTH) // 2,
            top=max(base - height_above, 0),
            height_above=height_above,
            height_below=_visible(opens.raw - opens.counted, scale),
            start=start,
            label=format(start, pattern),
            opens=opens,
        )


def _visible(number: int, scale: float) -> int:
    """Return the height for a number; any number above 0 is visible."""
    return max(round(number * scale), HEIGHT // 100) if number else 0

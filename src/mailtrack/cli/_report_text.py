"""A report as text: tables and bars."""

import shutil
import textwrap
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from mailtrack._counts import Count
from mailtrack._rate_text import NOT_KNOWN, rate_figures
from mailtrack._times import find_zone
from mailtrack.cli._output import can_encode, echo, visible
from mailtrack.cli._tables import Table
from mailtrack.report import DelayRange, Named, Period, Rate, Report

_BAR = 24  # characters
_DAYS = 14  # of more days, the first and the last are shown
_NUMBERS = (1, 2)  # columns
_NARROWEST = 60  # characters of a line of wrapped text

_EIGHTHS = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")


def echo_report(report: Report) -> None:
    """Print a report."""
    zone = report.time_zone
    echo(f"{visible(report.pixel.name)}\n")
    _echo_table(_summary(report))
    _echo_rate(report.rate)
    if not report.fetches.raw:
        echo("\nNo opens yet.")
        return
    counted, machines = ("█", "░") if _has_blocks() else ("#", ".")
    echo(f"\nBelow: counted, raw.  {counted} by people  {machines} by machines")
    _echo_bars(f"Opens by day ({zone})", list(_days(report.days)))
    _echo_bars(f"Opens by hour of the day ({zone})", _hours(report.hours_of_day))
    _echo_bars("Recipients by time to the first open", list(_delays(report.delays)))
    for title, named in (
        ("Opens by verdict", report.verdicts),
        ("Opens by vendor, where one is known", report.vendors),
        ("Opens by client", report.clients),
        ("Opens by system", report.systems),
        ("Opens by device", report.devices),
    ):
        _echo_bars(title, named)
    if report.top:
        echo("\nRecipients with the most opens that count")
        _echo_table([(one.email, f"{one.opens.counted.number:,}") for one in report.top])


def _summary(report: Report) -> list[tuple[str, str, str]]:
    zone, spans = find_zone(report.time_zone), (report.pixel.opens.counted, report.pixel.opens.raw)

    def at(time: datetime | None) -> str:
        return "none" if time is None else f"{time.astimezone(zone):%Y-%m-%d %H:%M}"

    return [
        (f"{report.recipients:,} recipients", "COUNTED", "RAW"),
        ("Opened", *_numbers(report.opened)),
        ("Open rate", *_rate(report.rate)),
        ("Not opened", f"{report.not_opened:,}", f"{report.recipients - report.opened.raw:,}"),
        ("Of these only prefetched: not known", f"{report.prefetched:,}", ""),
        ("Median time to the first open", _time(report.delay.counted), _time(report.delay.raw)),
        ("Fetches of the image", *_numbers(report.fetches)),
        ("Views (without repeats)", *_numbers(report.views)),
        (f"First open ({report.time_zone})", at(spans[0].first), at(spans[1].first)),
        (f"Last open ({report.time_zone})", at(spans[0].last), at(spans[1].last)),
    ]


def _numbers(count: Count) -> tuple[str, str]:
    return f"{count.counted:,}", f"{count.raw:,}"


def _rate(rate: Rate) -> tuple[str, str]:
    return _percentage(rate.counted), _percentage(rate.raw)


def _percentage(share: float | None) -> str:
    return NOT_KNOWN if share is None else f"{share:.1%}"


def _echo_rate(rate: Rate) -> None:
    """Print what is known of the rate, each figure with its meaning."""
    width = max(shutil.get_terminal_size().columns, _NARROWEST)
    echo("\nOpen rate")
    for one in rate_figures(rate, _percentage):
        start = f"{one.name:10}  {one.value:>14}  "
        echo(textwrap.fill(one.meaning, width, initial_indent=start, subsequent_indent=" " * len(start)))


def _time(delay: timedelta | None) -> str:
    """Return a duration in its two largest units."""
    if delay is None:
        return "none"
    seconds = round(delay.total_seconds())
    for unit, size, smaller, part in (("d", 86_400, "h", 3_600), ("h", 3_600, "min", 60), ("min", 60, "s", 1)):
        if seconds >= size:
            rest = seconds % size // part
            return f"{seconds // size} {unit} {rest} {smaller}" if rest else f"{seconds // size} {unit}"
    return f"{seconds} s"


def _days(days: Sequence[Period]) -> Iterator[Named]:
    """Return the days with their names; of many, the first and the last."""
    left_out = range(_DAYS // 2, len(days) - _DAYS // 2) if len(days) > _DAYS else range(0)
    for place, day in enumerate(days):
        if place not in left_out:
            yield Named(f"{day.start:%a %Y-%m-%d}", day.opens)
        elif place == left_out[0]:
            yield Named(f"... {len(left_out):,} days", sum((days[one].opens for one in left_out), Count()))


def _hours(hours: Sequence[Count]) -> list[Named]:
    return [Named(f"{hour:02}:00", opens) for hour, opens in enumerate(hours)]


def _delays(delays: Sequence[DelayRange]) -> Iterator[Named]:
    for one in delays:
        if one.recipients.raw or one.recipients.counted:
            yield Named("longer" if one.within is None else f"up to {_time(one.within)}", one.recipients)


def _echo_bars(title: str, named: Sequence[Named]) -> None:
    """Print counts with bars: the counted opens solid, the others light."""
    most = max((max(one.opens.raw, one.opens.counted) for one in named), default=0)
    if most:
        echo(f"\n{title}")
        _echo_table([(one.name, *_numbers(one.opens), _bar(one.opens, most)) for one in named])


def _echo_table(rows: Sequence[tuple[str, ...]]) -> None:
    Table(*rows[0], right=_NUMBERS, cut=(0,), stacks=False).echo(rows[1:])


def _bar(opens: Count, most: int) -> str:
    """Return a bar in which every count above zero is visible."""
    counted, raw = opens.counted * _BAR / most, max(round(opens.raw * _BAR / most), 1 if opens.raw else 0)
    if not _has_blocks():
        bar = "#" * max(round(counted), 1 if opens.counted else 0)
        return bar + "." * (raw - len(bar))
    eighths = max(round(counted * 8), 1 if opens.counted else 0)
    bar = "█" * (eighths // 8) + _EIGHTHS[eighths % 8]
    return bar + "░" * (raw - len(bar))


def _has_blocks() -> bool:
    """Return whether the output can show blocks."""
    return can_encode("█░▏")

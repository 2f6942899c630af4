"""`mailtrack report` and `mailtrack rejudge`."""

import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import click

from mailtrack import wire
from mailtrack.cli.common import (
    base_url_option,
    database_option,
    echo_json,
    echo_table,
    json_option,
    judge_options,
    opened_tracker,
)
from mailtrack.report import Count, Named, Rate, Report
from mailtrack.times import to_text

_BAR = 24  # characters
_DAYS = 14


@click.command()
@click.argument("pixel")
@click.option("--time-zone", default="UTC", show_default=True, metavar="ZONE", help="Where days and hours begin.")
@click.option("--top", type=click.IntRange(1, 100), default=10, show_default=True, help="How many of each to show.")
@json_option
@database_option
@base_url_option
def report(pixel: str, time_zone: str, top: int, as_json: bool, **given: str | None) -> None:
    """Show the figures of PIXEL: those that count, and raw ones with machines' opens beside them."""
    with opened_tracker(**given) as tracker:
        found = tracker.report(pixel, time_zone=time_zone, top=top)
        if as_json:
            echo_json(wire.report(found, tracker.require_urls()))
            return
        _echo_summary(found)
        _echo_bars(
            f"Opens by day, {time_zone}", [Named(f"{day.start:%Y-%m-%d}", day.opens) for day in found.days[-_DAYS:]]
        )
        hours = [Named(f"{hour:02}:00", opens) for hour, opens in enumerate(found.hours_of_day)]
        _echo_bars(f"Opens by hour of the day, {time_zone}", hours if found.fetches.raw else [])
        _echo_bars("Recipients by time to first open", [Named(name, one) for name, one in _to_delays(found)])
        for title, named in (
            ("Verdicts", found.verdicts),
            ("Vendors", found.vendors),
            ("Clients", found.clients),
            ("Systems", found.systems),
            ("Devices", found.devices),
        ):
            _echo_bars(title, list(named))
        if found.top:
            click.echo("\nMost opens")
            echo_table([(one.email, f"{one.counted.number:,}") for one in found.top])


@click.command()
@click.argument("pixels", nargs=-1, metavar="[PIXEL]...")
@judge_options
@database_option
def rejudge(pixels: tuple[str, ...], **given: str | None) -> None:
    """Judge the opens of each PIXEL, or of all, again with today's rules, and correct the counts."""
    with opened_tracker(**given) as tracker:
        found = [tracker.get_pixel(pixel) for pixel in pixels] if pixels else list(tracker.iter_pixels())
        opens = changed = 0
        progress: Any = click.progressbar(
            length=sum(pixel.opens.number for pixel in found), label="Judging opens again", file=sys.stderr
        )
        with progress as bar:
            for pixel in found:
                before = 0
                for state in tracker.rejudge(pixel.id):
                    bar.update(state.opens - before)
                    before = state.opens
                opens += state.opens
                changed += state.changed
        click.echo(f"{opens:,} opens were looked at; {changed:,} are judged in another way now.", err=True)


def _echo_summary(found: Report) -> None:
    pixel = found.pixel
    rows = [
        (pixel.name, "COUNTED", "RAW"),
        ("Recipients who opened", f"{found.opened.counted:,}", f"{found.opened.raw:,}"),
        (f"Open rate, of {found.recipients:,} recipients", *_rate(found.rate)),
        ("Fetches", f"{found.fetches.counted:,}", f"{found.fetches.raw:,}"),
        ("Views", f"{found.views.counted:,}", f"{found.views.raw:,}"),
        ("First open", *(to_text(one.first) if one.first else "none" for one in (pixel.counted, pixel.opens))),
        ("Last open", *(to_text(one.last) if one.last else "none" for one in (pixel.counted, pixel.opens))),
        ("Median time to first open", *(_time(one) for one in (found.delay.counted, found.delay.raw))),
        ("Have not opened", f"{found.not_opened:,}", f"{found.recipients - found.opened.raw:,}"),
    ]
    echo_table(rows)


def _rate(rate: Rate) -> tuple[str, str]:
    counted, raw = ("none" if share is None else f"{share:.1%}" for share in (rate.counted, rate.raw))
    return counted, raw


def _time(delay: timedelta | None) -> str:
    """Return a span of time in its two largest units."""
    if delay is None:
        return "none"
    seconds = round(delay.total_seconds())
    for unit, size, smaller in (("d", 86_400, "h"), ("h", 3_600, "min"), ("min", 60, "s")):
        if seconds >= size:
            rest = seconds % size // {"h": 3_600, "min": 60, "s": 1}[smaller]
            return f"{seconds // size} {unit} {rest} {smaller}"
    return f"{seconds} s"


def _to_delays(found: Report) -> Iterator[tuple[str, Count]]:
    for one in found.delays:
        name = "longer" if one.within is None else f"within {_time(one.within)}"
        if one.recipients.raw:
            yield name, one.recipients


def _echo_bars(title: str, named: list[Named]) -> None:
    """Print counts with bars: full ones for what counts, light ones for the rest."""
    if not named:
        return
    most = max(one.opens.raw for one in named) or 1
    click.echo(f"\n{title}")
    rows = []
    for one in named:
        raw, counted = (round(number * _BAR / most) for number in (one.opens.raw, one.opens.counted))
        bar = "█" * counted + "░" * (raw - counted)
        rows.append((one.name, f"{one.opens.counted:,}", f"{one.opens.raw:,}", bar))
    echo_table(rows)

"""`mailtrack purge`."""

import signal
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import click

from mailtrack._model import Pixel
from mailtrack._retention import Purge
from mailtrack._text import plural
from mailtrack._times import now
from mailtrack.cli._ages import parse_age
from mailtrack.cli._open_tracker import open_tracker
from mailtrack.cli._options import database_option, example, spool_option
from mailtrack.cli._output import confirm, echo, is_terminal, progress
from mailtrack.cli._tables import Table

_PIXELS_SHOWN = 20


def _to_age(_: click.Context, __: click.Parameter, value: str) -> timedelta:
    try:
        return parse_age(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command(
    epilog=example("mailtrack purge --older-than 90d", "mailtrack purge --older-than 52w --pixel a1b2c3d4 --yes")
)
@click.option("--older-than", required=True, callback=_to_age, metavar="AGE", help="As in 12h, 90d or 26w.")
@click.option("--pixel", metavar="PIXEL", help="Only the opens of this pixel.  [default: those of all]")
@click.option("--yes", is_flag=True, help="Delete without asking.")
@database_option
@spool_option
def purge(older_than: timedelta, pixel: str | None, yes: bool, **given: Any) -> None:
    """Delete the opens that are older than AGE. All counts and figures are kept.

    The command shows the number of opens and asks for confirmation. Servers may run meanwhile. Opens in the spool are
    not deleted: they are stored first, and belong to the next purge.
    """
    with open_tracker(with_spool=True, **given) as tracker:
        before = now() - older_than
        plan = tracker.plan_purge(before=before, pixel=pixel)
        if plan.before < before:
            _echo_kept(plan.before)
        found = list(plan.count())
        total = sum(number for _, number in found)
        if not total:
            echo("No opens are that old.", err=True)
            deque(tracker.sweep(), maxlen=0)  # what earlier deletions left
            return
        _echo_plan(found, total, plan.before)
        if not yes:
            _ask()
        _run(plan, total)


def _echo_kept(until: datetime) -> None:
    echo(
        f"Opens from {until:%Y-%m-%d %H:%M} UTC on are kept: the spool still holds hits from then on."
        " Start the server, or store them with `mailtrack spool drain`, and purge again.",
        err=True,
    )


def _echo_plan(found: list[tuple[Pixel, int]], total: int, before: datetime) -> None:
    rows = ((one.short_id, f"{number:,}", one.name) for one, number in found[:_PIXELS_SHOWN])
    Table("ID", "OPENS", "NAME", right=(1,), cut=(2,)).echo(rows)
    if len(found) > _PIXELS_SHOWN:
        echo(f"and {plural(len(found) - _PIXELS_SHOWN, 'more pixel')}")
    echo(f"{plural(total, 'open')} from before {before:%Y-%m-%d %H:%M} UTC.")


def _ask() -> None:
    if not is_terminal(sys.stdin):
        raise click.UsageError("There is no terminal to ask on. Nothing was deleted; --yes deletes without asking.")
    confirm("Delete them for good? The figures still count them.")


def _run(plan: Purge, total: int) -> None:
    """Delete until done or Ctrl-C, and report the number of deleted opens either way."""
    deleted = 0
    with _interruptible() as interrupted:
        try:
            with progress("Deleting opens", total) as bar:
                for number in plan.run():
                    deleted += number
                    bar.update(number)
                    if interrupted:
                        raise click.Abort
        finally:
            echo(f"Deleted {plural(deleted, 'open')}.", err=True)


@contextmanager
def _interruptible() -> Iterator[Sequence[int]]:
    """Yield what Ctrl-C puts something into. An exception instead could come between a deletion and its count."""
    interrupted: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: interrupted.append(number))
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)

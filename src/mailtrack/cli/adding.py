"""`mailtrack recipients add`."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import BinaryIO

import click

from mailtrack.cli.common import database_option, example, opened_tracker
from mailtrack.cli.files import input_file
from mailtrack.cli.output import echo
from mailtrack.errors import InvalidEmails
from mailtrack.tracker import Tracker

_BATCH = 10_000


@click.command(epilog=example("mailtrack recipients add a1b2c3d4 addresses.txt"))
@click.argument("pixel")
@click.argument("file", type=input_file, default="-")
@database_option
def add(pixel: str, file: BinaryIO, **given: str | None) -> None:
    """Make tokens in PIXEL for the addresses in FILE, one a line (- or nothing: standard input)."""
    with opened_tracker(**given) as tracker:
        found = tracker.get_pixel(pixel)
        done = 0
        lines = _lines(file)
        with _counted(tracker, found.id):
            while batch := list(islice(lines, _BATCH)):
                try:
                    tracker.generate_tokens(found.id, [address for _, address in batch])
                except InvalidEmails as error:
                    problems = [f"line {batch[problem.index][0]}: {problem.reason}" for problem in error.problems[:20]]
                    raise click.ClickException("\n".join([f"{done:,} lines were taken.", *problems])) from error
                done += len(batch)
        total = tracker.get_pixel(found.id).recipients
        echo(f"{done:,} addresses taken; the pixel has {total:,} recipients.", err=True)


@contextmanager
def _counted(tracker: Tracker, pixel: str) -> Iterator[None]:
    """Report how many recipients were added where that is interrupted."""
    before = tracker.get_pixel(pixel).recipients
    try:
        yield
    except KeyboardInterrupt:
        added = tracker.get_pixel(pixel).recipients - before
        raise click.ClickException(f"Interrupted. {added:,} recipients were added; run it again to go on.") from None


def _lines(file: BinaryIO) -> Iterator[tuple[int, str]]:
    """Return the number and the text of each line that is not empty."""
    for number, line in enumerate(file, 1):
        # Bytes that are no UTF-8 become halves of surrogate pairs, which no address may have.
        text = line.decode("utf-8-sig" if number == 1 else "utf-8", "surrogateescape").strip()
        if text:
            yield number, text

"""`mailtrack recipients add`."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import islice
from typing import Any, BinaryIO

import click

from mailtrack._errors import InvalidEmails, InvalidRecipients, shown
from mailtrack._imports import ImportResult
from mailtrack._model import Pixel
from mailtrack._text import plural
from mailtrack._tracker import Tracker
from mailtrack.cli._files import OutputFile, input_file, is_same
from mailtrack.cli._open_tracker import open_tracker
from mailtrack.cli._options import database_option, example, json_option, special_domains_option
from mailtrack.cli._output import echo, echo_json, is_terminal, visible

_SHOWN = 20  # rejected rows; the file of --rejects has all of them


@click.command(
    epilog=example(
        "mailtrack recipients add a1b2c3d4 addresses.txt",
        "mailtrack recipients add a1b2c3d4 people.csv --email Mail --rejects rejected.csv",
        "mailtrack recipients add a1b2c3d4 invoices.csv --ref Number",
        "psql -Atc 'select email from people' | mailtrack recipients add a1b2c3d4",
    )
)
@click.argument("pixel")
@click.argument("file", type=input_file, default="-")
@click.option("--email", metavar="COLUMN", help="The column of the addresses: its heading, or its number from 1.")
@click.option("--ref", metavar="COLUMN", help="The column of the references, likewise.  [default: none]")
@click.option("--skip-invalid", is_flag=True, help="Add the valid rows and exit with 0 even if others are invalid.")
@click.option("--rejects", metavar="FILE", help="Do the same, and write the rejected rows to FILE.")
@special_domains_option
@json_option
@database_option
def add(
    pixel: str,
    file: BinaryIO,
    email: str | None,
    ref: str | None,
    skip_invalid: bool,
    rejects: str | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Add the addresses in FILE to PIXEL: a list, or a spreadsheet saved as CSV (- or nothing: standard input).

    If a row is invalid, none is added; --skip-invalid adds the valid ones. So does --rejects, which also writes the
    rejected rows in the form of the input, to be corrected and added. An address that the pixel already has keeps its
    token, so adding a file again is harmless. With --ref, each reference of an address has a token of its own.
    """
    if rejects is not None and is_same(rejects, file):
        raise click.UsageError("--rejects names the input file.")
    skips = skip_invalid or rejects is not None
    with open_tracker(**given) as tracker:
        found = tracker.get_pixel(pixel)
        with (
            OutputFile(rejects) if rejects is not None else nullcontext() as rest,
            _reporting_interruption(tracker, found.id),
        ):
            result = _import(tracker, found, file, email=email, ref=ref, skips=skips)
            if rest is not None:
                rest.write(result.rejects().encode() if result.rejected else b"")
        _report(result, tracker.get_pixel(found.id).recipients, as_json)


def _import(tracker: Tracker, pixel: Pixel, file: BinaryIO, *, skips: bool, **columns: str | None) -> ImportResult:
    try:
        return tracker.import_recipients(
            pixel, file, on_invalid="skip" if skips else "raise", progress=_show_progress, **columns
        )
    except (InvalidEmails, InvalidRecipients) as error:
        number = len(error.problems)
        _echo_problems(((one.index + 1, getattr(one, "value", None), one.reason) for one in error.problems), number)
        raise click.ClickException(
            f"Nothing was added: {plural(number, 'invalid row')}. Correct them, or add the others with --skip-invalid."
        ) from error


def _report(result: ImportResult, total: int, as_json: bool) -> None:
    rejected = [{"line": row.line, "value": row.value, "reason": row.reason} for row in result.rejected]
    if as_json:
        echo_json({"added": result.added, "present": result.present, "rejected": rejected, "recipients": total})
        return
    _echo_problems(((row.line, row.value, row.reason) for row in result.rejected), len(rejected))
    counts = {"Added": result.added, "Already there": result.present, "Rejected": len(rejected)}
    echo(" ".join(f"{name}: {number:,}." for name, number in counts.items()), err=True)
    echo(f"The pixel's recipients: {total:,}.", err=True)


def _echo_problems(problems: Iterable[tuple[int, object, str]], number: int) -> None:
    for line, value, reason in islice(problems, _SHOWN):
        quoted = "" if value is None else f"{shown(value)}: "
        echo(visible(f"line {line}: {quoted}{reason}"), err=True)
    if number > _SHOWN:
        echo(f"and {number - _SHOWN:,} more; --rejects FILE writes all of them", err=True)


@contextmanager
def _reporting_interruption(tracker: Tracker, pixel: str) -> Iterator[None]:
    """Report the number of added recipients if Ctrl-C interrupts the command."""
    before = tracker.get_pixel(pixel).recipients
    try:
        yield
    except KeyboardInterrupt:
        added = tracker.get_pixel(pixel).recipients - before
        raise click.ClickException(f"Interrupted. Added: {added:,}. Run it again to add the rest.") from None


def _show_progress(added: int, present: int, rejected: int) -> None:
    if is_terminal(sys.stderr):
        # Each line overwrites the one before; the report overwrites the last.
        click.echo(f"{added + present:,} taken, {rejected:,} rejected\r", nl=False, err=True)

"""`mailtrack recipients`."""

import sys
from collections.abc import Iterator
from itertools import islice
from typing import IO, Any, BinaryIO

import click

from mailtrack.cli.common import base_url_option, database_option, opened_tracker, special_domains_option
from mailtrack.errors import InvalidEmails
from mailtrack.export import recipients_csv

_BATCH = 10_000


@click.group()
def recipients() -> None:
    """Add, export and delete recipients."""


@recipients.command()
@click.argument("pixel")
@click.argument("file", type=click.File("rb"), default="-")
@special_domains_option
@database_option
def add(pixel: str, file: BinaryIO, **given: Any) -> None:
    """Make tokens in PIXEL for the addresses in FILE, one a line (- or nothing: standard input).

    FILE may be of any size: it is taken in batches of 10,000 lines, each wholly or not at all. Where a line is not a
    valid address, its batch and what follows is not taken; mend it and run the command again, which changes nothing
    for addresses that are there already.
    """
    with opened_tracker(**given) as tracker:
        found = tracker.get_pixel(pixel)
        done = 0
        lines = _lines(file)
        progress: Any = click.progressbar(length=_size(file), label="Adding recipients", file=sys.stderr)
        with progress as bar:
            while batch := list(islice(lines, _BATCH)):
                try:
                    tracker.generate_tokens(found.id, [address for _, address, _ in batch])
                except InvalidEmails as error:
                    problems = [f"line {batch[problem.index][0]}: {problem.reason}" for problem in error.problems[:20]]
                    raise click.ClickException("\n".join([f"{done:,} lines were taken.", *problems])) from error
                done += len(batch)
                bar.update(sum(size for *_, size in batch))
        total = tracker.get_pixel(found.id).recipients
        click.echo(f"{done:,} addresses taken; the pixel has {total:,} recipients.", err=True)


@recipients.command()
@click.argument("pixel")
@click.option("--output", type=click.File("wb"), default="-", help="The file to write.  [default: standard output]")
@click.option("--raw", is_flag=True, help="Leave cells as they are that a spreadsheet would take for formulas.")
@click.option("--opened/--not-opened", default=None, help="Only those that have opened, or have not.")
@database_option
@base_url_option
def export(pixel: str, output: IO[bytes], raw: bool, opened: bool | None, **given: str | None) -> None:
    """Write the recipients of PIXEL as CSV."""
    with opened_tracker(**given) as tracker:
        found = tracker.get_pixel(pixel)
        recipients = tracker.iter_recipients(found.id, opened=opened)
        for piece in recipients_csv(found, recipients, urls=tracker.require_urls(), raw=raw):
            output.write(piece)


@recipients.command()
@click.argument("recipient")
@database_option
def delete(recipient: str, **given: str | None) -> None:
    """Delete the recipient whose id is RECIPIENT; the opens stay, without the address."""
    with opened_tracker(**given) as tracker:
        tracker.delete_recipient(recipient)
        click.echo(f"Deleted {recipient}.", err=True)


def _lines(file: BinaryIO) -> Iterator[tuple[int, str, int]]:
    """Return the number, the text and the size in bytes of each line that is not empty."""
    for number, line in enumerate(file, 1):
        # Bytes that are no UTF-8 become halves of surrogate pairs, which no address may have.
        text = line.decode("utf-8-sig" if number == 1 else "utf-8", "surrogateescape").strip()
        if text:
            yield number, text, len(line)


def _size(file: BinaryIO) -> int | None:
    """Return a file's size in bytes, `None` for a pipe."""
    try:
        here = file.tell()
        size = file.seek(0, 2)
        file.seek(here)
    except (OSError, ValueError):
        return None
    return size

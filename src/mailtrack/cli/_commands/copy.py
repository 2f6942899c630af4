"""`mailtrack copy`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from mailtrack._copying import Copied, Copying
from mailtrack._errors import InvalidSetting, StorageError
from mailtrack._redacting import redact_url
from mailtrack._spool import get_status
from mailtrack._text import plural
from mailtrack.cli._options import example
from mailtrack.cli._output import echo, is_terminal, progress
from mailtrack.cli._settings import Settings
from mailtrack.storage import Storage, open_storage

_SHOWN = 10  # pixels that differ


@click.command(
    epilog=example(
        "mailtrack copy sqlite:///mailtrack.db postgresql://mail@db.example.org/mailtrack",
        "mailtrack copy postgresql://mail@db.example.org/mailtrack sqlite:////backups/mailtrack.db",
    )
)
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
def copy(source: str, target: str) -> None:
    """Copy the storage with the URL FROM into the one with the URL TO.

    TO is empty, or a copy of the same FROM that was interrupted: then the command goes on, and adds nothing twice. Stop
    the servers that use FROM first, and store what waits in their spools. At the end, the figures of all pixels are
    compared, and those that differ are an error.
    """
    if Settings(database=target).in_memory:
        raise click.UsageError("TO must be a storage that is still there when this command ends.")
    if source == target or _is_one_file(source, target):
        raise click.UsageError("FROM and TO are the same storage.")
    _warn_of_spool(source)
    with _open(source, "FROM", create=False) as old, _open(target, "TO") as new:
        copying = Copying(old, new)
        with _bar(copying.plan()) as bar:
            for number in copying.run():
                bar.update(number)
        different = list(copying.verify())
    _report(copying.copied, redact_url(target))
    if different:
        _fail(different, changed=copying.copied.changed)
    echo("The figures of all pixels are equal.", err=True)


def _is_one_file(source: str, target: str) -> bool:
    old, new = Settings(database=source).database_file, Settings(database=target).database_file
    return old is not None and new is not None and old.resolve() == new.resolve()


def _open(url: str, name: str, *, create: bool = True) -> Storage:
    try:
        return open_storage(url, create=create)
    except InvalidSetting as error:  # which names an option that this command does not have
        raise click.UsageError(f"{name}: {error.reason}.") from error


@contextmanager
def _bar(rows: int) -> Iterator[Any]:
    if is_terminal(sys.stderr):
        with progress("Copying", rows) as bar:
            yield bar
    else:
        yield _NoBar()


class _NoBar:
    """Takes the place of a progress bar where there is no terminal."""

    def update(self, number: int) -> None:
        """Do nothing."""


def _warn_of_spool(source: str) -> None:
    folder = Settings(database=source).spool_folder
    waiting = 0 if folder is None or not folder.is_dir() else get_status(folder).lines
    if waiting:
        echo(
            f"Warning: {plural(waiting, 'hit')} in the spool {folder} may not be stored in FROM yet, and are not"
            " copied. Stop the servers, run `mailtrack spool drain`, and copy again.",
            err=True,
        )


def _report(copied: Copied, target: str) -> None:
    numbers = ((copied.pixels, "pixel"), (copied.recipients, "recipient"), (copied.opens, "open"))
    echo(f"Copied {', '.join(plural(*one) for one in numbers)} into {target}.", err=True)
    left = copied.left_out
    for number, what, result in (
        (left.purged, plural(left.purged, "purged open"), "the figures of FROM count them, those of TO don't"),
        (left.duplicates, plural(left.duplicates, "recipient"), "an older one has the same address and reference"),
        (left.webhooks, plural(left.webhooks, "webhook"), "TO can't store them"),
        (
            left.deliveries,
            plural(left.deliveries, "delivery", "deliveries"),
            "they are still due; a replay sends their events",
        ),
        (
            left.erased,
            plural(left.erased, "erased recipient"),
            "TO does not know their tokens, so it stores late opens of them with address and agent",
        ),
        (
            left.places,
            plural(
                left.places, "place of a function of on_open or a webhook", "places of functions of on_open or webhooks"
            ),
            "they begin at the end of the events of TO",
        ),
    ):
        if number:
            echo(f"Left out: {what}: {result}.", err=True)


def _fail(different: list[str], *, changed: bool) -> None:
    shown = ", ".join(different[:_SHOWN]) + (" ..." if len(different) > _SHOWN else "")
    why = "FROM was written meanwhile. Stop" if changed else "Was FROM written meanwhile? Stop"
    raise StorageError(
        f"The figures of {plural(len(different), 'pixel')} differ: {shown}. {why} the servers, and copy again; if they"
        " still differ, copy into an empty storage."
    )

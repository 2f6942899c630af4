"""`mailtrack spool`."""

import sys
from functools import partial
from pathlib import Path
from typing import Any

import click

from mailtrack._errors import DatabaseNotFound, InvalidSetting
from mailtrack._ingest.drain import drain as drain_spool
from mailtrack._ingest.enrich import Enricher
from mailtrack._ingest.owning import owner_of
from mailtrack._ingest.storing import keep_hits
from mailtrack._spool import Reader, check_owner, get_status
from mailtrack._spool import inspect as inspect_spool
from mailtrack._text import plural
from mailtrack.cli._failures import describe
from mailtrack.cli._options import database_option, example, json_option, judge_options, shared_options, spool_option
from mailtrack.cli._output import echo, echo_json, is_terminal
from mailtrack.cli._settings import Settings
from mailtrack.storage import open_storage


@click.group(epilog=example("mailtrack spool status"))
@shared_options
def spool() -> None:
    """Inspect the spool, which keeps opens until the storage has them."""


@spool.command(epilog=example("mailtrack spool status --json"))
@json_option
@database_option
@spool_option
def status(as_json: bool, **given: Any) -> None:
    """Show the size of the spool."""
    found = get_status(_folder(Settings.resolve(given)))
    if as_json:
        numbers = {"segments": found.segments, "bytes": found.bytes}
        echo_json({**numbers, "hits": found.lines, "deadLetters": found.dead_letters})
        return
    echo(f"Segments:      {found.segments:,}")
    echo(f"Hits:          {found.lines:,} ({found.bytes:,} bytes)")
    echo(f"Dead letters:  {found.dead_letters:,}")


@spool.command(
    epilog=example(
        "mailtrack spool drain",
        "mailtrack spool drain /mnt/node3/mailtrack.spool --database postgresql://mail@db.example.org/mailtrack",
    )
)
@click.argument("folder", required=False, type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--force", is_flag=True, help="Also where the spool is that of another database, of which this is a copy."
)
@judge_options
@database_option
@spool_option
def drain(folder: Path | None, force: bool, **given: Any) -> None:
    """Store the opens in the spool, or in FOLDER, if no running process does.

    FOLDER is the spool of a machine that is gone: its disk, mounted here, or a copy of the folder. Opens that the
    storage already has are not stored twice. A spool of another database is refused: opens of pixels that the storage
    does not have would be lost.
    """
    settings = Settings.resolve(given)
    folder = folder or _folder(settings)
    reader = Reader(folder)
    with open_storage(settings.database, create=False) as storage:  # a new database would have no pixel for the hits
        owner = None if force else owner_of(storage)
        if owner is not None:
            check_owner(folder, owner)
        try:
            if folder.exists() and not reader.lead():
                raise click.ClickException("A running process drains this spool.")
            stored = drain_spool(reader, partial(keep_hits, storage, Enricher(settings.make_judge())))
            echo(f"Stored {plural(stored, 'hit')}.", err=True)
        except OSError as error:
            raise click.ClickException(f"The spool can't be used: {describe(error)}.") from error
        finally:
            reader.release()


@spool.command(epilog=example("mailtrack spool inspect"))
@database_option
@spool_option
def inspect(**given: Any) -> None:
    """Print the lines of the spool, oldest segment first.

    A line holds version, id, time, kind, pixel, token, address, user agent, referer, signals and checksum, separated by
    tabs.
    """
    shown = is_terminal(sys.stdout)
    for line in inspect_spool(_folder(Settings.resolve(given))):
        if shown:  # a damaged line may hold any bytes
            echo(line.decode("utf-8", "backslashreplace").rstrip("\n"))
        else:
            click.echo(line, nl=False)


def _folder(settings: Settings) -> Path:
    folder = settings.spool_folder
    if folder is None:
        raise InvalidSetting("spool", "this storage has none by default; name its folder")
    file = settings.database_file
    if settings.spool is None and file is not None and not (file.exists() or folder.exists()):
        raise DatabaseNotFound(str(file.absolute()))
    if folder.exists() and not folder.is_dir():
        raise InvalidSetting("spool", "is not a folder")
    return folder

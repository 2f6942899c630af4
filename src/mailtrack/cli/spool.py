"""`mailtrack spool`."""

from pathlib import Path

import attrs
import click

from mailtrack.cli.common import database_option, echo_json, json_option, judge_options, spool_option
from mailtrack.errors import InvalidSetting
from mailtrack.settings import Settings
from mailtrack.spool import Backlog, get_status
from mailtrack.spool import drain as drain_spool
from mailtrack.spool import inspect as inspect_spool
from mailtrack.storage import open_storage
from mailtrack.tracker import Tracker


@click.group()
def spool() -> None:
    """Look into the spool, which keeps opens until the storage has them."""


@spool.command()
@json_option
@database_option
@spool_option
def status(as_json: bool, **given: str | None) -> None:
    """Tell how much waits."""
    found = get_status(_folder(Settings.resolve(given)))
    if as_json:
        echo_json(attrs.asdict(found))
        return
    click.echo(f"Segments:   {found.segments:,}")
    click.echo(f"Hits:       {found.hits:,} ({found.bytes:,} bytes)")
    click.echo(f"Set aside:  {found.set_aside:,}")


@spool.command()
@judge_options
@database_option
@spool_option
def drain(**given: str | None) -> None:
    """Store what waits, where no running process does so."""
    settings = Settings.resolve(given)
    folder = _folder(settings)
    backlog = Backlog(folder)
    database = settings.database_file
    if database is not None and not database.exists() and any(inspect_spool(folder)):
        raise click.ClickException("There is no such database: in a new one no hit would find its pixel.")
    with open_storage(settings.database) as storage:
        try:
            if folder.exists() and not backlog.lead():
                raise click.ClickException("A running process drains this spool.")
            click.echo(
                f"{drain_spool(backlog, Tracker(storage, judge=settings.make_judge()).store):,} hits stored.", err=True
            )
        except OSError as error:
            raise click.ClickException(f"The spool can't be used: {error.strerror}.") from error
        finally:
            backlog.release()


@spool.command()
@database_option
@spool_option
def inspect(**given: str | None) -> None:
    """Print the lines that wait, the oldest segment first.

    They hold the version, id, time, pixel, token, address, user agent, referer and checksum, with tabs between them.
    """
    for line in inspect_spool(_folder(Settings.resolve(given))):
        click.echo(line, nl=False)


def _folder(settings: Settings) -> Path:
    folder = settings.spool_folder
    if folder is None:
        raise InvalidSetting("spool", "there is none for this storage; name its folder")
    return folder

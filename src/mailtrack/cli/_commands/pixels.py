"""`mailtrack pixels`."""

from contextlib import suppress
from typing import Any, BinaryIO

import click

from mailtrack import _wire as wire
from mailtrack._images.check import MAX_BYTES
from mailtrack._model import Pixel
from mailtrack._text import plural
from mailtrack._times import to_text
from mailtrack._tracker import Tracker
from mailtrack.cli._base_url import printed_urls
from mailtrack.cli._files import input_file
from mailtrack.cli._open_tracker import open_tracker
from mailtrack.cli._options import (
    base_url_option,
    cursor_option,
    database_option,
    example,
    json_option,
    limit_option,
    shared_options,
)
from mailtrack.cli._output import confirm, echo, echo_json, visible
from mailtrack.cli._tables import Table, echo_list


@click.group(epilog=example('mailtrack pixels create "Spring launch"'))
@shared_options
def pixels() -> None:
    """Create, list, show, rename, archive and delete pixels."""


@pixels.command(
    epilog=example('mailtrack pixels create "Spring launch"', 'mailtrack pixels create "Autumn" --image banner.png')
)
@click.argument("name")
@click.option("--image", type=input_file, metavar="FILE", help="A JPG, PNG, GIF or WebP file to show.")
@json_option
@database_option
@base_url_option
def create(name: str, image: BinaryIO | None, as_json: bool, **given: Any) -> None:
    """Create a pixel called NAME. A database that does not exist is created."""
    with open_tracker(create=True, **given) as tracker:
        data = None if image is None else image.read(MAX_BYTES + 1)
        _show(tracker, tracker.create_pixel(name, image=data), as_json)


@pixels.command(name="list", epilog=example("mailtrack pixels list", "mailtrack pixels list --json --limit 10"))
@click.option("--archived", is_flag=True, help="List the archived pixels instead.")
@limit_option(None)
@cursor_option
@json_option
@database_option
@base_url_option
def list_(archived: bool, limit: int | None, cursor: str | None, as_json: bool, **given: Any) -> None:
    """List the pixels, newest first, without the archived ones."""
    with open_tracker(**given) as tracker:
        urls = printed_urls(tracker) if as_json else None
        echo_list(
            lambda most, start: tracker.list_pixels(limit=most, cursor=start, archived=archived),
            limit=limit,
            cursor=cursor,
            table=Table("ID", "CREATED", "RECIPIENTS", "OPENS", "NAME", right=(2, 3), cut=(4,)),
            to_rows=lambda found: map(_row, found),
            to_json=None if urls is None else lambda pixel: wire.pixel(pixel, urls),
        )


@pixels.command(epilog=example("mailtrack pixels show a1b2c3d4"))
@click.argument("pixel")
@json_option
@database_option
@base_url_option
def show(pixel: str, as_json: bool, **given: Any) -> None:
    """Show PIXEL with its URLs and counts."""
    with open_tracker(**given) as tracker:
        _show(tracker, tracker.get_pixel(pixel), as_json)


@pixels.command(epilog=example('mailtrack pixels rename a1b2c3d4 "Spring launch, second wave"'))
@click.argument("pixel")
@click.argument("name")
@json_option
@database_option
@base_url_option
def rename(pixel: str, name: str, as_json: bool, **given: Any) -> None:
    """Give PIXEL another NAME."""
    with open_tracker(**given) as tracker:
        _show(tracker, tracker.update_pixel(pixel, name=name), as_json)


@pixels.command(epilog=example("mailtrack pixels archive a1b2c3d4", "mailtrack pixels archive a1b2c3d4 --undo"))
@click.argument("pixel")
@click.option("--undo", is_flag=True, help="Bring it back.")
@json_option
@database_option
@base_url_option
def archive(pixel: str, undo: bool, as_json: bool, **given: Any) -> None:
    """Archive PIXEL: the dashboard and lists leave it out. It goes on tracking, and keeps all that it has."""
    with open_tracker(**given) as tracker:
        _show(tracker, tracker.update_pixel(pixel, archived=not undo), as_json)


@pixels.command(epilog=example("mailtrack pixels delete a1b2c3d4 --yes"))
@click.argument("pixel")
@click.option("--yes", is_flag=True, help="Delete without asking.")
@database_option
def delete(pixel: str, yes: bool, **given: Any) -> None:
    """Delete PIXEL with its opens, recipients, tokens and image."""
    with open_tracker(**given) as tracker:
        found = tracker.get_pixel(pixel)
        if not yes:
            owned = f"{plural(found.opens.raw.number, 'open')} and {plural(found.recipients, 'recipient')}"
            confirm(f"Delete {found.name!r} with {owned} for good?")
        tracker.delete_pixel(found.id, timeout=0)
        echo(f"Deleted {found.id}.", err=True)
        with suppress(KeyboardInterrupt):  # the server, or the next command that deletes, goes on
            for _ in tracker.sweep():
                pass


def _row(pixel: Pixel) -> tuple[str, ...]:
    counts = str(pixel.recipients), str(pixel.opens.raw.number)
    return pixel.short_id, to_text(pixel.created_at), *counts, pixel.name


def _show(tracker: Tracker, pixel: Pixel, as_json: bool) -> None:
    value = wire.pixel(pixel, printed_urls(tracker))
    if as_json:
        echo_json(value)
        return
    opens = pixel.opens.raw
    for label, text in (
        ("Name", pixel.name),
        ("ID", pixel.id),
        ("Created", value["createdAt"]),
        ("Archived", "yes" if pixel.archived else "no"),
        ("Tracking URL", value["trackingUrl"]),
        ("Logs", value["logsUrl"]),
        ("Image", value["imagePath"] or "transparent"),
        ("Recipients", f"{pixel.recipients:,}"),
        ("Opens", f"{opens.number:,}" + (f" ({pixel.purged:,} of them purged)" if pixel.purged else "")),
        ("First open", to_text(opens.first) if opens.first else "none"),
        ("Last open", to_text(opens.last) if opens.last else "none"),
    ):
        echo(f"{label + ':':14}{visible(text)}")

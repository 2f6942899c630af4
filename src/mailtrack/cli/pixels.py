"""`mailtrack pixels`."""

from typing import Any

import click

from mailtrack import wire
from mailtrack.cli.common import base_url_option, database_option, echo_json, echo_table, json_option, opened_tracker
from mailtrack.model import Pixel
from mailtrack.times import to_text
from mailtrack.tracker import Tracker


@click.group()
def pixels() -> None:
    """Create, list, show and delete pixels."""


@pixels.command()
@click.argument("name")
@click.option("--image", type=click.File("rb"), help="A JPG, PNG, GIF or WebP file to show.")
@json_option
@database_option
@base_url_option
def create(name: str, image: Any, as_json: bool, **given: str | None) -> None:
    """Create a pixel called NAME."""
    with opened_tracker(**given) as tracker:
        _show(tracker, tracker.create_pixel(name, image=image.read() if image else None), as_json)


@pixels.command(name="list")
@json_option
@database_option
@base_url_option
def list_(as_json: bool, **given: str | None) -> None:
    """List all pixels, the newest first."""
    with opened_tracker(**given) as tracker:
        rows = [("ID", "CREATED", "RECIPIENTS", "OPENS", "NAME")]
        for pixel in tracker.iter_pixels():
            if as_json:
                echo_json(wire.pixel(pixel, tracker.require_urls()))
            counts = (str(pixel.recipients), str(pixel.opens.number))
            rows.append((pixel.short_id, to_text(pixel.created_at), *counts, pixel.name))
        if not as_json:
            echo_table(rows)


@pixels.command()
@click.argument("pixel")
@json_option
@database_option
@base_url_option
def show(pixel: str, as_json: bool, **given: str | None) -> None:
    """Show PIXEL with its URLs and counts."""
    with opened_tracker(**given) as tracker:
        _show(tracker, tracker.get_pixel(pixel), as_json)


@pixels.command()
@click.argument("pixel")
@click.option("--yes", is_flag=True, help="Do not ask.")
@database_option
def delete(pixel: str, yes: bool, **given: str | None) -> None:
    """Delete PIXEL with its opens, recipients, tokens and image."""
    with opened_tracker(**given) as tracker:
        found = tracker.get_pixel(pixel)
        if not yes:
            owned = f"{found.opens.number:,} opens and {found.recipients:,} recipients"
            click.confirm(f"Delete {found.name!r} with {owned} for good?", abort=True)
        tracker.delete_pixel(found.id)
        click.echo(f"Deleted {found.id}.", err=True)


def _show(tracker: Tracker, pixel: Pixel, as_json: bool) -> None:
    value = wire.pixel(pixel, tracker.require_urls())
    if as_json:
        echo_json(value)
        return
    opens = pixel.opens
    for label, text in (
        ("Name", pixel.name),
        ("ID", pixel.id),
        ("Created", value["createdAt"]),
        ("Tracking URL", value["trackingUrl"]),
        ("Logs", value["logsUrl"]),
        ("Image", value["imagePath"] or "transparent"),
        ("Recipients", f"{pixel.recipients:,}"),
        ("Opens", f"{opens.number:,}" + (f" ({pixel.purged:,} of them purged)" if pixel.purged else "")),
        ("First open", to_text(opens.first) if opens.first else "none"),
        ("Last open", to_text(opens.last) if opens.last else "none"),
    ):
        click.echo(f"{label + ':':14}{text}")

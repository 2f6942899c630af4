"""`mailtrack recipients`, except for `add`, `find` and `erase`."""

from datetime import datetime
from typing import Any

import click

from mailtrack import _wire as wire
from mailtrack._errors import InvalidArgument, RecipientNotFound
from mailtrack._export import recipients_csv
from mailtrack._model import Pixel, Recipient, RecipientState
from mailtrack._text import plural
from mailtrack._times import from_text
from mailtrack._tracker import Tracker
from mailtrack._urls import Urls
from mailtrack.cli._base_url import printed_urls
from mailtrack.cli._files import OutputFile
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
from mailtrack.cli._output import echo
from mailtrack.cli._tables import Table, echo_list

opened_option = click.option(
    "--opened/--not-opened", default=None, help="Only recipients that have opened, or have not."
)


state_option = click.option(
    "--state",
    "states",
    metavar="STATES",
    callback=lambda _, __, value: None if value is None else _to_states(value),
    help=f"Only recipients in these states, separated by commas: {', '.join(RecipientState)}.",
)


search_option = click.option(
    "--search", metavar="TEXT", help="Only recipients with this text in their address or reference."
)
ref_option = click.option("--ref", metavar="REF", help="Only recipients with this reference.")


def _to_states(value: str) -> list[RecipientState]:
    try:
        return [RecipientState(one.strip()) for one in value.split(",")]
    except ValueError:
        raise click.BadParameter(f"must be some of {', '.join(RecipientState)}, separated by commas.") from None


@click.group(epilog=example("mailtrack recipients add a1b2c3d4 addresses.txt"))
@shared_options
def recipients() -> None:
    """Add, list, find, export, delete and erase recipients, and mark their mails as sent."""


@recipients.command(
    name="list",
    epilog=example(
        "mailtrack recipients list a1b2c3d4",
        "mailtrack recipients list a1b2c3d4 --not-opened --json",
        "mailtrack recipients list a1b2c3d4 --state scanned,none",
        "mailtrack recipients list a1b2c3d4 --ref INV-2031",
    ),
)
@click.argument("pixel")
@opened_option
@state_option
@search_option
@ref_option
@limit_option(None)
@cursor_option
@json_option
@database_option
@base_url_option
def list_(
    pixel: str,
    opened: bool | None,
    states: list[RecipientState] | None,
    search: str | None,
    ref: str | None,
    limit: int | None,
    cursor: str | None,
    as_json: bool,
    **given: Any,
) -> None:
    """List the recipients of PIXEL with their ids and URLs, in the order in which they were added."""
    with open_tracker(**given) as tracker:
        found = tracker.get_pixel(pixel)
        urls = printed_urls(tracker)
        echo_list(
            lambda most, start: tracker.list_recipients(
                found.id, limit=most, cursor=start, opened=opened, states=states, search=search, ref=ref
            ),
            limit=limit,
            cursor=cursor,
            table=Table(
                "ID", "STATE", "OPENS", "COUNTED", "EMAIL", "REFERENCE", "TRACKING URL", right=(2, 3), cut=(6, 5, 4)
            ),
            to_rows=lambda some: (_row(found, one, urls) for one in some),
            to_json=(lambda one: wire.recipient(one, found, urls)) if as_json else None,
        )


@recipients.command(epilog=example("mailtrack recipients export a1b2c3d4 --opened --output opened.csv"))
@click.argument("pixel")
@click.option("--output", metavar="FILE", default="-", help="The file to write.  [default: standard output]")
@click.option("--raw", is_flag=True, help="Do not escape cells that a spreadsheet would run as formulas.")
@click.option("--columns", type=click.Choice(["all"]), help="Write Reference, Recipient ID and State, too.")
@opened_option
@state_option
@search_option
@ref_option
@database_option
@base_url_option
def export(
    pixel: str,
    output: str,
    raw: bool,
    columns: str | None,
    opened: bool | None,
    states: list[RecipientState] | None,
    search: str | None,
    ref: str | None,
    **given: Any,
) -> None:
    """Write the recipients of PIXEL as CSV, in UTF-8."""
    with open_tracker(**given) as tracker:
        found = tracker.get_pixel(pixel)
        some = tracker.iter_recipients(found.id, opened=opened, states=states, search=search, ref=ref)
        with OutputFile(output) as file:
            urls = printed_urls(tracker)
            for piece in recipients_csv(found, some, urls=urls, raw=raw, all_columns=columns == "all"):
                file.write(piece)


def _to_time(_: click.Context, __: click.Parameter, value: str | None) -> datetime | None:
    try:
        return None if value is None else from_text(value, "it")
    except InvalidArgument as error:
        raise click.BadParameter(error.reason) from None


@recipients.command(
    epilog=example(
        "mailtrack recipients sent a1b2c3d4", "mailtrack recipients sent a1b2c3d4 --recipient a1b2c3d4e5f60718293a4b5c"
    )
)
@click.argument("pixel")
@click.option(
    "--recipient", "some", multiple=True, metavar="ID", help="Only this one; repeatable.  [default: all of the pixel]"
)
@click.option("--at", callback=_to_time, metavar="TIME", help="As in 2025-11-06T12:00:00Z.  [default: now]")
@database_option
def sent(pixel: str, some: tuple[str, ...], at: datetime | None, **given: Any) -> None:
    """Mark the mails to the recipients of PIXEL as sent, so that delays and early opens are measured from then."""
    with open_tracker(**given) as tracker:
        number = tracker.mark_sent(pixel, some or None, at=at)
        echo(f"Marked {plural(number, 'recipient')} as sent.", err=True)


@recipients.command(
    epilog=example(
        "mailtrack recipients delete a1b2c3d4e5f60718293a4b5c",
        "mailtrack recipients delete --pixel a1b2c3d4 --email ann@example.org",
    )
)
@click.argument("recipient", metavar="[ID]", required=False)
@click.option("--pixel", metavar="PIXEL", help="With --email, instead of an ID: the pixel.")
@click.option("--email", metavar="EMAIL", help="With --pixel: the address, in any case; with all of its references.")
@database_option
def delete(recipient: str | None, pixel: str | None, email: str | None, **given: Any) -> None:
    """Delete a recipient by its id, or by its address in a pixel. Its opens are kept, without the address."""
    if (recipient is None) == (pixel is None) or (pixel is None) != (email is None):
        raise click.UsageError("Give either an ID, or --pixel and --email.")
    with open_tracker(**given) as tracker:
        found = [recipient] if recipient is not None else _find(tracker, str(pixel), str(email))
        for one in found:
            tracker.delete_recipient(one)
            echo(f"Deleted {one}.", err=True)


def _find(tracker: Tracker, pixel: str, email: str) -> list[str]:
    """Return the ids of a pixel's recipients with an address: one for each of its references."""
    pixel_id = tracker.get_pixel(pixel).id
    found = [one.id for one in tracker.find_recipients(email.strip()) if one.pixel_id == pixel_id]
    if not found:
        raise RecipientNotFound
    return found


def _row(pixel: Pixel, recipient: Recipient, urls: Urls) -> tuple[str, ...]:
    counts = str(recipient.opens.raw.number), str(recipient.opens.counted.number)
    url = urls.tracking(pixel, recipient)
    return recipient.id, recipient.state.value, *counts, recipient.email, recipient.ref or "", url

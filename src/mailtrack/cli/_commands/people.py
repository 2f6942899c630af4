"""`mailtrack recipients find` and `erase`: one person over all pixels."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import click

from mailtrack import _wire as wire
from mailtrack._everything import everything
from mailtrack._model import Pixel, Recipient
from mailtrack._pixels import pixels_of
from mailtrack._text import plural
from mailtrack._times import to_text
from mailtrack._tracker import Tracker
from mailtrack._urls import Urls
from mailtrack.cli._base_url import printed_urls
from mailtrack.cli._open_tracker import open_tracker
from mailtrack.cli._options import (
    base_url_option,
    cursor_option,
    database_option,
    example,
    json_option,
    limit_option,
    spool_option,
)
from mailtrack.cli._output import confirm, echo, echo_json
from mailtrack.cli._tables import Table, echo_list


@click.command(
    epilog=example(
        "mailtrack recipients find ann@example.org", "mailtrack recipients find ann@example.org --everything > ann.json"
    )
)
@click.argument("email")
@click.option(
    "--everything",
    "with_opens",
    is_flag=True,
    help="Print all that is stored about the person as JSON: each recipient with its opens.",
)
@limit_option(None)
@cursor_option
@json_option
@database_option
@base_url_option
def find(email: str, with_opens: bool, limit: int | None, cursor: str | None, as_json: bool, **given: Any) -> None:
    """List the recipients with the address EMAIL, in any case, over all pixels, the newest first."""
    with open_tracker(**given) as tracker:
        urls = printed_urls(tracker) if as_json or with_opens else None
        echo_list(
            lambda most, start: tracker.list_found(email, limit=most, cursor=start),
            limit=limit,
            cursor=cursor,
            table=Table("ID", "CREATED", "STATE", "OPENS", "COUNTED", "PIXEL", "REFERENCE", right=(3, 4), cut=(5, 6)),
            to_rows=partial(_rows, tracker),
            to_json=None if urls is None else partial(_to_json, tracker, urls, with_opens),
        )


def _rows(tracker: Tracker, some: Sequence[Recipient]) -> Iterable[Sequence[str]]:
    pixels = pixels_of(some, tracker.get_pixel)
    return [_row(one, pixels[one.pixel_id]) for one in some if one.pixel_id in pixels]


def _row(one: Recipient, pixel: Pixel) -> tuple[str, ...]:
    opens = str(one.opens.raw.number), str(one.opens.counted.number)
    return one.id, to_text(one.created_at), one.state.value, *opens, pixel.name, one.ref or ""


def _to_json(tracker: Tracker, urls: Urls, with_opens: bool, one: Recipient) -> wire.Json:
    if with_opens:
        return everything(tracker, one, urls)
    return wire.found_recipient(one, tracker.get_pixel(one.pixel_id), urls)


@click.command(epilog=example("mailtrack recipients erase ann@example.org --yes"))
@click.argument("email")
@click.option("--yes", is_flag=True, help="Erase without asking.")
@json_option
@database_option
@spool_option
def erase(email: str, yes: bool, as_json: bool, **given: Any) -> None:
    """Erase the person with the address EMAIL: delete all recipients with it, over all pixels, with tokens and data.

    Their opens stay in the figures, without recipient, address, user agent and referer.
    """
    with open_tracker(with_spool=True, **given) as tracker:
        if not yes:
            number = len(tracker.find_recipients(email))
            confirm(f"Erase {email!r}, {plural(number, 'recipient')} over all pixels, for good?")
        erased = tracker.erase(email)
        if as_json:
            echo_json({"recipients": erased.recipients, "opens": erased.opens})
        else:
            found = f"{plural(erased.recipients, 'recipient')}, {plural(erased.opens, 'open')}"
            echo(f"Erased: {found}.", err=True)

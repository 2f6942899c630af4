"""`mailtrack opens`."""

from collections.abc import Iterator, Sequence
from typing import Any

import click
from click.core import ParameterSource

from mailtrack import _wire as wire
from mailtrack._export import opens_csv
from mailtrack._model import Open, Recipient
from mailtrack._paging import DEFAULT_LIMIT
from mailtrack._times import to_text
from mailtrack._tracker import Tracker
from mailtrack.cli._follow import follow, until_stopped
from mailtrack.cli._open_tracker import open_tracker
from mailtrack.cli._options import cursor_option, database_option, example, json_option, limit_option
from mailtrack.cli._output import echo_json
from mailtrack.cli._tables import Table, echo_list

_HEADS = ("TIME", "VERDICT", "RECIPIENT", "CLIENT", "ADDRESS", "USER AGENT")


@click.command(
    epilog=example(
        "mailtrack opens a1b2c3d4 --limit 10",
        "mailtrack opens a1b2c3d4 --csv > opens.csv",
        "mailtrack opens --follow --json | while read -r open; do ...; done",
    )
)
@click.argument("pixel", required=False)
@limit_option(DEFAULT_LIMIT)
@cursor_option
@click.option("--follow", "follows", is_flag=True, help="Print opens as they are stored, until Ctrl-C or SIGTERM.")
@click.option("--csv", "as_csv", is_flag=True, help="Write all opens as CSV, in UTF-8.")
@click.option("--raw", is_flag=True, help="With --csv: do not escape cells that a spreadsheet would run as formulas.")
@json_option
@database_option
@click.pass_context
def opens(
    context: click.Context,
    /,
    pixel: str | None,
    limit: int,
    cursor: str | None,
    follows: bool,
    as_csv: bool,
    raw: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Show the opens of PIXEL, newest first; with --follow those that come, of all pixels if none is given."""
    is_cut = cursor is not None or context.get_parameter_source("limit") != ParameterSource.DEFAULT
    if as_csv and (as_json or is_cut):
        raise click.UsageError("--csv writes all opens; it does not go with --json, --limit or --cursor.")
    if follows and (as_csv or is_cut):
        raise click.UsageError("--follow prints opens to come; it does not go with --csv, --limit or --cursor.")
    if pixel is None and not follows:
        raise click.UsageError("Missing argument 'PIXEL'.")
    with open_tracker(**given) as tracker:
        if follows:
            _follow(tracker, pixel, as_json=as_json)
        elif pixel is not None and as_csv:
            for piece in opens_csv(tracker.iter_opens(pixel), get_recipients=tracker.get_recipients, raw=raw):
                click.echo(piece, nl=False)
        elif pixel is not None:
            _list(tracker, pixel, limit=limit, cursor=cursor, as_json=as_json)


def _list(tracker: Tracker, pixel: str, *, limit: int, cursor: str | None, as_json: bool) -> None:
    echo_list(
        lambda most, start: tracker.list_opens(pixel, limit=most, cursor=start),
        limit=limit,
        cursor=cursor,
        table=Table(*_HEADS, cut=(5, 4, 3, 2)),
        to_rows=lambda found: _rows(tracker, found),
        to_json=wire.open_ if as_json else None,
    )


def _rows(tracker: Tracker, opens: Sequence[Open]) -> Iterator[Sequence[str]]:
    known = tracker.get_recipients(one.recipient_id for one in opens)
    return (_row(one, known.get(one.recipient_id or "")) for one in opens)


def _row(one: Open, recipient: Recipient | None) -> Sequence[str]:
    who = recipient.email if recipient else "deleted recipient" if one.recipient_id else "not known"
    client = f"{one.client.name} {one.client.version}".rstrip()
    return to_text(one.opened_at), one.verdict.kind.value, who, client, one.ip or "", one.user_agent


def _follow(tracker: Tracker, pixel: str | None, *, as_json: bool) -> None:
    """Print the opens of one pixel, or of all, each with its pixel, as they are stored."""
    chosen = None if pixel is None else tracker.get_pixel(pixel).id
    table = Table(*_HEADS, cut=(5, 4, 3, 2)) if chosen else Table("PIXEL", *_HEADS, cut=(6, 5, 4, 3, 0))
    with until_stopped():
        for events in follow(tracker, chosen):
            if as_json:
                owners = [{} if chosen else {"pixelId": one.pixel.id, "pixelName": one.pixel.name} for one in events]
                echo_json(*(wire.open_(one.open) | owner for one, owner in zip(events, owners, strict=True)))
            else:
                table.echo((*(() if chosen else (one.pixel.name,)), *_row(one.open, one.recipient)) for one in events)

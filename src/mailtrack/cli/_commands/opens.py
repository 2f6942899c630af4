"""`mailtrack opens`."""

from collections.abc import Iterator, Sequence
from typing import Any

import click
from click.core import ParameterSource

from mailtrack import _wire as wire
from mailtrack._export import opens_csv
from mailtrack._model import Open
from mailtrack._paging import DEFAULT_LIMIT
from mailtrack._times import to_text
from mailtrack._tracker import Tracker
from mailtrack.cli._open_tracker import open_tracker
from mailtrack.cli._options import cursor_option, database_option, example, json_option, limit_option
from mailtrack.cli._tables import Table, echo_list


@click.command(epilog=example("mailtrack opens a1b2c3d4 --limit 10", "mailtrack opens a1b2c3d4 --csv > opens.csv"))
@click.argument("pixel")
@limit_option(DEFAULT_LIMIT)
@cursor_option
@click.option("--csv", "as_csv", is_flag=True, help="Write all opens as CSV, in UTF-8.")
@click.option("--raw", is_flag=True, help="With --csv: do not escape cells that a spreadsheet would run as formulas.")
@json_option
@database_option
@click.pass_context
def opens(
    context: click.Context,
    /,
    pixel: str,
    limit: int,
    cursor: str | None,
    as_csv: bool,
    raw: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Show the opens of PIXEL, newest first."""
    if as_csv and (as_json or cursor is not None or context.get_parameter_source("limit") != ParameterSource.DEFAULT):
        raise click.UsageError("--csv writes all opens; it does not go with --json, --limit or --cursor.")
    with open_tracker(**given) as tracker:
        if as_csv:
            for piece in opens_csv(tracker.iter_opens(pixel), get_recipients=tracker.get_recipients, raw=raw):
                click.echo(piece, nl=False)
            return
        echo_list(
            lambda most, start: tracker.list_opens(pixel, limit=most, cursor=start),
            limit=limit,
            cursor=cursor,
            table=Table("TIME", "VERDICT", "RECIPIENT", "CLIENT", "ADDRESS", "USER AGENT", cut=(5, 4, 3, 2)),
            to_rows=lambda found: _rows(tracker, found),
            to_json=wire.open_ if as_json else None,
        )


def _rows(tracker: Tracker, opens: Sequence[Open]) -> Iterator[Sequence[str]]:
    known = tracker.get_recipients(one.recipient_id for one in opens)
    for one in opens:
        recipient = known.get(one.recipient_id or "")
        who = recipient.email if recipient else "deleted recipient" if one.recipient_id else "not known"
        client = f"{one.client.name} {one.client.version}".rstrip()
        yield to_text(one.opened_at), one.verdict.kind.value, who, client, one.ip or "", one.user_agent

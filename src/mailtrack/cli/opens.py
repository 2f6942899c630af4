"""`mailtrack opens`."""

import click
from click.core import ParameterSource

from mailtrack import wire
from mailtrack.cli.common import database_option, echo_json, echo_table, json_option, opened_tracker
from mailtrack.export import opens_csv
from mailtrack.times import to_text


@click.command()
@click.argument("pixel")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many opens to show.")
@click.option("--cursor", help="Where to go on, as the command said before.")
@click.option("--csv", "as_csv", is_flag=True, help="Write all of them as CSV.")
@click.option("--raw", is_flag=True, help="With --csv: leave cells that a spreadsheet would take for formulas.")
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
    **given: str | None,
) -> None:
    """Show the opens of PIXEL, the newest first."""
    if as_csv and (as_json or cursor is not None or context.get_parameter_source("limit") != ParameterSource.DEFAULT):
        raise click.UsageError("--csv writes all opens; it does not go with --json, --limit or --cursor.")
    with opened_tracker(**given) as tracker:
        if as_csv:
            for piece in opens_csv(tracker.iter_opens_with_recipients(pixel), raw=raw):
                click.echo(piece, nl=False)
            return
        page = tracker.list_opens(pixel, limit=limit, cursor=cursor)
        if as_json:
            echo_json(wire.page(page, wire.open_))
            return
        known = tracker.get_recipients(found.recipient_id for found in page.items)
        rows = [("TIME", "VERDICT", "RECIPIENT", "CLIENT", "ADDRESS", "USER AGENT")]
        for found in page.items:
            recipient = known.get(found.recipient_id or "")
            who = recipient.email if recipient else "deleted recipient" if found.recipient_id else "not known"
            client = f"{found.client.name} {found.client.version}".rstrip()
            time, verdict = to_text(found.opened_at), found.verdict.kind.value
            rows.append((time, verdict, who, client, found.ip or "", found.user_agent))
        echo_table(rows)
        if page.next:
            click.echo(f"There is more: --cursor {page.next}", err=True)

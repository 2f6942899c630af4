"""`mailtrack report`."""

from typing import Any

import click

from mailtrack import _wire as wire
from mailtrack.cli._base_url import printed_urls
from mailtrack.cli._open_tracker import open_tracker
from mailtrack.cli._options import base_url_option, database_option, example, json_option
from mailtrack.cli._output import echo_json
from mailtrack.cli._report_text import echo_report


@click.command(epilog=example("mailtrack report a1b2c3d4 --time-zone Europe/Berlin"))
@click.argument("pixel")
@click.option("--time-zone", default="UTC", show_default=True, metavar="ZONE", help="The time zone of days and hours.")
@click.option(
    "--top", type=click.IntRange(1, 100), default=10, show_default=True, help="The number of entries in each list."
)
@json_option
@database_option
@base_url_option
def report(pixel: str, time_zone: str, top: int, as_json: bool, **given: Any) -> None:
    """Show the figures of PIXEL, counted (opens by people) and raw (all opens).

    Times to the first open run from the sending of the mail, where that is not known, from the making of its token.
    """
    with open_tracker(**given) as tracker:
        found = tracker.report(pixel, time_zone=time_zone, top=top)
        if as_json:
            echo_json(wire.report(found, printed_urls(tracker)))
        else:
            echo_report(found)

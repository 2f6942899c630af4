"""`mailtrack doctor`."""

from collections import Counter
from typing import Any

import attrs
import click

from mailtrack.cli._doctor.finding import Outcome
from mailtrack.cli._options import (
    database_option,
    example,
    json_option,
    judge_options,
    rate_limit_storage_option,
    read_url_option,
    spool_option,
)
from mailtrack.cli._output import echo, echo_json
from mailtrack.cli._settings import Settings


@click.command(epilog=example("mailtrack doctor --url https://mail.example.com/track"))
@click.option("--url", "--base-url", "base_url", metavar="URL", help="The public URL of the server.")
@json_option
@database_option
@read_url_option
@spool_option
@rate_limit_storage_option
@judge_options
@click.pass_context
def doctor(context: click.Context, /, as_json: bool, **given: Any) -> None:
    """Check a deployment from inside and, at its URL, from outside.

    Nothing is changed, except for a temporary pixel, by which the doctor sees that opens arrive. The exit code is 1 if
    a check failed.
    """
    from mailtrack.cli._doctor.examine import examine  # only here: it loads the adapter and its libraries

    outcomes: Counter[Outcome] = Counter()
    for finding in examine(Settings.resolve(given)):
        outcomes[finding.outcome] += 1
        if as_json:
            echo_json(attrs.asdict(finding))
            continue
        echo(f"{finding.outcome:8} {finding.check:15} {finding.found}")
        if finding.advice is not None:
            echo(f"{'':24} -> {finding.advice}")
    if not as_json:
        echo(", ".join(f"{outcome}: {outcomes[outcome]}" for outcome in Outcome))
    context.exit(1 if outcomes[Outcome.FAILED] else 0)

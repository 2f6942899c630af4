"""The program `mailtrack`: the group of all commands."""

import sys
from functools import partial
from typing import Any

import click

from mailtrack.cli import _failures as failures
from mailtrack.cli._commands.backup import backup
from mailtrack.cli._commands.copy import copy
from mailtrack.cli._commands.demo import demo
from mailtrack.cli._commands.doctor import doctor
from mailtrack.cli._commands.keys import keys
from mailtrack.cli._commands.networks import networks
from mailtrack.cli._commands.opens import opens
from mailtrack.cli._commands.people import erase, find
from mailtrack.cli._commands.pixels import pixels
from mailtrack.cli._commands.purge import purge
from mailtrack.cli._commands.recipients import recipients
from mailtrack.cli._commands.recipients_add import add
from mailtrack.cli._commands.rejudge import rejudge
from mailtrack.cli._commands.report import report
from mailtrack.cli._commands.serve import serve
from mailtrack.cli._commands.spool import spool
from mailtrack.cli._commands.webhooks import webhooks
from mailtrack.cli._options import example, shared_options


class _Program(click.Group):
    """Reports errors in one line, without a stack trace."""

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        """Run the command line and, by default, exit with its code."""
        run = partial(super().main, *args, standalone_mode=False, **extra)
        return sys.exit(failures.run(run)) if standalone_mode else run()


@click.group(
    cls=_Program,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=example(
        'mailtrack pixels create "Spring launch"', "mailtrack --database sqlite:///news.db pixels create Autumn"
    ),
)
@shared_options
@click.version_option(package_name="mailtrack")
def main() -> None:
    """Know whether the mail you send was opened, by whom and when.

    Every setting can also be given as an environment variable: MAILTRACK_DATABASE for --database, and so on. An option
    after the command overrides the same option before it.
    """


for command in (
    serve,
    demo,
    pixels,
    recipients,
    opens,
    report,
    rejudge,
    purge,
    backup,
    copy,
    keys,
    webhooks,
    networks,
    spool,
    doctor,
):
    main.add_command(command)
for command in (add, find, erase):
    recipients.add_command(command)

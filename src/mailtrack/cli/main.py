"""The command `mailtrack` and what all its commands share in failing."""

from typing import Any

import click

from mailtrack.cli.backup import backup
from mailtrack.cli.doctor import doctor
from mailtrack.cli.keys import keys
from mailtrack.cli.opens import opens
from mailtrack.cli.pixels import pixels
from mailtrack.cli.purge import purge
from mailtrack.cli.recipients import recipients
from mailtrack.cli.report import rejudge, report
from mailtrack.cli.serve import serve
from mailtrack.cli.spool import spool
from mailtrack.errors import InvalidSetting, MailtrackError


class _Group(click.Group):
    """Tells of mailtrack's errors in one line, without a stack trace."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except InvalidSetting as error:
            raise click.UsageError(f"--{error.name.replace('_', '-')}: {error.reason}") from error
        except MailtrackError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mailtrack")
def main() -> None:
    """Know whether the mail you send was opened, by whom and when.

    Every option can also be given as an environment variable: MAILTRACK_DATABASE for --database, and so on.
    """


for command in (serve, pixels, recipients, opens, report, rejudge, purge, backup, keys, spool, doctor):
    main.add_command(command)

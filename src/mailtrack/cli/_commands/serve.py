"""`mailtrack serve`."""

import sys
from typing import Any

import click

from mailtrack.cli._base_url import remember
from mailtrack.cli._options import (
    database_option,
    example,
    judge_options,
    rate_limit_storage_option,
    read_url_option,
    special_domains_option,
    spool_option,
    webhook_allow_option,
)
from mailtrack.cli._output import drop, echo
from mailtrack.cli._settings import Settings


@click.command(
    epilog=example("mailtrack serve", "mailtrack serve --port 8080 --base-url https://mail.example.com/track")
)
@click.option("--host", help="The address to listen on.  [default: 127.0.0.1]")
@click.option("--port", help="The TCP port to listen on.  [default: 8000]")
@database_option
@read_url_option
@click.option("--base-url", metavar="URL", help="The server's URL from outside.  [default: from each request]")
@click.option("--workers", help="The number of serving processes.  [default: 1]")
@spool_option
@click.option("--spool-durability", help="When an open is on disk: everysec or always.  [default: everysec]")
@click.option(
    "--spool-max-bytes",
    help="The size of each worker's spool while the storage is unavailable, in bytes.  [default: 1 GiB]",
)
@judge_options
@click.option(
    "--allow-anonymous", is_flag=True, default=None, help="Listen on public addresses without any stored key."
)
@special_domains_option
@click.option("--trusted-proxies", help="The number of proxies before the server.  [default: 0]")
@click.option(
    "--token-limit", metavar="LIMIT", help="How often a client may request tokens, or off.  [default: 10/15minutes]"
)
@rate_limit_storage_option
@webhook_allow_option
@click.option("--keep", metavar="AGE", help="Delete opens older than this, as in 365d.  [default: never]")
def serve(**given: Any) -> None:
    """Run the reference server until Ctrl-C or SIGTERM."""
    from mailtrack.cli._server.server import serve as run  # only here: it loads the adapter and its libraries

    settings = Settings.resolve(given)

    def start(keys: bool) -> None:
        remember(settings)
        access = ", with API keys" if keys else ""
        try:
            echo(f"mailtrack serves http://{settings.netloc}/ with {settings.database_name}{access} (Ctrl-C ends it)")
        except OSError:  # a server goes on if its output can't be written
            drop(sys.stdout)

    run(settings, on_start=start)

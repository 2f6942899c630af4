"""`mailtrack demo`."""

import signal
import sys
from contextlib import suppress

import click

from mailtrack.cli._options import example
from mailtrack.cli._output import drop, echo

_INTRODUCTION = """\
mailtrack serves made-up mailings on {} (Ctrl-C ends it)
"""
_END = """
All of it is in memory, and gone when this ends; nothing is sent to the webhooks. The last one is the image in a mail:
load it in a browser, and the open is in the log."""


@click.command(epilog=example("mailtrack demo", "mailtrack demo --port 0 --seed 7"))
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    help="The TCP port; 0 for a free one.  [default: 8000, or if that is taken, a free one]",
)
@click.option("--seed", type=int, default=1, help="Another number makes another mailing.  [default: 1]")
def demo(port: int | None, seed: int) -> None:
    """Show the pages with a made-up mailing of a thousand mails.

    Simulated mail programs have opened them within the last week: proxies, prefetchers, security scanners and people's.
    The pages are served on 127.0.0.1 until Ctrl-C or SIGTERM. No file is written.
    """
    from mailtrack.cli._demo.run import run  # only here: it loads the adapter and its libraries

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        run(port, seed, on_start=_show)


def _show(pages: list[tuple[str, str]]) -> None:
    """Print what to look at first."""
    width = max(len(title) for title, _ in pages)
    lines = [f"  {title:<{width}}  {url}" for title, url in pages]
    try:
        echo("\n".join([_INTRODUCTION.format(pages[0][1]), *lines, _END]))
        sys.stdout.flush()
    except OSError:  # the pages are served even if the output can't be written
        drop(sys.stdout)

"""`mailtrack backup`."""

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click

from mailtrack._text import plural
from mailtrack.cli._open_tracker import open_tracker
from mailtrack.cli._options import database_option, example, judge_options, spool_option
from mailtrack.cli._output import echo


@click.command(
    epilog=example(
        "mailtrack backup mailtrack-backup.db",
        'mailtrack backup "/backups/mailtrack-$(date +%F).db" --database sqlite:////srv/mail/mailtrack.db',
    )
)
@click.argument("file", type=click.Path(path_type=Path))
@judge_options
@database_option
@spool_option
def backup(file: Path, **given: Any) -> None:
    """Write a copy of the database to FILE while the server runs.

    FILE must not exist. It holds all opens whose images were served before the command began, including those in the
    spool. Give the command the options of the server, so that it judges these opens alike. FILE appears once it is
    complete, and a server can use it unchanged.
    """
    _allow_many_files()
    with _aborting_on_sigterm(), open_tracker(with_judge=True, with_spool=True, **given) as tracker:
        written = tracker.backup(file)
        echo(f"{written.file}: {written.size:,} bytes, {plural(written.from_spool, 'open')} from the spool.", err=True)


def _allow_many_files() -> None:
    """Let this process open as many files as it may: it opens all segments of the spool at once."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # some systems have a lower limit than they say
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@contextmanager
def _aborting_on_sigterm() -> Iterator[None]:
    """End the command by SIGTERM, as a scheduler sends it, in the same way as by Ctrl-C: no partial file remains."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)

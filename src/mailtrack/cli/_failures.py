"""Failures: one line on standard error, no stack trace, and an exit code (1 for errors, 2 for wrong usage)."""

import io
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

import click

from mailtrack._errors import InvalidSetting, MailtrackError
from mailtrack._redacting import redact
from mailtrack.cli._output import drop, echo

FAILED = 1
WRONG_USAGE = 2


def run(command: Callable[[], object]) -> int:
    """Run a command to its end, and return its exit code."""
    streams = sys.stdout, sys.stderr
    try:
        code = _run(command)
    except SystemExit as end:  # click raises it after a completion, and when the reader of a pipe is gone
        code = end.code if isinstance(end.code, int) else FAILED if end.code else 0
    sys.stdout, sys.stderr = streams  # click may have replaced them
    for stream in filter(None, streams):
        code = _flush(stream, code)
    return code


def _run(command: Callable[[], object]) -> int:
    try:
        code = command()
    except click.exceptions.Abort:
        return _fail("Aborted!")
    except click.ClickException as error:
        text = io.StringIO()
        error.show(text)
        return _fail(text.getvalue().rstrip("\n"), error.exit_code)
    except InvalidSetting as error:
        return _fail(f"Error: --{error.name.replace('_', '-')}: {error.reason}", WRONG_USAGE)
    except MailtrackError as error:
        return _fail(f"Error: {error}")
    except OSError as error:
        return _fail(f"Error: {describe(error)}")
    return code if isinstance(code, int) else 0


def describe(error: OSError) -> str:
    """Return the reason of an error, after the name of its file."""
    what = error.strerror or str(error)
    return what if error.filename is None else f"{os.fsdecode(error.filename)}: {what}"


def _fail(message: str, code: int = FAILED) -> int:
    with suppress(OSError):  # the reader may be gone
        echo(redact(message), err=True)
    return code


def _flush(stream: TextIO, code: int) -> int:
    """Flush a stream and return the exit code. Discard what can't be written, or Python tries again at exit."""
    try:
        stream.flush()
    except OSError as error:
        drop(stream)
        if code:  # already reported
            return code
        return FAILED if isinstance(error, BrokenPipeError) else _fail(f"Error: {describe(error)}")
    return code

"""How commands fail: one line on standard error, no stack trace, and the exit code."""

import io
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

import click

from mailtrack.cli.output import echo
from mailtrack.errors import InvalidSetting, MailtrackError

FAILED = 1
WRONG_USAGE = 2


def run(command: Callable[[], object]) -> int:
    """Run a command to its end, and return its exit code."""
    streams = sys.stdout, sys.stderr
    try:
        code = _run(command)
    except SystemExit as end:  # click ends so when it wrote a completion, or when a reader has gone away
        code = end.code if isinstance(end.code, int) else FAILED if end.code else 0
    sys.stdout, sys.stderr = streams  # which click has replaced then
    flushed = [_flush(stream) for stream in streams if stream is not None]
    return code if all(flushed) else code or FAILED


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
    """Return what is wrong, and with which file."""
    what = error.strerror or str(error)
    return what if error.filename is None else f"{os.fsdecode(error.filename)}: {what}"


def _fail(message: str, code: int = FAILED) -> int:
    with suppress(OSError):  # its reader may be gone
        echo(message, err=True)
    return code


def _flush(stream: TextIO) -> bool:
    """Write what waits; where that is not possible, drop it, so that the interpreter does not try again at its end."""
    try:
        stream.flush()
    except BrokenPipeError:
        _drop(stream)
        return False
    except OSError as error:
        _drop(stream)
        _fail(f"Error: {describe(error)}")
        return False
    return True


def _drop(stream: TextIO) -> None:
    sink = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, stream.fileno())
    finally:
        os.close(sink)

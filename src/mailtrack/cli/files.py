"""Files that commands read and write, with `-` for standard input and output."""

import io
import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, BinaryIO

import click

from mailtrack.cli.output import echo


def input_file(name: str) -> BinaryIO:
    """Open a file, a pipe or standard input to read, until the command ends; the type of an option or argument."""
    if name == "-":
        return _standard_input()
    try:
        file = open(name, "rb")  # noqa: SIM115, PTH123  # closed with the context; `Path` would normalise the name
    except OSError as error:
        raise click.BadParameter(f"{name!r}: {error.strerror}") from error
    click.get_current_context().call_on_close(file.close)
    return file


def write_to(name: str, stack: ExitStack) -> Callable[[bytes], object]:
    """Return a function that writes to a file, or to standard output, until the stack is closed."""
    if name == "-":
        return lambda data: click.echo(data, nl=False)
    return stack.enter_context(open(name, "wb")).write  # noqa: PTH123  # as above


def _standard_input() -> BinaryIO:
    if sys.stdin is None:  # started with `<&-`
        raise click.BadParameter("Standard input is closed.")
    file = sys.stdin.buffer
    if not sys.stdin.isatty():
        return file
    echo("Reading from the terminal; Ctrl-D ends it.", err=True)
    return io.BufferedReader(_Terminal(file))


class _Terminal(io.RawIOBase):
    """Standard input from a terminal: once Ctrl-D was pressed it has ended, however often it is read."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._ended = False

    def readable(self) -> bool:
        """Return that this can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what was entered."""
        data = b"" if self._ended else self._file.raw.read(len(buffer))
        self._ended = not data
        buffer[: len(data)] = data
        return len(data)

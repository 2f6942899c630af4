"""The files that commands read and write; `-` stands for standard input and output."""

import os
import stat
import sys
from typing import BinaryIO, Self

import click

from mailtrack.cli._output import echo, is_terminal


def input_file(name: str) -> BinaryIO:
    """Open a file, a pipe or standard input for reading; click closes it. Used as the type of options and arguments."""
    if name == "-":
        return _standard_input()
    try:
        file = open(name, "rb")  # noqa: SIM115, PTH123  # closed with the context; `Path` would normalise the name
    except OSError as error:
        raise click.BadParameter(f"{name!r}: {error.strerror}") from error
    click.get_current_context().call_on_close(file.close)
    return file


class OutputFile:
    """A file to write, or standard output; a context manager. Until the first write, an existing file is unchanged."""

    def __init__(self, name: str) -> None:
        self._file = None if name == "-" else open(name, "ab")  # noqa: PTH123, SIM115  # as above; closed below
        self._begun = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, data: bytes) -> None:
        """Write bytes. The first write replaces the content of the file."""
        if self._file is None:
            click.echo(data, nl=False)
            return
        if not self._begun and stat.S_ISREG(os.fstat(self._file.fileno()).st_mode):
            self._file.truncate(0)
        self._begun = True
        self._file.write(data)


def is_same(name: str, file: BinaryIO) -> bool:
    """Return whether a name leads to an open file. Pipes and devices are never the same."""
    try:
        found = os.fstat(file.fileno())
        return stat.S_ISREG(found.st_mode) and os.path.samestat(os.stat(name), found)  # noqa: PTH116  # as above
    except OSError:  # no such file, or not a real one
        return False


def _standard_input() -> BinaryIO:
    if sys.stdin is None:  # started with `<&-`
        raise click.BadParameter("Standard input is closed.")
    if is_terminal(sys.stdin):
        echo("Reading from the terminal; Ctrl-D ends it.", err=True)
    return sys.stdin.buffer

"""Output that any terminal, pipe or file can take: escaped text, JSON, questions and progress bars."""

import codecs
import io
import json
import os
import re
import sys
from typing import Any, TextIO

import click

# Control characters, surrogates, line separators, and characters that change the direction of text.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    r"""Return a text on one line, with escapes such as `\x1b` for control characters."""
    return _UNSAFE.sub(lambda found: ascii(found[0])[1:-1], text)


def echo(text: str = "", *, err: bool = False) -> None:
    """Print lines of text. Control characters, and those that the encoding lacks, are escaped."""
    stream = sys.stderr if err else sys.stdout
    parts = (part if part in ("\n", "\t") else visible(part) for part in re.split("([\n\t])", text))
    if stream is not None:  # a program may be started with `>&-`
        click.echo(encodable("".join(parts), stream), file=stream)


def echo_json(*values: object) -> None:
    """Print values as JSON, one per line; in ASCII unless the output is in UTF-8."""
    to_ascii = codecs.lookup(_encoding(sys.stdout)).name != "utf-8"
    lines = "\n".join(json.dumps(value, ensure_ascii=to_ascii) for value in values)
    if lines:
        escaped = (_UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", line) for line in lines.split("\n"))
        click.echo("\n".join(escaped), file=sys.stdout)


def confirm(question: str) -> None:
    """Ask, and abort the command unless the answer is yes."""
    try:
        click.confirm(encodable(visible(question), sys.stdout), abort=True)
    except RuntimeError as error:  # standard input or output is closed
        raise click.Abort from error


def progress(label: str, length: int | None) -> Any:
    """Return a progress bar on standard error; it is a context manager with a method `update`."""
    return click.progressbar(length=length, label=label, file=sys.stderr or io.StringIO())


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether a standard stream is a terminal. It is `None` if the program was started with it closed."""
    return stream is not None and stream.isatty()


def can_encode(text: str) -> bool:
    """Return whether standard output can show a text without escapes."""
    return encodable(text, sys.stdout) == text


def drop(stream: TextIO) -> None:
    """Discard what waits in a stream that can't be written, and all that will be written to it."""
    sink = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, stream.fileno())
    finally:
        os.close(sink)


def encodable(text: str, stream: TextIO | None) -> str:
    """Return a text with escapes in place of the characters that a stream's encoding lacks."""
    encoding = _encoding(stream)
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _encoding(stream: TextIO | None) -> str:
    return getattr(stream, "encoding", None) or "utf-8"

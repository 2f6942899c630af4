"""Output that any terminal, pipe or file can take: escapes, JSON and tables."""

import codecs
import io
import json
import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from typing import Any, TextIO

import click

_GAP = "  "
_NARROWEST = 6  # characters of a column that is cut

# Control characters, halves of surrogate pairs, separators of lines, and what changes the direction of text.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    r"""Return a text on one line, with escapes such as `\x1b` for what could control a terminal."""
    return _UNSAFE.sub(lambda found: ascii(found[0])[1:-1], text)


def echo(text: str = "", *, err: bool = False) -> None:
    """Print lines of text, with escapes for what could control a terminal and for what can't be encoded."""
    stream = sys.stderr if err else sys.stdout
    parts = (part if part in ("\n", "\t") else visible(part) for part in re.split("([\n\t])", text))
    if stream is not None:  # a program may be started with `>&-`
        click.echo(_encodable("".join(parts), stream), file=stream)


def echo_json(*values: object) -> None:
    """Print values as JSON, one a line; in ASCII where the output is not in UTF-8."""
    to_ascii = codecs.lookup(_encoding(sys.stdout)).name != "utf-8"
    lines = "\n".join(json.dumps(value, ensure_ascii=to_ascii) for value in values)
    if lines:
        escaped = (_UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", line) for line in lines.split("\n"))
        click.echo("\n".join(escaped), file=sys.stdout)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, as in `1 open` and `1,200 opens`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def confirm(question: str) -> None:
    """Ask, and abort the command unless the answer is yes."""
    try:
        click.confirm(_encodable(visible(question), sys.stdout), abort=True)
    except RuntimeError as error:  # standard input or output is closed
        raise click.Abort from error


def progress(label: str, length: int | None) -> Any:
    """Return a progress bar on standard error; it is a context manager with a method `update`."""
    return click.progressbar(length=length, label=label, file=sys.stderr or io.StringIO())


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether a standard stream is a terminal; it is `None` where the program was started with it closed."""
    return stream is not None and stream.isatty()


def can_encode(text: str) -> bool:
    """Return whether standard output can show a text as it is."""
    return _encodable(text, sys.stdout) == text


class Table:
    """Prints rows in columns of equal width, block by block, below a row of heads.

    Where standard output is a terminal, its width is kept: cells are cut, and end with an ellipsis. Where that is not
    enough, each cell gets a line of its own, behind the name of its column. Elsewhere, cells are never cut.

    Args:
        heads: the names of the columns.
        right: which columns are aligned to the right, as numbers are.
        cut: which columns may be cut, in this order: each down to six characters before the next.
        stacks: whether cells get lines of their own in a narrow terminal; lines are cut otherwise.
    """

    def __init__(self, *heads: str, right: Collection[int] = (), cut: Sequence[int] = (), stacks: bool = True) -> None:
        self._heads = _printable(heads)
        self._started = False
        self._widths = [0] * len(heads)
        self._right = right
        self._cut = cut
        self._stacks = stacks

    def echo(self, rows: Iterable[Sequence[str]]) -> None:
        """Print a block of rows; the first one with the heads above it."""
        block = list(map(_printable, rows))
        for row in (self._heads, *block):
            self._widths = [max(width, _width(cell)) for width, cell in zip(self._widths, row, strict=True)]
        room = _terminal_width() or sys.maxsize
        widths = _fitted(self._widths, self._cut, room)
        if self._stacks and _line_width(widths) > room:
            lines = [line for row in block for line in self._stacked(row)]
        else:
            lines = [self._line(row, widths, room) for row in (block if self._started else [self._heads, *block])]
        self._started = True
        if lines:
            click.echo("\n".join(lines), file=sys.stdout)

    def _line(self, row: Sequence[str], widths: Sequence[int], room: int) -> str:
        cells = (
            _padded(_shortened(cell, width), width, right=place in self._right)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        return _shortened(_GAP.join(cells).rstrip(), room)

    def _stacked(self, row: Sequence[str]) -> list[str]:
        widest = max(map(len, self._heads))
        return [f"{head:{widest}}{_GAP}{cell}".rstrip() for head, cell in zip(self._heads, row, strict=True)] + [""]


def drop(stream: TextIO) -> None:
    """Let what was and will be written to a stream that can't be written go nowhere, without further errors."""
    sink = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, stream.fileno())
    finally:
        os.close(sink)


def _printable(row: Iterable[str]) -> tuple[str, ...]:
    return tuple(_encodable(visible(cell), sys.stdout) for cell in row)


def _encoding(stream: TextIO | None) -> str:
    return getattr(stream, "encoding", None) or "utf-8"


def _encodable(text: str, stream: TextIO | None) -> str:
    encoding = _encoding(stream)
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _terminal_width() -> int | None:
    """Return how many characters a line of the terminal has, `None` where output goes elsewhere."""
    return shutil.get_terminal_size().columns if is_terminal(sys.stdout) else None


def _fitted(widths: Sequence[int], cut: Iterable[int], room: int) -> list[int]:
    """Return widths that fit into a line, as far as that is possible."""
    fitted = list(widths)
    for place in cut:
        excess = max(_line_width(fitted) - room, 0)
        fitted[place] -= min(excess, max(fitted[place] - _NARROWEST, 0))
    return fitted


def _line_width(widths: Sequence[int]) -> int:
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def _shortened(text: str, width: int) -> str:
    if _width(text) <= width:
        return text
    ellipsis = "…" if can_encode("…") else "..."
    left, kept = width - len(ellipsis), ""
    for char in text:
        left -= _width(char)
        if left < 0:
            break
        kept += char
    return kept + ellipsis


def _padded(text: str, width: int, *, right: bool) -> str:
    blanks = " " * (width - _width(text))
    return blanks + text if right else text + blanks


def _width(text: str) -> int:
    """Return how many cells of a terminal a text takes: two for a wide character, none for a combining one."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def _cells(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1

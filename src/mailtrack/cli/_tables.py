"""Tables that fit a terminal, and lists that are printed page by page, as a table or as JSON."""

import shutil
import sys
import unicodedata
from collections.abc import Callable, Collection, Iterable, Sequence

import click

from mailtrack._model import Page, T
from mailtrack._paging import MAX_LIMIT, pages
from mailtrack.cli._output import can_encode, echo, echo_json, encodable, is_terminal, visible

_GAP = "  "
_NARROWEST = 6  # characters of a column that is cut


class Table:
    """Prints rows in aligned columns, block by block, below a row of headings.

    On a terminal, rows fit its width: cells are cut and end with an ellipsis. If that is not enough, each cell gets a
    line of its own, after the heading of its column. Elsewhere, cells are never cut.

    Args:
        heads: the headings of the columns.
        right: the numbers of the columns that are aligned to the right.
        cut: the numbers of the columns that may be cut, in this order: each down to six characters before the next.
        stacks: whether cells get lines of their own in a narrow terminal; otherwise lines are cut.
    """

    def __init__(self, *heads: str, right: Collection[int] = (), cut: Sequence[int] = (), stacks: bool = True) -> None:
        self._heads = _printable(heads)
        self._started = False
        self._widths = [0] * len(heads)
        self._right = right
        self._cut = cut
        self._stacks = stacks

    def echo(self, rows: Iterable[Sequence[str]]) -> None:
        """Print a block of rows, the first block with the headings above it."""
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


def echo_list(
    get_page: Callable[[int, str | None], Page[T]],
    *,
    limit: int | None,
    cursor: str | None,
    table: Table,
    to_rows: Callable[[Sequence[T]], Iterable[Sequence[str]]],
    to_json: Callable[[T], object] | None,
) -> None:
    """Print a list page by page, and the cursor for the rest if it is cut.

    Args:
        get_page: returns a page, given its limit and cursor.
        limit: the number of items to print, 1 to 1,000; `None` for all.
        cursor: the cursor to begin at, `None` for the start.
        table: prints the rows, unless `to_json` is given.
        to_rows: makes the rows of a page.
        to_json: makes the JSON of an item; `None` to print a table.
    """
    found = (get_page(limit, cursor),) if limit else pages(lambda start: get_page(MAX_LIMIT, start), cursor=cursor)
    following = None
    for page in found:
        if to_json is not None:
            echo_json(*map(to_json, page.items))
        else:
            table.echo(to_rows(page.items))
        following = page.next
    if following is not None:
        echo(f"There is more: --cursor {following}", err=True)


def _printable(row: Iterable[str]) -> tuple[str, ...]:
    return tuple(encodable(visible(cell), sys.stdout) for cell in row)


def _terminal_width() -> int | None:
    """Return the width of the terminal in characters, `None` if standard output is not one."""
    return shutil.get_terminal_size().columns if is_terminal(sys.stdout) else None


def _fitted(widths: Sequence[int], cut: Iterable[int], room: int) -> list[int]:
    """Return the widths of columns, cut to fit into a line as far as possible."""
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
    """Return the width of a text in cells of a terminal: two for a wide character, none for a combining one."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def _cells(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1

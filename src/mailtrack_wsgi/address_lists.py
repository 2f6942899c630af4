"""Addresses as people paste or upload them: which lines hold which, and which lines can't be taken."""

import csv
import io
import re
from collections.abc import Iterator, Sequence

import attrs

from mailtrack.addresses import canonical
from mailtrack.errors import InvalidEmail

_HEADINGS = frozenset({"email", "e-mail", "mail", "email address", "e-mail address", "mail address", "address"})
_SEPARATORS = ",;\t"
_IN_BRACKETS = re.compile(r"<([^<>]*)>\s*\Z")
_GUARDED = re.compile(r"\A'(?=[=+@-])")  # as our own CSV guards a cell from being taken for a formula
_MOST_SHOWN = 80  # characters of a rejected line


@attrs.frozen
class Rejected:
    """A line that can't be taken."""

    number: int
    text: str
    reason: str


@attrs.frozen
class AddressList:
    """What was found in a text.

    Attributes:
        addresses: the distinct valid ones in canonical form, in the order of their first appearance.
        rejected: the lines that hold none, or a bad one.
    """

    addresses: tuple[str, ...]
    rejected: tuple[Rejected, ...]


def decode(data: bytes) -> str:
    """Return the text of a file as spreadsheets save it: UTF-8, UTF-16 with its mark, else an old Windows encoding."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def parse(text: str, *, allow_special_domains: bool = False) -> AddressList:
    """Find the addresses in a list or CSV file.

    Where the first line names a column of addresses, they are taken from there; else every cell with an `@` is one.
    Cells are separated by commas, semicolons or tabs, whichever the first line has most of.
    """
    found: dict[str, None] = {}
    rejected = []
    column: int | None = None
    for place, (number, cells) in enumerate(_rows(text)):
        if place == 0 and (column := _find_column(cells)) is not None:
            continue
        given = cells[column : column + 1] if column is not None else [cell for cell in cells if "@" in cell]
        if not any(given):
            rejected.append(Rejected(number, _shown(cells), "There is no address in it."))
        for cell in filter(None, given):
            try:
                found[canonical(_address(cell), allow_special_domains=allow_special_domains)] = None
            except InvalidEmail as error:
                rejected.append(Rejected(number, _shown([cell]), error.reason))
    return AddressList(tuple(found), tuple(rejected))


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Return the cells of each line that is not blank, with its number."""
    first = next(filter(str.strip, io.StringIO(text)), "")
    separator = max(_SEPARATORS, key=first.count)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    while True:
        try:
            cells = [cell.strip() for cell in next(lines)]
        except csv.Error:  # a cell that has no end
            yield lines.line_num, ["…"]
            continue
        except StopIteration:
            return
        if any(cells):
            yield lines.line_num, cells


def _find_column(cells: Sequence[str]) -> int | None:
    return next((place for place, cell in enumerate(cells) if cell.casefold() in _HEADINGS), None)


def _address(cell: str) -> str:
    """Return the address in a cell: alone, or after a name as in `Ann <ann@example.org>`."""
    found = _IN_BRACKETS.search(cell)
    return _GUARDED.sub("", found[1].strip() if found else cell, count=1)


def _shown(cells: Sequence[str]) -> str:
    text = ", ".join(filter(None, cells))
    return text if len(text) <= _MOST_SHOWN else text[: _MOST_SHOWN - 1] + "…"

"""Rows of a text: its lines, which character separates cells, and quotation marks that are closed or not."""

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice

import attrs

_LINE_END = re.compile(r"\r\n|\r|\n")
_DECLARED = re.compile(r'\A"?sep=([,;|\t:])"?\s*\Z', re.IGNORECASE)  # as Excel writes it above a table
_SEPARATORS = ",;\t|"
_LOOKED_AT = 100  # lines that decide which the separator is
_MOST_LINES = 100  # of one row, within quotation marks
_QUOTED = re.compile(r'"[^"]*"')


@attrs.frozen
class Row:
    """One row of a text.

    Attributes:
        line: the number of its first line, from 1.
        raw: its text, as it was.
        cells: its cells, without blanks around them; empty where a quotation mark in it is never closed.
    """

    line: int
    raw: str
    cells: tuple[str, ...]


class Table:
    """The rows of a text that are not blank. May be iterated any number of times."""

    def __init__(self, text: str) -> None:
        self._lines = _LINE_END.split(text.removeprefix("\ufeff"))
        self._start = next((place for place, line in enumerate(self._lines) if line.strip()), len(self._lines))
        declared = _DECLARED.match(self._lines[self._start]) if self._start < len(self._lines) else None
        self._start += declared is not None
        sample = [line for line in self._lines[self._start :][:_LOOKED_AT] if line.strip()]
        separator = declared[1] if declared else max(_SEPARATORS, key=lambda one: _regularity(sample, one))
        self.separator = separator
        self._width = _regularity(sample, separator)[1] + 1

    def __iter__(self) -> Iterator[Row]:
        place = self._start
        while place < len(self._lines):
            if not self._lines[place].strip():
                place += 1
                continue
            row, used = self._read(place)
            yield row
            place += used

    def _read(self, place: int) -> tuple[Row, int]:
        """Return the row that begins in a line, and how many lines it has."""
        line = self._lines[place]
        if '"' not in line:
            return self._row(place, 1, line.split(self.separator)), 1
        reader = csv.reader(
            (part + "\n" for part in islice(self._lines, place, place + _MOST_LINES)),
            delimiter=self.separator,
            skipinitialspace=True,
            strict=True,
        )
        try:
            cells = next(reader)
            used = reader.line_num
        except csv.Error:  # a mark that is never closed, or one that stands within a cell
            used = 0
        if used == 1 or (used > 1 and self._goes_on(place, used, cells)):
            return self._row(place, used, cells), used
        return self._row(place, 1, _split_leniently(line, self.separator)), 1

    def _goes_on(self, place: int, used: int, cells: Sequence[str]) -> bool:
        """Return whether several lines are one row, and no row with a mark too many that takes in those after it."""
        first, *others = self._lines[place : place + used]
        swallows = self._is_like_a_row(first) and any(map(self._is_like_a_row, others))
        return len(cells) == self._width and not swallows

    def _is_like_a_row(self, line: str) -> bool:
        return "@" in line and line.count(self.separator) + 1 >= self._width

    def _row(self, place: int, used: int, cells: Sequence[str]) -> Row:
        raw = "\n".join(self._lines[place : place + used])
        return Row(place + 1, raw, tuple(cell.strip() for cell in cells))


def _split_leniently(line: str, separator: str) -> list[str]:
    """Return the cells of a line with stray quotation marks, none where one opens a cell and is never closed."""
    reader = csv.reader(iter([line, ""]), delimiter=separator, skipinitialspace=True)
    try:
        cells = next(reader)
    except csv.Error:  # a cell of more than 128 KiB
        return []
    return cells if reader.line_num == 1 else []


def _regularity(sample: Sequence[str], separator: str) -> tuple[int, int]:
    """Return in how many lines a separator occurs equally often, and how often that is."""
    counts = Counter(_QUOTED.sub("", line).count(separator) for line in sample)
    del counts[0]
    often, lines = max(counts.items(), key=lambda item: (item[1], item[0]), default=(0, 0))
    return lines, often

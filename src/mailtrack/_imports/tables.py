"""Rows of a text: its lines, which character separates cells, and quotation marks that are closed or not."""

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence

import attrs

_LINE_END = re.compile(r"\r\n|\r|\n")
_DECLARED = re.compile(r'\A"?sep=([,;|\t:])"?\s*\Z', re.IGNORECASE)  # as Excel writes it above a table
_SEPARATORS = ",;\t|"
_LOOKED_AT = 100  # lines that decide which the separator is
_MOST_LINES = 1000  # of one row, within quotation marks
_MOST_IN_VAIN = 10  # times the lines of the text: looked at for quotation marks that are never closed
_DRAWN = re.compile(r"[\s|+:=-]*")  # as psql, mysql and Markdown rule tables
_FOOTER = re.compile(r"\(\d+ rows?\)\s*")  # psql's
_UNSEEN = "\0\u200b"
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
    """The rows of a text that are neither blank nor drawn lines. May be iterated any number of times."""

    def __init__(self, text: str) -> None:
        self._lines = _LINE_END.split(text.replace("\ufeff", ""))  # joined files have one in the middle
        self._start = next((place for place, line in enumerate(self._lines) if line.strip()), len(self._lines))
        declared = _DECLARED.match(self._lines[self._start]) if self._start < len(self._lines) else None
        self._start += declared is not None
        sample = [line for line in self._lines[self._start : self._start + _LOOKED_AT] if not _is_blank(line)]
        layout = _Layout(sample)
        self.separator = declared[1] if declared else max(_SEPARATORS, key=layout.fit)
        self._widths = layout.widths(self.separator)

    def __iter__(self) -> Iterator[Row]:
        place = self._start
        patience = _MOST_LINES + _MOST_IN_VAIN * len(self._lines)
        while place < len(self._lines):
            if _is_blank(self._lines[place]):
                place += 1
                continue
            cells, used, seen = self._read(place, min(_MOST_LINES, patience))
            patience -= seen - used
            if not cells or any(cells):
                yield Row(place + 1, "\n".join(self._lines[place : place + used]), cells)
            place += used

    def _read(self, place: int, most: int) -> tuple[tuple[str, ...], int, int]:
        """Return the cells of the row that begins in a line, how many lines it has, and how many were looked at."""
        line = self._lines[place]
        if '"' not in line:
            return _stripped(line.split(self.separator)), 1, 1
        cells, seen = self._read_quoted(place, max(most, 1))
        if cells and (seen == 1 or self._goes_on(place, seen, cells)):
            return _stripped(cells), seen, seen
        return _stripped(_split_leniently(line, self.separator)), 1, seen

    def _read_quoted(self, place: int, most: int) -> tuple[list[str], int]:
        """Return cells, none where a mark is never closed or stands within a cell, and how many lines were read."""
        reader = csv.reader(
            (self._lines[number] + "\n" for number in range(place, min(place + most, len(self._lines)))),
            delimiter=self.separator,
            skipinitialspace=True,
            strict=True,
        )
        try:
            return next(reader), reader.line_num
        except csv.Error:
            return [], max(reader.line_num, 1)

    def _goes_on(self, place: int, used: int, cells: Sequence[str]) -> bool:
        """Return whether several lines are one row, and no row with a mark too many that takes in those after it."""
        if len(cells) not in self._widths:
            return False
        first, *others = self._lines[place : place + used]
        begun = next(csv.reader([first], delimiter=self.separator, skipinitialspace=True))
        addresses = [number for number, cell in enumerate(begun) if "@" in cell]
        return not (addresses and any(self._is_like_a_row(line, addresses) for line in others))

    def _is_like_a_row(self, line: str, addresses: Sequence[int]) -> bool:
        """Return whether a line has a row's number of cells, and an @ in one where a row has it."""
        if "@" not in line or line.count(self.separator) + 1 not in self._widths:
            return False
        cells = line.split(self.separator)
        return any(number < len(cells) and "@" in cells[number] for number in addresses)


def _is_blank(line: str) -> bool:
    if _DRAWN.fullmatch(line):
        return not line.strip() or "--" in line or "==" in line
    return line.startswith("(") and _FOOTER.fullmatch(line) is not None


def _stripped(cells: Sequence[str]) -> tuple[str, ...]:
    return tuple([cell.strip().strip(_UNSEEN) for cell in cells])


def _split_leniently(line: str, separator: str) -> list[str]:
    """Return the cells of a line with stray quotation marks, none where one opens a cell and is never closed."""
    reader = csv.reader(iter([line, ""]), delimiter=separator, skipinitialspace=True)
    try:
        cells = next(reader)
    except csv.Error:  # a cell of more than 128 KiB
        return []
    return cells if reader.line_num == 1 else []


class _Layout:
    """How a sample of lines is divided: by each line alone, and with cells that go over several lines."""

    def __init__(self, sample: Sequence[str]) -> None:
        self._first = _QUOTED.sub("", sample[0]) if sample else ""
        self._alone = [_QUOTED.sub("", line) for line in sample]
        self._joined = _QUOTED.sub("", "\n".join(sample)).split("\n")

    def fit(self, separator: str) -> tuple[int, int, int]:
        """Return how regularly a separator stands in the lines, to be compared."""
        lines, often = _regularity(self._alone, separator)
        return lines * _regularity(self._joined, separator)[0], lines, often

    def widths(self, separator: str) -> set[int]:
        """Return how many cells a row may have: as in most lines, or as in the first, which may be the heading."""
        often = (_regularity(lines, separator)[1] for lines in (self._alone, self._joined))
        return {self._first.count(separator) + 1, *(number + 1 for number in often)}


def _regularity(lines: Sequence[str], separator: str) -> tuple[int, int]:
    """Return in how many lines a separator occurs equally often, and how often that is."""
    counts = Counter(line.count(separator) for line in lines)
    del counts[0]
    often, number = max(counts.items(), key=lambda item: (item[1], item[0]), default=(0, 0))
    return number, often

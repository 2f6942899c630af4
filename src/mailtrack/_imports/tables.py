"""Split a text into rows and cells, detecting the separator and tolerating stray quotation marks."""

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence

import attrs

_LINE_END = re.compile(r"\r\n|\r|\n")
_DECLARED = re.compile(r'\A"?sep=([,;|\t:])"?\s*\Z', re.IGNORECASE)  # written by Excel above a table
_SEPARATORS = ",;\t|"
_SAMPLE_SIZE = 100  # lines that decide the choice of the separator
_MAX_LINES = 1000  # of one row with quoted cells
_MAX_WASTED = 10  # times the lines of the text: the work spent on quotation marks that are never closed
_RULED = re.compile(r"[\s|+:=-]*")  # ruled lines of psql, mysql and Markdown
_FOOTER = re.compile(r"\(\d+ rows?\)\s*")  # psql's
_INVISIBLE = "\0\u200b"
_QUOTED = re.compile(r'"[^"]*"')


@attrs.frozen
class Row:
    """One row of a text.

    Attributes:
        line: the number of its first line, from 1.
        raw: its original text.
        cells: its cells, stripped of surrounding spaces; empty if a quotation mark is never closed.
    """

    line: int
    raw: str
    cells: tuple[str, ...]


class Table:
    """The rows of a text, without blank and ruled lines. Can be iterated any number of times."""

    def __init__(self, text: str) -> None:
        self._lines = _LINE_END.split(text.replace("\ufeff", ""))  # joined files have some in the middle
        self._start = next((index for index, line in enumerate(self._lines) if line.strip()), len(self._lines))
        declared = _DECLARED.match(self._lines[self._start]) if self._start < len(self._lines) else None
        self._start += declared is not None
        sample = [line for line in self._lines[self._start : self._start + _SAMPLE_SIZE] if not _is_blank(line)]
        layout = _Layout(sample)
        self.separator = declared[1] if declared else max(_SEPARATORS, key=layout.fit)
        self._widths = layout.widths(self.separator)

    def __iter__(self) -> Iterator[Row]:
        index = self._start
        patience = _MAX_LINES + _MAX_WASTED * len(self._lines)
        while index < len(self._lines):
            if _is_blank(self._lines[index]):
                index += 1
                continue
            cells, used, seen = self._read(index, min(_MAX_LINES, patience))
            patience -= seen - used
            if not cells or any(cells):
                yield Row(index + 1, "\n".join(self._lines[index : index + used]), cells)
            index += used

    def _read(self, index: int, most: int) -> tuple[tuple[str, ...], int, int]:
        """Return the cells of the row that begins in a line, its number of lines, and the number of lines read."""
        line = self._lines[index]
        if '"' not in line:
            return _strip_all(line.split(self.separator)), 1, 1
        cells, seen = self._read_quoted(index, max(most, 1))
        if cells and (seen == 1 or self._is_one_row(index, seen, cells)):
            return _strip_all(cells), seen, seen
        return _strip_all(_split_leniently(line, self.separator)), 1, seen

    def _read_quoted(self, index: int, most: int) -> tuple[list[str], int]:
        """Return the cells (none for an unclosed or stray quotation mark) and the number of lines read."""
        reader = csv.reader(
            (self._lines[number] + "\n" for number in range(index, min(index + most, len(self._lines)))),
            delimiter=self.separator,
            skipinitialspace=True,
            strict=True,
        )
        try:
            return next(reader), reader.line_num
        except csv.Error:
            return [], max(reader.line_num, 1)

    def _is_one_row(self, index: int, used: int, cells: Sequence[str]) -> bool:
        """Return whether several lines are one row, rather than a row whose stray mark swallows the following ones."""
        if len(cells) not in self._widths:
            return False
        first, *others = self._lines[index : index + used]
        begun = next(csv.reader([first], delimiter=self.separator, skipinitialspace=True))
        addresses = [number for number, cell in enumerate(begun) if "@" in cell]
        return not (addresses and any(self._is_like_a_row(line, addresses) for line in others))

    def _is_like_a_row(self, line: str, addresses: Sequence[int]) -> bool:
        """Return whether a line has a row's number of cells, and an @ in one of the address cells."""
        if "@" not in line or line.count(self.separator) + 1 not in self._widths:
            return False
        cells = line.split(self.separator)
        return any(number < len(cells) and "@" in cells[number] for number in addresses)


def _is_blank(line: str) -> bool:
    if _RULED.fullmatch(line):
        return not line.strip() or "--" in line or "==" in line
    return line.startswith("(") and _FOOTER.fullmatch(line) is not None


def _strip_all(cells: Sequence[str]) -> tuple[str, ...]:
    return tuple([cell.strip().strip(_INVISIBLE) for cell in cells])


def _split_leniently(line: str, separator: str) -> list[str]:
    """Return the cells of a line with stray quotation marks, or none if one opens a cell and is never closed."""
    reader = csv.reader(iter([line, ""]), delimiter=separator, skipinitialspace=True)
    try:
        cells = next(reader)
    except csv.Error:  # a cell of more than 128 KiB
        return []
    return cells if reader.line_num == 1 else []


class _Layout:
    """The layout of a sample of lines: with each line as a row, and with cells that span lines."""

    def __init__(self, sample: Sequence[str]) -> None:
        self._first = _QUOTED.sub("", sample[0]) if sample else ""
        self._alone = [_QUOTED.sub("", line) for line in sample]
        self._joined = _QUOTED.sub("", "\n".join(sample)).split("\n")

    def fit(self, separator: str) -> tuple[int, int, int]:
        """Return a sort key for how regularly a separator occurs in the lines."""
        lines, often = _regularity(self._alone, separator)
        return lines * _regularity(self._joined, separator)[0], lines, often

    def widths(self, separator: str) -> set[int]:
        """Return the possible numbers of cells: those of most lines, and of the first, which may be the heading."""
        often = (_regularity(lines, separator)[1] for lines in (self._alone, self._joined))
        return {self._first.count(separator) + 1, *(number + 1 for number in often)}


def _regularity(lines: Sequence[str], separator: str) -> tuple[int, int]:
    """Return the largest number of lines in which a separator occurs equally often, and that frequency."""
    counts = Counter(line.count(separator) for line in lines)
    del counts[0]
    often, number = max(counts.items(), key=lambda item: (item[1], item[0]), default=(0, 0))
    return number, often

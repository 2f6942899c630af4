"""Find the column of a table with the recipients' addresses: by request, by its heading, or by its content."""

import re
from collections import Counter
from collections.abc import Sequence

import attrs

from mailtrack._errors import InvalidImport
from mailtrack._imports.headings import Rank, mentions_email, normalize, rank

_ADDRESS_LIKE = re.compile(r"[^\s@/]@[^\s@]+[^\s@]")  # excludes https://example.org/@ann
_SEVERAL = re.compile(r"[<;]")
_HEADING_WITHIN = 10  # rows: titles may precede it
_NAMES_SHOWN = 20
_MAX_COLUMNS = 500  # to examine

Cells = Sequence[str]


@attrs.frozen
class Column:
    """The column of the addresses.

    Attributes:
        index: its index, from 0.
        heading: the number of rows up to and including the heading, 0 without one.
        name: its heading, `""` without one.
    """

    index: int
    heading: int = 0
    name: str = ""


def find(sample: Sequence[Cells], wanted: str | None = None) -> Column | None:
    """Find the column in the first rows of a table.

    Args:
        sample: the first rows.
        wanted: the requested column, by its heading or its number from 1.

    Returns:
        The column, or `None` if the rows are a list of addresses rather than a table.

    Raises:
        InvalidImport: the requested column does not exist.
    """
    heading = _find_heading(sample)
    if wanted is not None:
        return _find_wanted(sample, heading, wanted)
    if heading is not None:
        return _named(best(sample[heading], sample[heading + 1 :]), heading, sample[heading])
    return _find_by_content(sample)


def find_other(sample: Sequence[Cells], column: Column, wanted: str) -> int:
    """Return the index of another requested column than that of the addresses, by its heading or its number from 1.

    Raises:
        InvalidImport: the column does not exist.
    """
    return _find_wanted(sample, column.heading - 1 if column.heading else None, wanted).index


def _named(index: int, heading: int, names: Cells) -> Column:
    return Column(index, heading + 1, names[index])


def best(names: Cells, rows: Sequence[Cells]) -> int:
    """Return the index of the best-fitting column, the first of several."""
    fits = [_fit(rank(name), _share(rows, index)) for index, name in enumerate(names[:_MAX_COLUMNS])]
    return fits.index(max(fits))


def _fit(named: Rank, share: float) -> tuple[int, Rank, bool]:
    """Return a sort key for how well a column fits.

    An exact name suffices, any other needs addresses below it. Another person's addresses come last.
    """
    likely = share >= 0.5
    if named == Rank.OTHERS:
        return int(likely), named, likely
    if likely or named == Rank.EXACT:
        return 3, named, likely
    return 2 if named == Rank.LIKELY else 0, named, likely


def _share(rows: Sequence[Cells], index: int) -> float:
    """Return the share of a column's non-empty cells that look like addresses."""
    cells = [row[index] for row in rows if index < len(row) and row[index]]
    return sum(map(looks_like_address, cells)) / len(cells) if cells else 0.0


def looks_like_address(text: str) -> bool:
    """Return whether a text may contain an email address."""
    return _ADDRESS_LIKE.search(text) is not None


def _find_heading(sample: Sequence[Cells]) -> int | None:
    """Return the index of the heading row, which precedes all addresses and names their column."""
    fits = {}
    for index, row in enumerate(sample[:_HEADING_WITHIN]):
        if any("@" in cell for cell in row):
            break
        if fit := _fit_as_heading(row, sample[index + 1 :]):
            fits[index] = fit
    return max(fits, key=lambda index: fits[index], default=None)


def _fit_as_heading(names: Cells, rows: Sequence[Cells]) -> tuple[int, Rank, bool] | None:
    """Return a sort key for how well a row fits as the heading of the rows below, or `None` if it does not."""
    if not any(rank(name) >= Rank.WEAK or mentions_email(name) for name in names[:_MAX_COLUMNS]):
        return None
    index = best(names, rows)
    fit = _fit(rank(names[index]), _share(rows, index))
    is_title = len(names) == 1 and not fit[2] and any(len(row) > 1 for row in rows)
    has_others = any(rank(name) == Rank.OTHERS for name in names[:_MAX_COLUMNS])
    return fit if not is_title and (fit[0] == 3 or fit[2] or (fit[0] == 2 and has_others)) else None


def _find_wanted(sample: Sequence[Cells], heading: int | None, wanted: str) -> Column:
    rows = sorted(
        range(min(len(sample), _HEADING_WITHIN)), key=lambda row: row != heading
    )  # a title may have the same text
    for row in rows:
        cells = sample[row]
        names = [normalize(cell) for cell in cells]
        if normalize(wanted) in filter(None, names) and not any("@" in cell for cell in cells):
            index = cells.index(wanted) if wanted in cells else names.index(normalize(wanted))
            return _named(index, row, cells)
    widest = max(map(len, sample), default=0)
    if wanted.isascii() and wanted.isdigit() and 1 <= int(wanted[:9]) <= widest:
        return _at(sample, heading, int(wanted[:9]) - 1)
    if heading is None:
        raise InvalidImport(f"No such column. The table has {widest:,} columns without headings.")
    there = ", ".join(sample[heading][:_NAMES_SHOWN])
    raise InvalidImport(f"No such column. The columns are: {there}")


def _at(sample: Sequence[Cells], heading: int | None, index: int) -> Column:
    """Return the column at an index, with its heading if it has one."""
    if heading is None:
        return Column(index)
    names = sample[heading]
    return Column(index, heading + 1, names[index] if index < len(names) else "")


def _find_by_content(sample: Sequence[Cells]) -> Column | None:
    """Return the first column of addresses in rows that have other columns, too."""
    width, rows = Counter(map(len, sample)).most_common(1)[0] if sample else (0, 0)
    if width < 2 or rows < 2 or rows < 0.8 * len(sample):
        return None
    indexes = range(min(width, _MAX_COLUMNS))
    shares = [_share(sample, index) for index in indexes]
    filled = [index for index in indexes if any(index < len(row) and row[index] for row in sample)]
    ours = [index for index in indexes if shares[index] >= 0.5]
    if not ours or all(shares[index] >= 0.5 for index in filled):
        return None
    if any(_SEVERAL.search(row[index]) for row in sample for index in ours if index < len(row)):
        return None
    return Column(ours[0])

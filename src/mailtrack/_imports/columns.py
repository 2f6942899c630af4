"""Which column of a table holds the recipients' addresses: by its heading, by its content, or as asked for."""

import re
from collections import Counter
from collections.abc import Sequence

import attrs

from mailtrack._errors import InvalidImport
from mailtrack._imports.headings import Rank, normalize, rank, speaks_of_email

_LIKE_AN_ADDRESS = re.compile(r"[^\s@/]@[^\s@]+[^\s@]")  # and no https://example.org/@ann
_SEVERAL = re.compile(r"[<;]")
_HEADING_WITHIN = 10  # rows: titles may stand above it
_NAMES_SHOWN = 20
_MOST_COLUMNS = 500  # that are looked at

Cells = Sequence[str]


@attrs.frozen
class Column:
    """The column of the addresses.

    Attributes:
        place: its place, from 0.
        heading: how many rows there are up to the heading and with it; 0 where there is none.
        name: what the heading says, "" where there is none.
    """

    place: int
    heading: int = 0
    name: str = ""


def find(sample: Sequence[Cells], wanted: str | None = None) -> Column | None:
    """Find the column in the first rows of a table.

    Args:
        sample: the first rows.
        wanted: the heading or the number, from 1, of the column to take.

    Returns:
        The column, or `None` where the rows are a list of addresses and no table.

    Raises:
        InvalidImport: there is no such column as is wanted.
    """
    heading = _find_heading(sample)
    if wanted is not None:
        return _find_wanted(sample, heading, wanted)
    if heading is not None:
        return _named(best(sample[heading], sample[heading + 1 :]), heading, sample[heading])
    return _find_by_content(sample)


def _named(place: int, heading: int, names: Cells) -> Column:
    return Column(place, heading + 1, names[place])


def best(names: Cells, rows: Sequence[Cells]) -> int:
    """Return the place of the column that fits best; of equals the first."""
    fits = [_fit(rank(name), _share(rows, place)) for place, name in enumerate(names[:_MOST_COLUMNS])]
    return fits.index(max(fits))


def _fit(named: Rank, share: float) -> tuple[int, Rank, bool]:
    """Return how well a column fits, to be compared.

    An exact name is enough, any other needs addresses below it. Somebody else's addresses are the last that are taken.
    """
    likely = share >= 0.5
    if named == Rank.OTHERS:
        return int(likely), named, likely
    if likely or named == Rank.EXACT:
        return 3, named, likely
    return 2 if named == Rank.LIKELY else 0, named, likely


def _share(rows: Sequence[Cells], place: int) -> float:
    """Return which part of a column's cells, as far as they are filled, look like addresses."""
    cells = [row[place] for row in rows if place < len(row) and row[place]]
    return sum(map(is_like_an_address, cells)) / len(cells) if cells else 0.0


def is_like_an_address(text: str) -> bool:
    """Return whether a text may hold an e-mail address."""
    return _LIKE_AN_ADDRESS.search(text) is not None


def _find_heading(sample: Sequence[Cells]) -> int | None:
    """Return the place of the row that names the columns: before all addresses, with a name of theirs in it."""
    fits = {}
    for place, row in enumerate(sample[:_HEADING_WITHIN]):
        if any("@" in cell for cell in row):
            break
        if fit := _fit_as_heading(row, sample[place + 1 :]):
            fits[place] = fit
    return max(fits, key=lambda place: fits[place], default=None)


def _fit_as_heading(names: Cells, rows: Sequence[Cells]) -> tuple[int, Rank, bool] | None:
    """Return how well a row names the columns of those below it, `None` where it does not."""
    if not any(rank(name) >= Rank.WEAK or speaks_of_email(name) for name in names[:_MOST_COLUMNS]):
        return None
    place = best(names, rows)
    fit = _fit(rank(names[place]), _share(rows, place))
    is_title = len(names) == 1 and not fit[2] and any(len(row) > 1 for row in rows)
    has_others = any(rank(name) == Rank.OTHERS for name in names[:_MOST_COLUMNS])
    return fit if not is_title and (fit[0] == 3 or fit[2] or (fit[0] == 2 and has_others)) else None


def _find_wanted(sample: Sequence[Cells], heading: int | None, wanted: str) -> Column:
    rows = sorted(range(min(len(sample), _HEADING_WITHIN)), key=lambda row: row != heading)  # a title may say the same
    for row in rows:
        cells = sample[row]
        names = [normalize(cell) for cell in cells]
        if normalize(wanted) in filter(None, names) and not any("@" in cell for cell in cells):
            place = cells.index(wanted) if wanted in cells else names.index(normalize(wanted))
            return _named(place, row, cells)
    widest = max(map(len, sample), default=0)
    if wanted.isascii() and wanted.isdigit() and 1 <= int(wanted[:9]) <= widest:
        return _at(sample, heading, int(wanted[:9]) - 1)
    if heading is None:
        raise InvalidImport(f"There is no such column. They have no names; there are {widest:,}.")
    there = ", ".join(sample[heading][:_NAMES_SHOWN])
    raise InvalidImport(f"There is no such column. There are: {there}")


def _at(sample: Sequence[Cells], heading: int | None, place: int) -> Column:
    """Return the column at a place, with its heading where there is one."""
    if heading is None:
        return Column(place)
    names = sample[heading]
    return Column(place, heading + 1, names[place] if place < len(names) else "")


def _find_by_content(sample: Sequence[Cells]) -> Column | None:
    """Return the first column of addresses in rows that have others, too."""
    width, rows = Counter(map(len, sample)).most_common(1)[0] if sample else (0, 0)
    if width < 2 or rows < 2 or rows < 0.8 * len(sample):
        return None
    places = range(min(width, _MOST_COLUMNS))
    shares = [_share(sample, place) for place in places]
    filled = [place for place in places if any(place < len(row) and row[place] for row in sample)]
    ours = [place for place in places if shares[place] >= 0.5]
    if not ours or all(shares[place] >= 0.5 for place in filled):
        return None
    if any(_SEVERAL.search(row[place]) for row in sample for place in ours if place < len(row)):
        return None
    return Column(ours[0])

"""Parse rows of any accepted kind into addresses and rejected texts."""

import csv
import io
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice, repeat
from typing import IO, Any

import attrs

from mailtrack._arguments import check_type
from mailtrack._errors import InvalidArgument, InvalidImport
from mailtrack._imports import columns, mailboxes
from mailtrack._imports.encodings import decode
from mailtrack._imports.mailboxes import GUARDED, NO_ADDRESS
from mailtrack._imports.tables import Row, Table
from mailtrack._json_data import InvalidValue, check_data
from mailtrack._model import NewRecipient
from mailtrack._new_recipients import check_ref

ImportRows = str | bytes | IO[bytes] | IO[str] | Iterable[str | NewRecipient | Mapping[str, object]]
"""Rows to import: a file, its bytes or its text; or texts with one address each; or new recipients; or mappings."""

_SAMPLE_SIZE = 100  # rows that decide the choice of the column
_REF, _DATA = "ref", "data"  # keys of mappings
_SHOWN = 200  # characters of a rejected value
_EXPECTED = "must be a string, a file, or an iterable of strings, mappings or NewRecipient"

_SEVERAL = "Several addresses found; give one per row."
_SHIFTED = "More cells than in the heading, so the recipient's address can't be identified."
_UNCLOSED = "A quotation mark is never closed, or a cell is too long."


@attrs.frozen
class Entry:
    """A valid recipient, or a rejected text.

    Attributes:
        line: the number of its line or row, from 1.
        raw: the original row.
        new: the recipient, checked, with its address in canonical form; `None` if rejected.
        value: the rejected text.
        reason: the reason for the rejection.
        has_address: whether the address is valid, and only the reference or the data is not.
        leads: whether it represents its row; further addresses of a table's row do not.
    """

    line: int
    raw: str
    new: NewRecipient | None
    value: str = ""
    reason: str = ""
    has_address: bool = False
    leads: bool = True


@attrs.frozen
class Source:
    """The parsed input of an import.

    Attributes:
        entries: its entries, parsed lazily.
        heading: the heading of the table, `""` without one.
        column: the heading of the column of addresses, `""` without one.
    """

    entries: Iterator[Entry]
    heading: str = ""
    column: str = ""


def parse(rows: Any, canonical: mailboxes.Canonical, *, email: str | None = None, ref: str | None = None) -> Source:
    """Parse rows.

    Args:
        rows: a string, bytes or a file (a list or a table), or an iterable of strings, mappings or new recipients.
        canonical: returns an address in canonical form.
        email: the column of the addresses, by its heading or its number from 1.
        ref: the column of the references, likewise. By default, mappings have it under the key `ref`, tables have none.

    Raises:
        InvalidArgument: `rows` has another type, or its rows are tuples, lists or bytes.
        InvalidImport: the file is not text, or the column does not exist.
    """
    check_type(email, str, "email", optional=True)
    check_type(ref, str, "ref", optional=True)
    if hasattr(rows, "read"):
        rows = _read(rows)
    if isinstance(rows, bytes | bytearray | memoryview):
        rows = decode(bytes(rows))
    if isinstance(rows, str):
        return _parse_text(rows, canonical, email, ref)
    if isinstance(rows, Mapping) or not isinstance(rows, Iterable):
        raise InvalidArgument("rows", _EXPECTED)
    remaining = iter(rows)
    sample = list(islice(remaining, _SAMPLE_SIZE))
    if sample and all(isinstance(row, Iterable) and not _is_a_row(row) for row in sample):
        raise InvalidArgument("rows", f"{_EXPECTED}; the first is a {type(sample[0]).__name__}")
    mappings = [_cells(row) for row in sample if _is_mapping(row)]
    if not mappings:
        if email is not None or ref is not None:
            raise InvalidImport("Rows that are strings have no columns.")
        return Source(_numbered(chain(sample, remaining), [], "", _REF, canonical))
    names = list(dict.fromkeys(chain.from_iterable(mappings)))
    column = _find_key(names, mappings, email)
    ref_column = _REF if ref is None else _find_key(names, mappings, ref)
    most = _max_cells_of_mappings(filter(_is_mapping, sample), names, column, ref_column)
    entries = _numbered(chain(sample, remaining), names, column, ref_column, canonical, most)
    return Source(entries, _to_line(names), column)


def _parse_text(text: str, canonical: mailboxes.Canonical, email: str | None, ref: str | None) -> Source:
    table = Table(text)
    sample = list(islice(table, _SAMPLE_SIZE))
    cells = [row.cells for row in sample]
    column = columns.find(cells, email)
    if column is None:
        if ref is not None and sample:
            raise InvalidImport("A list of addresses has no columns.")
        return Source(_read_list(table, canonical))
    heading = sample[column.heading - 1] if column.heading else None
    references = None if ref is None else columns.find_other(cells, column, ref)
    most = sys.maxsize
    if heading is not None:
        rows = [row.cells for row in sample[column.heading :] if row.cells]
        most = _max_cells(rows, len(heading.cells), column.index, references)
    entries = _read_table(table, column, heading, references, most, canonical)
    return Source(entries, heading.raw if heading else "", column.name)


def _read_list(table: Table, canonical: mailboxes.Canonical) -> Iterator[Entry]:
    """Parse a list, in which an address may be anywhere."""
    for row in _unfolded(table):
        raw = row.raw
        found = list(mailboxes.find(raw, canonical, several=True))
        if not found:
            yield _rejected(row.line, raw, raw, NO_ADDRESS if row.cells else _UNCLOSED)
        for one in found:
            yield Entry(row.line, raw, NewRecipient(one)) if isinstance(one, str) else _rejected(row.line, one[0], *one)


def _unfolded(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield rows, joining an address on its own line to the name on the line before."""
    name: Row | None = None
    for row in rows:
        if name is not None and _is_folded(name.raw, row.raw):
            row = Row(name.line, f"{name.raw}\n{row.raw}", row.cells)
        elif name is not None:
            yield name
        name = None if "@" in row.raw else row
        if name is None:
            yield row
    if name is not None:
        yield name


def _is_folded(name: str, rest: str) -> bool:
    return rest[:1] in " \t" and (rest.lstrip().startswith("<") or name.count('"') % 2 == 1)


def _read_table(
    table: Table,
    column: columns.Column,
    heading: Row | None,
    references: int | None,
    most: int,
    canonical: mailboxes.Canonical,
) -> Iterator[Entry]:
    for number, row in enumerate(table, 1):
        if heading is not None and (number == column.heading or row.cells == heading.cells):
            continue  # repeated in joined files
        if not row.cells:
            yield _rejected(row.line, row.raw, row.raw, _UNCLOSED)
            continue
        if len(row.cells) > most:
            yield _rejected(row.line, row.raw, row.raw, _SHIFTED)
            continue
        ref = row.cells[references] if references is not None and references < len(row.cells) else ""
        yield from _read_cell(
            row.line, row.raw, _cell(row, column, heading), GUARDED.sub("", ref, count=1) or None, canonical
        )


def _cell(row: Row, column: columns.Column, heading: Row | None) -> str:
    if heading is not None and len(heading.cells) == 1 and len(row.cells) > 1:
        return row.raw  # a list with a heading: its separators separate addresses, not columns
    if heading is None and len(row.cells) == 1:
        return row.cells[0]
    return row.cells[column.index] if column.index < len(row.cells) else ""


def _max_cells(rows: Sequence[Sequence[str]], width: int, address: int, references: int | None) -> int:
    """Return the maximum number of cells in a row, given some rows, the width of the heading, and two columns.

    A separator in an unquoted cell shifts the cells after it. If other columns have addresses, too, another person's
    address may then be in the recipient's column; and another text in the column of the references.
    """
    others = any("@" in cell for cells in rows for cell in (*cells[:address], *cells[address + 1 :]))
    may_shift = (others and address > 0) or (references or 0) > 0
    if width == 1 or not may_shift:
        return sys.maxsize
    usual, number = Counter(map(len, rows)).most_common(1)[0]
    return max(width, usual if number * 2 > len(rows) else 0)  # all rows may end with a separator


def _max_cells_of_mappings(sample: Iterable[Any], names: Sequence[str], column: str, ref_column: str) -> int:
    rows = [[*map(_cells(row).get, names, repeat("")), *_surplus(row)] for row in sample]
    references = names.index(ref_column) if ref_column in names else None
    return _max_cells(rows, len(names), names.index(column), references) if names else sys.maxsize


def _read_cell(line: int, raw: str, cell: str, ref: str | None, canonical: mailboxes.Canonical) -> Iterator[Entry]:
    found = list(mailboxes.find(cell, canonical))
    if not found:
        yield _rejected(line, raw, cell or raw, NO_ADDRESS)
    for index, one in enumerate(found):
        entry = _checked(line, raw, one, ref, None) if isinstance(one, str) else _rejected(line, raw, *one)
        yield attrs.evolve(entry, leads=index == 0)


def _checked(line: int, raw: str, address: str, ref: object, data: object) -> Entry:
    """Return the entry of a valid address with its reference and data."""
    try:
        checked = check_ref(ref), None if data is None else check_data(data)
    except InvalidValue as error:
        return attrs.evolve(_rejected(line, raw, raw, str(error)), has_address=True)
    return Entry(line, raw, NewRecipient(address, *checked))


def _numbered(
    rows: Iterable[Any],
    names: Sequence[str],
    column: str,
    ref_column: str,
    canonical: mailboxes.Canonical,
    most: int = sys.maxsize,
) -> Iterator[Entry]:
    """Parse the rows of an iterable, each of which has one address."""
    for number, row in enumerate(rows, 1):
        raw, value, ref, data = _parts(row, names, column, ref_column)
        if len(names) + len(_surplus(row)) > most:
            yield _rejected(number, raw, raw, _SHIFTED)
            continue
        if not isinstance(value, str):
            yield _rejected(number, raw, raw, "The address is not a string.")
            continue
        found = list(mailboxes.find(value, canonical))
        if len(found) == 1 and isinstance(found[0], str):
            yield _checked(number, raw, found[0], ref, data)
        else:
            reason = NO_ADDRESS if not found else _SEVERAL if len(found) > 1 else found[0][1]
            yield _rejected(number, raw, value, reason)


def _parts(row: Any, names: Sequence[str], column: str, ref_column: str) -> tuple[str, object, object, object]:
    """Return a row as text, and its address, reference and data, none of them checked."""
    if isinstance(row, NewRecipient):
        return _to_line([str(row.email), *([] if row.ref is None else [str(row.ref)])]), row.email, row.ref, row.data
    if not _is_mapping(row):
        return str(row), row, None, None
    cells = _cells(row)
    raw = _to_line([*(cells.get(name, "") for name in names), *_surplus(row)])
    return raw, cells.get(column, ""), _ref_of(row, ref_column), _data_of(row)


def _read(file: Any) -> Any:
    try:
        return file.read()
    except UnicodeDecodeError as error:
        raise InvalidImport(
            "The file has another encoding than the one that it was opened with. Open it in binary mode."
        ) from error


def _is_a_row(row: Any) -> bool:
    return isinstance(row, str | NewRecipient) or _is_mapping(row)


def _is_mapping(row: Any) -> bool:
    return isinstance(row, Mapping) or hasattr(row, "keys")  # such as `sqlite3.Row`


def _cells(row: Any) -> dict[str, str]:
    keys = [key for key in row.keys() if key is not None]  # noqa: SIM118  # sqlite3.Row; DictReader puts extra cells under None
    return {str(key): "" if row[key] is None else str(row[key]) for key in keys}


def _surplus(row: Any) -> list[str]:
    """Return the cells beyond the heading, which `csv.DictReader` puts under `None`."""
    cells = row[None] if _is_mapping(row) and None in row.keys() else None  # noqa: SIM118  # sqlite3.Row
    return list(map(str, cells)) if isinstance(cells, list) else []


def _ref_of(row: Any, column: str) -> object:
    """Return the reference of a mapping, an empty one as none. Databases have numbers of invoices as numbers."""
    value = row[column] if column in row.keys() else None  # noqa: SIM118  # sqlite3.Row
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None if value == "" else value


def _data_of(row: Any) -> object:
    """Return the data of a mapping. What a table has in a column of this name is not meant."""
    value = row[_DATA] if _DATA in row.keys() else None  # noqa: SIM118  # the same
    return value if isinstance(value, Mapping) else None


def _find_key(names: list[str], mappings: Sequence[Mapping[str, str]], email: str | None) -> str:
    rows = [[cells.get(name, "") for name in names] for cells in mappings]
    if email is not None and email in names:
        return email
    if email is not None:
        column = columns.find([names, *rows], email)
        return names[column.index] if column is not None else names[0]
    return names[columns.best(names, rows)] if names else ""


def _rejected(line: int, raw: str, value: str, reason: str) -> Entry:
    shown = value.strip()
    return Entry(line, raw, None, shown if len(shown) <= _SHOWN else shown[: _SHOWN - 1] + "…", reason)


def _to_line(cells: Iterable[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(cells)
    return out.getvalue()

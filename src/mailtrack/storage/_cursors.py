"""Cursors and pages of the bundled storages: a cursor is a place in an order, as a decimal number."""

from collections.abc import Iterable
from itertools import islice

from mailtrack._errors import InvalidPaging
from mailtrack._model import Page, T

_MAX_DIGITS = 18  # stays below 2^63


def from_place(place: int) -> str:
    """Return the cursor for a place."""
    return str(place)


def to_place(cursor: str) -> int:
    """Return the place of a cursor.

    Raises:
        InvalidPaging: it is no cursor.
    """
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= _MAX_DIGITS):
        raise InvalidPaging("The cursor is not valid.")
    return int(cursor)


def cut_page(found: Iterable[tuple[int, T]], limit: int, *, begins_with_cursor: bool = False) -> Page[T]:
    """Cut a page of up to `limit` items; a next page exists where one more is found.

    Args:
        found: the items in order, each with its place; no more than `limit + 1` are read.
        limit: the maximum number of items.
        begins_with_cursor: whether the cursor is the place of the next page's first item, not of this page's last.
    """
    rows = list(islice(found, limit + 1))
    items = tuple(item for _, item in rows[:limit])
    if len(rows) <= limit:
        return Page(items=items)
    place, _ = rows[limit if begins_with_cursor else limit - 1]
    return Page(items=items, next=from_place(place))

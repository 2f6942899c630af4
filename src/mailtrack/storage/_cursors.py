"""Cursors and pages of the bundled storages: a cursor is a place in an order, as a decimal number."""

import logging
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import islice

from mailtrack._errors import InvalidPaging
from mailtrack._model import Page, T

_MAX_DIGITS = 18  # stays below 2^63
_MOST_SHOWN = 60  # three numbers, with room
_PAIR = re.compile(r"([0-9]{1,18})-([0-9]{1,18})")
_THREE = re.compile(r"-?[0-9]{1,18}\.[0-9]{1,18}\.[0-9]{1,18}")


_logger = logging.getLogger(__name__)


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


def from_places(*places: int) -> str:
    """Return the cursor for a place that takes several numbers."""
    return ".".join(map(str, places))


def to_places(cursor: str) -> tuple[int, int, int]:
    """Return the three numbers of a cursor, of which the first may be negative.

    Raises:
        InvalidPaging: it is no such cursor.
    """
    if not _THREE.fullmatch(cursor):
        raise InvalidPaging("The cursor is not valid.")
    first, second, third = map(int, cursor.split("."))
    return first, second, third


def from_pair(place: int, number: int) -> str:
    """Return the cursor for a place in the feed: of a row, and an open in it."""
    return f"{place}-{number}"


def to_pair(cursor: str) -> tuple[int, int]:
    """Return the two numbers of a cursor for a place in the feed.

    Raises:
        InvalidPaging: it is no such cursor.
    """
    found = _PAIR.fullmatch(cursor)
    if found is None:
        raise InvalidPaging("The cursor is not valid.")
    return int(found[1]), int(found[2])


def note_ahead(cursor: str) -> None:
    """Log that a cursor of the feed lies ahead of all that the feed can have given, once for each."""
    _note_ahead(cursor[:_MOST_SHOWN])


@lru_cache(maxsize=256)
def _note_ahead(cursor: str) -> None:
    _logger.warning(
        "The cursor %s lies ahead of the end of the feed, so no event is behind it: it is of another storage, or was"
        " given while the clock was wrong. Begin again at the end, or at a cursor that is older.",
        cursor,
    )


def cut_long_page(found: Sequence[tuple[tuple[int, int, int], T]], limit: int) -> Page[T]:
    """Cut a page of up to `limit` items, given one more where there is one, each with a place of three numbers."""
    items = tuple(item for _, item in found[:limit])
    return Page(items=items, next=from_places(*found[limit - 1][0]) if len(found) > limit else None)


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

"""Cursors as the bundled storages make them: a place in an order, as a decimal number."""

from mailtrack._errors import InvalidPaging

_MAX_DIGITS = 18  # stays below 2^63


def from_place(place: int) -> str:
    """Return the cursor for a place."""
    return str(place)


def to_place(cursor: str) -> int:
    """Return the place that a cursor stands for.

    Raises:
        InvalidPaging: it is no cursor.
    """
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= _MAX_DIGITS):
        raise InvalidPaging("The cursor is not valid.")
    return int(cursor)

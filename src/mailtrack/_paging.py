"""Pages of lists: their limits and cursors, and how to walk over them."""

from collections.abc import Callable, Iterator

from mailtrack._arguments import to_whole
from mailtrack._errors import InvalidPaging
from mailtrack._model import Page, T

DEFAULT_LIMIT = 50
"""Default number of items on a page of a list."""

MAX_LIMIT = 1000
"""The most items on a page of a list."""


def pages(get_page: Callable[[str | None], Page[T]], *, cursor: str | None = None) -> Iterator[Page[T]]:
    """Iterate over the pages of a list, from a cursor or the start. Nothing is held open in between."""
    while True:
        page = get_page(cursor)
        yield page
        cursor = page.next
        if cursor is None:
            return


def walk(get_page: Callable[[str | None], Page[T]]) -> Iterator[T]:
    """Iterate over a list page by page."""
    for page in pages(get_page):
        yield from page.items


def check_limit(limit: int, most: int = MAX_LIMIT, name: str = "limit") -> int:
    """Return the limit of a list, a whole number from 1 to `most`.

    Raises:
        InvalidPaging: it is out of range, or not a whole number.
    """
    number = to_whole(limit, 1, most)
    if number is None:
        raise InvalidPaging(f"{name} must be between 1 and {most:,}.")
    return number


def check_skip(skip: int) -> int:
    """Return the number of items to pass over, a whole number of at least 0 in 63 bits.

    Raises:
        InvalidPaging: it is out of range, or not a whole number.
    """
    number = to_whole(skip, 0, 2**63 - 1)
    if number is None:
        raise InvalidPaging("The number to skip is out of range.")
    return number


def check_cursor(cursor: str | None) -> str | None:
    """Return a cursor. Only the storage knows whether it is valid.

    Raises:
        InvalidPaging: it is not text.
    """
    if not isinstance(cursor, str | None):
        raise InvalidPaging("The cursor is not valid.")
    return cursor

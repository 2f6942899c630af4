"""Iterate over lists page by page, and validate limits and cursors."""

from collections.abc import Callable, Iterator

from mailtrack._arguments import to_whole
from mailtrack._errors import InvalidPaging
from mailtrack._model import Page, T

DEFAULT_LIMIT = 50
"""Default number of items per page of a list."""

MAX_LIMIT = 1000
"""Maximum number of items per page of a list."""


def pages(get_page: Callable[[str | None], Page[T]], *, cursor: str | None = None) -> Iterator[Page[T]]:
    """Yield the pages of a list, from a cursor or the start, without keeping anything open in between."""
    while True:
        page = get_page(cursor)
        yield page
        cursor = page.next
        if cursor is None:
            return


def walk(get_page: Callable[[str | None], Page[T]]) -> Iterator[T]:
    """Yield the items of a list, fetching it page by page."""
    for page in pages(get_page):
        yield from page.items


def check_limit(limit: int) -> int:
    """Return the limit if it is valid.

    Raises:
        InvalidPaging: the limit is out of range, or not a whole number.
    """
    number = to_whole(limit, 1, MAX_LIMIT)
    if number is None:
        raise InvalidPaging(f"limit must be between 1 and {MAX_LIMIT:,}.")
    return number


def check_cursor(cursor: str | None) -> str | None:
    """Return the cursor if it is a string or `None`; the storage validates its contents.

    Raises:
        InvalidPaging: the cursor is neither.
    """
    if not isinstance(cursor, str | None):
        raise InvalidPaging("The cursor is not valid.")
    return cursor

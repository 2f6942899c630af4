"""Lists that come page by page."""

from collections.abc import Callable, Iterator

from mailtrack._arguments import to_whole
from mailtrack._errors import InvalidPaging
from mailtrack._model import Page, T

DEFAULT_LIMIT = 50
"""How many items a page of a list has, if nobody says."""

MAX_LIMIT = 1000
"""How many items a page of a list has at most."""


def pages(get_page: Callable[[str | None], Page[T]], *, cursor: str | None = None) -> Iterator[Page[T]]:
    """Iterate over the pages of a list, from a cursor or the start; nothing is held open in between."""
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


def check_limit(limit: int) -> int:
    """Return a limit that a list can have.

    Raises:
        InvalidPaging: it is out of range, or no whole number.
    """
    number = to_whole(limit, 1, MAX_LIMIT)
    if number is None:
        raise InvalidPaging(f"limit must be between 1 and {MAX_LIMIT:,}.")
    return number


def check_cursor(cursor: str | None) -> str | None:
    """Return a cursor, of which only the storage knows whether it can be used.

    Raises:
        InvalidPaging: it is no text.
    """
    if not isinstance(cursor, str | None):
        raise InvalidPaging("The cursor is not valid.")
    return cursor

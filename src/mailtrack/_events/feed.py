"""Read the feed: its cursors, and all of it, page by page."""

from collections.abc import Iterator

from mailtrack._event import Event
from mailtrack._model import Page
from mailtrack._paging import MAX_LIMIT, check_cursor
from mailtrack.storage._feed import Feed


def to_cursor(after: Event | str | None) -> str | None:
    """Return the cursor of an event. A text is taken for one, and `None` for the start.

    Raises:
        InvalidPaging: it is something else. Only the storage knows whether a text is valid.
    """
    return after.cursor if isinstance(after, Event) else check_cursor(after)


def iter_events(feed: Feed, after: str | None) -> Iterator[Event]:
    """Iterate over all events behind a cursor, up to the end of the feed. Nothing is held open in between.

    Raises:
        InvalidPaging: the cursor is unusable. Raised at once, before the first step.
    """
    return _iter_from(feed, after, feed.list_events(limit=MAX_LIMIT, after=after))


def _iter_from(feed: Feed, after: str | None, page: Page[Event]) -> Iterator[Event]:
    # A page may be empty in the middle of the feed, where its events are gone; then its cursor leads on.
    while page.items or page.next != after:
        yield from page.items
        after = page.next
        page = feed.list_events(limit=MAX_LIMIT, after=after)

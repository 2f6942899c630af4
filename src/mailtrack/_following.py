"""`Following`: the part of a tracker by which programs hear of opens."""

from collections.abc import Iterator
from typing import cast

from mailtrack._event import Event
from mailtrack._events import feed
from mailtrack._model import Page
from mailtrack._operations import Operations
from mailtrack._paging import DEFAULT_LIMIT, check_limit
from mailtrack.storage._feed import Feed


class Following(Operations):
    """Reports opens as events. `Tracker` adds the pixels, recipients and opens."""

    @property
    def _feed(self) -> Feed:
        return cast("Feed", self._storage)

    def list_events(self, *, limit: int = DEFAULT_LIMIT, after: Event | str | None = None) -> Page[Event]:
        """Return a page of the feed: an event for each stored open of all pixels, in order, oldest first.

        A program that gives each `Page.next` as `after` of its next call misses no event and gets none twice, however
        many processes store opens meanwhile. An event is kept as long as its open.

        Args:
            limit: the most events, 1 to 1,000.
            after: `Page.next` of the page before, or an event or its cursor; by default the page begins with the first.

        Returns:
            The events, and in `next` always a cursor, also where there is nothing behind it yet.

        Raises:
            InvalidPaging: the limit is out of range, or the cursor is not valid.
        """
        limit, cursor = check_limit(limit), feed.to_cursor(after)
        return self._feed.list_events(limit=limit, after=cursor)

    def iter_events(self, after: Event | str | None = None) -> Iterator[Event]:
        """Iterate over the events of all pixels, in order, oldest first, in bounded memory.

        The iteration ends when it has read to the end of the feed, with the events that were stored meanwhile. To go on
        later, give the last event, or its cursor, as `after`.

        Args:
            after: an event or its cursor, behind which to begin; by default the start.

        Raises:
            InvalidPaging: the cursor is not valid. Raised at once, before the first step.
        """
        cursor = feed.to_cursor(after)
        return feed.iter_events(self._feed, cursor)

    def get_feed_end(self) -> str:
        """Return a cursor behind all events of now. As `after`, it leads to those of opens that are stored later."""
        return self._feed.get_feed_end()

"""The contract of the feed, which every storage has: an open that is added becomes an event."""

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from mailtrack._event import Event, First
from mailtrack._model import Page


class Feed(Protocol):
    """The part of a `Storage` that is about events. Threads, atomicity, reads and errors are as for all of it.

    `first` and `first_counted` of an event are those of the moment when its open was added, and never change. Both are
    false for an open without a recipient that existed then.
    """

    def list_events(self, *, limit: int, after: str | None = None, first: First = "any") -> Page[Event]:
        """Return events of the feed, which has one for each open that `add_opens` has added, in order, oldest first.

        The order never changes, and new events only come behind all that any reader has seen: who goes on from each
        page's `next` misses no event and gets none twice, however many callers and processes add opens meanwhile. (An
        ascending number from a sequence does not give that: transactions commit in another order than they drew it.)
        A storage that was put back to an older state goes on behind all cursors that it gave after that state, too: the
        bundled ones number events by the time, so a clock that is right is all that it needs.

        Within one call of `add_opens`, the events of a pixel have the order in which its opens were added. An event
        goes with its open: when it is purged, or its pixel is deleted.

        Args:
            limit: the maximum number of events.
            after: the cursor behind which to begin, `None` for the start. It may be of an event that is gone.
            first: which of each recipient's events. To bound the cost, a storage may end a page early, as `list_pixels`
                does (the bundled ones after 10,000 events).

        Returns:
            The events, and in `next` a cursor for the rest, also where there is no rest yet. The end is reached where a
            page is empty and `next` is `after`; a page may be empty before that.

        Raises:
            InvalidPaging: the cursor is unusable.
        """
        ...

    def get_events(self, cursors: Collection[str]) -> dict[str, Event]:
        """Return the events with these cursors, by cursor; those that are gone are left out.

        Raises:
            InvalidPaging: a cursor is unusable.
        """
        ...

    def get_feed_end(self) -> str:
        """Return a cursor behind all events that `list_events` returns now."""
        ...

    def find_feed_place(self, *, since: datetime) -> str | None:
        """Return a cursor behind which all events are whose opens are of a time or later, `None` for the start.

        Others may be among them. The cost does not depend on the events before.
        """
        ...

    def add_reader(self, name: str) -> None:
        """Add a named reader of the feed, at its end. Nothing changes where there is one of this name.

        Args:
            name: 1 to 128 characters.
        """
        ...

    def take_reader(self, name: str, owner: str, *, now: datetime, until: datetime) -> str | None:
        """Make one process the owner of a reader until a time, and return where the reader is.

        Args:
            name: the reader.
            owner: a text of at most 64 characters that stands for the process, or its thread.
            now: the current time.
            until: when the reader is free again, unless `move_reader` or this says another time.

        Returns:
            The cursor behind which it goes on; `None` where another owner has it, or there is none of this name.
        """
        ...

    def move_reader(self, name: str, owner: str, after: str, *, until: datetime) -> bool:
        """Move a reader on to a cursor, and keep it until a time, which may be past.

        Returns:
            Whether this owner was the last to take it, even if the time until which it had it is over. If not, nothing
            has changed: another has taken it.

        Raises:
            InvalidPaging: the cursor is unusable.
        """
        ...

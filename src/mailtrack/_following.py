"""`Following`: the part of a tracker by which programs hear of opens."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import cast

from mailtrack._errors import StorageError
from mailtrack._event import Event, First
from mailtrack._events import feed
from mailtrack._events.callbacks import Callbacks
from mailtrack._events.webhooks import guard
from mailtrack._events.webhooks.facade import Webhooks
from mailtrack._events.webhooks.filling import Outboxes
from mailtrack._events.webhooks.sending import Sender
from mailtrack._model import Page
from mailtrack._operations import Operations
from mailtrack._paging import DEFAULT_LIMIT, check_limit
from mailtrack._pixels import find_pixel
from mailtrack._spool import Spool
from mailtrack._times import Clock
from mailtrack.storage._abilities import SupportsWebhooks
from mailtrack.storage._protocol import Storage
from mailtrack.verdicts import Judge, RecentHits

_SWEEP_SECONDS = 1.0  # after the deletion of a webhook, before the rest is left to a thread


class Following(Operations):
    """Reports opens as events. `Tracker` adds the pixels, recipients and opens."""

    def __init__(
        self,
        storage: Storage,
        *,
        spool: Spool | None,
        judge: Judge | None,
        recent_hits: RecentHits | None,
        clock: Clock,
        webhook_allow: Iterable[str],
    ) -> None:
        super().__init__(storage, spool=spool, judge=judge, recent_hits=recent_hits, clock=clock)
        allow = guard.to_networks(webhook_allow)
        self._callbacks = Callbacks(storage, clock)
        self._follow(self._callbacks)
        self._webhooks: Webhooks | None = None
        if isinstance(storage, SupportsWebhooks):
            outboxes = cast(Outboxes, storage)  # there is no intersection of types
            sweep = partial(self._sweeper.sweep, _SWEEP_SECONDS)
            self._webhooks = Webhooks(outboxes, partial(find_pixel, storage), allow, clock, sweep)
            self._follow(Sender(outboxes, allow, clock))

    @property
    def webhooks(self) -> Webhooks:
        """The webhooks, which are URLs to which this tracker sends events while it is started, see `docs/webhooks.md`.

        Raises:
            StorageError: the storage can't have any.
        """
        if self._webhooks is None:
            raise StorageError("This storage does not support webhooks.")
        return self._webhooks

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
        return self._storage.list_events(limit=limit, after=cursor)

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
        return feed.iter_events(self._storage, cursor)

    def get_feed_end(self) -> str:
        """Return a cursor behind all events of now. As `after`, it leads to those of opens that are stored later."""
        return self._storage.get_feed_end()

    def on_open(self, function: Callable[[Event], object], *, name: str, first: First = "firstCounted") -> None:
        """Call a function with each event, at least once, after its open is stored.

        It is called in a background thread of its own, in the order of the feed, while the tracker is started: never in
        a request. A new name begins with the opens that are stored from now on. Later, also after a kill, a function of
        the same name goes on where the last one was. Of several processes that have one of this name, one calls it at
        a time; if that one is killed, another goes on within 15 seconds.

        The event at which a process is killed comes again, and at most those of the last 0.1 seconds: a function that
        must not act twice remembers `Event.id`. If it raises, that is logged, and it is called again with the same
        event, after 1 second, 2, 4 and so on up to 5 minutes; the events behind wait. Other functions do not.

        Args:
            function: takes the event. What it returns is not used.
            name: 1 to 128 characters that stand for the function in the storage.
            first: which events: of each recipient the first that counts, the first, or "any": all of all pixels.

        Raises:
            InvalidArgument: the tracker is started, or has a function of this name; or the function is async, the name
                too long, or `first` none of these.
            StorageError: the storage can't be written. If it can't be reached now, the name begins once it can.
        """
        self._callbacks.add(function, name, first)

    def _call_on_open(self, function: Callable[[Event], object], name: str, *, at_end: Callable[[], object]) -> None:
        """Call a function as `on_open` does with all events, also if the tracker is started; for adapters.

        Args:
            function: takes the event.
            name: the name of its reader.
            at_end: called in the thread of the function, when that ends.
        """
        self._callbacks.add(function, name, "any", late=True, at_end=at_end)

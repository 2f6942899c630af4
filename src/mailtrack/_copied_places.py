"""`Places`: where readers and webhooks are in the feed of a storage, found again in the feed of its copy."""

import time
from collections import Counter
from collections.abc import Mapping

import attrs

from mailtrack import _times as times
from mailtrack._errors import PixelNotFound, StorageError
from mailtrack._events.feed import iter_events
from mailtrack._paging import MAX_LIMIT, walk
from mailtrack.storage._abilities import SupportsWebhooks
from mailtrack.storage._carrying import CarriesPlaces
from mailtrack.storage._protocol import Storage

MOST_BEHIND = 1_000_000  # events behind a place, whose ids are held in memory
OWNER = "mailtrack copy"
_MOST_SECONDS = 60.0  # that others' transactions may hide events
_LOOK_SECONDS = 0.02


@attrs.define(kw_only=True)
class Place:
    """A place in the feed of the source, and who is there.

    Attributes:
        left: the ids of the opens whose events are behind it, by pixel.
        readers: the names of readers.
        webhooks: the ids of webhooks.
        stops: how many opens of a pixel come before the first of these, in the order of its log.
    """

    left: dict[str, set[str]]
    readers: list[str] = attrs.Factory(list)
    webhooks: list[str] = attrs.Factory(list)
    stops: dict[str, int] = attrs.Factory(dict)

    @property
    def size(self) -> int:
        """The number of events behind it."""
        return sum(map(len, self.left.values()))


class Places:
    """The places of readers and webhooks.

    The copy has the events of one pixel in their order, but pixels are copied one after another. So a place is one in
    the copy only while the copy has no event from behind it: opens are copied up to a place, its readers and webhooks
    are put at the end of the feed, and then the next ones are copied.

    Args:
        source: the storage that is copied.
        target: the copy.

    Attributes:
        lost: readers and webhooks whose place was not found. They are put to the end of the feed.
    """

    def __init__(self, source: Storage, target: Storage) -> None:
        self._source = source
        self._target = target
        self.lost = Place(left={})

    def find(self) -> list[Place]:
        """Return the places in the source, those with most events behind them first, and one without any at the end."""
        found = [Place(left={})]
        at = self._list_cursors()
        if at:
            wait_for_all(self._source)
        for cursor, here in at.items():
            left = self._list_behind(cursor)
            same = next((one for one in found if one.left == left), None)
            if left is None:
                same = self.lost
            elif same is None:
                same = Place(left=left)
                found.append(same)
            same.readers += here.readers
            same.webhooks += here.webhooks
        return sorted(found, key=lambda place: place.size, reverse=True)

    def _list_cursors(self) -> dict[str | None, Place]:
        found: dict[str | None, Place] = {}
        if isinstance(self._source, CarriesPlaces):
            for name, cursor in self._source.list_readers().items():
                found.setdefault(cursor, Place(left={})).readers.append(name)
        if isinstance(self._source, SupportsWebhooks) and isinstance(self._target, SupportsWebhooks):
            for webhook in self._source.list_webhooks():
                found.setdefault(webhook.after, Place(left={})).webhooks.append(webhook.id)
        return found

    def _list_behind(self, cursor: str | None) -> dict[str, set[str]] | None:
        """Return the ids of the opens behind a cursor of the source, by pixel; `None` where they are too many."""
        found: dict[str, set[str]] = {}
        for number, event in enumerate(iter_events(self._source, cursor), 1):
            if number > MOST_BEHIND:
                return None
            found.setdefault(event.open.pixel_id, set()).add(event.open.id)
        return found

    def find_stops(self, place: Place, kept: Mapping[str, int]) -> None:
        """Set `Place.stops`, given how many opens the source has of each pixel, or had before."""
        place.stops = dict(kept)
        for pixel_id, left in place.left.items():
            if pixel_id in kept:
                place.stops[pixel_id] = min(kept[pixel_id], self._find_stop(pixel_id, left))

    def _find_stop(self, pixel_id: str, left: set[str]) -> int:
        try:
            kept = self._source.get_pixel(pixel_id).kept
        except PixelNotFound:  # deleted meanwhile
            return 0
        behind = seen = 0
        opens = walk(lambda cursor: self._source.list_opens(pixel_id, limit=MAX_LIMIT, cursor=cursor))
        for number, one in enumerate(opens, 1):
            if one.id in left:
                behind, seen = number, seen + 1
            if seen == len(left):
                break
        return max(0, kept - behind)

    def settle(self, place: Place) -> None:
        """Put those who are at a place of the source to the same one in the target.

        All opens before it are copied by now. Others are there only if an earlier run has copied them.
        """
        if not (place.readers or place.webhooks):
            return
        wait_for_all(self._target)
        pixels = walk(lambda cursor: self._target.list_pixels(limit=MAX_LIMIT, cursor=cursor, archived=None))
        kept = {pixel.id: pixel.kept for pixel in pixels if pixel.id in place.stops}
        if all(number <= place.stops[pixel_id] for pixel_id, number in kept.items()):
            self._put(place, self._target.get_feed_end())
            return
        for name in place.readers:
            self._go_on(Place(left=place.left, readers=[name], stops=place.stops), kept, self._take(name))
        for webhook_id in place.webhooks:
            after = self._webhooks.get_webhook(webhook_id).after
            self._go_on(Place(left=place.left, webhooks=[webhook_id], stops=place.stops), kept, after)

    def _go_on(self, place: Place, kept: Mapping[str, int], present: str | None) -> None:
        """Put someone on from a place in the target, where an earlier run had put it."""
        cursor = self._pass_over(place, kept, present)
        if cursor is None:
            self.lost.readers += place.readers
            self.lost.webhooks += place.webhooks
        else:
            self._put(place, cursor)

    def _pass_over(self, place: Place, kept: Mapping[str, int], present: str | None) -> str | None:
        """Return a cursor behind which all events are that are left; `None` where some are before the present place."""
        cursor, seen = present, Counter[str]()
        for number, event in enumerate(iter_events(self._target, present), 1):
            if number > MOST_BEHIND:
                return None
            if event.open.id in place.left.get(event.open.pixel_id, ()):
                seen[event.open.pixel_id] += 1
            elif not seen:
                cursor = event.cursor
        for pixel_id, left in place.left.items():
            if seen[pixel_id] < min(len(left), kept.get(pixel_id, 0) - place.stops.get(pixel_id, 0)):
                return None
        return cursor

    def end(self) -> None:
        """Put those whose place was not found to the end of the feed."""
        if self.lost.readers or self.lost.webhooks:
            wait_for_all(self._target)
            self._put(self.lost, self._target.get_feed_end())

    def _put(self, place: Place, cursor: str) -> None:
        for name in place.readers:
            self._take(name)
            if not self._target.move_reader(name, OWNER, cursor, until=times.now()):
                raise StorageError(f"The target is in use: another process has its reader {name!r}.")
        for webhook_id in place.webhooks:
            former = self._webhooks.get_webhook(webhook_id)
            if not self._webhooks.change_webhook(former, attrs.evolve(former, after=cursor)):
                raise StorageError("The target is in use: another process has changed a webhook.")

    def _take(self, name: str) -> str:
        now = times.now()
        after = self._target.take_reader(name, OWNER, now=now, until=now)
        if after is None:
            raise StorageError(f"The target is in use: another process has its reader {name!r}.")
        return after

    @property
    def _webhooks(self) -> SupportsWebhooks:
        assert isinstance(self._target, SupportsWebhooks)  # noqa: S101  # see `_list_cursors`
        return self._target


def wait_for_all(storage: Storage) -> None:
    """Wait until the feed of a storage shows all events.

    Raises:
        StorageError: some were hidden for a minute.
    """
    deadline = time.monotonic() + _MOST_SECONDS
    while isinstance(storage, CarriesPlaces) and not storage.shows_all_events():
        if time.monotonic() > deadline:
            raise StorageError(
                "Some events of a storage can't be seen yet: another transaction of its server is open for a minute."
                " End it, and copy again."
            )
        time.sleep(_LOOK_SECONDS)

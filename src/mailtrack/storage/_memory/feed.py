"""The feed in memory: the places of the opens that were added, in order, and its readers."""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from itertools import islice
from operator import attrgetter

import attrs

from mailtrack._event import Event, First
from mailtrack._model import Page
from mailtrack._times import now_in_microseconds
from mailtrack.storage import _cursors as cursors
from mailtrack.storage._counting.firsts import BITS
from mailtrack.storage._counting.values import make_events
from mailtrack.storage._memory.pixel_data import PixelData
from mailtrack.storage._protocol import SEARCHED_AT_ONCE


@attrs.frozen
class _Entry:
    """An event.

    Attributes:
        place: its place in the feed.
        pixel: its pixel.
        number: the place of its open in the pixel's log.
        newest: the latest time of an open up to this one.
    """

    place: int
    pixel: PixelData
    number: int
    newest: datetime


@attrs.define
class _Reader:
    after: str
    owner: str = ""
    until: datetime | None = None


class MemoryFeed:
    """The feed of a storage. Not thread-safe."""

    def __init__(self) -> None:
        self._entries: list[_Entry] = []
        self._last = now_in_microseconds()  # behind all cursors of a former process
        self._readers: dict[str, _Reader] = {}

    def add(self, pixel: PixelData, number: int, at: datetime) -> None:
        """Add an event of an open that was added to a pixel, at a place in its log."""
        newest = max(at, self._entries[-1].newest) if self._entries else at
        self._last += 1
        self._entries.append(_Entry(self._last, pixel, number, newest))

    def forget_gone(self, pixel: PixelData) -> None:
        """Remove those events of a pixel whose opens are gone."""
        self._entries = [one for one in self._entries if one.pixel is not pixel or pixel.has_open(one.number)]

    def get_page(self, limit: int, after: str | None, first: First) -> Page[Event]:
        """Return the events behind a cursor."""
        place, bits, found = 0 if after is None else cursors.to_place(after), BITS[first], list[_Entry]()
        if place > self._last and after is not None:
            cursors.note_ahead(after)
        begin = bisect_right(self._entries, place, key=attrgetter("place"))
        for entry in islice(self._entries, begin, begin + SEARCHED_AT_ONCE):
            place = entry.place
            if entry.pixel.get_firsts(entry.number) & bits == bits:
                found.append(entry)
                if len(found) == limit:
                    break
        return Page(items=tuple(_to_events(found)), next=cursors.from_place(place))

    def get(self, wanted: Collection[str]) -> dict[str, Event]:
        """Return the events with some cursors."""
        entries = [entry for place in set(map(cursors.to_place, wanted)) for entry in self._find(place)]
        return {event.cursor: event for event in _to_events(entries)}

    def _find(self, place: int) -> Iterator[_Entry]:
        number = bisect_left(self._entries, place, key=attrgetter("place"))
        return (one for one in self._entries[number : number + 1] if one.place == place)

    def get_end(self) -> str:
        """Return a cursor behind all events."""
        return cursors.from_place(self._last)

    def find_place(self, since: datetime) -> str | None:
        """Return a cursor before all events whose opens are of a time or later."""
        number = bisect_left(self._entries, since, key=attrgetter("newest"))
        return cursors.from_place(self._entries[number - 1].place) if number else None

    def add_reader(self, name: str) -> None:
        """Add a reader at the end, unless there is one of this name."""
        self._readers.setdefault(name, _Reader(self.get_end()))

    def list_readers(self) -> dict[str, str]:
        """Return the cursors of all readers, by name, sorted."""
        return {name: reader.after for name, reader in sorted(self._readers.items())}

    def take_reader(self, name: str, owner: str, now: datetime, until: datetime) -> str | None:
        """Give a reader to an owner, unless another has it, and return where it is."""
        reader = self._readers.get(name)
        if reader is None or (reader.until is not None and reader.owner != owner and reader.until > now):
            return None
        reader.owner, reader.until = owner, until
        return reader.after

    def move_reader(self, name: str, owner: str, after: str, until: datetime) -> bool:
        """Move a reader of an owner, and return whether it still was that owner's."""
        cursors.to_place(after)
        reader = self._readers.get(name)
        if reader is None or reader.until is None or reader.owner != owner:
            return False
        reader.after, reader.until = after, until
        return True


def _to_events(entries: Sequence[_Entry]) -> list[Event]:
    pixels = {id(entry.pixel): entry.pixel for entry in entries}
    shown = {key: pixel.pixel for key, pixel in pixels.items()}  # with its counts, which take a while
    opens = [entry.pixel.get_open(entry.number) for entry in entries]
    return make_events(
        [cursors.from_place(entry.place) for entry in entries],
        opens,
        [shown[id(entry.pixel)] for entry in entries],
        [
            None if one.recipient_id is None else entry.pixel.get_recipient(one.recipient_id)
            for entry, one in zip(entries, opens, strict=True)
        ],
        [entry.pixel.get_firsts(entry.number) for entry in entries],
    )

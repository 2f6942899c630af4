"""The rules of the state machine that are about the feed: readers that page while all else happens."""

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from mailtrack._event import FIRSTS, Event, First
from mailtrack._model import Page
from mailtrack.testing import _strategies as strategies
from mailtrack.testing._comparison import START, Comparison
from mailtrack.testing._contract.helpers import all_events

_KEYS: dict[First, str] = {"any": "id", "first": "first", "firstCounted": "first_counted"}


class FeedRules(Comparison):
    """Keeps a model of the feed, and reads from any cursor that it was ever given."""

    _feed: list[tuple[dict[str, Any], dict[str, Any]]]  # pixels and opens, in order, also those that are gone
    _heard: str | None  # the cursor up to which they are
    _places: list[tuple[First, str, int]]  # of which events, a cursor, and the last place before it
    _readers: dict[str, dict[str, Any]]  # by name: "place", "owner" and "until"

    def __init__(self) -> None:
        super().__init__()
        self._feed, self._heard, self._places, self._readers = [], None, [], {}

    def _hear_of(self, added: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
        """Read the events of opens that were added in one call. Only those of one pixel have an order that is known."""
        new = all_events(self._storage, after=self._heard)
        by_id = {(pixel["id"], one["id"]): (pixel, one) for pixel, one in added}
        heard = [by_id.pop((event.pixel.id, event.open.id)) for event in new]
        assert not by_id
        for pixel in self._pixels:
            assert [one for of, one in heard if of is pixel] == [one for of, one in added if of is pixel]
        for event, (_, one) in zip(new, heard, strict=True):
            one["cursor"] = self._heard = event.cursor
        self._feed += heard

    def _behind(self, place: int, first: First = "any") -> list[int]:
        """Return the places of the events behind one that are still there."""
        present = {pixel["id"] for pixel in self._pixels}
        return [
            number
            for number, (pixel, one) in enumerate(self._feed)
            if number > place and pixel["id"] in present and not one["purged"] and one[_KEYS[first]]
        ]

    def _cursors_of(self, places: list[int]) -> list[str]:
        return [self._feed[place][1]["cursor"] for place in places]

    @staticmethod
    def _to_place(page: Page[Event], place: int, behind: list[int]) -> int:
        """Return the last place before the cursor of a page, given those before and behind its beginning."""
        return behind[len(page.items) - 1] if page.items else place

    @invariant()
    def _the_feed_equals_the_model(self) -> None:
        """Compare all events."""
        events = all_events(self._storage)
        wanted = [(place, *self._feed[place]) for place in self._behind(-1)]
        assert [
            (one.cursor, one.pixel.id, one.open.id, one.open.recipient_id, one.open.counted, one.open.erased)
            for one in events
        ] == [
            (one["cursor"], pixel["id"], one["id"], one["recipient"], one["counted"], one["erased"])
            for _, pixel, one in wanted
        ]
        assert [(one.first, one.first_counted) for one in events] == [
            (one["first"], one["first_counted"]) for _, _, one in wanted
        ]
        owners = [{it["id"] for it in pixel["recipients"]} & {one["recipient"]} for _, pixel, one in wanted]
        assert [{one.recipient.id} if one.recipient else set() for one in events] == owners
        people = {one.recipient.id: one.recipient for one in events if one.recipient}
        assert self._storage.get_recipients(list(people)) == people
        pixels = {one.pixel.id: one.pixel for one in events}
        assert pixels == {pixel_id: self._storage.get_pixel(pixel_id) for pixel_id in pixels}
        got = self._storage.get_events([one["cursor"] for _, one in self._feed])
        assert got == {one.cursor: one for one in events}

    @rule(choice=st.none() | strategies.place, limit=strategies.limit, first=st.sampled_from(FIRSTS))
    def _read_feed(self, choice: int | None, limit: int, first: First) -> None:
        """Read a page of the feed, from its start or from any cursor of a page of the same events."""
        places = [one for one in self._places if one[0] == first]
        after, place = (None, -1) if choice is None or not places else places[-1 - choice % len(places)][1:]
        behind = self._behind(place, first)
        page = self._storage.list_events(limit=limit, after=after, first=first)
        rest = all_events(self._storage, after=page.next, first=first, limit=limit)
        assert [one.cursor for one in (*page.items, *rest)] == self._cursors_of(behind)
        assert len(page.items) <= limit
        if page.next is not None:
            self._places.append((first, page.next, self._to_place(page, place, behind)))

    @rule(first=st.sampled_from(FIRSTS))
    def _find_end(self, first: First) -> None:
        """Keep the cursor of the end of the feed for later."""
        self._places.append((first, self._storage.get_feed_end(), len(self._feed) - 1))

    @rule(minutes=strategies.minutes)
    def _find_place(self, minutes: int) -> None:
        """Look for a time in the feed."""
        since = START + timedelta(minutes=minutes)
        found = [one.cursor for one in all_events(self._storage, after=self._storage.find_feed_place(since=since))]
        present = self._behind(-1)
        assert found == self._cursors_of(present)[len(present) - len(found) :]
        late = [place for place in present if self._feed[place][1]["at"] >= since]
        assert set(self._cursors_of(late)) <= set(found)

    @rule(
        name=st.sampled_from(["crm", "mail"]),
        owners=st.tuples(st.sampled_from("ab"), st.sampled_from("ab")),
        minutes=strategies.minutes,
        kept=st.integers(0, 90),
        limit=strategies.limit,
    )
    def _read_by_name(self, name: str, owners: tuple[str, str], minutes: int, kept: int, limit: int) -> None:
        """Add a reader, and let one owner take it, read a page, and move it on, or another try to."""
        now = START + timedelta(minutes=minutes)
        end: dict[str, Any] = {"place": len(self._feed) - 1, "owner": None, "until": now}
        reader = self._readers.setdefault(name, end)
        self._storage.add_reader(name)
        after = self._storage.take_reader(name, owners[0], now=now, until=now + timedelta(hours=1))
        if reader["owner"] not in (None, owners[0]) and reader["until"] > now:
            assert after is None
            return
        assert after is not None
        reader |= {"owner": owners[0], "until": now + timedelta(hours=1)}
        behind = self._behind(reader["place"])
        assert [one.cursor for one in all_events(self._storage, after=after)] == self._cursors_of(behind)
        page = self._storage.list_events(limit=limit, after=after)
        assert page.next is not None
        until = now + timedelta(minutes=kept)
        moved = self._storage.move_reader(name, owners[1], page.next, until=until)
        assert moved == (owners[1] == owners[0])
        if moved:
            reader |= {"place": self._to_place(page, reader["place"], behind), "until": until}

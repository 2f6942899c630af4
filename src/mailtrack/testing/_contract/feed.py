"""Tests of the feed."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from itertools import chain
from threading import Event as Signal

import attrs
import pytest

from mailtrack._errors import InvalidPaging
from mailtrack._event import FIRSTS, Event, First
from mailtrack._model import Open, Pixel, Recipient
from mailtrack.storage import Storage
from mailtrack.testing._contract.helpers import (
    UNUSABLE_CURSORS,
    add_pixel,
    add_recipients,
    all_events,
    all_opens,
    at_once,
    make_judgement,
    namesake,
    rejudge,
)
from mailtrack.testing._factories import NOON, make_open, make_recipient

_MINUTE = timedelta(minutes=1)
_WRITERS = 4
_ROUNDS = 15


def _ids(events: Sequence[Event]) -> list[str]:
    return [one.open.id for one in events]


def _add_one_by_one(storage: Storage, opens: Sequence[Open]) -> list[Event]:
    """Add each open in a call of its own, and return the events of all."""
    for one in opens:
        storage.add_opens([one])
    return all_events(storage)


def _bits(storage: Storage) -> list[tuple[bool, bool]]:
    return [(one.first, one.first_counted) for one in all_events(storage)]


class FeedContract:
    """Tests of `list_events`, `get_events`, `get_feed_end` and `find_feed_place`."""

    def test_an_open_that_is_added_becomes_an_event(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (ann,) = storage.add_recipients(pixel.id, [make_recipient(pixel, "ann@example.org", ref="A-1", data={"a": 1})])
        storage.add_opens([make_open(pixel, ann, signals=("range",))])
        (event,) = all_events(storage)
        assert event.open == all_opens(storage, pixel)[0]
        assert event.open.token == ann.token
        assert event.pixel == storage.get_pixel(pixel.id)
        assert event.recipient == storage.get_recipients([ann.id])[ann.id]
        assert event.recipient is not None
        assert (event.recipient.ref, event.recipient.data, event.recipient.opens.raw.number) == ("A-1", {"a": 1}, 1)
        assert (event.first, event.first_counted) == (True, True)
        assert event.id == f"evt_{event.open.id}"

    def test_the_events_of_a_pixel_have_the_order_in_which_its_opens_were_added(self, storage: Storage) -> None:
        pixel, other = add_pixel(storage), add_pixel(storage)
        opens = [make_open(pixel if n % 3 else other, at=NOON - n * _MINUTE) for n in range(12)]
        storage.add_opens(opens[:7])
        storage.add_opens(opens[7:])
        events = all_events(storage)
        assert sorted(_ids(events[:7])) == sorted(one.id for one in opens[:7])
        for mine in (pixel, other):
            own = [one for one in events if one.pixel.id == mine.id]
            assert _ids(own) == [one.id for one in opens if one.pixel_id == mine.id]

    def test_opens_that_were_there_or_have_no_pixel_become_no_event(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        opens = [make_open(pixel) for _ in range(3)]
        storage.add_opens(opens[:2])
        storage.add_opens([*opens, opens[2], attrs.evolve(opens[0], id="0" * 32, pixel_id=namesake(pixel))])
        storage.add_opens(opens)
        assert _ids(all_events(storage)) == [one.id for one in opens]

    def test_the_pages_lead_through_all_events_and_say_where_the_end_is(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        events = _add_one_by_one(storage, [make_open(pixel) for _ in range(7)])
        assert len({one.cursor for one in events}) == 7
        for limit in (1, 2, 7, 1000):
            assert all_events(storage, limit=limit) == events
        end = storage.list_events(limit=1000).next
        assert storage.list_events(limit=1000, after=end).next == end

    def test_each_event_leads_to_the_one_behind_it(self, storage: Storage) -> None:
        pixel, other = add_pixel(storage), add_pixel(storage)
        storage.add_opens([make_open(one) for one in (pixel, other, pixel, other)])
        events = all_events(storage)
        for place, event in enumerate(events, 1):
            assert all_events(storage, after=event.cursor) == events[place:]

    def test_an_empty_feed_has_a_cursor_that_leads_to_the_first_event(self, storage: Storage) -> None:
        page, end = storage.list_events(limit=9), storage.get_feed_end()
        assert page.items == ()
        assert page.next is not None
        assert storage.list_events(limit=9, after=page.next).next == page.next
        pixel = add_pixel(storage)
        storage.add_opens(given := [make_open(pixel)])
        for after in (page.next, end, None):
            assert _ids(all_events(storage, after=after)) == [given[0].id]

    def test_the_end_is_behind_all_events_and_before_the_next(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        storage.add_opens([make_open(pixel) for _ in range(3)])
        end = storage.get_feed_end()
        assert all_events(storage, after=end) == []
        storage.add_opens(given := [make_open(pixel)])
        assert _ids(all_events(storage, after=end)) == [given[0].id]

    @pytest.mark.parametrize("cursor", UNUSABLE_CURSORS)
    def test_an_unusable_cursor_is_refused(self, storage: Storage, cursor: str) -> None:
        with pytest.raises(InvalidPaging):
            storage.list_events(limit=1, after=cursor)
        with pytest.raises(InvalidPaging):
            storage.get_events([storage.get_feed_end(), cursor])

    def test_events_are_got_by_their_cursors_and_those_that_are_gone_left_out(self, storage: Storage) -> None:
        pixel, other = add_pixel(storage), add_pixel(storage)
        (ann,) = add_recipients(storage, pixel, 1)
        storage.add_opens([make_open(pixel, ann, at=NOON - _MINUTE), make_open(other), make_open(pixel, ann)])
        events = all_events(storage)
        cursors = [one.cursor for one in events]
        assert storage.get_events([*cursors, *cursors[:1]]) == {one.cursor: one for one in events}
        assert storage.get_events(cursors[1:2]) == {cursors[1]: events[1]}
        assert storage.get_events([]) == {}
        storage.delete_pixel(other.id)
        storage.purge_opens(pixel.id, before=NOON, limit=9)
        assert _ids(list(storage.get_events(cursors).values())) == [
            one.open.id for one in events if one.pixel.id == pixel.id and one.open.opened_at == NOON
        ]

    def test_a_place_is_found_before_all_events_from_a_time_on(self, storage: Storage) -> None:
        pixel, other = add_pixel(storage), add_pixel(storage)
        times = [0, 1, 2, 9, 4, 5, 3, 12, 10, 13, 14]
        opens = [make_open(pixel if n % 2 else other, at=NOON + n * _MINUTE) for n in times]
        events = _add_one_by_one(storage, opens)
        for minute in range(-1, 17):
            since = NOON + minute * _MINUTE
            found = all_events(storage, after=storage.find_feed_place(since=since))
            behind = [one for one in events if one in found]
            assert found == behind
            assert [one for one in events if one.open.opened_at >= since and one not in found] == []
            if minute in (13, 14):  # nothing before it is of this time or later: the place is no guess at the start
                assert [one.open.opened_at for one in found] == [NOON + n * _MINUTE for n in times if n >= minute]
        later = storage.find_feed_place(since=NOON + timedelta(days=1))
        storage.add_opens(given := [make_open(pixel, at=NOON + timedelta(days=2))])
        assert given[0].id in _ids(all_events(storage, after=later))

    def test_a_place_is_found_in_a_feed_whose_first_events_are_gone(self, storage: Storage) -> None:
        pixel, other = add_pixel(storage), add_pixel(storage)
        opens = [make_open(other if n % 3 == 1 else pixel, at=NOON + n * _MINUTE) for n in range(12)]
        events = _add_one_by_one(storage, opens)
        storage.delete_pixel(other.id)
        storage.purge_opens(pixel.id, before=NOON + 4 * _MINUTE, limit=9)
        for minute in range(13):
            found = all_events(storage, after=storage.find_feed_place(since=NOON + minute * _MINUTE))
            wanted = [one for n, one in enumerate(opens) if n >= max(minute, 4) and n % 3 != 1]
            assert [one for one in _ids(found) if one in {it.id for it in wanted}] == [one.id for one in wanted]
        assert len(events) == 12

    def test_in_an_empty_feed_a_place_is_found_before_what_comes(self, storage: Storage) -> None:
        place = storage.find_feed_place(since=NOON)
        pixel = add_pixel(storage)
        storage.add_opens(given := [make_open(pixel)])
        assert _ids(all_events(storage, after=place)) == [given[0].id]

    def test_first_is_the_first_open_of_a_recipient_in_the_order_in_which_they_are_added(
        self, storage: Storage
    ) -> None:
        pixel = add_pixel(storage)
        ann, bob = add_recipients(storage, pixel, 2)
        given: list[tuple[Recipient | None, bool]] = [
            (ann, False), (bob, True), (None, True), (ann, False), (ann, True), (bob, True), (ann, True), (bob, False),
        ]  # fmt: skip
        opens = [
            make_open(pixel, owner, counted=counted, at=NOON - n * _MINUTE) for n, (owner, counted) in enumerate(given)
        ]
        storage.add_opens(opens[:2])
        storage.add_opens(opens[2:5])
        storage.add_opens(opens[5:])
        assert _bits(storage) == [
            (True, False), (True, True), (False, False), (False, False), (False, True), (False, False), (False, False),
            (False, False),
        ]  # fmt: skip

    def test_first_does_not_depend_on_how_opens_are_divided_into_calls(self, storage: Storage) -> None:
        pixels = [add_pixel(storage) for _ in range(2)]
        people = [add_recipients(storage, pixel, 3) for pixel in pixels]
        for pixel, some in zip(pixels, people, strict=True):
            opens = [make_open(pixel, some[n % 3 if n % 4 else 0], counted=n % 5 in (2, 3)) for n in range(20)]
            for calls in [opens] if pixel is pixels[0] else [[one] for one in opens]:
                storage.add_opens(calls)
        one, other = ([it for it in all_events(storage) if it.pixel.id == pixel.id] for pixel in pixels)
        assert [(it.first, it.first_counted) for it in one] == [(it.first, it.first_counted) for it in other]
        assert sum(it.first for it in one) == sum(it.first_counted for it in one) == 3

    @pytest.mark.parametrize("first", FIRSTS)
    def test_only_the_wanted_events_are_listed(self, storage: Storage, first: First) -> None:
        pixel = add_pixel(storage)
        people = add_recipients(storage, pixel, 3)
        opens = [make_open(pixel, people[n % 3] if n % 4 else None, counted=n % 2 == 0) for n in range(24)]
        events = _add_one_by_one(storage, opens)
        fits: dict[First, Callable[[Event], bool]] = {
            "any": lambda one: True,  # noqa: ARG005
            "first": lambda one: one.first,
            "firstCounted": lambda one: one.first_counted,
        }
        wanted = [one for one in events if fits[first](one)]
        assert len(wanted) == (24 if first == "any" else 3)
        for limit in (1, 2, 1000):
            assert all_events(storage, first=first, limit=limit) == wanted
            assert len(storage.list_events(limit=limit, first=first).items) <= limit

    def test_first_counted_depends_on_what_counts_when_an_open_is_added(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (ann,) = add_recipients(storage, pixel, 1)
        opens = [make_open(pixel, ann, counted=counted) for counted in (True, True, True)]
        storage.add_opens(opens[:1])
        rejudge(storage, pixel, make_judgement(opens[0], counted=False))
        storage.add_opens(opens[1:2])
        rejudge(storage, pixel, make_judgement(opens[0], counted=True), make_judgement(opens[1], counted=False))
        storage.add_opens(opens[2:])
        assert _bits(storage) == [(True, True), (False, True), (False, False)]
        assert [one.open.counted for one in all_events(storage)] == [True, False, True]

    def test_purged_opens_are_still_the_first_ones(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (ann,) = add_recipients(storage, pixel, 1)
        storage.add_opens([make_open(pixel, ann)])
        storage.purge_opens(pixel.id, before=NOON + _MINUTE, limit=9)
        storage.add_opens([make_open(pixel, ann)])
        assert _bits(storage) == [(False, False)]

    def test_opens_of_recipients_that_do_not_exist_are_no_first_ones(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        ann, bob = add_recipients(storage, pixel, 2)
        storage.delete_recipient(ann.id)
        storage.erase(bob.email)
        stranger = make_recipient(pixel)
        storage.add_opens([make_open(pixel, one) for one in (ann, bob, stranger, None)])
        events = all_events(storage)
        assert [(one.first, one.first_counted, one.recipient) for one in events] == [(False, False, None)] * 4
        assert [one.open.recipient_id for one in events] == [ann.id, None, stranger.id, None]

    def test_a_deleted_recipient_is_out_of_its_events(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        ann, bob = add_recipients(storage, pixel, 2)
        storage.add_opens([make_open(pixel, one) for one in (ann, bob, ann)])
        storage.delete_recipient(ann.id)
        events = all_events(storage)
        assert [one.recipient and one.recipient.id for one in events] == [None, bob.id, None]
        assert [one.open for one in events] == all_opens(storage, pixel)[::-1]
        assert [(one.first, one.first_counted) for one in events] == [(True, True), (True, True), (False, False)]

    def test_nothing_of_an_erased_person_is_in_the_feed(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        ann, bob = add_recipients(storage, pixel, 2)
        opens = [make_open(pixel, one) for one in (ann, bob, ann)]
        storage.add_opens(opens[:2])
        storage.erase(ann.email)
        storage.add_opens(opens[2:])
        for _ in range(2):
            events = all_events(storage)
            assert [one.recipient and one.recipient.id for one in events] == [None, bob.id, None]
            for place in (0, 2):
                assert events[place].open == opens[place].as_erased()
            got = storage.get_events([one.cursor for one in events])
            assert got == {one.cursor: one for one in events}
            while storage.sweep():
                pass

    def test_an_event_shows_its_parts_as_they_are_now(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (ann,) = add_recipients(storage, pixel, 1)
        storage.add_opens(given := [make_open(pixel, ann)])
        storage.update_pixel(pixel.id, name="Renamed", archived=True)
        storage.mark_sent(pixel.id, None, at=NOON + _MINUTE)
        rejudge(storage, pixel, make_judgement(given[0], counted=False))
        (event,) = all_events(storage)
        assert event.pixel == storage.get_pixel(pixel.id)
        assert event.recipient == storage.get_recipients([ann.id])[ann.id]
        assert event.open == all_opens(storage, pixel)[0]
        assert (event.pixel.name, event.open.counted, event.first_counted) == ("Renamed", False, True)

    def test_the_events_of_a_deleted_pixel_are_gone_and_the_others_stay(self, storage: Storage) -> None:
        pixels = [add_pixel(storage) for _ in range(3)]
        storage.add_opens([make_open(pixels[n % 3]) for n in range(9)])
        events = all_events(storage)
        for place in (2, 0):
            storage.delete_pixel(pixels[place].id)
            events = [one for one in events if one.pixel.id != pixels[place].id]
            assert all_events(storage, limit=2) == events
        while storage.sweep():
            assert all_events(storage, limit=2) == events
        assert _ids(all_events(storage, after=events[0].cursor)) == _ids(events[1:])

    def test_the_events_of_purged_opens_are_gone_and_the_others_stay(self, storage: Storage) -> None:
        pixel, other = add_pixel(storage), add_pixel(storage)
        opens = [make_open(other if n % 4 == 3 else pixel, at=NOON + n % 5 * _MINUTE) for n in range(20)]
        storage.add_opens(opens[:13])
        events = _add_one_by_one(storage, opens[13:])
        before = NOON + 2 * _MINUTE
        while storage.purge_opens(pixel.id, before=before, limit=2):
            left = {one.id for mine in (pixel, other) for one in all_opens(storage, mine)}
            assert _ids(all_events(storage)) == [one.open.id for one in events if one.open.id in left]
        storage.purge_opens(pixel.id, before=NOON + timedelta(days=1), limit=99)
        assert _ids(all_events(storage)) == [one.open.id for one in events if one.pixel.id == other.id]

    def test_cursors_stay_usable_and_are_never_given_again(self, storage: Storage) -> None:
        pixel, other = add_pixel(storage), add_pixel(storage)
        storage.add_opens([make_open(one) for one in (pixel, other, pixel)])
        cursors = [one.cursor for one in all_events(storage)]
        end = storage.get_feed_end()
        storage.purge_opens(pixel.id, before=NOON + _MINUTE, limit=9)
        storage.delete_pixel(other.id)
        while storage.sweep():
            pass
        assert all_events(storage) == []
        assert storage.get_events(cursors) == {}
        storage.add_opens(given := [make_open(pixel), make_open(pixel)])
        for after in (*cursors, end, None):
            found = all_events(storage, after=after)
            assert _ids(found) == [one.id for one in given]
            assert not {one.cursor for one in found} & set(cursors)

    def test_readers_miss_nothing_and_get_nothing_twice_while_others_write(self, storage: Storage) -> None:
        pixels = [add_pixel(storage) for _ in range(_WRITERS)]
        people = [add_recipients(storage, pixel, 3) for pixel in pixels]
        batches = [[_mixed(pixels, people, mine) for _ in range(_ROUNDS)] for mine in range(_WRITERS)]
        written = Signal()
        left = iter(range(_WRITERS - 1))

        def write(mine: list[list[Open]]) -> list[Event]:
            try:
                for batch in mine:
                    storage.add_opens(batch)
            finally:
                if next(left, None) is None:
                    written.set()
            return []

        def read(limit: int) -> list[Event]:
            events: list[Event] = []
            while True:
                ended = written.is_set()
                events += all_events(storage, after=events[-1].cursor if events else None, limit=limit)
                if ended:
                    return events

        writers = [partial(write, mine) for mine in batches]
        read_by = at_once([*writers, *(partial(read, limit) for limit in (1, 3, 1000))])[_WRITERS:]
        given = [one.id for one in chain.from_iterable(chain.from_iterable(batches))]
        for events in read_by:
            assert sorted(_ids(events)) == sorted(given)
        assert [_ids(events) for events in read_by] == [_ids(all_events(storage))] * 3
        for mine in batches:  # each writer's opens of a pixel keep their order
            for pixel in pixels:
                own = [one.id for one in chain.from_iterable(mine) if one.pixel_id == pixel.id]
                assert [one for one in _ids(read_by[0]) if one in set(own)] == own
        for recipient in chain.from_iterable(people):
            events = [one for one in read_by[0] if one.open.recipient_id == recipient.id]
            counted = [one.open.counted for one in events]
            assert [one.first for one in events] == [place == 0 for place in range(len(events))]
            assert [one.first_counted for one in events] == [
                it and not any(counted[:place]) for place, it in enumerate(counted)
            ]


def _mixed(pixels: Sequence[Pixel], people: Sequence[Sequence[Recipient]], mine: int) -> list[Open]:
    """Return a batch of opens, some of a writer's own pixel, some of one that all have."""
    return [
        make_open(pixels[number], people[number][place], counted=place != 1)
        for number in (mine, 0)
        for place in range(3)
    ]

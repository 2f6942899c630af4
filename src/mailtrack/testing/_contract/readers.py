"""Tests of the readers of the feed."""

from datetime import timedelta
from functools import partial
from itertools import chain

import pytest

from mailtrack._errors import InvalidPaging
from mailtrack.storage import Storage
from mailtrack.testing._contract.helpers import UNUSABLE_CURSORS, add_pixel, all_events, at_once
from mailtrack.testing._factories import NOON, make_open

_MINUTE = timedelta(minutes=1)
_THREADS = 6
_ROUNDS = 10


def _take(storage: Storage, owner: str, *, minute: int = 0, name: str = "crm") -> str | None:
    """Take a reader for a minute."""
    now = NOON + minute * _MINUTE
    return storage.take_reader(name, owner, now=now, until=now + _MINUTE)


class ReadersContract:
    """Tests of `add_reader`, `take_reader` and `move_reader`."""

    def test_a_reader_begins_at_the_end_of_the_feed(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        storage.add_opens([make_open(pixel)])
        storage.add_reader("crm")
        after = _take(storage, "a")
        assert after is not None
        assert all_events(storage, after=after) == []
        storage.add_opens(given := [make_open(pixel)])
        assert [one.open.id for one in all_events(storage, after=after)] == [given[0].id]

    def test_a_reader_that_is_added_again_stays_as_it_is(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        storage.add_reader("crm")
        after = _take(storage, "a")
        storage.add_opens([make_open(pixel)])
        storage.add_reader("crm")
        assert _take(storage, "b") is None
        assert _take(storage, "b", minute=1) == after

    def test_a_reader_that_does_not_exist_is_neither_taken_nor_moved(self, storage: Storage) -> None:
        storage.add_reader("crm")
        _take(storage, "a")
        assert _take(storage, "a", name="other") is None
        assert not storage.move_reader("other", "a", storage.get_feed_end(), until=NOON)

    def test_a_reader_has_one_owner_until_its_time_is_over(self, storage: Storage) -> None:
        storage.add_reader("crm")
        after = _take(storage, "a")
        assert after is not None
        before_the_end = NOON + _MINUTE - timedelta(milliseconds=1)
        assert storage.take_reader("crm", "b", now=before_the_end, until=NOON + 9 * _MINUTE) is None
        assert _take(storage, "b", minute=1) == after
        assert _take(storage, "a", minute=1) is None

    def test_the_owner_takes_its_reader_again_and_keeps_it_for_longer(self, storage: Storage) -> None:
        storage.add_reader("crm")
        after = _take(storage, "a")
        assert storage.take_reader("crm", "a", now=NOON, until=NOON + 3 * _MINUTE) == after
        assert _take(storage, "b", minute=2) is None
        assert _take(storage, "b", minute=3) == after

    def test_a_reader_goes_on_where_it_was_moved_to(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        storage.add_reader("crm")
        _take(storage, "a")
        storage.add_opens([make_open(pixel) for _ in range(3)])
        events = all_events(storage)
        assert storage.move_reader("crm", "a", events[1].cursor, until=NOON + _MINUTE)
        assert _take(storage, "b") is None
        after = _take(storage, "b", minute=1)
        assert all_events(storage, after=after) == events[2:]

    def test_a_move_says_until_when_the_reader_is_kept(self, storage: Storage) -> None:
        storage.add_reader("crm")
        end = _take(storage, "a")
        assert end is not None
        assert storage.move_reader("crm", "a", end, until=NOON + 5 * _MINUTE)
        assert _take(storage, "b", minute=4) is None
        assert storage.move_reader("crm", "a", end, until=NOON)
        assert _take(storage, "b", minute=0) == end

    def test_a_former_owner_moves_a_reader_no_more(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        storage.add_reader("crm")
        after = _take(storage, "a")
        storage.add_opens([make_open(pixel)])
        _take(storage, "b", minute=1)
        assert not storage.move_reader("crm", "a", storage.get_feed_end(), until=NOON + timedelta(days=1))
        assert _take(storage, "c", minute=2) == after

    def test_an_owner_whose_time_is_over_moves_a_reader_that_no_other_has_taken(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        storage.add_reader("crm")
        _take(storage, "a")
        assert _take(storage, "b", minute=-1) is None
        storage.add_opens([make_open(pixel)])
        end = storage.get_feed_end()
        assert storage.move_reader("crm", "a", end, until=NOON - timedelta(days=1))
        assert storage.move_reader("crm", "a", end, until=NOON - timedelta(days=1))
        assert _take(storage, "b", minute=5) == end

    def test_a_reader_that_was_never_taken_can_not_be_moved(self, storage: Storage) -> None:
        storage.add_reader("crm")
        assert not storage.move_reader("crm", "a", storage.get_feed_end(), until=NOON)
        assert not storage.move_reader("crm", "", storage.get_feed_end(), until=NOON)

    def test_readers_do_not_depend_on_each_other(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        for name in ("crm", "CRM", "ünï 'x' --", "n" * 128):
            storage.add_reader(name)
            assert _take(storage, f"owner of {name[:3]}", name=name) is not None
            storage.add_opens([make_open(pixel)])
        events = all_events(storage)
        for place, name in enumerate(("crm", "CRM", "ünï 'x' --", "n" * 128)):
            after = storage.take_reader(name, f"owner of {name[:3]}", now=NOON, until=NOON)
            assert all_events(storage, after=after) == events[place:]

    def test_a_reader_survives_the_deletion_of_the_event_it_is_at(self, storage: Storage) -> None:
        pixel, other = add_pixel(storage), add_pixel(storage)
        storage.add_opens([make_open(pixel)])
        storage.add_reader("crm")
        storage.delete_pixel(pixel.id)
        while storage.sweep():
            pass
        after = _take(storage, "a")
        storage.add_opens(given := [make_open(other)])
        assert [one.open.id for one in all_events(storage, after=after)] == [given[0].id]

    @pytest.mark.parametrize("cursor", UNUSABLE_CURSORS)
    def test_a_reader_is_not_moved_to_an_unusable_cursor(self, storage: Storage, cursor: str) -> None:
        storage.add_reader("crm")
        after = _take(storage, "a")
        with pytest.raises(InvalidPaging):
            storage.move_reader("crm", "a", cursor, until=NOON)
        assert _take(storage, "b", minute=1) == after

    def test_of_many_that_take_a_reader_one_gets_it(self, storage: Storage) -> None:
        for number in range(_ROUNDS):
            storage.add_reader(name := f"reader {number}")
            taken = at_once([partial(_take, storage, f"owner {mine}", name=name) for mine in range(_THREADS)])
            assert len([one for one in taken if one is not None]) == 1

    def test_owners_that_follow_each_other_read_each_event_once(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        storage.add_reader("crm")
        storage.add_opens(opens := [make_open(pixel) for _ in range(_THREADS * _ROUNDS)])

        def work(owner: str) -> list[str]:
            read: list[str] = []
            while True:
                after = storage.take_reader("crm", owner, now=NOON, until=NOON + _MINUTE)
                if after is not None:
                    page = storage.list_events(limit=2, after=after)
                    assert page.next is not None
                    read += [one.open.id for one in page.items]
                    assert storage.move_reader("crm", owner, page.next, until=NOON)
                    if not page.items and page.next == after:
                        return read

        read = at_once([partial(work, f"owner {mine}") for mine in range(_THREADS)])
        assert sorted(chain.from_iterable(read)) == sorted(one.id for one in opens)

"""The memory storage has a feed."""

from datetime import timedelta

from mailtrack.storage._memory import MemoryStorage
from mailtrack.testing import make_open, make_pixel, make_recipient
from mailtrack.testing._factories import NOON


def test_opens_become_events_that_a_reader_goes_through_once() -> None:
    with MemoryStorage() as storage:
        storage.add_pixel(pixel := make_pixel())
        (ann,) = storage.add_recipients(pixel.id, [make_recipient(pixel)])
        storage.add_reader("crm")
        given = [make_open(pixel, ann, counted=False), make_open(pixel), make_open(pixel, ann), make_open(pixel, ann)]
        storage.add_opens(given)
        after = storage.take_reader("crm", "a", now=NOON, until=NOON + timedelta(minutes=1))
        events = storage.list_events(limit=3, after=after)
        assert [one.open.id for one in events.items] == [one.id for one in given[:3]]
        assert [(one.first, one.first_counted) for one in events.items] == [
            (True, False),
            (False, False),
            (False, True),
        ]
        assert events.items[1].recipient is None
        assert events.items[2].recipient == storage.get_recipients([ann.id])[ann.id]
        assert events.next is not None
        assert storage.move_reader("crm", "a", events.next, until=NOON)
        rest = storage.list_events(limit=3, after=events.next)
        assert storage.get_events([one.cursor for one in rest.items]) == {one.cursor: one for one in rest.items}
        assert storage.get_feed_end() == rest.next
        assert storage.find_feed_place(since=NOON) is None
        storage.delete_pixel(pixel.id)
        assert storage.list_events(limit=3).items == ()

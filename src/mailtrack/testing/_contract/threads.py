"""Tests with many threads. They start on a barrier, and lost writes are counted."""

from functools import partial
from itertools import chain

from mailtrack._counts import Count
from mailtrack._errors import PixelNotFound, ShortIdTaken
from mailtrack._figures import HourCount
from mailtrack._model import Pixel, Recipient, Target, VerdictKind
from mailtrack.storage import Storage
from mailtrack.testing._contract.helpers import (
    add_pixel,
    add_recipients,
    all_opens,
    all_recipients,
    at_once,
    hours_of,
    namesake,
)
from mailtrack.testing._factories import NOON, make_hit, make_open, make_pixel, make_recipients

_THREADS = 8
_ROUNDS = 10


class ThreadsContract:
    """Tests of concurrent calls from many threads."""

    def test_no_open_of_many_threads_is_lost(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (recipient,) = add_recipients(storage, pixel, 1)
        batches = [[[make_open(pixel, recipient)] for _ in range(_ROUNDS)] for _ in range(_THREADS)]
        added = at_once([partial(lambda mine: list(map(storage.add_opens, mine)), mine) for mine in batches])
        assert added == batches
        assert {one.id for one in all_opens(storage, pixel)} == {one[0].id for one in chain(*batches)}
        counts = [storage.get_pixel(pixel.id).opens.raw.number, all_recipients(storage, pixel)[0].opens.raw.number]
        assert counts == [_ROUNDS * _THREADS] * 2
        count = Count(_ROUNDS * _THREADS, _ROUNDS * _THREADS)
        assert hours_of(storage, pixel) == (HourCount(hour=NOON, kind=VerdictKind.UNKNOWN, opens=count),)

    def test_the_opens_of_each_thread_keep_their_order(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        batches = [[make_open(pixel) for _ in range(_ROUNDS)] for _ in range(_THREADS)]
        at_once([partial(lambda mine: [storage.add_opens([one]) for one in mine], mine) for mine in batches])
        found = all_opens(storage, pixel)[::-1]
        assert [[one for one in found if one in mine] for mine in batches] == batches

    def test_an_open_that_many_threads_add_is_added_once(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        opens = [make_open(pixel) for _ in range(_ROUNDS)]
        added = at_once([lambda: [new for one in opens for new in storage.add_opens([one])]] * _THREADS)
        assert sorted(one.id for one in chain(*added)) == sorted(one.id for one in opens)
        assert len(all_opens(storage, pixel)) == storage.get_pixel(pixel.id).opens.raw.number == _ROUNDS

    def test_an_address_that_many_threads_add_is_one_recipient(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        emails = [f"r{n}@example.org" for n in range(50)]

        def add() -> list[Recipient]:
            return storage.add_recipients(pixel.id, make_recipients(pixel, emails))

        answers = at_once([add] * _THREADS)
        assert answers == [all_recipients(storage, pixel)] * _THREADS
        assert storage.get_pixel(pixel.id).recipients == len(emails)

    def test_a_short_id_that_many_threads_want_is_given_once(self, storage: Storage) -> None:
        first = make_pixel()
        pixels = [make_pixel(pixel_id=namesake(first)) for _ in range(_THREADS)]

        def add(pixel: Pixel) -> bool:
            try:
                storage.add_pixel(pixel)
            except ShortIdTaken:
                return False
            return True

        added = at_once([partial(add, pixel) for pixel in pixels])
        assert [pixel for pixel, mine in zip(pixels, added, strict=True) if mine] == [storage.get_pixel(first.short_id)]

    def test_each_thread_reads_what_it_asked_for(self, storage: Storage) -> None:
        pixels = [add_pixel(storage) for _ in range(_THREADS)]
        recipients = [add_recipients(storage, pixel, 1)[0] for pixel in pixels]

        def wrong(mine: int) -> int:
            pixel, recipient = pixels[mine], recipients[mine]
            made_at, domain = recipient.created_at, "example.org"
            target = Target(pixel_id=pixel.id, recipient_id=recipient.id, token_made_at=made_at, domain=domain)
            return sum(
                storage.get_pixel(pixel.short_id).id != pixel.id
                or storage.get_recipients([recipient.id]) != {recipient.id: recipient}
                or storage.resolve([make_hit(pixel, token=recipient.token)]) != [target]
                for _ in range(10 * _ROUNDS)
            )

        assert at_once([partial(wrong, n) for n in range(_THREADS)]) == [0] * _THREADS

    def test_readers_see_a_batch_whole_or_not_at_all(self, storage: Storage) -> None:
        pixel = add_pixel(storage)

        def write() -> list[int]:
            return [len(storage.add_opens([make_open(pixel) for _ in range(10)])) for _ in range(_ROUNDS)]

        def read() -> list[int]:
            numbers = []
            for _ in range(3 * _ROUNDS):
                numbers += [
                    len(storage.list_opens(pixel.id, limit=1000).items),
                    storage.get_pixel(pixel.id).opens.raw.number,
                ]
            return [number % 10 for number in numbers]

        remainders = at_once([write, read, read, read])[1:]
        assert remainders == [[0] * 6 * _ROUNDS] * 3

    def test_what_a_thread_wrote_the_others_read(self, storage: Storage) -> None:
        pixels = [make_pixel() for _ in range(_THREADS)]
        at_once([partial(storage.add_pixel, pixel) for pixel in pixels])
        seen = at_once([lambda: {one.id for one in storage.list_pixels(limit=100).items}] * _THREADS)
        assert seen == [{pixel.id for pixel in pixels}] * _THREADS

    def test_a_pixel_deleted_under_its_writers_leaves_nothing(self, storage: Storage) -> None:
        pixel = add_pixel(storage)

        def write(mine: int) -> None:
            for n in range(_ROUNDS):
                storage.add_opens([make_open(pixel)])
                try:
                    storage.add_recipients(pixel.id, make_recipients(pixel, [f"r{mine}-{n}@example.org"]))
                except PixelNotFound:
                    return

        at_once([*(partial(write, n) for n in range(_THREADS)), partial(storage.delete_pixel, pixel.id)])
        assert storage.list_pixels(limit=1).items == ()
        assert (all_opens(storage, pixel), all_recipients(storage, pixel)) == ([], [])

    def test_a_recipient_that_many_threads_delete_is_deleted_once(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (recipient,) = add_recipients(storage, pixel, 1)

        def delete() -> bool:
            try:
                return storage.delete_recipient(recipient.id) == recipient
            except LookupError:
                return False

        assert sum(at_once([delete] * _THREADS)) == 1
        assert storage.get_pixel(pixel.id).recipients == 0

"""Many writers at once: no deadlock, no lost count, no event missed or seen twice."""

import random
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import timedelta
from functools import partial
from itertools import chain
from threading import Event
from typing import Any

from mailtrack import Open, PixelNotFound, RecipientNotFound
from mailtrack.storage._postgres import PostgresStorage
from mailtrack.testing import make_open
from mailtrack.testing._contract.full_scan import assert_scan, some_opens
from mailtrack.testing._contract.helpers import add_pixel, add_recipients, all_opens, at_once, make_judgement
from mailtrack.testing._factories import NOON

_WRITERS = 4
_ROUNDS = 12


def test_random_batches_meet_without_deadlock_and_all_counts_agree(url: str, server: Any) -> None:
    with ExitStack() as stack, server.connect() as db:
        storages = [stack.enter_context(PostgresStorage(url)) for _ in range(_WRITERS)]
        pixels = [add_pixel(storages[0]) for _ in range(5)]
        recipients = [add_recipients(storages[0], pixel, 20) for pixel in pixels]
        opens = [some_opens(pixel, some, 150) for pixel, some in zip(pixels, recipients, strict=True)]

        def write(storage: PostgresStorage, seed: int) -> list[Open]:
            dice = random.Random(seed)
            added: list[Open] = []
            for _ in range(_ROUNDS):
                batch = [one for some in opens for one in dice.sample(some, 25)]
                dice.shuffle(batch)
                added += storage.add_opens(batch)
                place = dice.randrange(len(pixels))
                pixel, own = pixels[place], recipients[place]
                match dice.randrange(5):
                    case 0:
                        storage.rejudge(pixel.id, [make_judgement(one, counted=dice.random() < 0.5) for one in batch])
                    case 1:
                        storage.mark_sent(pixel.id, None, at=NOON + timedelta(minutes=dice.randrange(9)))
                    case 2:
                        with suppress(RecipientNotFound):
                            storage.delete_recipient(dice.choice(own).id)
                    case 3:
                        add_recipients(storage, pixel, 30)
                    case 4:
                        storage.sweep()
            return added

        results = at_once([partial(write, storage, seed) for seed, storage in enumerate(storages)])
        ids = [one.id for one in chain(*results)]
        assert len(ids) == len(set(ids))
        assert {one.id for pixel in pixels for one in all_opens(storages[0], pixel)} == set(ids)
        for pixel in pixels:
            assert_scan(storages[0], pixel)
        ((deadlocks,),) = db.execute("SELECT sum(deadlocks) FROM pg_stat_database").fetchall()
        assert deadlocks == 0


def test_a_pixel_deleted_under_its_writers_leaves_no_row(url: str, server: Any) -> None:
    with PostgresStorage(url) as storage, server.connect() as db:
        pixel = add_pixel(storage)
        recipients = add_recipients(storage, pixel, 5)

        def write() -> None:
            for _ in range(10):
                storage.add_opens(some_opens(pixel, recipients, 5))
                try:
                    storage.rejudge(pixel.id, [make_judgement(make_open(pixel))])
                except PixelNotFound:
                    return

        at_once([write, write, write, partial(storage.delete_pixel, pixel.id)])
        while storage.sweep():
            pass
        tables = db.execute(
            "SELECT table_name FROM information_schema.columns WHERE table_schema = 'shared' AND column_name = 'pixel'"
        )
        for (table,) in tables.fetchall():
            assert db.execute(f"SELECT count(*) FROM shared.{table}").fetchall() == [(0,)], table


class TestFeed:
    def test_a_transaction_that_began_before_holds_events_back_and_none_is_missed(self, url: str, server: Any) -> None:
        with PostgresStorage(url) as storage, server.connect() as db:
            pixel = add_pixel(storage)
            with db.transaction():
                db.execute("SELECT pg_current_xact_id()")
                new = storage.add_opens([make_open(pixel)])
                assert storage.list_events(limit=10).items == ()
                end = storage.get_feed_end()
            assert [one.open for one in storage.list_events(limit=10, after=end).items] == new

    def test_readers_beside_writers_see_each_event_once(self, url: str) -> None:
        with ExitStack() as stack:
            storages = [stack.enter_context(PostgresStorage(url)) for _ in range(_WRITERS + 1)]
            *writers, reader = storages
            pixels = [add_pixel(reader) for _ in range(3)]
            ended = Event()

            def write(storage: PostgresStorage) -> list[str]:
                added: list[str] = []
                for number in range(40):
                    batch = [make_open(pixel) for pixel in pixels[: 1 + number % 3] for _ in range(3)]
                    added += [one.id for one in storage.add_opens(batch)]
                return added

            def read() -> list[str]:
                seen: list[str] = []
                cursor: str | None = None
                while True:
                    last = ended.is_set()
                    page = reader.list_events(limit=7, after=cursor)
                    seen += [one.open.id for one in page.items]
                    cursor = page.next
                    if last and not page.items:
                        return seen

            def write_all() -> list[str]:
                try:
                    return list(chain(*at_once([partial(write, storage) for storage in writers])))
                finally:
                    ended.set()

            calls: list[Callable[[], list[str]]] = [write_all, read]
            written, seen = at_once(calls)
        assert len(seen) == len(set(seen))
        assert set(seen) == set(written)

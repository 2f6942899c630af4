"""The memory storage keeps the contract."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from hypothesis import settings

from mailtrack import Open, Pixel
from mailtrack.storage._memory import MemoryStorage
from mailtrack.testing import (
    ForkContract,
    SettingsContract,
    StorageContract,
    WebhookContract,
    make_open,
    make_pixel,
    storage_machine,
)
from mailtrack.testing._contract.forks import in_child, needs_fork


class TestMemoryStorage(ForkContract, SettingsContract, WebhookContract, StorageContract):
    @pytest.fixture
    def storage(self) -> Iterator[MemoryStorage]:
        with MemoryStorage() as storage:
            yield storage

    @needs_fork
    @pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning")
    def test_a_fork_waits_for_a_write_that_is_under_way(self, storage: MemoryStorage) -> None:
        pixel = make_pixel()
        storage.add_pixel(pixel)
        under_way, forking = Event(), Event()

        class Slow(list):
            def __iter__(self) -> Iterator[Open]:
                under_way.set()
                forking.wait()
                return super().__iter__()

        os.register_at_fork(before=forking.set)
        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(storage.add_opens, Slow([make_open(pixel) for _ in range(10)]))
            under_way.wait()
            told = in_child(lambda: _assert_opens(storage, pixel, 10))
            assert (told, len(writing.result())) == ("", 10)


def _assert_opens(storage: MemoryStorage, pixel: Pixel, number: int) -> None:
    assert storage.get_pixel(pixel.id).opens.raw.number == number


TestMemoryMachine = storage_machine(MemoryStorage, settings=settings(stateful_step_count=40))


def test_cursors_of_a_former_process_lead_to_all_events(caplog: pytest.LogCaptureFixture) -> None:
    with MemoryStorage() as former, MemoryStorage() as storage:
        for one in (former, storage):
            one.add_pixel(pixel := make_pixel())
        former.add_opens([make_open(pixel)])
        end = storage.get_feed_end()
        storage.add_opens(given := [make_open(pixel) for _ in range(2)])
        assert [one.open for one in storage.list_events(limit=9, after=end).items] == given
        ahead = f"{end}0"
        assert storage.list_events(limit=9, after=ahead).next == ahead
    (record,) = caplog.records
    assert f"The cursor {ahead} lies ahead" in record.getMessage()

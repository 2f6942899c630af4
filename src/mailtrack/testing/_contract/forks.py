"""Forks: an optional ability of storages."""

import os
import signal
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from mailtrack import _forking as forking
from mailtrack.storage import Storage, SupportsFork
from mailtrack.testing._contract.helpers import add_pixel, add_recipients, all_opens, all_recipients, require_ability
from mailtrack.testing._factories import make_open

_CHILD_SECONDS = 30  # a child that hangs is ended by its alarm

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


def in_child(task: Callable[[], None]) -> str:
    """Run a task in a forked child, and return its traceback, "" if it succeeded."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(_CHILD_SECONDS)
            os.close(reading)
            try:
                task()
            except BaseException:  # noqa: BLE001  # the parent raises it
                os.write(writing, traceback.format_exc().encode()[-4000:])
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:  # noqa: PTH123  # a file descriptor
        failures = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    return failures or (f"the child ended with status {status}" if status else "")


class ForkContract:
    """Tests every sentence of `mailtrack.storage.SupportsFork`. Optional.

    Add it to the bases of your subclass of `StorageContract` if your storage implements `SupportsFork`.
    """

    @pytest.fixture(autouse=True)
    def _watched(self, storage: Storage) -> None:
        """Call the storage back around forks, as `open_storage` does."""
        require_ability(storage, SupportsFork)
        assert isinstance(storage, SupportsFork)
        forking.watch(storage)

    @needs_fork
    def test_a_forked_child_reads_what_was_written_before(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        recipients = add_recipients(storage, pixel, 2)

        def task() -> None:
            assert storage.get_pixel(pixel.id).recipients == 2
            assert all_recipients(storage, pixel) == recipients

        assert in_child(task) == ""

    @needs_fork
    def test_a_forked_child_can_write(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        new = make_open(pixel)

        def task() -> None:
            assert storage.add_opens([new]) == [new]
            assert all_opens(storage, pixel) == [new]

        assert in_child(task) == ""

    @needs_fork
    def test_a_parent_goes_on_after_its_child_has_written_and_closed(self, storage: Storage) -> None:
        pixel = add_pixel(storage)

        def task() -> None:
            storage.add_opens([make_open(pixel)])
            storage.close()

        assert in_child(task) == ""
        new = make_open(pixel)
        assert storage.add_opens([new]) == [new]
        assert all_opens(storage, pixel)[0] == new

    @needs_fork
    def test_a_child_of_a_child_works(self, storage: Storage) -> None:
        pixel = add_pixel(storage)

        def task() -> None:
            storage.add_opens([make_open(pixel)])
            assert in_child(storage.ping) == ""
            storage.add_opens([make_open(pixel)])

        assert in_child(task) == ""

    @needs_fork
    @pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning")
    def test_a_child_forked_while_other_threads_write_works(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        enough = Event()

        def write() -> int:
            written = 0
            while not enough.is_set():
                written += len(storage.add_opens([make_open(pixel) for _ in range(20)]))
            return written

        def task() -> None:
            number = storage.get_pixel(pixel.id).opens.raw.number
            assert number % 20 == 0
            assert len(storage.add_opens([make_open(pixel)])) == 1

        with ThreadPoolExecutor(3) as pool:
            writers = [pool.submit(write) for _ in range(3)]
            try:
                failures = [in_child(one) for one in (storage.ping, task, storage.ping, storage.ping)]
            finally:
                enough.set()
            written = sum(writer.result() for writer in writers)
        assert failures == [""] * 4
        assert storage.get_pixel(pixel.id).opens.raw.number - written in (0, 1)

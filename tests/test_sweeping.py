"""What deletions leave is swept: at once, in the background, and again after errors."""

import logging
import threading

import pytest

from mailtrack import StorageError, StorageUnavailable, Tracker
from mailtrack import _sweeping as sweeping
from mailtrack._sweeping import Sweeper
from mailtrack.storage._memory import MemoryStorage
from mailtrack.testing._contract.forks import in_child, needs_fork

SECONDS = 30


class Remains(MemoryStorage):
    """Each deletion leaves what takes some steps to sweep."""

    def __init__(self, steps: int = 5) -> None:
        super().__init__()
        self.left = 0
        self.errors: list[Exception] = []
        self.swept_by: set[str] = set()
        self.empty = threading.Event()  # set when a sweep found nothing
        self._steps = steps

    def delete_pixel(self, pixel_id: str) -> None:
        super().delete_pixel(pixel_id)
        self.left += self._steps

    def sweep(self) -> int:
        self.swept_by.add(threading.current_thread().name)
        if self.errors:
            raise self.errors.pop(0)
        if not self.left:
            self.empty.set()
            return 0
        self.left -= 1
        return 1


@pytest.fixture
def storage() -> Remains:
    return Remains()


@pytest.fixture
def tracker(storage: Remains):
    tracker = Tracker(storage)
    yield tracker
    assert tracker.stop()


def _swept(storage: Remains) -> int:
    assert storage.empty.wait(SECONDS)
    return storage.left


def _sweeping_threads() -> set[threading.Thread]:
    return {one for one in threading.enumerate() if one.name == "mailtrack-sweep"}


class TestDeletion:
    def test_nothing_is_left_when_it_returns(self, tracker: Tracker, storage: Remains) -> None:
        tracker.delete_pixel(tracker.create_pixel("Spring launch"))
        assert (storage.left, storage.swept_by) == (0, {threading.current_thread().name})

    def test_it_sweeps_what_others_have_left(self, tracker: Tracker, storage: Remains) -> None:
        storage.left = 7
        tracker.delete_pixel(tracker.create_pixel("Spring launch"))
        assert storage.left == 0

    def test_with_a_timeout_it_leaves_the_rest_to_the_background(self, tracker: Tracker, storage: Remains) -> None:
        tracker.delete_pixel(tracker.create_pixel("Spring launch"), timeout=0)
        assert _swept(storage) == 0
        assert storage.swept_by == {threading.current_thread().name, "mailtrack-sweep"}

    def test_each_further_one_is_swept_by_the_same_thread(self, tracker: Tracker, storage: Remains) -> None:
        others = _sweeping_threads()
        for _ in range(3):
            storage.empty.clear()
            tracker.delete_pixel(tracker.create_pixel("Spring launch"), timeout=0)
            assert _swept(storage) == 0
        assert len(_sweeping_threads() - others) == 1

    @pytest.mark.parametrize("timeout", [None, 0])
    def test_it_is_no_error_where_sweeping_fails(
        self, tracker: Tracker, storage: Remains, timeout: float | None
    ) -> None:
        storage.errors = [StorageUnavailable("the disk is full")]
        pixel = tracker.create_pixel("Spring launch")
        assert tracker.delete_pixel(pixel, timeout=timeout) == pixel
        assert _swept(storage) == 0


class TestBackground:
    def test_starting_a_tracker_sweeps_what_others_have_left(self, tracker: Tracker, storage: Remains) -> None:
        storage.left = 3
        tracker.start()
        assert _swept(storage) == 0

    def test_stopping_ends_the_thread(self, tracker: Tracker, storage: Remains) -> None:
        others = _sweeping_threads()
        tracker.start()
        assert _swept(storage) == 0
        tracker.stop()
        assert _sweeping_threads() <= others

    def test_it_looks_again_and_again(
        self, tracker: Tracker, storage: Remains, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sweeping, "_LOOK_SECONDS", 0.01)
        tracker.start()
        for _ in range(3):
            assert _swept(storage) == 0
            storage.empty.clear()
            storage.left = 2

    def test_it_goes_on_after_an_error_that_may_pass(
        self, tracker: Tracker, storage: Remains, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(sweeping, "_LOOK_SECONDS", 0.01)
        storage.left, storage.errors = 2, [StorageUnavailable("the disk is full")] * 2
        with caplog.at_level(logging.WARNING):
            tracker.start()
            assert _swept(storage) == 0
        assert [one.message for one in caplog.records] == [
            "Sweeping deleted data failed; trying again in 0 s: the disk is full"
        ] * 2

    def test_it_ends_at_an_error_that_stays(self, storage: Remains, caplog: pytest.LogCaptureFixture) -> None:
        storage.left, storage.errors = 2, [StorageError("the file is damaged")]
        sweeper = Sweeper(storage)
        with caplog.at_level(logging.WARNING):
            sweeper.wake()
            sweeper._thread.join(SECONDS)
        assert [one.message for one in caplog.records] == ["Sweeping deleted data failed: the file is damaged"]

    def test_stopping_it_leaves_the_rest(self, monkeypatch: pytest.MonkeyPatch) -> None:
        storage = Remains()
        storage.left = 10**9
        begun = threading.Event()
        monkeypatch.setattr(sweeping.time, "sleep", lambda _: begun.set())
        sweeper = Sweeper(storage)
        sweeper.wake()
        assert begun.wait(SECONDS)
        thread = sweeper._thread
        sweeper.stop(SECONDS)
        assert not thread.is_alive()
        assert storage.left > 0

    @needs_fork
    def test_a_forked_child_sweeps_with_a_thread_of_its_own(self, tracker: Tracker, storage: Remains) -> None:
        tracker.start()
        assert _swept(storage) == 0

        def child() -> None:
            storage.empty.clear()
            tracker.delete_pixel(tracker.create_pixel("Spring launch"), timeout=0)
            assert _swept(storage) == 0

        assert in_child(child) == ""


class TestSteps:
    def test_they_are_swept_one_by_one(self, tracker: Tracker, storage: Remains) -> None:
        storage.left = 3
        steps = tracker.sweep()
        assert next(steps) == 1
        steps.close()
        assert storage.left == 2
        assert list(tracker.sweep()) == [1, 1]

    def test_a_purge_sweeps_at_its_end(self, tracker: Tracker, storage: Remains) -> None:
        storage.left = 3
        assert tracker.purge(before=tracker.now()) == 0
        assert storage.left == 0

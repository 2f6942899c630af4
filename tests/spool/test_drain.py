"""Bringing hits to the storage: nothing leaves the spool before it is stored, and nothing is stored twice."""

import itertools
import signal
import threading
from collections.abc import Callable
from importlib import import_module

import pytest

from mailtrack import Storage, StorageError, StorageUnavailable, Tracker
from mailtrack.model import Hit, Pixel
from mailtrack.spool import Drainer, Spool, drain, get_status, inspect
from mailtrack.spool.records import from_line, to_line
from mailtrack.testing import make_hit
from mailtrack.testing.contract.helpers import add_pixel, all_opens
from mailtrack.testing.contract.lifecycle import in_child

module = import_module("mailtrack.spool.drain")  # the package has a function of that name
SECONDS = 30  # that something which must happen may take


def fail_with(error: Exception) -> Callable[..., None]:
    def fail(_: object) -> None:
        raise error

    return fail


def threads_of_drainers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("mailtrack-")]


@pytest.fixture
def spool(make_spool, hits) -> Spool:
    """A spool in which ten hits wait."""
    spool = make_spool()
    for hit in hits:
        spool.append(hit)
    return spool


class TestDraining:
    def test_it_stores_all_and_tells_how_many(self, spool, hits) -> None:
        stored = []
        assert drain(spool, stored.extend) == 10
        assert stored == hits

    def test_what_is_stored_is_not_stored_again(self, spool) -> None:
        drain(spool, list)
        assert drain(spool, fail_with(AssertionError())) == 0

    def test_an_empty_spool_asks_nothing_of_the_storage(self, make_spool) -> None:
        assert drain(make_spool(), fail_with(StorageUnavailable("away"))) == 0

    def test_a_batch_lies_in_the_spool_until_it_is_stored(self, make_spool, hits, waiting, monkeypatch) -> None:
        monkeypatch.setattr("mailtrack.spool.spool._READ_BYTES", 3 * len(to_line(hits[0])))
        spool, seen = make_spool(segment_bytes=1), []
        for hit in hits:
            spool.append(hit)

        def store(batch) -> None:
            seen.append({hit.id for hit in batch} <= {hit.id for hit in waiting()})

        drain(spool, store)
        assert seen == [True] * 10
        assert waiting() == []

    @pytest.mark.parametrize(
        "error", [StorageUnavailable("locked"), StorageError("damaged"), OSError(28, "No space left"), MemoryError()]
    )
    def test_a_storage_that_fails_leaves_everything_there(self, spool, hits, waiting, folder, error) -> None:
        for _ in range(3):
            with pytest.raises(type(error)):
                drain(spool, fail_with(error))
        assert waiting() == hits
        assert get_status(folder).set_aside == 0
        stored = []
        drain(spool, stored.extend)
        assert stored == hits

    def test_what_was_stored_before_it_failed_is_not_stored_again(self, make_spool, hits) -> None:
        spool = make_spool(segment_bytes=4 * len(to_line(hits[0])))
        for hit in hits:
            spool.append(hit)
        stored = []

        def store(batch) -> None:
            if stored:
                raise StorageUnavailable("locked")
            stored.extend(batch)

        with pytest.raises(StorageUnavailable):
            drain(spool, store)
        assert stored == hits[:4]
        drain(spool, stored.extend)
        assert stored == hits


class TestReplaying:
    @pytest.fixture
    def pixel(self, storage: Storage) -> Pixel:
        return add_pixel(storage)

    @pytest.fixture
    def hits(self, pixel: Pixel) -> list[Hit]:
        return [make_hit(pixel) for _ in range(10)]

    def test_a_crash_after_storing_makes_no_duplicates(self, spool, make_spool, storage, pixel, hits) -> None:
        tracker = Tracker(storage)
        for batch in spool.batches():
            tracker.store(batch.hits)
            break
        spool.abandon()
        drain(make_spool(), tracker.store)
        assert [one.id for one in reversed(all_opens(storage, pixel))] == [hit.id for hit in hits]
        assert storage.get_pixel(pixel.id).opens.number == 10

    def test_a_process_killed_after_storing_makes_no_duplicates(self, make_spool, folder, storage, pixel, hits) -> None:
        def task() -> None:
            def store(batch) -> None:
                Tracker(storage).store(batch)
                signal.raise_signal(signal.SIGKILL)

            spool = Spool(folder, segment_bytes=1)
            spool.open()
            for hit in hits:
                spool.append(hit)
            drain(spool, store)

        assert in_child(task) == "the child ended with status 9"
        drain(make_spool(), Tracker(storage).store)
        assert [one.id for one in reversed(all_opens(storage, pixel))] == [hit.id for hit in hits]

    def test_a_pixel_deleted_meanwhile_takes_its_hits_with_it(self, spool, storage, pixel, folder) -> None:
        storage.delete_pixel(pixel.id)
        assert drain(spool, Tracker(storage).store) == 10
        assert (all_opens(storage, pixel), get_status(folder).set_aside) == ([], 0)


class TestPoison:
    """A hit with which the storage can do nothing at all keeps no other one back."""

    @pytest.mark.parametrize("poisonous", [[0], [9], [4], [2, 3, 7], range(10)], ids=str)
    def test_it_is_set_aside_and_all_others_are_stored(self, spool, hits, folder, poisonous) -> None:
        bad = [hits[number] for number in poisonous]
        stored = []

        def store(batch) -> None:
            if any(hit in bad for hit in batch):
                raise ValueError("poison")
            stored.extend(batch)

        assert drain(spool, store) == 10 - len(bad)
        assert stored == [hit for hit in hits if hit not in bad]
        lines = (folder / "set-aside.lines").read_bytes().splitlines()
        assert [from_line(line) for line in lines] == bad
        assert drain(spool, fail_with(AssertionError())) == 0

    def test_it_is_set_aside_once_though_storing_the_others_fails_first(self, spool, hits, folder) -> None:
        down = itertools.chain([True] * 5, itertools.repeat(False))
        stored = set()

        def store(batch) -> None:
            if hits[2] in batch:
                raise ValueError("poison")
            if hits[9] in batch and next(down):
                raise StorageUnavailable("locked")
            stored.update(hit.id for hit in batch)

        for _ in range(5):
            with pytest.raises(StorageUnavailable):
                drain(spool, store)
            assert get_status(folder).set_aside == 0
        drain(spool, store)
        assert stored == {hit.id for hit in hits if hit != hits[2]}
        assert get_status(folder).set_aside == 1

    def test_the_log_tells_the_kind_of_error_and_nothing_of_the_hit(self, make_spool, hits, caplog) -> None:
        spool = make_spool()
        spool.append(hits[0])
        drain(spool, fail_with(ValueError("192.0.2.1")))
        assert caplog.messages == [
            "A line of the spool is set aside in set-aside.lines: the storage failed with ValueError."
        ]


class TestDrainer:
    @pytest.fixture
    def make_drainer(self):
        """Makes drainers; what they block on is let go, and their threads end, when the test does."""
        made, release = [], threading.Event()

        def make(spool, store) -> Drainer:
            made.append(Drainer(spool, lambda hits: store(hits)))
            return made[-1]

        make.release = release
        yield make
        release.set()
        for drainer in made:
            drainer.stop(SECONDS)
        assert threads_of_drainers() == []

    def test_it_stores_in_the_background(self, make_spool, make_drainer, hits) -> None:
        stored, arrived = [], threading.Event()

        def store(batch) -> None:
            stored.extend(batch)
            arrived.set()

        spool = make_spool(opened=False)
        make_drainer(spool, store).start()
        spool.append(hits[0])
        assert arrived.wait(SECONDS)
        assert stored == hits[:1]

    def test_stopping_stores_all_and_leaves_nothing(self, make_spool, make_drainer, hits, folder) -> None:
        stored = []
        spool = make_spool(opened=False)
        drainer = make_drainer(spool, stored.extend)
        drainer.start()
        for hit in hits:
            spool.append(hit)
        assert drainer.stop(SECONDS) is True
        assert stored == hits
        assert (spool.is_open, list(folder.iterdir()), threads_of_drainers()) == (False, [], [])

    def test_a_storage_that_comes_back_gets_everything(self, make_spool, make_drainer, hits) -> None:
        stored, failures, arrived = [], iter([StorageUnavailable("locked"), RuntimeError("x")]), threading.Event()

        def store(batch) -> None:
            if len(batch) == 10 and (error := next(failures, None)):
                raise error
            stored.extend(batch)
            if len(stored) == 10:
                arrived.set()

        spool = make_spool()
        for hit in hits:
            spool.append(hit)
        make_drainer(spool, store).start()
        assert arrived.wait(SECONDS)
        assert stored == hits

    def test_a_failure_of_the_spool_itself_does_not_end_it(self, make_spool, make_drainer, hits, monkeypatch) -> None:
        arrived, real = threading.Event(), Spool.batches
        broken = iter([OSError(5, "Input/output error"), RuntimeError("a bug")])

        def batches(spool):
            if error := next(broken, None):
                raise error
            return real(spool)

        monkeypatch.setattr(Spool, "batches", batches)
        spool = make_spool()
        spool.append(hits[0])
        make_drainer(spool, lambda _: arrived.set()).start()
        assert arrived.wait(SECONDS)

    def test_stopping_with_a_storage_that_is_down_keeps_everything(self, make_spool, make_drainer, hits, waiting):
        spool = make_spool(opened=False)
        drainer = make_drainer(spool, fail_with(StorageUnavailable("locked")))
        drainer.start()
        for hit in hits:
            spool.append(hit)
        assert drainer.stop(SECONDS) is False
        assert waiting() == hits
        assert not spool.is_open

    def test_stopping_with_a_storage_that_hangs_gives_up_in_time(self, make_spool, make_drainer, hits) -> None:
        spool = make_spool(opened=False)
        hanging = threading.Event()

        def store(_) -> None:
            hanging.set()
            assert make_drainer.release.wait(SECONDS)

        drainer = make_drainer(spool, store)
        drainer.start()
        spool.append(hits[0])
        assert hanging.wait(SECONDS)
        assert drainer.stop(0.01) is False

    def test_what_a_hanging_storage_holds_up_is_recovered_when_the_process_ends(self, make_spool, folder, hits) -> None:
        def task() -> None:
            hanging = threading.Event()

            def store(_) -> None:
                hanging.set()
                threading.Event().wait()

            spool = Spool(folder)
            drainer = Drainer(spool, store)
            drainer.start()
            for hit in hits:
                spool.append(hit)
            assert hanging.wait(SECONDS)
            assert drainer.stop(0.01) is False

        assert in_child(task) == ""
        stored = []
        drain(make_spool(), stored.extend)
        assert stored == hits

    def test_a_hit_that_comes_after_the_last_round_is_told_of(self, make_spool, make_drainer, hits, waiting) -> None:
        spool = make_spool(opened=False)
        drainer = make_drainer(spool, list)
        drainer.start()
        close = spool.close

        def append_and_close() -> bool:
            spool.append(hits[0])
            return close()

        spool.close = append_and_close
        assert drainer.stop(SECONDS) is False
        spool.close = close
        assert waiting() == hits[:1]

    def test_what_other_processes_left_meanwhile_is_recovered(
        self, make_spool, make_drainer, folder, hits, monkeypatch
    ) -> None:
        monkeypatch.setattr(module, "_RECOVER_SECONDS", 0)
        stored, arrived = [], threading.Event()

        def store(batch) -> None:
            stored.extend(batch)
            arrived.set()

        make_drainer(make_spool(), store).start()
        (folder / "1.spool").write_bytes(to_line(hits[0]))
        assert arrived.wait(SECONDS)
        assert stored == hits[:1]

    def test_it_syncs_in_the_background(self, make_spool, make_drainer, hits, monkeypatch) -> None:
        monkeypatch.setattr(module, "_SYNC_SECONDS", 0.001)
        synced = threading.Event()
        monkeypatch.setattr("os.fdatasync", lambda _: synced.set())
        spool = make_spool()
        make_drainer(spool, fail_with(StorageUnavailable("locked"))).start()
        spool.append(hits[0])
        assert synced.wait(SECONDS)

    def test_a_disk_that_does_not_sync_is_told_of(self, make_spool, make_drainer, hits, monkeypatch, caplog) -> None:
        monkeypatch.setattr("os.fdatasync", fail_with(OSError(5, "Input/output error")))
        spool = make_spool(opened=False)
        drainer = make_drainer(spool, fail_with(StorageUnavailable("locked")))
        drainer.start()
        spool.append(hits[0])
        assert drainer.stop(SECONDS) is False
        assert any("disk does not take what was written" in message for message in caplog.messages)
        assert list(inspect(spool.folder)) == [to_line(hits[0])]

    def test_one_that_could_not_start_can_be_stopped(self, folder, make_spool, make_drainer) -> None:
        folder.write_bytes(b"")
        drainer = make_drainer(make_spool(opened=False), list)
        with pytest.raises(FileExistsError):
            drainer.start()
        assert drainer.stop(SECONDS) is True

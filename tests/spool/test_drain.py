"""Bringing hits to the storage: nothing leaves the spool before it is stored, and nothing is stored twice."""

import gc
import itertools
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import pytest

from mailtrack import Storage, StorageError, StorageUnavailable, Tracker
from mailtrack._ingest import drain as module
from mailtrack._ingest.drain import Drainer, drain
from mailtrack._ingest.enrich import Enricher
from mailtrack._ingest.lines import from_line
from mailtrack._ingest.storing import keep_hits, store_hits
from mailtrack._model import Hit, Open, Pixel
from mailtrack._spool import Reader, Spool, get_status
from mailtrack.testing import make_hit
from mailtrack.testing._contract.forks import in_child
from mailtrack.testing._contract.helpers import add_pixel, all_opens
from mailtrack.testing._factories import to_line

SECONDS = 30  # that something which must happen may take
ONE_LINE = len(to_line(make_hit("a1b2c3d4")))


def fail_with(error: Exception) -> Callable[..., None]:
    def fail(_: object) -> None:
        raise error

    return fail


def threads_of_drainers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("mailtrack-drain")]


@pytest.fixture
def spool(make_spool, lines) -> Spool:
    """A spool in which ten hits wait."""
    spool = make_spool()
    for line in lines:
        spool.append(line)
    return spool


@pytest.fixture
def reader(spool, make_reader) -> Reader:  # noqa: ARG001  # the spool must be there before
    """A reader of ten hits."""
    return make_reader()


class TestDraining:
    def test_it_stores_all_and_returns_how_many(self, reader, hits) -> None:
        stored = []
        assert drain(reader, stored.extend) == 10
        assert stored == hits

    def test_what_is_stored_is_not_stored_again(self, reader) -> None:
        drain(reader, list)
        assert drain(reader, fail_with(AssertionError())) == 0

    def test_an_empty_spool_asks_nothing_of_the_storage(self, make_spool, make_reader) -> None:
        make_spool()
        assert drain(make_reader(), fail_with(StorageUnavailable("away"))) == 0

    def test_a_batch_lies_in_the_spool_until_it_is_stored(self, spool, make_reader, waiting) -> None:
        spool.close()
        reader, seen = make_reader(batch_bytes=3 * ONE_LINE), []

        def store(batch) -> None:
            seen.append({hit.id for hit in batch} <= {hit.id for hit in waiting()})

        drain(reader, store)
        assert seen == [True] * 4
        assert waiting() == []

    @pytest.mark.parametrize(
        "error", [StorageUnavailable("locked"), StorageError("damaged"), OSError(28, "No space left"), MemoryError()]
    )
    def test_a_storage_that_fails_leaves_everything_there(self, reader, hits, waiting, folder, error) -> None:
        for _ in range(3):
            with pytest.raises(type(error)):
                drain(reader, fail_with(error))
        assert waiting() == hits
        assert get_status(folder).dead_letters == 0
        stored = []
        drain(reader, stored.extend)
        assert stored == hits

    @pytest.mark.parametrize("error", [StorageUnavailable("locked"), OSError(28, "No space left"), MemoryError()])
    def test_a_storage_that_is_away_is_asked_once(self, reader, error) -> None:
        asked = []

        def store(batch) -> None:
            asked.append(len(batch))
            raise error

        with pytest.raises(type(error)):
            drain(reader, store)
        assert asked == [10]

    @pytest.mark.usefixtures("spool")
    def test_what_was_stored_before_it_failed_is_not_stored_again(self, make_reader, hits) -> None:
        reader, stored = make_reader(batch_bytes=4 * ONE_LINE), []

        def store(batch) -> None:
            if stored:
                raise StorageUnavailable("locked")
            stored.extend(batch)

        with pytest.raises(StorageUnavailable):
            drain(reader, store)
        assert stored == hits[:4]
        drain(reader, stored.extend)
        assert stored == hits


class TestCollector:
    """Python's garbage collector does not go through the values of a batch again and again."""

    @pytest.fixture(autouse=True)
    def _restored(self) -> Iterator[None]:
        yield
        gc.enable()

    def test_it_pauses_while_a_batch_is_stored(self, reader) -> None:
        seen = []
        drain(reader, lambda _: seen.append(gc.isenabled()))
        assert (seen, gc.isenabled()) == ([False], True)

    def test_it_runs_again_after_an_error(self, reader) -> None:
        with pytest.raises(StorageUnavailable):
            drain(reader, fail_with(StorageUnavailable("away")))
        assert gc.isenabled()

    def test_it_stays_off_where_it_was_off(self, reader) -> None:
        gc.disable()
        drain(reader, list)
        assert not gc.isenabled()


class TestReplaying:
    @pytest.fixture
    def pixel(self, storage: Storage) -> Pixel:
        return add_pixel(storage)

    @pytest.fixture
    def hits(self, pixel: Pixel) -> list[Hit]:
        return [make_hit(pixel) for _ in range(10)]

    def test_a_crash_after_storing_makes_no_duplicates(self, reader, make_reader, storage, pixel, hits) -> None:
        tracker = Tracker(storage)
        tracker.store([from_line(line) for line in next(reader.batches()).lines])
        reader.release()
        drain(make_reader(), tracker.store)
        assert [one.id for one in reversed(all_opens(storage, pixel))] == [hit.id for hit in hits]
        assert storage.get_pixel(pixel.id).opens.raw.number == 10

    def test_a_process_killed_after_storing_makes_no_duplicates(
        self, make_reader, folder, storage, pixel, hits, lines
    ) -> None:
        def task() -> None:
            def store(batch) -> None:
                Tracker(storage).store(batch)
                signal.raise_signal(signal.SIGKILL)

            spool = Spool(folder)
            spool.open()
            for line in lines:
                spool.append(line)
            drain(Reader(folder), store)

        assert in_child(task) == "the child ended with status 9"
        drain(make_reader(), Tracker(storage).store)
        assert [one.id for one in reversed(all_opens(storage, pixel))] == [hit.id for hit in hits]

    def test_a_pixel_deleted_meanwhile_takes_its_hits_with_it(self, reader, storage, pixel, folder) -> None:
        storage.delete_pixel(pixel.id)
        assert drain(reader, Tracker(storage).store) == 10
        assert (all_opens(storage, pixel), get_status(folder).dead_letters) == ([], 0)


class TestPoison:
    """A hit with which the storage can do nothing at all keeps no other one back."""

    @pytest.mark.parametrize("poisonous", [[0], [9], [4], [2, 3, 7], range(9), range(1, 10)], ids=str)
    def test_it_becomes_a_dead_letter_and_all_others_are_stored(self, reader, hits, folder, poisonous) -> None:
        bad = [hits[number] for number in poisonous]
        stored = []

        def store(batch) -> int:
            if any(hit in bad for hit in batch):
                raise ValueError("poison")
            stored.extend(hit for hit in batch if hit not in stored)
            return len(batch)

        assert drain(reader, store) == 10 - len(bad)
        assert stored == [hit for hit in hits if hit not in bad]
        aside = (folder / "set-aside.lines").read_bytes().splitlines()
        assert [from_line(line) for line in aside] == bad
        assert drain(reader, fail_with(AssertionError())) == 0

    @pytest.mark.parametrize("number", [1, 2, 10])
    def test_where_it_is_alone_it_waits(self, make_spool, make_reader, lines, hits, waiting, folder, number) -> None:
        spool = make_spool()
        for line in lines[:number]:
            spool.append(line)
        errors = iter(ValueError(str(count)) for count in itertools.count())

        def store(batch) -> int:
            raise next(errors) if len(batch) == 1 else ValueError("one of them")

        with pytest.raises(ValueError, match="0"):  # the one of the first hit
            drain(make_reader(), store)
        assert (waiting(), get_status(folder).dead_letters) == (hits[:number], 0)

    def test_it_becomes_a_dead_letter_as_soon_as_the_storage_takes_another(
        self, make_spool, make_reader, lines, hits, folder
    ):
        spool, reader, stored = make_spool(), make_reader(leads=False), []

        def store(batch) -> int:
            if hits[0] in batch:
                raise ValueError("poison")
            stored.extend(hit for hit in batch if hit not in stored)
            return len(batch)

        spool.append(lines[0])
        with pytest.raises(ValueError, match="poison"):
            drain(reader, store)
        spool.append(lines[1])
        assert drain(reader, store) == 1
        assert (stored, get_status(folder).dead_letters) == (hits[1:2], 1)

    def test_nothing_becomes_a_dead_letter_where_the_storage_begins_to_refuse_all_meanwhile(
        self, reader, hits, waiting, folder
    ):
        takes = [hits[:1]]  # once

        def store(batch) -> int:
            if batch not in takes:
                raise ValueError("broken")
            takes.remove(batch)
            return len(batch)

        with pytest.raises(ValueError, match="broken"):
            drain(reader, store)
        assert (waiting(), get_status(folder).dead_letters) == (hits, 0)

    def test_it_becomes_a_dead_letter_once_though_storing_the_others_fails_first(self, reader, hits, folder) -> None:
        down = itertools.chain([True] * 5, itertools.repeat(False))
        stored = set()

        def store(batch) -> int:
            if hits[2] in batch:
                raise ValueError("poison")
            if hits[9] in batch and next(down):
                raise StorageUnavailable("locked")
            stored.update(hit.id for hit in batch)
            return len(batch)

        for _ in range(5):
            with pytest.raises(StorageUnavailable):
                drain(reader, store)
            assert get_status(folder).dead_letters == 0
        drain(reader, store)
        assert stored == {hit.id for hit in hits if hit != hits[2]}
        assert get_status(folder).dead_letters == 1

    def test_it_becomes_a_dead_letter_once_though_its_segment_is_read_again(
        self, reader, make_reader, hits, folder
    ) -> None:
        def store(batch) -> int:
            if hits[2] in batch:
                raise ValueError("poison")
            return len(batch)

        drain(reader, store)
        reader.release()
        assert drain(make_reader(), store) == 9
        assert get_status(folder).dead_letters == 1

    def test_the_log_has_the_kind_of_error_and_nothing_of_the_hit(self, reader, hits, caplog) -> None:
        def store(batch) -> int:
            if hits[2] in batch:
                raise ValueError("192.0.2.1")
            return len(batch)

        drain(reader, store)
        assert caplog.messages == [
            "A line of the spool was moved to set-aside.lines: the storage fails with ValueError."
        ]


class TestProof:
    """That the storage takes other hits is shown by opens that it has, not by hits for which there is nothing to do."""

    @pytest.fixture
    def drain_into(self, make_spool, make_reader, memory):
        """Drains some hits into the storage in memory."""

        def drain_into(hits: list[Hit]) -> int:
            spool = make_spool()
            for hit in hits:
                spool.append(to_line(hit))
            return drain(make_reader(), partial(keep_hits, memory, Enricher()))

        return drain_into

    def test_hits_without_a_pixel_prove_nothing(self, drain_into, memory, waiting, folder, monkeypatch) -> None:
        hits = [make_hit("a1b2c3d4"), *(make_hit(add_pixel(memory)) for _ in range(2))]
        monkeypatch.setattr(memory, "add_opens", fail_with(StorageError("damaged")))
        with pytest.raises(StorageError, match="damaged"):
            drain_into(hits)
        assert (waiting(), get_status(folder).dead_letters) == (hits, 0)

    def test_hits_that_were_stored_before_prove_it(self, drain_into, memory, folder, monkeypatch) -> None:
        pixel, add = add_pixel(memory), memory.add_opens
        poison, *hits = (make_hit(pixel) for _ in range(3))
        store_hits(memory, Enricher(), hits)

        def add_others(opens: Sequence[Open]) -> Sequence[Open]:
            if any(one.id == poison.id for one in opens):
                raise StorageError("poison")
            return add(opens)

        monkeypatch.setattr(memory, "add_opens", add_others)
        assert drain_into([poison, *hits]) == 2
        assert get_status(folder).dead_letters == 1


class TestDrainer:
    @pytest.fixture(autouse=True)
    def _soon(self, monkeypatch) -> None:
        monkeypatch.setattr(module, "_STANDBY_SECONDS", 0.01)

    @pytest.fixture
    def make_drainer(self, folder):
        """Makes drainers; what they block on is let go, and their threads end, when the test does."""
        made, release = [], threading.Event()
        folder.mkdir()

        def make(store) -> Drainer:
            made.append(Drainer(folder, lambda hits: store(hits)))
            return made[-1]

        make.release = release
        yield make
        release.set()
        for drainer in made:
            if drainer._thread._thread.ident:
                drainer.stop(SECONDS)
        assert threads_of_drainers() == []

    def test_it_stores_in_the_background(self, make_spool, make_drainer, lines, hits) -> None:
        stored, arrived = [], threading.Event()

        def store(batch) -> None:
            stored.extend(batch)
            arrived.set()

        make_drainer(store).start()
        make_spool().append(lines[0])
        assert arrived.wait(SECONDS)
        assert stored == hits[:1]

    def test_stopping_stores_all_and_leaves_nothing(self, make_spool, make_drainer, lines, hits, folder) -> None:
        stored = []
        drainer = make_drainer(stored.extend)
        drainer.start()
        spool = make_spool()
        for line in lines:
            spool.append(line)
        spool.close()
        drainer.stop(SECONDS)
        assert (stored, list(folder.iterdir()), threads_of_drainers()) == (hits, [], [])

    def test_a_storage_that_comes_back_gets_everything(self, make_drainer, leave, lines, hits) -> None:
        stored, failures, arrived = [], iter([StorageUnavailable("locked"), RuntimeError("x")]), threading.Event()

        def store(batch) -> None:
            if len(batch) == 10 and (error := next(failures, None)):
                raise error
            stored.extend(batch)
            if len(stored) == 10:
                arrived.set()

        drainer = make_drainer(store)
        leave(*lines)
        drainer.start()
        assert arrived.wait(SECONDS)
        assert stored == hits

    def test_a_failure_of_the_spool_itself_does_not_end_it(self, make_drainer, leave, lines, monkeypatch) -> None:
        arrived, real = threading.Event(), Reader.batches
        broken = iter([OSError(5, "Input/output error"), RuntimeError("a bug")])

        def batches(reader):
            if error := next(broken, None):
                raise error
            return real(reader)

        monkeypatch.setattr(Reader, "batches", batches)
        drainer = make_drainer(lambda _: arrived.set())
        leave(lines[0])
        drainer.start()
        assert arrived.wait(SECONDS)

    def test_a_bug_is_logged_with_its_place_and_an_ordinary_failure_is_not(
        self, make_drainer, leave, lines, caplog
    ) -> None:
        for error in (StorageUnavailable("locked"), RuntimeError("a bug")):
            drainer = make_drainer(fail_with(error))
            leave(lines[0])
            drainer.start()
            drainer.stop(SECONDS)
        assert [bool(record.exc_info) for record in caplog.records] == [False, True]

    def test_waits_grow_while_the_storage_fails_up_to_a_limit(self, make_drainer, leave, lines) -> None:
        leave(lines[0])
        drainer = make_drainer(fail_with(StorageUnavailable("locked")))
        waits = [drainer._work(last=False) for _ in range(8)]
        drainer._work(last=True)
        assert waits == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]

    def test_stopping_with_a_storage_that_is_down_keeps_everything(self, make_drainer, leave, lines, hits, waiting):
        drainer = make_drainer(fail_with(StorageUnavailable("locked")))
        leave(*lines)
        drainer.start()
        drainer.stop(SECONDS)
        assert (waiting(), threads_of_drainers()) == (hits, [])

    def test_stopping_with_a_storage_that_hangs_gives_up(self, make_drainer, leave, lines, waiting, hits) -> None:
        hanging = threading.Event()

        def store(_) -> None:
            hanging.set()
            assert make_drainer.release.wait(SECONDS)

        drainer = make_drainer(store)
        leave(*lines)
        drainer.start()
        assert hanging.wait(SECONDS)
        drainer.stop(0.01)
        assert drainer.leads  # until the storage answers
        assert waiting() == hits

    def test_what_a_hanging_storage_holds_up_is_stored_when_the_process_ends(
        self, make_reader, folder, lines, hits
    ) -> None:
        def task() -> None:
            hanging = threading.Event()

            def store(_) -> None:
                hanging.set()
                threading.Event().wait()

            spool = Spool(folder)
            spool.open()
            drainer = Drainer(folder, store)
            drainer.start()
            for line in lines:
                spool.append(line)
            assert hanging.wait(SECONDS)
            drainer.stop(0.01)

        assert in_child(task) == ""
        stored = []
        drain(make_reader(), stored.extend)
        assert stored == hits

    def test_one_leads_and_others_stand_by(self, make_drainer) -> None:
        first, second = make_drainer(list), make_drainer(list)
        first.start()
        second.start()
        assert (first.leads, second.leads) == (True, False)

    def test_one_that_stands_by_stores_nothing_and_goes_on_when_the_one_that_leads_ends(
        self, make_drainer, leave, lines, hits, wait_until
    ) -> None:
        order, standing_by = [], threading.Event()
        first = make_drainer(lambda batch: order.append(("first", [hit.id for hit in batch])))
        second = make_drainer(lambda batch: order.append(("second", [hit.id for hit in batch])))
        work = second._thread._work

        def watched(*, last: bool) -> float:
            wait = work(last=last)
            standing_by.set()
            return wait

        second._thread._work = watched
        first.start()
        second.start()
        leave(lines[0])
        assert standing_by.wait(SECONDS)
        first.stop(SECONDS)
        leave(lines[1], name="2.spool")
        wait_until(lambda: len(order) == 2)
        assert order == [("first", [hits[0].id]), ("second", [hits[1].id])]

    def test_one_that_stands_by_goes_on_when_the_process_that_leads_is_killed(
        self, make_drainer, folder, neighbour, leave, lines, hits, wait_until, monkeypatch
    ) -> None:
        stored, arrived, tries, real = [], threading.Event(), [], Reader.lead

        def store(batch) -> None:
            stored.extend(batch)
            arrived.set()

        def task(talk) -> None:
            reader = Reader(folder)
            talk.tell(reader.lead())

        leader = neighbour(task)
        assert leader.hear() is True
        leave(lines[0])
        monkeypatch.setattr(Reader, "lead", lambda reader: tries.append(1) or real(reader))
        make_drainer(store).start()
        wait_until(lambda: len(tries) > 3)
        assert not arrived.is_set()
        leader.kill()
        assert arrived.wait(SECONDS)
        assert stored == hits[:1]

    def test_a_folder_that_does_not_exist_is_an_error(self, make_drainer, folder) -> None:
        folder.rmdir()
        with pytest.raises(FileNotFoundError):
            make_drainer(list).start()

    def test_a_folder_that_goes_and_comes_back_does_not_end_it(self, make_drainer, folder, wait_until, caplog) -> None:
        drainer = make_drainer(list)
        folder.rename(folder.with_name("away"))
        drainer._thread.start()
        wait_until(lambda: caplog.messages)
        os.rename(folder.with_name("away"), folder)  # noqa: PTH104
        wait_until(lambda: drainer.leads)

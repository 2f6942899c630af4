"""A process that appends: what is taken is kept, on disk as promised, and within the limit."""

import errno
import os
import signal
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from mailtrack import StorageUnavailable
from mailtrack._spool import Durability, Spool, SpoolClosed, SpoolFull
from mailtrack._spool import segment as segment_module
from mailtrack._spool import spool as module
from mailtrack._spool.segment import Segment
from mailtrack.testing import make_hit
from mailtrack.testing._contract.forks import in_child
from mailtrack.testing._contract.helpers import at_once
from mailtrack.testing._factories import to_line

ONE_LINE = len(to_line(make_hit("a1b2c3d4")))


def new_lines(number: int) -> list[bytes]:
    return [to_line(make_hit("a1b2c3d4")) for _ in range(number)]


def lines_in(paths) -> list[bytes]:
    return [line for path in paths for line in path.read_bytes().splitlines(keepends=True)]


def open_files() -> list[str]:
    """Return the names of the files that this process holds."""
    names = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the one that lists them
            names.append(str(descriptor.readlink()))
    return names


@pytest.fixture
def disk(monkeypatch) -> Callable[[Callable[[int], None] | None], None]:
    """Replaces what brings a file to disk, or puts it back."""
    real = segment_module._sync_data
    return lambda sync: monkeypatch.setattr(segment_module, "_sync_data", sync or real)


@pytest.fixture
def synced(disk) -> list[int]:
    """Returns the size of the file at each sync."""
    sizes: list[int] = []
    disk(lambda descriptor: sizes.append(os.fstat(descriptor).st_size))
    return sizes


def fail(_: int) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


class TestOpening:
    def test_making_one_touches_nothing(self, make_spool, folder: Path) -> None:
        spool = make_spool(opened=False)
        assert (spool.is_open, folder.exists()) == (False, False)

    def test_opening_makes_the_folder_for_its_owner_only(self, make_spool, folder: Path) -> None:
        make_spool()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700

    def test_missing_parents_are_made(self, tmp_path: Path) -> None:
        spool = Spool(tmp_path / "a" / "b")
        spool.open()
        assert spool.is_open
        spool.close()

    def test_opening_twice_changes_nothing(self, make_spool, files) -> None:
        spool = make_spool()
        before = files()
        spool.open()
        assert files() == before

    def test_a_folder_that_is_a_file_is_an_error(self, folder: Path, make_spool) -> None:
        folder.write_bytes(b"")
        with pytest.raises(OSError, match="exists"):
            make_spool()

    def test_an_unknown_durability_is_an_error(self, folder: Path) -> None:
        with pytest.raises(ValueError, match="one of everysec, always"):
            Spool(folder, durability="sometimes")

    def test_its_repr_shows_its_name(self, make_spool) -> None:
        assert repr(make_spool(opened=False)) == "<Spool mail.spool>"


class TestAppending:
    def test_what_was_appended_lies_in_the_folder(self, make_spool, lines, files) -> None:
        spool = make_spool()
        for line in lines:
            spool.append(line)
        assert lines_in(files()) == lines

    def test_segments_are_for_their_owner_only(self, make_spool, lines, files) -> None:
        make_spool().append(lines[0])
        assert [stat.S_IMODE(path.stat().st_mode) for path in files()] == [0o600]

    def test_each_spool_has_a_segment_of_its_own(self, make_spool, lines, files) -> None:
        make_spool().append(lines[0])
        make_spool().append(lines[1])
        assert [path.read_bytes() for path in files()] == lines[:2]

    def test_one_that_is_not_open_takes_nothing(self, make_spool, lines) -> None:
        spool = make_spool(opened=False)
        with pytest.raises(SpoolClosed, match="not open"):
            spool.append(lines[0])
        assert spool.refused == 0

    def test_lines_of_threads_that_begin_at_once_are_whole_and_all_there(self, make_spool, files) -> None:
        spool = make_spool(segment_bytes=20 * ONE_LINE)
        batches = [new_lines(100) for _ in range(8)]

        def append(lines) -> None:
            for line in lines:
                spool.append(line)

        at_once([lambda batch=batch: append(batch) for batch in batches])
        assert sorted(lines_in(files())) == sorted(line for batch in batches for line in batch)

    @pytest.mark.parametrize("durability", Durability)
    def test_nothing_is_lost_or_doubled_while_others_drain_and_sync(self, make_spool, take, make_reader, durability):
        spool = make_spool(segment_bytes=20 * ONE_LINE, durability=durability)
        batches = [new_lines(100) for _ in range(4)]
        reader, done, taken = make_reader(), threading.Event(), []

        def append(lines) -> None:
            for line in lines:
                spool.append(line)

        def go_on(work: Callable[[], None]) -> None:
            while not done.is_set():
                work()

        beside = [
            threading.Thread(target=go_on, args=(lambda: taken.extend(take(reader)),)),
            threading.Thread(target=go_on, args=(spool.sync,)),
        ]
        for thread in beside:
            thread.start()
        try:
            at_once([lambda batch=batch: append(batch) for batch in batches])
        finally:
            done.set()
            for thread in beside:
                thread.join(30)
        taken += take(reader)
        assert sorted(map(to_line, taken)) == sorted(line for batch in batches for line in batch)


class TestDurability:
    def test_with_always_a_hit_is_on_disk_when_append_returns(self, make_spool, lines, synced) -> None:
        spool = make_spool(durability=Durability.ALWAYS)
        for number, line in enumerate(lines, 1):
            spool.append(line)
            assert synced[-1] == number * ONE_LINE

    def test_with_always_hits_that_arrive_together_are_synced_together(
        self, make_spool, lines, files, wait_until, disk
    ) -> None:
        spool = make_spool(durability="always")
        begun, may_end, calls = threading.Event(), threading.Event(), []

        def sync(_: int) -> None:
            calls.append(files()[0].stat().st_size)
            begun.set()
            assert may_end.wait(30)

        disk(sync)
        threads = [threading.Thread(target=spool.append, args=(line,)) for line in lines]
        threads[0].start()
        assert begun.wait(30)
        for thread in threads[1:]:
            thread.start()
        wait_until(lambda: files()[0].stat().st_size == len(lines) * ONE_LINE)  # all are written, and wait for the disk
        may_end.set()
        for thread in threads:
            thread.join(30)
        assert calls == [ONE_LINE, len(lines) * ONE_LINE]

    def test_with_always_a_hit_is_taken_though_its_segment_is_closed_before_it_is_synced(
        self, make_spool, lines, files, synced, monkeypatch
    ) -> None:
        spool, real = make_spool(durability="always"), Segment.sync

        def close_first(segment: Segment, size: int | None = None) -> None:
            if size is not None:
                spool.close()
            real(segment, size)

        monkeypatch.setattr(Segment, "sync", close_first)
        spool.append(lines[0])
        assert (lines_in(files()), synced) == (lines[:1], [ONE_LINE])

    def test_with_everysec_appending_does_not_wait_for_the_disk(self, make_spool, lines, synced) -> None:
        spool = make_spool()
        for line in lines:
            spool.append(line)
        assert synced == []

    def test_sync_brings_all_segments_to_disk(self, make_spool, lines, synced) -> None:
        spool = make_spool(segment_bytes=5 * ONE_LINE)
        for line in lines[:7]:
            spool.append(line)
        spool.sync()
        assert synced == [5 * ONE_LINE, 2 * ONE_LINE]

    def test_closing_brings_what_stays_to_disk(self, make_spool, lines, synced) -> None:
        spool = make_spool()
        spool.append(lines[0])
        spool.close()
        assert synced == [ONE_LINE]


class TestDisksThatDoNotSync:
    def test_a_segment_that_can_not_be_synced_does_not_keep_others_from_it(self, make_spool, lines, disk) -> None:
        spool = make_spool(segment_bytes=1)
        for line in lines[:2]:
            spool.append(line)
        calls = []

        def sync(descriptor: int) -> None:
            calls.append(descriptor)
            if len(calls) == 1:
                fail(descriptor)

        disk(sync)
        with pytest.raises(OSError, match="error"):
            spool.sync()
        assert len(calls) == 2

    def test_a_new_segment_is_begun(self, make_spool, lines, files, disk) -> None:
        spool = make_spool()
        spool.append(lines[0])
        disk(fail)
        with pytest.raises(OSError, match="error"):
            spool.sync()
        assert [path.read_bytes() for path in files()] == [lines[0], b""]
        spool.append(lines[1])
        assert [path.read_bytes() for path in files()] == lines[:2]

    def test_what_is_appended_then_can_be_synced(self, make_spool, lines, disk, take) -> None:
        spool = make_spool()
        spool.append(lines[0])
        disk(fail)
        for _ in range(2):  # the second time it lets go of the segment
            with pytest.raises(OSError, match="error"):
                spool.sync()
        disk(None)
        spool.append(lines[1])
        spool.sync()
        assert list(map(to_line, take())) == lines[:2]
        assert not spool.waits()

    def test_closing_keeps_what_was_written_and_tells(self, make_spool, lines, files, disk, caplog) -> None:
        spool = make_spool()
        spool.append(lines[0])
        disk(fail)
        spool.close()
        assert lines_in(files()) == lines[:1]
        assert caplog.messages == ["The spool can't be synced to disk: Input/output error."]


class TestRotating:
    def test_a_segment_that_has_grown_is_followed_by_a_new_one(self, make_spool, lines, files) -> None:
        spool = make_spool(segment_bytes=3 * ONE_LINE)
        for line in lines:
            spool.append(line)
        assert [path.stat().st_size // ONE_LINE for path in files()] == [3, 3, 3, 1]

    def test_so_is_one_that_is_old_when_it_is_synced(self, make_spool, lines, files) -> None:
        spool = make_spool(segment_seconds=0)
        spool.append(lines[0])
        spool.sync()
        assert [path.read_bytes() for path in files()] == [lines[0], b""]

    def test_an_old_one_that_is_empty_stays(self, make_spool, files) -> None:
        spool = make_spool(segment_seconds=0)
        before = files()
        spool.sync()
        assert files() == before

    def test_one_that_is_neither_stays(self, make_spool, lines, files) -> None:
        spool = make_spool()
        for line in lines:
            spool.append(line)
            spool.sync()
        assert len(files()) == 1

    def test_where_no_new_one_can_be_made_the_old_one_grows_on(self, make_spool, lines, files, monkeypatch) -> None:
        spool = make_spool(segment_bytes=1, segment_seconds=0)

        def refuse(_: Path) -> None:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

        monkeypatch.setattr(Segment, "create", refuse)
        for line in lines:
            spool.append(line)
            spool.sync()
        assert [lines_in([path]) for path in files()] == [lines]

    def test_syncing_lets_go_of_those_that_are_written_no_more(self, make_spool, lines) -> None:
        spool = make_spool(segment_bytes=3 * ONE_LINE)
        for line in lines:
            spool.append(line)
        assert len([name for name in open_files() if ".spool/" in name]) == 4
        spool.sync()
        assert len([name for name in open_files() if ".spool/" in name]) == 1


class TestLimits:
    @pytest.fixture(autouse=True)
    def _count_always(self, monkeypatch) -> None:
        monkeypatch.setattr(module, "_COUNT_AGAIN_SECONDS", 0)

    def test_beyond_its_limit_it_refuses_and_counts(self, make_spool, lines, files) -> None:
        spool = make_spool(max_bytes=4 * ONE_LINE)
        for line in lines[:4]:
            spool.append(line)
        for line in lines[4:6]:
            with pytest.raises(SpoolFull, match="limit"):
                spool.append(line)
        assert (lines_in(files()), spool.refused) == (lines[:4], 2)

    def test_what_it_refuses_may_be_tried_again_later(self) -> None:
        assert issubclass(SpoolFull, StorageUnavailable)

    def test_it_takes_hits_again_as_soon_as_those_before_are_stored(self, make_spool, lines, take) -> None:
        spool = make_spool(max_bytes=4 * ONE_LINE)
        for line in lines[:4]:
            spool.append(line)
        spool.sync()
        take()
        for line in lines[4:8]:
            spool.append(line)
        with pytest.raises(SpoolFull):
            spool.append(lines[8])

    def test_what_is_stored_makes_room_while_the_rest_waits(self, make_spool, lines, files) -> None:
        spool = make_spool(max_bytes=4 * ONE_LINE)
        for line in lines[:4]:
            spool.append(line)
        files()[0].unlink()
        spool.append(lines[4])
        assert lines_in(files()) == lines[1:5]

    def test_looking_whether_there_is_room_again_does_not_happen_for_each_hit(self, make_spool, lines, monkeypatch):
        monkeypatch.setattr(module, "_COUNT_AGAIN_SECONDS", 1000)
        spool, looks, real = make_spool(max_bytes=4 * ONE_LINE), [], Spool.waits
        monkeypatch.setattr(Spool, "waits", lambda spool: looks.append(1) or real(spool))
        for line in lines:
            with suppress(SpoolFull):
                spool.append(line)
        assert len(looks) == 1

    def test_the_limit_counts_all_segments_of_this_process(self, make_spool, lines) -> None:
        spool = make_spool(max_bytes=4 * ONE_LINE, segment_bytes=1)
        for line in lines[:4]:
            spool.append(line)
        spool.sync()
        with pytest.raises(SpoolFull, match="limit"):
            spool.append(lines[4])

    def test_it_counts_what_dead_processes_left_until_that_is_stored(self, make_spool, lines, leave, folder) -> None:
        leave(*lines)
        spool = make_spool(max_bytes=8 * ONE_LINE)
        with pytest.raises(SpoolFull):
            spool.append(lines[0])
        for path in folder.glob("*.spool"):
            if path.stat().st_size:
                path.unlink()  # as the draining process does
        spool._count_again = 0.0
        spool.append(lines[0])

    def test_it_does_not_count_those_of_others(self, make_spool, lines) -> None:
        other = make_spool()
        spool = make_spool(max_bytes=4 * ONE_LINE)
        for line in lines[:4]:
            other.append(line)
            spool.append(line)


class TestWaiting:
    def test_one_that_took_nothing_waits_for_nothing(self, make_spool) -> None:
        spool = make_spool()
        assert not spool.waits()

    def test_it_waits_until_what_it_took_is_stored(self, make_spool, lines, take) -> None:
        spool = make_spool()
        spool.append(lines[0])
        spool.close()
        assert spool.waits()
        take()
        assert not spool.waits()

    def test_it_does_not_wait_for_others(self, make_spool, lines, leave) -> None:
        leave(lines[0])
        spool = make_spool()
        spool.close()
        (path,) = (path for path in spool.folder.iterdir() if path.name != "1.spool")
        path.unlink()
        assert not spool.waits()


class TestClosing:
    def test_what_was_taken_stays_for_the_process_that_drains(self, make_spool, lines, hits, take) -> None:
        spool = make_spool()
        for line in lines:
            spool.append(line)
        spool.close()
        assert take() == hits

    def test_it_holds_no_file(self, make_spool, lines) -> None:
        spool = make_spool(segment_bytes=3 * ONE_LINE)
        for line in lines:
            spool.append(line)
        spool.close()
        assert [name for name in open_files() if ".spool/" in name] == []

    def test_a_closed_one_takes_nothing(self, make_spool, lines) -> None:
        spool = make_spool()
        spool.close()
        with pytest.raises(SpoolClosed, match="not open"):
            spool.append(lines[0])
        assert not spool.is_open

    def test_closing_twice_is_harmless(self, make_spool) -> None:
        spool = make_spool()
        spool.close()
        spool.close()

    def test_a_closed_one_can_be_opened_again(self, make_spool, lines, files) -> None:
        spool = make_spool()
        spool.append(lines[0])
        spool.close()
        spool.open()
        spool.append(lines[1])
        assert lines_in(files()) == lines[:2]

    def test_hits_that_come_while_it_closes_are_refused_or_kept(self, make_spool, files) -> None:
        for _ in range(20):
            spool = make_spool()
            before = set(lines_in(files()))

            def append(line, spool=spool) -> bytes:
                try:
                    spool.append(line)
                except (SpoolClosed, SpoolFull):
                    return b""
                return line

            calls = [lambda line=line: append(line) for line in new_lines(4)]
            taken = at_once([*calls, lambda spool=spool: spool.close() or b""])
            assert set(lines_in(files())) - before == set(taken) - {b""}


class TestForking:
    def test_a_child_does_not_use_the_spool_of_its_parent(self, make_spool, lines, files) -> None:
        spool = make_spool()
        spool.append(lines[0])

        def task() -> None:
            assert not spool.is_open
            with pytest.raises(SpoolClosed):
                spool.append(lines[1])

        assert in_child(task) == ""
        spool.append(lines[2])
        assert lines_in(files()) == [lines[0], lines[2]]

    def test_a_child_can_open_its_own(self, make_spool, lines, files) -> None:
        spool = make_spool()
        spool.append(lines[0])

        def task() -> None:
            spool.open()
            spool.append(lines[1])

        assert in_child(task) == ""
        assert [path.read_bytes() for path in files()] == lines[:2]

    def test_a_child_does_not_wait_for_what_its_parent_took(self, make_spool, lines) -> None:
        spool = make_spool(max_bytes=4 * ONE_LINE)
        for line in lines[:4]:
            spool.append(line)

        def task() -> None:
            assert not spool.waits()
            spool.open()
            for line in lines[:4]:
                spool.append(line)

        assert in_child(task) == ""

    def test_the_lock_ends_with_the_parent_though_a_child_lives_on(self, folder, lines, hits, neighbour, take) -> None:
        def task(talk) -> None:
            spool = Spool(folder, segment_bytes=1)
            spool.open()
            for line in lines[:2]:
                spool.append(line)
            if os.fork() == 0:
                signal.alarm(60)
                talk.tell(os.getpid())
                signal.pause()

        owner = neighbour(task)
        child = owner.hear()
        try:
            owner.kill()
            assert take() == hits[:2]
            assert list(folder.iterdir()) == []
        finally:
            os.kill(child, signal.SIGKILL)

    @pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning")
    def test_children_forked_while_segments_come_and_go_hold_none(self, make_spool, make_reader, take, lines, files):
        spool, reader = make_spool(segment_bytes=1), make_reader()
        enough = threading.Event()

        def come_and_go() -> None:
            while not enough.is_set():
                spool.append(lines[0])
                spool.sync()
                take(reader)

        def task() -> None:
            assert [name for name in open_files() if ".spool" in name] == []
            spool.open()
            spool.append(lines[1])

        thread = threading.Thread(target=come_and_go)
        thread.start()
        try:
            told = [in_child(task) for _ in range(50)]
        finally:
            enough.set()
            thread.join(30)
        assert told == [""] * 50
        spool.close()
        take(reader)
        assert files() == []

    def test_a_segment_is_closed_only_where_no_fork_can_come_between(self, make_spool, lines, monkeypatch) -> None:
        spool = make_spool(segment_bytes=1)
        spool.append(lines[0])
        free, real = [], Segment.close

        def close(segment: Segment) -> None:
            free.append(not spool._rotating.locked())
            real(segment)

        monkeypatch.setattr(Segment, "close", close)
        spool.sync()
        assert free == [False]

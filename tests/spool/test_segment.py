"""One file of the spool: whole records only, one owner at a time."""

import errno
import fcntl
import os
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mailtrack.spool import segment as module
from mailtrack.spool.segment import Segment, SegmentSealed
from mailtrack.testing.contract.helpers import at_once


@pytest.fixture
def folder(folder: Path) -> Path:
    folder.mkdir()
    return folder


@pytest.fixture
def segment(folder: Path) -> Iterator[Segment]:
    segment = Segment.create(folder)
    yield segment
    segment.close()


@pytest.fixture
def adopt() -> Iterator[Callable[[Path], Segment | None]]:
    """Adopts segments, and closes them."""
    adopted = []

    def adopt(path: Path) -> Segment | None:
        if found := Segment.adopt(path):
            adopted.append(found)
        return found

    yield adopt
    for found in adopted:
        found.close()


@pytest.fixture
def fake_os(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Replaces functions of `os` for segments only."""

    class Fake:
        def __getattr__(self, name: str) -> object:
            return getattr(os, name)

    fake = Fake()
    monkeypatch.setattr(module, "os", fake)
    return lambda **functions: fake.__dict__.update(functions)


def fail(*_: object) -> int:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def write_half(descriptor: int, data: bytes) -> int:
    return os.write(descriptor, data[: len(data) // 2])


class TestCreating:
    def test_a_new_segment_is_an_empty_file_for_its_owner_only(self, segment: Segment, folder: Path) -> None:
        assert list(folder.iterdir()) == [segment.path]
        assert stat.S_IMODE(segment.path.stat().st_mode) == 0o600
        assert (segment.size, segment.done, segment.path.stat().st_size) == (0, 0, 0)

    def test_it_is_locked(self, segment: Segment) -> None:
        with segment.path.open("rb") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def test_names_sort_by_age(self, folder: Path) -> None:
        made = [Segment.create(folder) for _ in range(20)]
        for one in made:
            one.close()
        assert sorted(folder.iterdir()) == [one.path for one in made]

    @pytest.mark.parametrize("name", ["open", "fsync", "fstat"])
    def test_one_that_can_not_be_made_leaves_nothing(self, folder: Path, fake_os, name: str) -> None:
        fake_os(**{name: fail})
        with pytest.raises(OSError, match=os.strerror(errno.EIO)):
            Segment.create(folder)
        assert list(folder.iterdir()) == []

    @pytest.mark.parametrize("still_locked", [True, False])
    def test_another_is_made_where_somebody_took_it_for_left_behind(
        self, folder: Path, monkeypatch, still_locked: bool
    ) -> None:
        real, taken = fcntl.flock, []

        def flock(descriptor: int, operation: int) -> None:
            if not taken:
                (path,) = folder.iterdir()
                taken.append(path)
                path.unlink()
                if still_locked:
                    raise BlockingIOError
            real(descriptor, operation)

        monkeypatch.setattr(fcntl, "flock", flock)
        segment = Segment.create(folder)
        segment.close()
        assert list(folder.iterdir()) == [segment.path] != taken

    def test_its_folder_is_synced_so_that_it_survives_a_power_cut(self, folder: Path, fake_os) -> None:
        synced = []
        fake_os(fsync=lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
        Segment.create(folder).close()
        assert synced == [folder.stat().st_ino]


class TestAdopting:
    def test_one_whose_owner_gave_it_up_is_taken_with_all_that_is_in_it(self, segment: Segment, adopt) -> None:
        segment.append(b"one\n")
        segment.append(b"two\n")
        segment.close()
        found = adopt(segment.path)
        assert (found.size, found.done, found.read(100)) == (8, 0, b"one\ntwo\n")

    def test_one_that_has_an_owner_is_not_taken(self, segment: Segment, adopt) -> None:
        assert adopt(segment.path) is None

    def test_only_the_first_of_two_gets_it(self, segment: Segment, adopt) -> None:
        segment.close()
        assert [adopt(segment.path) is None for _ in range(2)] == [False, True]

    def test_one_that_is_gone_is_none(self, folder: Path, adopt) -> None:
        assert adopt(folder / "1.spool") is None

    def test_one_that_goes_before_it_is_locked_is_none(self, segment: Segment, adopt, monkeypatch) -> None:
        segment.close()
        real = fcntl.flock

        def flock(descriptor: int, operation: int) -> None:
            segment.path.unlink()
            real(descriptor, operation)

        monkeypatch.setattr(fcntl, "flock", flock)
        assert adopt(segment.path) is None

    def test_it_takes_no_more(self, segment: Segment, adopt) -> None:
        segment.close()
        with pytest.raises(SegmentSealed):
            adopt(segment.path).append(b"one\n")

    @pytest.mark.parametrize("length", [1, 65_535, 65_536, 65_537, 200_000])
    def test_a_last_line_without_its_end_is_not_part_of_it(self, folder: Path, adopt, length: int) -> None:
        path = folder / "1.spool"
        path.write_bytes(b"one\n" + b"x" * length)
        found = adopt(path)
        assert (found.size, found.read(10**6)) == (4, b"one\n")

    def test_one_without_a_whole_line_is_empty(self, folder: Path, adopt) -> None:
        path = folder / "1.spool"
        path.write_bytes(b"x" * 200_000)
        assert adopt(path).size == 0

    def test_what_its_owner_wrote_is_brought_to_disk(self, folder: Path, adopt, fake_os) -> None:
        path = folder / "1.spool"
        path.write_bytes(b"one\n")
        calls = []
        fake_os(fdatasync=calls.append)
        adopt(path).sync()
        assert len(calls) == 1

    def test_one_that_can_not_be_used_is_an_error_and_closed(self, folder: Path, adopt, fake_os) -> None:
        path = folder / "1.spool"
        path.write_bytes(b"one\n")
        fake_os(pread=fail)
        with pytest.raises(OSError, match=os.strerror(errno.EIO)):
            adopt(path)
        fake_os(pread=os.pread)
        assert adopt(path).size == 4


class TestAppending:
    def test_it_tells_the_size_behind_the_record(self, segment: Segment) -> None:
        assert [segment.append(b"one\n"), segment.append(b"three\n")] == [4, 10]

    def test_a_record_is_with_the_system_when_it_returns(self, segment: Segment) -> None:
        segment.append(b"one\n")
        assert segment.path.read_bytes() == b"one\n"

    def test_a_sealed_one_takes_no_more(self, segment: Segment) -> None:
        segment.append(b"one\n")
        segment.seal()
        with pytest.raises(SegmentSealed):
            segment.append(b"two\n")
        assert segment.read(100) == b"one\n"

    @pytest.mark.parametrize("write", [fail, write_half])
    def test_a_record_that_can_not_be_written_leaves_nothing(self, segment: Segment, fake_os, write) -> None:
        segment.append(b"one\n")
        fake_os(write=write)
        with pytest.raises(OSError, match=r"error|space"):
            segment.append(b"two\n")
        assert (segment.size, segment.path.read_bytes()) == (4, b"one\n")

    def test_it_goes_on_after_that(self, segment: Segment, fake_os) -> None:
        fake_os(write=write_half)
        with pytest.raises(OSError, match="space"):
            segment.append(b"two\n")
        fake_os(write=os.write)
        segment.append(b"three\n")
        assert segment.path.read_bytes() == b"three\n"

    def test_half_a_record_that_can_not_be_undone_is_the_last_thing_in_it(self, segment: Segment, fake_os) -> None:
        segment.append(b"one\n")
        fake_os(write=write_half, ftruncate=fail)
        with pytest.raises(OSError, match="space"):
            segment.append(b"two\n")
        with pytest.raises(SegmentSealed):
            segment.append(b"three\n")
        assert segment.path.read_bytes() == b"one\ntw"
        assert segment.read(100) == b"one\n"

    def test_records_of_many_threads_are_whole(self, segment: Segment) -> None:
        def append(thread: int) -> None:
            for number in range(200):
                segment.append(f"{thread} {number} {'x' * (thread * 37)}\n".encode())

        at_once([lambda thread=thread: append(thread) for thread in range(8)])
        expected = {f"{thread} {number} {'x' * (thread * 37)}" for thread in range(8) for number in range(200)}
        lines = segment.path.read_text().splitlines()
        assert (len(lines), set(lines)) == (1600, expected)


class TestReading:
    def test_it_gives_whole_records_up_to_about_the_limit(self, segment: Segment) -> None:
        for number in range(5):
            segment.append(b"%d\n" % number)
        found = []
        while data := segment.read(5):
            found.append(data)
            segment.done += len(data)
        assert found == [b"0\n1\n", b"2\n3\n", b"4\n"]

    def test_a_line_longer_than_the_limit_is_given_whole(self, segment: Segment) -> None:
        segment.append(b"x" * 1000 + b"\n")
        assert segment.read(10) == b"x" * 1000 + b"\n"

    def test_nothing_is_left_of_an_empty_one(self, segment: Segment) -> None:
        assert segment.read(10) == b""

    def test_nothing_is_left_of_a_removed_one_that_was_done(self, segment: Segment) -> None:
        segment.append(b"one\n")
        segment.done = segment.size
        segment.remove()
        assert segment.read(10) == b""

    def test_a_file_that_somebody_cut_is_an_error(self, segment: Segment) -> None:
        segment.append(b"one\n")
        segment.append(b"two\n")
        os.truncate(segment.path, 2)
        with pytest.raises(OSError, match="cut"):
            segment.read(100)

    def test_a_last_line_whose_end_was_damaged_is_given_as_it_is(self, segment: Segment) -> None:
        segment.append(b"one\n")
        segment.append(b"two\n")
        segment.path.write_bytes(b"one\ntwo!")
        segment.done = len(segment.read(100))
        assert segment.read(100) == b"two!"


class TestSyncing:
    def test_what_is_on_disk_is_not_synced_again(self, segment: Segment, fake_os) -> None:
        calls = []
        fake_os(fdatasync=calls.append)
        segment.append(b"one\n")
        for _ in range(3):
            segment.sync()
        assert len(calls) == 1

    def test_an_empty_one_is_not_synced(self, segment: Segment, fake_os) -> None:
        fake_os(fdatasync=fail)
        segment.sync()

    def test_one_call_serves_all_that_wait(self, segment: Segment, fake_os) -> None:
        begun, may_end, calls = threading.Event(), threading.Event(), []

        def fdatasync(descriptor: int) -> None:
            calls.append(descriptor)
            begun.set()
            assert may_end.wait(30)

        fake_os(fdatasync=fdatasync)
        first = segment.append(b"one\n")
        sizes = []
        threads = [threading.Thread(target=segment.sync, args=(first,))]
        threads[0].start()
        assert begun.wait(30)
        for _ in range(7):
            sizes.append(segment.append(b"two\n"))
            threads.append(threading.Thread(target=segment.sync, args=(sizes[-1],)))
            threads[-1].start()
        may_end.set()
        for thread in threads:
            thread.join(30)
        assert len(calls) == 2  # the one that was running, and one for the seven that came meanwhile

    def test_a_disk_that_lost_something_is_not_believed_the_second_time(self, segment: Segment, fake_os) -> None:
        size = segment.append(b"one\n")
        fake_os(fdatasync=fail)
        with pytest.raises(OSError, match="error"):
            segment.sync(size)
        fake_os(fdatasync=os.fdatasync)
        with pytest.raises(OSError, match="error"):
            segment.sync(size)

    def test_what_was_on_disk_before_stays_so(self, segment: Segment, fake_os) -> None:
        size = segment.append(b"one\n")
        segment.sync(size)
        segment.append(b"two\n")
        fake_os(fdatasync=fail)
        with pytest.raises(OSError, match="error"):
            segment.sync()
        segment.sync(size)

    def test_a_segment_that_can_not_be_synced_takes_no_more(self, segment: Segment, fake_os) -> None:
        segment.append(b"one\n")
        fake_os(fdatasync=fail)
        with pytest.raises(OSError, match="error"):
            segment.sync()
        with pytest.raises(SegmentSealed):
            segment.append(b"two\n")


class TestEnding:
    def test_closing_gives_up_the_lock_and_keeps_the_file(self, folder: Path, adopt) -> None:
        segment = Segment.create(folder)
        segment.append(b"one\n")
        segment.close()
        assert adopt(segment.path).read(10) == b"one\n"

    def test_removing_deletes_the_file_and_gives_up_the_lock(self, folder: Path) -> None:
        segment = Segment.create(folder)
        with segment.path.open("rb") as file:
            segment.remove()
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert list(folder.iterdir()) == []

    def test_syncing_a_removed_one_is_harmless(self, folder: Path) -> None:
        segment = Segment.create(folder)
        size = segment.append(b"one\n")
        segment.remove()
        segment.sync(size)

    def test_its_repr_tells_how_much_is_done(self, segment: Segment) -> None:
        segment.append(b"one\n")
        assert repr(segment) == f"<Segment {segment.path.name} 0/4>"

"""One file of the spool, as its writer sees it: whole records only, locked until it is closed."""

import errno
import fcntl
import os
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mailtrack._spool import segment as module
from mailtrack._spool.segment import Segment, SegmentSealed
from mailtrack.testing._contract.helpers import at_once


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
def fake_os(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Replaces functions of `os` for segments only, those that are made after it."""

    class Fake:
        def __getattr__(self, name: str) -> object:
            return getattr(os, name)

    fake = Fake()
    monkeypatch.setattr(module, "os", fake)
    monkeypatch.setattr(module, "load_write", lambda: lambda *arguments: fake.write(*arguments))
    return lambda **functions: fake.__dict__.update(functions)


def fail(*_: object) -> int:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def write_half(descriptor: int, data: bytes) -> int:
    return os.write(descriptor, data[: len(data) // 2])


class TestCreating:
    def test_a_new_segment_is_an_empty_file_for_its_owner_only(self, segment: Segment, folder: Path) -> None:
        assert list(folder.iterdir()) == [segment.path]
        assert stat.S_IMODE(segment.path.stat().st_mode) == 0o600
        assert (segment.size, segment.path.stat().st_size) == (0, 0)

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


class TestAppending:
    def test_it_returns_the_size_behind_the_record(self, segment: Segment) -> None:
        assert [segment.append(b"one\n"), segment.append(b"three\n")] == [4, 10]

    def test_a_record_is_with_the_system_when_it_returns(self, segment: Segment) -> None:
        segment.append(b"one\n")
        assert segment.path.read_bytes() == b"one\n"

    def test_a_sealed_one_takes_no_more(self, segment: Segment) -> None:
        segment.append(b"one\n")
        segment.seal()
        with pytest.raises(SegmentSealed):
            segment.append(b"two\n")
        assert segment.path.read_bytes() == b"one\n"

    @pytest.mark.parametrize("write", [fail, write_half])
    def test_a_record_that_can_not_be_written_leaves_nothing(self, fake_os, segment: Segment, write) -> None:
        segment.append(b"one\n")
        fake_os(write=write)
        with pytest.raises(OSError, match=r"error|space"):
            segment.append(b"two\n")
        assert (segment.size, segment.path.read_bytes()) == (4, b"one\n")

    def test_it_goes_on_after_that(self, fake_os, segment: Segment) -> None:
        fake_os(write=write_half)
        with pytest.raises(OSError, match="space"):
            segment.append(b"two\n")
        fake_os(write=os.write)
        segment.append(b"three\n")
        assert segment.path.read_bytes() == b"three\n"

    def test_half_a_record_that_can_not_be_undone_is_the_last_thing_in_it(self, fake_os, segment: Segment) -> None:
        segment.append(b"one\n")
        fake_os(write=write_half, ftruncate=fail)
        with pytest.raises(OSError, match="space"):
            segment.append(b"two\n")
        with pytest.raises(SegmentSealed):
            segment.append(b"three\n")
        assert (segment.size, segment.path.read_bytes()) == (4, b"one\ntw")

    def test_records_of_many_threads_are_whole(self, segment: Segment) -> None:
        def append(thread: int) -> None:
            for number in range(200):
                segment.append(f"{thread} {number} {'x' * (thread * 37)}\n".encode())

        at_once([lambda thread=thread: append(thread) for thread in range(8)])
        expected = {f"{thread} {number} {'x' * (thread * 37)}" for thread in range(8) for number in range(200)}
        lines = segment.path.read_text().splitlines()
        assert (len(lines), set(lines)) == (1600, expected)


class TestSyncing:
    @pytest.fixture
    def disk(self, monkeypatch) -> Callable[[Callable[[int], None]], None]:
        """Replaces what brings a file to disk."""
        return lambda sync: monkeypatch.setattr(module, "_sync_data", sync)

    def test_what_is_on_disk_is_not_synced_again(self, segment: Segment, disk) -> None:
        calls = []
        disk(calls.append)
        segment.append(b"one\n")
        for _ in range(3):
            segment.sync()
        assert len(calls) == 1

    def test_an_empty_one_is_not_synced(self, segment: Segment, disk) -> None:
        disk(fail)
        segment.sync()

    def test_one_call_serves_all_that_wait(self, segment: Segment, disk) -> None:
        begun, may_end, calls = threading.Event(), threading.Event(), []

        def sync(descriptor: int) -> None:
            calls.append(descriptor)
            begun.set()
            assert may_end.wait(30)

        disk(sync)
        threads = [threading.Thread(target=segment.sync, args=(segment.append(b"one\n"),))]
        threads[0].start()
        assert begun.wait(30)
        for _ in range(7):
            threads.append(threading.Thread(target=segment.sync, args=(segment.append(b"two\n"),)))
            threads[-1].start()
        may_end.set()
        for thread in threads:
            thread.join(30)
        assert len(calls) == 2  # the one that was running, and one for the seven that came meanwhile

    def test_a_disk_that_lost_something_is_not_believed_the_second_time(self, segment: Segment, disk) -> None:
        size = segment.append(b"one\n")
        disk(fail)
        with pytest.raises(OSError, match="error"):
            segment.sync(size)
        disk(lambda _: None)
        with pytest.raises(OSError, match="error"):
            segment.sync(size)

    def test_what_was_on_disk_before_stays_so(self, segment: Segment, disk) -> None:
        size = segment.append(b"one\n")
        segment.sync(size)
        segment.append(b"two\n")
        disk(fail)
        with pytest.raises(OSError, match="error"):
            segment.sync()
        segment.sync(size)

    def test_a_segment_that_can_not_be_synced_takes_no_more(self, segment: Segment, disk) -> None:
        segment.append(b"one\n")
        disk(fail)
        with pytest.raises(OSError, match="error"):
            segment.sync()
        with pytest.raises(SegmentSealed):
            segment.append(b"two\n")

    def test_it_is_still_not_on_disk_when_it_is_closed(self, segment: Segment, disk) -> None:
        size = segment.append(b"one\n")
        disk(fail)
        with pytest.raises(OSError, match="error"):
            segment.sync()
        segment.close()
        with pytest.raises(OSError, match="error"):
            segment.sync(size)

    def test_syncing_what_was_synced_before_it_was_closed_is_harmless(self, segment: Segment, disk) -> None:
        size = segment.append(b"one\n")
        segment.sync()
        segment.close()
        disk(fail)
        segment.sync(size)


class TestEnding:
    @pytest.mark.parametrize("end", [Segment.close, Segment.abandon])
    def test_it_gives_up_the_lock_and_keeps_the_file(self, segment: Segment, end) -> None:
        segment.append(b"one\n")
        end(segment)
        with segment.path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            assert file.read() == b"one\n"

    @pytest.mark.parametrize("end", [Segment.close, Segment.abandon])
    def test_it_takes_no_more(self, segment: Segment, end) -> None:
        end(segment)
        with pytest.raises(SegmentSealed):
            segment.append(b"one\n")

    def test_closing_twice_closes_nothing_else(self, segment: Segment, folder: Path) -> None:
        segment.close()
        with (folder / "other").open("wb") as file:  # most likely with the descriptor that is free again
            segment.close()
            file.write(b"one")

    def test_its_repr_shows_its_size(self, segment: Segment) -> None:
        segment.append(b"one\n")
        assert repr(segment) == f"<Segment {segment.path.name} 4>"

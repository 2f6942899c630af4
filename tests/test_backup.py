"""A backup is whole, holds what waits in the spool, and appears at once or not at all."""

import os
import resource
import signal
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest

from mailtrack import (
    Hit,
    InvalidArgument,
    InvalidInput,
    Pixel,
    Spool,
    Storage,
    StorageError,
    StorageUnavailable,
    Tracker,
    open_storage,
)
from mailtrack._ingest.drain import drain as drain_spool
from mailtrack._spool import Reader
from mailtrack.storage._memory import MemoryStorage
from mailtrack.storage._sqlite import SQLiteStorage
from mailtrack.storage._sqlite import storage as storage_module
from mailtrack.testing import FakeClock, make_hit, make_image, make_pixel, make_recipients
from mailtrack.testing._contract.forks import in_child, needs_fork
from mailtrack.testing._contract.full_scan import assert_scan, everything, some_opens
from mailtrack.testing._factories import NOON, to_line
from mailtrack.verdicts import Judge

SECOND = timedelta(seconds=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where backups go, and nothing else."""
    folder = tmp_path / "backups"
    folder.mkdir()
    return folder


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[SQLiteStorage]:
    with SQLiteStorage(tmp_path / "mail.db") as storage:
        yield storage


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(tmp_path / "mail.db.spool")
    spool.open()
    yield spool
    spool.close()


@pytest.fixture
def tracker(storage: SQLiteStorage, spool: Spool) -> Tracker:
    return Tracker(storage, spool=spool, clock=FakeClock(NOON + timedelta(days=9)))


@pytest.fixture
def pixel(storage: SQLiteStorage) -> Pixel:
    """A pixel with an image, recipients and opens."""
    pixel = make_pixel(image="a.png")
    storage.add_pixel(pixel, make_image(b"a picture"))
    recipients = make_recipients(pixel, [f"r{n}@example.org" for n in range(20)])
    storage.add_recipients(pixel.id, recipients)
    storage.add_opens(some_opens(pixel, recipients, 200))
    return pixel


@pytest.fixture
def take(spool: Spool) -> Callable[[Hit], None]:
    """Takes a hit as a server does."""
    return lambda hit: spool.append(to_line(hit))


@pytest.fixture
def drain(spool: Spool, tracker: Tracker) -> Iterator[Callable[[], None]]:
    """Brings what waits to the storage, as a server does."""
    reader = Reader(spool.folder)

    def drain() -> None:
        assert reader.lead()
        drain_spool(reader, tracker.store)

    yield drain
    reader.release()


def _files(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def _url(file: Path) -> str:
    return f"sqlite:///{file}"


def _names(storage: Storage, pixel: Pixel) -> list[str]:
    return [one.referer for one in Tracker(storage).iter_opens(pixel.id)]


def _hit(pixel: Pixel, name: str, minute: int = 0) -> Hit:
    return attrs.evolve(make_hit(pixel, at=NOON + minute * 60 * SECOND), referer=name)


class TestCopy:
    def test_it_is_the_database_as_it_was(self, storage, tracker, pixel, folder) -> None:
        key, _ = tracker.keys.create("Nightly export")
        tracker.purge(before=NOON + timedelta(hours=20))
        before = everything(storage, pixel), storage.list_pixels(limit=9), storage.list_keys()
        tracker.backup(folder / "copy.db")
        tracker.delete_pixel(pixel.id)
        with open_storage(_url(folder / "copy.db")) as copy:
            assert (everything(copy, pixel), copy.list_pixels(limit=9), copy.list_keys()) == before
            assert copy.get_image(pixel.id).data == b"a picture"
            assert [one.id for one in copy.list_keys()] == [key.id]

    def test_it_goes_on_like_the_database(self, tracker, pixel, folder) -> None:
        tracker.backup(folder / "copy.db")
        with open_storage(_url(folder / "copy.db")) as copy:
            second = Tracker(copy)
            second.store([make_hit(pixel)])
            later = second.create_pixel("Later")
            assert [one.id for one in second.iter_pixels()] == [later.id, pixel.id]
            assert_scan(copy, pixel)

    def test_it_is_one_whole_private_file_and_nothing_is_left_beside_it(self, tracker, pixel, folder, take) -> None:
        take(make_hit(pixel))
        written = tracker.backup(str(folder / "copy.db"))
        (file,) = folder.iterdir()
        assert (file.name, stat.S_IMODE(file.stat().st_mode)) == ("copy.db", 0o600)
        assert written.file == file
        assert (written.size, written.from_spool) == (file.stat().st_size, 1)
        with closing(sqlite3.connect(file)) as db:
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert db.execute("PRAGMA foreign_key_check").fetchall() == []

    @pytest.mark.usefixtures("pixel")
    def test_it_may_lie_in_the_working_directory(self, tracker, folder, monkeypatch) -> None:
        monkeypatch.chdir(folder)
        tracker.backup("copy.db")
        assert _files(folder) == ["copy.db"]

    def test_it_is_written_while_another_process_writes(self, storage, tracker, pixel, folder) -> None:
        with closing(sqlite3.connect(storage.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            other.execute("UPDATE pixels SET name = 'Not committed'")
            tracker.backup(folder / "copy.db")
            other.execute("ROLLBACK")
        with open_storage(_url(folder / "copy.db")) as copy:
            assert everything(copy, pixel) == everything(storage, pixel)

    def test_a_copy_of_a_copy_is_the_same(self, storage, tracker, pixel, folder) -> None:
        tracker.backup(folder / "copy.db")
        with open_storage(_url(folder / "copy.db")) as copy:
            Tracker(copy).backup(folder / "second.db")
        with open_storage(_url(folder / "second.db")) as second:
            assert everything(second, pixel) == everything(storage, pixel)


class TestSpool:
    def test_what_waits_is_in_the_copy_and_goes_on_to_wait(
        self, storage, tracker, pixel, spool, folder, take, drain
    ) -> None:
        names = [f"reader {number}" for number in range(5000)]
        for number, name in enumerate(names):
            take(_hit(pixel, name, number))
        before = {path: path.read_bytes() for path in spool.folder.iterdir()}
        assert tracker.backup(folder / "copy.db").from_spool == 5000
        assert {path: path.read_bytes() for path in spool.folder.iterdir()} == before
        assert tracker.get_pixel(pixel.id).opens.raw.number == 200
        with open_storage(_url(folder / "copy.db")) as copy:
            assert _names(copy, pixel)[:5000] == names[::-1]
            assert_scan(copy, pixel)
        drain()
        assert _names(storage, pixel)[:5000] == names[::-1]

    def test_what_is_stored_already_is_in_the_copy_once(self, tracker, pixel, folder, take, drain) -> None:
        take(_hit(pixel, "first"))
        drain()
        take(_hit(pixel, "second", 1))
        assert tracker.backup(folder / "copy.db").from_spool == 1
        with open_storage(_url(folder / "copy.db")) as copy:
            assert _names(copy, pixel)[:3] == ["second", "first", "https://mail.example.com/"]

    @pytest.mark.parametrize("moment", ["before", "after"])
    def test_what_is_drained_around_the_copying_is_in_the_copy_once(
        self, storage, tracker, pixel, folder, take, drain, monkeypatch, moment
    ) -> None:
        copy_to = storage.copy_to

        def copy_and_drain(file: Path) -> SQLiteStorage:
            if moment == "before":
                drain()
            copy = copy_to(file)
            if moment == "after":
                drain()
            return copy

        monkeypatch.setattr(storage, "copy_to", copy_and_drain)
        for number in range(9):
            take(_hit(pixel, f"reader {number}", number))
        assert tracker.backup(folder / "copy.db").from_spool == (0 if moment == "before" else 9)
        with open_storage(_url(folder / "copy.db")) as copy:
            assert _names(copy, pixel)[:10] == [f"reader {n}" for n in range(8, -1, -1)] + ["https://mail.example.com/"]
            assert_scan(copy, pixel)

    def test_what_waits_is_judged_as_the_server_will_judge_it(self, storage, pixel, spool, folder, take) -> None:
        recipients = storage.list_recipients(pixel.id, limit=9).items
        for number in range(40):  # bursts and repeats among them
            hit = make_hit(pixel, token=recipients[number % 9].token, at=NOON + number * SECOND / 10)
            take(attrs.evolve(hit, user_agent=f"Mozilla/5.0 (X11; Linux x86_64; rv:1{number % 9}.0) Firefox/1"))
        tracker = Tracker(storage, spool=spool, judge=Judge(counted=["bot"], window=0))
        tracker.backup(folder / "copy.db")
        reader = Reader(spool.folder)
        assert reader.lead()
        drain_spool(reader, tracker.store)
        reader.release()
        with open_storage(_url(folder / "copy.db")) as copy:
            assert everything(copy, pixel) == everything(storage, pixel)
            assert {"burst", "repeat"} <= {signal for one in everything(copy, pixel)[2] for signal in one.signals}

    def test_hits_of_pixels_that_do_not_exist_are_none(self, tracker, folder, take) -> None:
        take(make_hit("00000000"))
        assert tracker.backup(folder / "copy.db").from_spool == 0

    def test_a_spool_that_cannot_be_read_is_an_error(self, storage, tmp_path, folder) -> None:
        (tmp_path / "no folder").write_bytes(b"")
        tracker = Tracker(storage, spool=Spool(tmp_path / "no folder"))
        with pytest.raises(StorageUnavailable, match=r"No backup was written: Not a directory\."):
            tracker.backup(folder / "copy.db")
        assert _files(folder) == []


class TestRefusals:
    @pytest.mark.parametrize("ending", ["", "-wal", "-shm", "-journal"])
    def test_a_name_that_is_taken_is_refused_and_left_as_it_was(self, tracker, folder, ending) -> None:
        taken = folder / f"copy.db{ending}"
        taken.write_bytes(b"the last backup")
        with pytest.raises(InvalidInput, match="overwrites none"):
            tracker.backup(folder / "copy.db")
        assert (_files(folder), taken.read_bytes()) == ([taken.name], b"the last backup")

    @pytest.mark.parametrize("file", ["", "a\0b.db", b"copy.db", 1, None], ids=repr)
    def test_what_can_not_be_a_path_is_refused(self, tracker: Tracker, file: Any) -> None:
        with pytest.raises(InvalidArgument, match="file must be the path of a file"):
            tracker.backup(file)

    def test_the_database_itself_is_refused(self, storage, tracker, pixel, tmp_path) -> None:
        (tmp_path / "link.db").symlink_to(storage.path)
        (tmp_path / "dangling.db").symlink_to(tmp_path / "nowhere")
        before = everything(storage, pixel)
        for name in ("mail.db", "link.db", "dangling.db"):
            with pytest.raises(InvalidInput):
                tracker.backup(tmp_path / name)
        assert everything(storage, pixel) == before

    def test_a_file_that_appears_meanwhile_is_not_overwritten(self, storage, tracker, folder, monkeypatch) -> None:
        copy_to = storage.copy_to

        def copy_and_lose(file: Path) -> SQLiteStorage:
            (folder / "copy.db").write_bytes(b"another backup")
            return copy_to(file)

        monkeypatch.setattr(storage, "copy_to", copy_and_lose)
        with pytest.raises(StorageUnavailable, match="File exists"):
            tracker.backup(folder / "copy.db")
        assert (_files(folder), (folder / "copy.db").read_bytes()) == (["copy.db"], b"another backup")

    def test_a_folder_that_does_not_exist_is_an_error(self, tracker, folder) -> None:
        with pytest.raises(StorageUnavailable, match=r"No backup was written: No such file or directory\."):
            tracker.backup(folder / "missing" / "copy.db")

    def test_a_storage_that_cannot_do_it_says_so(self, folder) -> None:
        with MemoryStorage() as storage, pytest.raises(StorageError, match="can't be backed up"):
            Tracker(storage).backup(folder / "copy.db")
        assert _files(folder) == []


class TestFaults:
    def test_it_is_on_disk_before_it_appears_and_its_name_is_when_the_call_returns(
        self, tracker, folder, monkeypatch
    ) -> None:
        steps: list[str] = []
        sync, link = os.fsync, os.link

        def note_sync(descriptor: int) -> None:
            steps.append("sync the folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "sync the file")
            sync(descriptor)

        def note_link(*paths: Path) -> None:
            steps.append("link")
            link(*paths)

        monkeypatch.setattr(os, "fsync", note_sync)
        monkeypatch.setattr(os, "link", note_link)
        tracker.backup(folder / "copy.db")
        assert steps == ["sync the file", "link", "sync the folder"]

    def test_a_file_system_without_links_takes_it_too(self, storage, tracker, pixel, folder, monkeypatch) -> None:
        def refuse(*_: object) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, "link", refuse)
        tracker.backup(folder / "copy.db")
        assert _files(folder) == ["copy.db"]
        with open_storage(_url(folder / "copy.db")) as copy:
            assert everything(copy, pixel) == everything(storage, pixel)

    @pytest.mark.parametrize("limit", [0, 50_000, 150_000])
    def test_without_room_for_it_none_is_written_and_nothing_is_left(self, tracker, pixel, folder, take, limit) -> None:
        for number in range(200):
            take(_hit(pixel, f"reader {number}", number))

        def task() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            with pytest.raises(StorageUnavailable, match="No backup was written: "):
                tracker.backup(folder / "copy.db")

        assert in_child(task) == ""
        assert _files(folder) == []
        tracker.backup(folder / "copy.db")
        with open_storage(_url(folder / "copy.db")) as copy:
            assert copy.get_pixel(pixel.id).opens.raw.number == 400

    @pytest.mark.usefixtures("pixel")
    def test_a_damaged_database_is_an_error_and_nothing_is_left(self, storage, folder) -> None:
        path = storage.path
        storage.close()
        with closing(sqlite3.connect(path)) as db:
            (page,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'opens'").fetchone()
        with path.open("r+b") as file:
            file.seek((page - 1) * 4096)
            file.write(b"\xff" * 4096)
        with SQLiteStorage(path) as damaged, pytest.raises(StorageError, match="No backup was written: SQLite: "):
            Tracker(damaged).backup(folder / "copy.db")
        assert _files(folder) == []

    @pytest.mark.usefixtures("pixel")
    def test_ctrl_c_ends_it_while_sqlite_copies_and_nothing_is_left(self, tracker, folder, monkeypatch) -> None:
        def interrupt() -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(storage_module, "_LOOK_EVERY", 1)
        monkeypatch.setattr(storage_module, "_go_on", interrupt)
        with pytest.raises(StorageUnavailable, match="No backup was written: SQLite: interrupted"):
            tracker.backup(folder / "copy.db")
        assert _files(folder) == []

    @needs_fork
    @pytest.mark.parametrize("moment", ["before", "after"])
    def test_a_backup_that_is_killed_leaves_no_file_of_its_name_and_the_next_one_works(
        self, tracker, pixel, folder, take, monkeypatch, moment
    ) -> None:
        take(make_hit(pixel))

        class Killing(sqlite3.Connection):
            def execute(self, sql: str, *args: object) -> sqlite3.Cursor:
                if moment == "before" and sql == "COMMIT":  # of what waited
                    os.kill(os.getpid(), signal.SIGKILL)
                found = super().execute(sql, *args)  # type: ignore[arg-type]
                if moment == "after" and sql.startswith("VACUUM"):
                    os.kill(os.getpid(), signal.SIGKILL)
                return found

        def task() -> None:
            monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Killing))
            tracker.backup(folder / "copy.db")

        assert in_child(task) == f"the child ended with status {signal.SIGKILL}"
        (left,) = folder.iterdir()
        assert (left.name.startswith("copy.db."), left.suffix) == (True, ".partial")
        assert tracker.backup(folder / "copy.db").from_spool == 1
        with open_storage(_url(folder / "copy.db")) as copy:
            assert copy.get_pixel(pixel.id).opens.raw.number == 201

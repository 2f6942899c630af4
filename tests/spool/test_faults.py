"""Faults of disk and database: images go out, nothing that was acknowledged is lost, nothing is half there."""

import errno
import fcntl
import logging
import os
import resource
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from mailtrack import StorageError, StorageUnavailable, Tracker, open_storage
from mailtrack._images.check import TRANSPARENT_PNG
from mailtrack._ingest.drain import drain
from mailtrack._ingest.lines import UnreadableLine, from_line
from mailtrack._spool import (
    Reader,
    Spool,
    SpoolClosed,
    SpoolFull,
    dead_letters,
    get_status,
    inspect,
    reader,
    segment,
)
from mailtrack.storage._sqlite import connections
from mailtrack.testing import make_hit
from mailtrack.testing._contract.forks import in_child
from mailtrack.testing._contract.helpers import add_pixel, all_opens
from mailtrack.testing._factories import to_line
from mailtrack_wsgi import create_app

SECONDS = 30
MOST_STEPS = 500  # a ladder that needs more never ends
ONE_LINE = len(to_line(make_hit("a1b2c3d4")))

_CALLS = ("open", "write", "pread", "fstat", "fsync", "ftruncate")


class Faults:
    """Stands for `os` and `fcntl` in the modules of the spool, and lets calls fail."""

    def __init__(self) -> None:
        self.left: int | None = None  # how many calls succeed before one fails
        self.for_ever = False
        self.half = False  # a write that fails writes half of it
        self.happened = 0
        self.LOCK_EX, self.LOCK_NB = fcntl.LOCK_EX, fcntl.LOCK_NB
        for name in _CALLS:
            setattr(self, name, partial(self._call, getattr(os, name)))
        self.sync_data = partial(self._call, segment._sync_data)
        self.flock = partial(self._call, fcntl.flock)
        self.unlink = partial(self._call, os.unlink)

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        if self.left is None:
            return function(*arguments)
        self.left -= 1
        if self.left == 0 or (self.left < 0 and self.for_ever):
            self.happened += 1
            if self.half and function is os.write:
                return os.write(arguments[0], arguments[1][: len(arguments[1]) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return function(*arguments)


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Faults:
    faults = Faults()
    for module in (segment, dead_letters, reader):
        monkeypatch.setattr(module, "os", faults)
    for module in (segment, dead_letters):
        monkeypatch.setattr(module, "fcntl", faults)
    monkeypatch.setattr(segment, "load_write", lambda: faults.write)
    monkeypatch.setattr(segment, "_sync_data", faults.sync_data)
    monkeypatch.setattr(Path, "unlink", lambda path, missing_ok=False: _unlink(faults, path, missing_ok))
    return faults


def _unlink(faults: Faults, path: Path, missing_ok: bool) -> None:
    try:
        (faults.unlink if path.suffix == ".spool" else os.unlink)(path)
    except FileNotFoundError:
        if not missing_ok:
            raise


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


class Scene:
    """What a process does with a spool in its life, each step of which may fail."""

    def __init__(self, folder: Path, durability: str) -> None:
        self.folder = folder
        self.durability = durability
        self.storage = open_storage("memory://")
        self.store = Tracker(self.storage).store
        self.pixel = add_pixel(self.storage)
        self.appended: list[str] = []
        self.acknowledged: set[str] = set()
        folder.mkdir()
        left = [make_hit(self.pixel) for _ in range(3)]
        self.appended += [hit.id for hit in left]
        self.acknowledged |= {hit.id for hit in left}
        lines = [to_line(hit) for hit in left]
        (folder / "1.spool").write_bytes(b"".join([*lines[:2], b"damaged\n", lines[2], b"torn"]))

    def act(self) -> None:
        spool = Spool(self.folder, durability=self.durability, segment_bytes=3 * ONE_LINE, segment_seconds=0)
        waiting = Reader(self.folder)
        for step in (spool.open, *[partial(self._append, spool)] * 4, spool.sync, partial(self._drain, waiting)):
            self._try(step)
        for step in (*[partial(self._append, spool)] * 2, partial(self._drain, waiting), spool.sync):
            self._try(step)
        self._append(spool)
        spool.close()
        self._try(partial(self._drain, waiting))
        waiting.release()

    def _drain(self, waiting: Reader) -> None:
        if waiting.lead():
            drain(waiting, self.store)

    def _try(self, step: Callable[[], object]) -> None:
        try:
            step()
        except (OSError, StorageError, ValueError):
            self.check_nothing_is_lost()

    def _append(self, spool: Spool) -> None:
        hit = make_hit(self.pixel)
        self.appended.append(hit.id)
        try:
            spool.append(to_line(hit))
        except (SpoolClosed, SpoolFull):
            return
        self.acknowledged.add(hit.id)

    def check_nothing_is_lost(self) -> None:
        spooled, unreadable = set(), 0
        for line in inspect(self.folder):
            try:
                spooled.add(from_line(line).id)
            except UnreadableLine:
                assert line == b"damaged\n"
                unreadable += 1
        stored = [one.id for one in all_opens(self.storage, self.pixel)]
        assert self.acknowledged <= spooled | set(stored)
        assert set(stored) <= set(self.appended)
        assert len(stored) == len(set(stored))
        assert unreadable + get_status(self.folder).dead_letters >= 1

    def check_the_next_process_stores_all(self) -> None:
        waiting = Reader(self.folder)
        assert waiting.lead()
        drain(waiting, self.store)
        waiting.release()
        assert [path.name for path in self.folder.iterdir()] == ["set-aside.lines"]
        assert (self.folder / "set-aside.lines").read_bytes() == b"damaged\n"
        assert self.acknowledged <= {one.id for one in all_opens(self.storage, self.pixel)} <= set(self.appended)


class TestLadders:
    """The first system call of the spool fails, then the second, ..., until none does."""

    @pytest.mark.parametrize("durability", ["everysec", "always"])
    @pytest.mark.parametrize("half", [False, True], ids=["nothing is written", "half is written"])
    @pytest.mark.parametrize("for_ever", [False, True], ids=["once", "for ever"])
    def test_whichever_call_fails_nothing_acknowledged_is_lost_and_nothing_is_half_there(
        self, tmp_path, faults, durability, half, for_ever
    ) -> None:
        for step in count(1):
            assert step < MOST_STEPS
            scene = Scene(tmp_path / str(step), durability)
            descriptors = open_descriptors()
            faults.left, faults.half, faults.for_ever, faults.happened = step, half, for_ever, 0
            scene.act()
            faults.left = None
            assert open_descriptors() == descriptors
            scene.check_nothing_is_lost()
            scene.check_the_next_process_stores_all()
            if not faults.happened:
                break
        assert step > 40  # it failed at all of them before
        assert len(scene.acknowledged) == len(scene.appended) == 10

    def test_a_call_that_fails_once_costs_one_hit_at_most(self, tmp_path, faults) -> None:
        for step in count(1):
            scene = Scene(tmp_path / str(step), "everysec")
            spool = Spool(scene.folder, segment_bytes=3 * ONE_LINE)
            spool.open()
            faults.left, faults.happened = step, 0
            for _ in range(10):
                scene._append(spool)
            faults.left = None
            spool.close()
            assert len(scene.appended) - len(scene.acknowledged) <= 1
            if not faults.happened:
                break
        assert step > 10

    @pytest.mark.parametrize("method", ["resolve", "add_opens"])
    @pytest.mark.parametrize(
        "error",
        [StorageUnavailable("away"), StorageError("damaged"), ValueError("a bug"), OSError(5, "Input/output error")],
        ids=repr,
    )
    @pytest.mark.parametrize("for_ever", [False, True], ids=["once", "for ever"])
    def test_whichever_operation_of_the_storage_fails_nothing_is_lost_or_doubled(
        self, tmp_path, monkeypatch, method, error, for_ever
    ) -> None:
        for step in count(1):
            assert step < MOST_STEPS
            scene, calls = Scene(tmp_path / str(step), "everysec"), count(1)
            real = getattr(scene.storage, method)

            def fail(*arguments: Any, real=real, calls=calls, step=step) -> Any:
                number = next(calls)
                if number == step or (number > step and for_ever):
                    raise error
                return real(*arguments)

            with monkeypatch.context() as context:
                context.setattr(scene.storage, method, fail)
                scene.act()
            scene.check_nothing_is_lost()
            scene.check_the_next_process_stores_all()
            if next(calls) <= step:
                break
        assert step > 3
        assert len(scene.acknowledged) == len(scene.appended) == 10


class TestFullDisks:
    def test_a_spool_whose_disk_is_full_refuses_and_takes_hits_again_when_there_is_room(
        self, folder, lines, hits
    ) -> None:
        def task() -> None:
            spool = Spool(folder)
            spool.open()
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(4.5 * ONE_LINE), resource.RLIM_INFINITY))
            for line in lines[:4]:
                spool.append(line)
            for line in lines[4:6]:  # the half that the system takes is taken back
                with pytest.raises(SpoolFull, match=r"space|large"):
                    spool.append(line)
            assert spool.refused == 2
            assert list(inspect(folder)) == lines[:4]
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            for line in lines[6:]:
                spool.append(line)
            spool.close()
            stored = []
            drain(Reader(folder), stored.extend)
            assert stored == hits[:4] + hits[6:]
            assert not spool.waits()

        assert in_child(task) == ""

    def test_a_line_that_can_not_become_a_dead_letter_yet_stays(self, folder, leave, lines) -> None:
        def task() -> None:
            waiting = Reader(folder)
            resource.setrlimit(resource.RLIMIT_FSIZE, (500, resource.RLIM_INFINITY))
            with pytest.raises(OSError, match=r"space|large"):
                drain(waiting, list)
            assert get_status(folder).dead_letters == 0
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            drain(waiting, list)

        leave(*(b"damaged %d\n" % number for number in range(100)), lines[0])
        assert in_child(task) == ""
        assert get_status(folder).dead_letters == 100


class TestSyncs:
    @pytest.fixture
    def always(self, make_spool) -> Spool:
        return make_spool(durability="always")

    @pytest.fixture
    def disk(self, monkeypatch) -> Callable[[bool], None]:
        """Makes the disk fail, or well again."""

        def fail(_: int) -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        real = segment._sync_data
        return lambda well: monkeypatch.setattr(segment, "_sync_data", real if well else fail)

    def test_a_hit_that_is_not_on_disk_is_not_acknowledged(self, always, lines, disk) -> None:
        disk(False)
        with pytest.raises(SpoolFull, match="error"):
            always.append(lines[0])
        assert always.refused == 1

    def test_nor_are_those_that_wait_for_the_same_sync(self, always, lines, files, wait_until, monkeypatch) -> None:
        begun, may_fail, calls = threading.Event(), threading.Event(), []

        def fail(_: int) -> None:
            calls.append(1)
            begun.set()
            assert may_fail.wait(SECONDS)
            if len(calls) == 1:
                raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr(segment, "_sync_data", fail)
        refused = []

        def append(line) -> None:
            try:
                always.append(line)
            except SpoolFull:
                refused.append(line)

        (path,) = files()
        threads = [threading.Thread(target=append, args=(line,)) for line in lines]
        threads[0].start()
        assert begun.wait(SECONDS)
        for thread in threads[1:]:
            thread.start()
        wait_until(lambda: path.stat().st_size == len(lines) * ONE_LINE)  # all are written, and wait for the disk
        may_fail.set()
        for thread in threads:
            thread.join(SECONDS)
        assert (len(refused), len(calls)) == (10, 1)

    def test_the_next_hit_goes_to_a_new_segment_and_is_acknowledged(self, always, lines, files, disk) -> None:
        disk(False)
        with pytest.raises(SpoolFull):
            always.append(lines[0])
        disk(True)
        always.append(lines[1])
        assert [path.read_bytes() for path in files()] == lines[:2]

    def test_what_was_written_is_stored_all_the_same(self, always, make_reader, lines, hits, disk) -> None:
        disk(False)
        with pytest.raises(SpoolFull):
            always.append(lines[0])
        stored = []
        drain(make_reader(), stored.extend)
        assert stored == hits[:1]


class Mail:
    """A mail with a pixel, and the application that its readers' programs ask."""

    def __init__(self, storage, spool: Spool, wait_until) -> None:
        self._wait_until = wait_until
        self.storage, self.spool = storage, spool
        self.tracker = Tracker(storage, spool=spool)
        self.pixel = self.tracker.create_pixel("Spring launch")
        self.failed = threading.Event()
        self._client = Client(create_app(self.tracker))
        self._store = self.tracker._recorder.keep
        self.tracker._recorder.keep = self._watched

    def _watched(self, hits) -> int:
        try:
            return self._store(hits)
        except StorageUnavailable:
            self.failed.set()
            raise

    def open(self, times: int) -> None:
        for _ in range(times):
            answer = self._client.get(f"/tracker/{self.pixel.short_id}.png")
            assert (answer.status_code, answer.data) == (200, TRANSPARENT_PNG.data)

    def number(self) -> int:
        return self.storage.get_pixel(self.pixel.id).opens.raw.number

    def wait_for(self, number: int) -> None:
        self._wait_until(lambda: self.number() >= number)
        assert self.number() == len(all_opens(self.storage, self.pixel)) == number


@pytest.fixture
def mail(tmp_path, make_spool, wait_until) -> Iterator[Mail]:
    with open_storage(f"sqlite:///{tmp_path}/mail.db") as storage:
        mail = Mail(storage, make_spool(opened=False), wait_until)
        yield mail
        mail.tracker.stop(timeout=SECONDS)


class TestLockedDatabases:
    @pytest.fixture(autouse=True)
    def _impatient(self, monkeypatch) -> None:
        monkeypatch.setattr(connections, "BUSY_TIMEOUT", 0.01)

    @contextmanager
    def locked(self, tmp_path: Path) -> Iterator[None]:
        with closing(sqlite3.connect(tmp_path / "mail.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")

    def test_images_go_out_and_all_opens_are_stored_when_the_lock_is_gone(self, mail, tmp_path) -> None:
        mail.tracker.start()
        with self.locked(tmp_path):
            mail.open(50)
            assert mail.failed.wait(SECONDS)
            mail.open(50)
            assert mail.number() == 0
        mail.wait_for(100)
        assert mail.spool.refused == 0

    def test_a_server_that_is_stopped_meanwhile_leaves_them_for_the_next_one(self, mail, tmp_path, folder) -> None:
        mail.tracker.start()
        with self.locked(tmp_path):
            mail.open(20)
            assert mail.tracker.stop(timeout=SECONDS) is False
            assert get_status(folder).lines == 20
        mail.tracker.start()
        assert mail.tracker.stop(timeout=SECONDS) is True
        mail.wait_for(20)

    def test_beyond_the_limit_of_the_spool_images_still_go_out_and_what_is_refused_is_counted(
        self, mail, make_spool, tmp_path, caplog, wait_until
    ) -> None:
        caplog.set_level(logging.CRITICAL)
        mail.tracker._recorder._spool = spool = make_spool(opened=False, max_bytes=10 * ONE_LINE)
        mail.tracker.start()
        with self.locked(tmp_path):
            mail.open(50)
            spooled = get_status(spool.folder).lines
            assert 0 < spooled < 50
            assert spooled + spool.refused == 50
        mail.wait_for(spooled)
        wait_until(lambda: not spool.waits())
        mail.open(1)
        mail.wait_for(spooled + 1)


class TestFullDatabases:
    @pytest.fixture(autouse=True)
    def made(self, monkeypatch) -> list[sqlite3.Connection]:
        """Returns the connections that were made."""
        made = []

        class Watched(sqlite3.Connection):
            def __init__(self, *arguments: Any, **options: Any) -> None:
                super().__init__(*arguments, **options)
                made.append(self)

        monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Watched))
        return made

    def limit(self, connection: sqlite3.Connection, further_pages: int) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + further_pages}").fetchone()

    def test_images_go_out_and_all_opens_are_stored_when_there_is_room(self, mail, make_reader, made) -> None:
        mail.spool.open()
        mail.number()
        self.limit(made[-1], 1)
        mail.open(1000)
        waiting = make_reader()
        for _ in range(3):
            with pytest.raises(StorageUnavailable, match="full"):
                drain(waiting, mail.tracker.store)
            assert mail.number() == 0
            mail.open(10)
        self.limit(made[-1], 10_000)
        drain(waiting, mail.tracker.store)
        mail.wait_for(1030)
        assert mail.spool.refused == 0


class TestFullSpools:
    @pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EROFS])
    def test_images_go_out_and_what_can_not_be_kept_is_counted(self, mail, monkeypatch, caplog, error) -> None:
        caplog.set_level(logging.CRITICAL)
        mail.tracker.start()
        mail.open(5)

        def write(*_: object) -> int:
            raise OSError(error, os.strerror(error))

        with monkeypatch.context() as context:
            context.setattr(mail.spool._active, "_write", write)
            mail.open(5)
        mail.open(5)
        mail.wait_for(10)
        assert mail.spool.refused == 5

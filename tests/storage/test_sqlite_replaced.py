"""A database file that is moved, removed or replaced while it is open: no answer comes from one that is not there."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pytest
import sqlite_utils

from mailtrack import Spool, StorageUnavailable, Tracker
from mailtrack.storage._sqlite import SQLiteStorage, connections, ours, schema
from mailtrack.storage._sqlite.inspection import Inspection
from mailtrack.storage._sqlite.wal import wal_of
from mailtrack.testing import make_pixel
from mailtrack.testing._contract.helpers import at_once


@pytest.fixture
def storage(path: Path) -> Iterator[SQLiteStorage]:
    with SQLiteStorage(path) as storage:
        yield storage


@pytest.fixture
def threads() -> Iterator[list[ThreadPoolExecutor]]:
    """Threads that stay, each with a connection of its own."""
    pools = [ThreadPoolExecutor(1) for _ in range(3)]
    yield pools
    for pool in pools:
        pool.shutdown()


def _names(storage: SQLiteStorage) -> list[str]:
    return [pixel.name for pixel in storage.list_pixels(limit=100).items]


def _names_in(path: Path) -> list[str]:
    """Return the names in a file without its WAL."""
    alone = path.with_name("alone.db")
    shutil.copy(path, alone)
    with SQLiteStorage(alone) as storage:
        return _names(storage)


def _make(path: Path, name: str) -> Path:
    with SQLiteStorage(path) as storage:
        storage.add_pixel(make_pixel(name=name))
    return path


def _files(folder: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in folder.iterdir() if one.is_file()}


class TestAway:
    @pytest.fixture(params=["removed", "moved"], autouse=True)
    def _away(self, request: pytest.FixtureRequest, storage: SQLiteStorage, threads, path: Path) -> None:
        storage.add_pixel(make_pixel(name="before"))
        for thread in threads:
            thread.submit(storage.ping).result()
        elsewhere = path.with_name("elsewhere.db")
        path.rename(elsewhere)
        if request.param == "removed":
            elsewhere.unlink()

    def test_reading_fails_in_each_thread(self, storage: SQLiteStorage, threads) -> None:
        for thread in threads:
            with pytest.raises(StorageUnavailable, match="is gone"):
                thread.submit(_names, storage).result()

    def test_reading_fails_in_a_new_thread(self, storage: SQLiteStorage) -> None:
        with ThreadPoolExecutor(1) as pool, pytest.raises(StorageUnavailable, match="is gone"):
            pool.submit(_names, storage).result()

    def test_writing_fails_in_each_thread(self, storage: SQLiteStorage, threads) -> None:
        for thread in threads:
            with pytest.raises(StorageUnavailable, match="is gone"):
                thread.submit(storage.add_pixel, make_pixel()).result()

    def test_no_new_file_is_made(self, storage: SQLiteStorage, path: Path) -> None:
        with pytest.raises(StorageUnavailable):
            storage.ping()
        storage.close()
        assert not path.exists()


class TestPutBack:
    def test_all_goes_on_with_all_that_was_there(self, storage: SQLiteStorage, threads, path: Path) -> None:
        storage.add_pixel(make_pixel(name="before"))
        path.rename(path.with_name("elsewhere.db"))
        with pytest.raises(StorageUnavailable):
            storage.ping()
        path.with_name("elsewhere.db").rename(path)
        for thread in threads:
            thread.submit(storage.add_pixel, make_pixel(name="after")).result()
        assert _names(storage) == ["after", "after", "after", "before"]

    def test_what_waits_in_the_spool_is_stored_then(self, storage: SQLiteStorage, path: Path) -> None:
        tracker = Tracker(storage, spool=Spool(path.with_name("spool")))
        pixel = tracker.create_pixel("Spring launch")
        tracker.start()
        path.rename(path.with_name("elsewhere.db"))
        tracker.record(pixel.id)
        assert not tracker.stop(timeout=0.3)
        path.with_name("elsewhere.db").rename(path)
        again = Tracker(storage, spool=Spool(path.with_name("spool")))
        again.start()
        again.stop(timeout=30)
        assert storage.get_pixel(pixel.id).opens.raw.number == 1

    def test_another_folder_to_work_in_is_no_other_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "below").mkdir()
        monkeypatch.chdir(tmp_path)
        with SQLiteStorage("mail.db") as storage:
            storage.ping()
            monkeypatch.chdir(tmp_path / "below")
            storage.ping()
            with ThreadPoolExecutor(1) as pool:
                pool.submit(storage.ping).result()


class TestReplaced:
    def test_each_thread_answers_from_the_new_file(self, storage: SQLiteStorage, threads, path: Path) -> None:
        storage.add_pixel(make_pixel(name="former"))
        for thread in threads:
            thread.submit(storage.ping).result()
        _make(path.with_name("new.db"), "new").replace(path)
        assert (
            at_once([lambda thread=thread: thread.submit(_names, storage).result() for thread in threads])
            == [["new"]] * 3
        )
        storage.add_pixel(make_pixel(name="newer"))
        storage.close()
        assert _names_in(path) == ["newer", "new"]
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)

    def test_what_was_in_the_wal_is_in_the_former_file(self, storage: SQLiteStorage, path: Path) -> None:
        storage.add_pixel(make_pixel(name="former"))
        former = path.with_name("former.db")
        os.link(path, former)
        _make(path.with_name("new.db"), "new").replace(path)
        assert _names(storage) == ["new"]
        assert _names_in(former) == ["former"]

    def test_a_new_file_keeps_its_own_wal(self, storage: SQLiteStorage, path: Path) -> None:
        storage.add_pixel(make_pixel(name="former"))
        other, new = path.with_name("other.db"), path.with_name("new.db")
        with SQLiteStorage(other) as writing:
            writing.add_pixel(make_pixel(name="new"))
            shutil.copy(other, new)
            shutil.copy(wal_of(other), wal_of(new))
        wal_of(new).rename(wal_of(path))
        new.rename(path)
        assert _names(storage) == ["new"]

    def test_closing_the_former_leaves_the_new_one_and_its_wal_alone(self, storage: SQLiteStorage, path: Path) -> None:
        storage.add_pixel(make_pixel(name="former"))
        for one in (path, wal_of(path), path.with_name("mail.db-shm")):
            one.unlink()
        with SQLiteStorage(path) as new:
            new.add_pixel(make_pixel(name="new"))
            before = _files(path.parent)
            storage.close()
            assert _files(path.parent) == before
            assert _names(new) == ["new"]

    def test_an_older_file_is_brought_up_to_date(self, storage: SQLiteStorage, path: Path) -> None:
        storage.ping()
        older = path.with_name("older.db")
        with closing(sqlite3.connect(older)) as db:
            schema.migrations.apply(sqlite_utils.Database(db), stop_before="m004_api_keys")
            db.execute(f"PRAGMA application_id = {ours.APPLICATION_ID}")
        older.replace(path)
        assert storage.list_keys() == []

    @pytest.mark.parametrize("content", [b"", b"Dear reader,\n" * 1000, None], ids=["empty", "text", "database"])
    def test_a_foreign_file_is_not_used_and_left_alone(
        self, storage: SQLiteStorage, path: Path, content: bytes | None
    ) -> None:
        storage.add_pixel(make_pixel(name="former"))
        former, foreign = path.with_name("former.db"), path.with_name("foreign.db")
        if content is None:
            with closing(sqlite3.connect(foreign)) as db:
                db.execute("CREATE TABLE pixels (id)")
            content = foreign.read_bytes()
        foreign.write_bytes(content)
        path.rename(former)
        foreign.rename(path)
        for use in (storage.ping, partial(storage.add_pixel, make_pixel())):
            with pytest.raises(StorageUnavailable, match="was replaced, and can't be used"):
                use()
        assert path.read_bytes() == content
        former.rename(path)
        assert _names(storage) == ["former"]

    def test_a_storage_that_was_not_used_yet_looks_at_the_new_file_first(
        self, storage: SQLiteStorage, path: Path
    ) -> None:
        foreign = path.with_name("foreign.db")
        foreign.write_bytes(b"Dear reader,\n" * 1000)
        foreign.replace(path)
        with pytest.raises(StorageUnavailable, match="was replaced, and can't be used"):
            storage.ping()

    @pytest.mark.parametrize("how", ["removed", "replaced"])
    def test_a_write_is_not_acknowledged_where_the_file_goes_meanwhile(
        self, storage: SQLiteStorage, path: Path, how: str
    ) -> None:
        new = _make(path.with_name("new.db"), "new")

        def write() -> None:
            with storage._connections.writing() as db:
                db.execute("INSERT INTO api_keys VALUES (1, 'id', 'name', 'digest', 0)")
                path.unlink() if how == "removed" else new.replace(path)

        with pytest.raises(StorageUnavailable):
            write()

    def test_it_waits_until_other_processes_have_left_the_former_file(self, storage: SQLiteStorage, path: Path) -> None:
        storage.add_pixel(make_pixel(name="former"))
        with _reading(path) as let_go:
            storage.add_pixel(make_pixel(name="formerly"))
            _make(path.with_name("new.db"), "new").replace(path)
            for _ in range(2):
                with pytest.raises(StorageUnavailable, match="other processes still use the former file's WAL"):
                    storage.ping()
            let_go()
            assert _names(storage) == ["new"]

    def test_the_former_may_come_back_while_another_process_has_not_seen_that_it_was_away(
        self, storage: SQLiteStorage, path: Path
    ) -> None:
        """The other one has the WAL open that was taken away, and must write to the one that all use now."""
        storage.add_pixel(make_pixel(name="former"))
        former = path.with_name("former.db")
        with _answering(path) as ask:
            assert ask("first") == "stored"
            path.rename(former)
            _make(path.with_name("new.db"), "new").replace(path)
            assert _names(storage) == ["new"]
            former.replace(path)
            storage.add_pixel(make_pixel(name="again"))
            assert [ask("second"), ask("third")] == ["stored", "stored"]
            assert _names(storage) == ["third", "second", "again", "first", "former"]
        storage.close()
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)

    def test_the_former_does_not_come_back_while_a_thread_still_reads_from_what_it_was(
        self, storage: SQLiteStorage, threads, path: Path
    ) -> None:
        storage.add_pixel(make_pixel(name="former"))
        former = path.with_name("former.db")
        threads[0].submit(storage.ping).result()
        with storage._connections.reading(snapshot=False) as db:
            path.rename(former)
            _make(path.with_name("new.db"), "new").replace(path)
            assert threads[0].submit(_names, storage).result() == ["new"]
            former.replace(path)
            with pytest.raises(StorageUnavailable, match="still in use from before"):
                threads[0].submit(_names, storage).result()
            assert db.execute("SELECT count(*) FROM pixels").fetchone() == (1,)
        assert threads[0].submit(_names, storage).result() == ["former"]

    def test_a_wal_that_was_removed_is_noticed_and_what_was_in_it_is_kept(
        self, storage: SQLiteStorage, path: Path
    ) -> None:
        storage.add_pixel(make_pixel(name="before"))
        wal_of(path).unlink()
        storage.add_pixel(make_pixel(name="after"))
        assert wal_of(path).exists()
        storage.close()
        assert _names_in(path) == ["after", "before"]

    def test_a_link_that_leads_elsewhere_now_is_followed(self, tmp_path: Path) -> None:
        link, first, second = tmp_path / "link.db", tmp_path / "first.db", tmp_path / "second.db"
        _make(second, "second")
        link.symlink_to(_make(first, "first"))
        with SQLiteStorage(link) as storage:
            storage.add_pixel(make_pixel(name="more"))
            link.unlink()
            link.symlink_to(second)
            assert _names(storage) == ["second"]
        assert _names_in(first) == ["more", "first"]


@contextmanager
def _reading(path: Path):
    """Read the file in another process within a transaction; gives what ends it."""
    code = (
        "import sqlite3, sys; db = sqlite3.connect(sys.argv[1], isolation_level=None); db.execute('BEGIN');"
        "db.execute('SELECT * FROM pixels').fetchall(); print('ready', flush=True); sys.stdin.readline();"
        "db.execute('ROLLBACK'); print('done', flush=True); sys.stdin.readline()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as child:
        assert child.stdout.readline() == "ready\n"

        def let_go() -> None:
            child.stdin.write("\n")
            assert child.stdout.readline() == "done\n"

        yield let_go
        child.stdin.close()


# Adds pixels from two threads, each until so many are stored, and prints a line for each that is stored.
WRITER = """
import os, sys, threading
from mailtrack import StorageUnavailable, open_storage
from mailtrack.testing import make_pixel

def write(thread):
    number = 0
    while number < 150:
        name = f"{sys.argv[2]}.{thread}.{number}"
        try:
            storage.add_pixel(make_pixel(name=name))
        except StorageUnavailable:
            threading.Event().wait(0.001)
        else:
            os.write(1, f"{name}\\n".encode())  # whole, whatever the other thread writes
            number += 1

def open_now():
    while True:
        try:
            return open_storage(sys.argv[1])
        except StorageUnavailable:  # the other process has not noticed yet that the file was replaced
            threading.Event().wait(0.001)

with open_now() as storage:
    threads = [threading.Thread(target=write, args=[number]) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


def test_processes_that_write_while_it_is_replaced_again_and_again_lose_nothing(path: Path) -> None:
    """Each replaced file stays under another name; all that was acknowledged is in one of them, and all are sound."""

    def appear(number: int) -> Path:
        file = path.with_name(f"{number}.db")
        SQLiteStorage(file).close()
        os.link(file, path.with_name("next.db"))
        path.with_name("next.db").replace(path)
        return file

    files = [appear(0)]
    command = [sys.executable, "-c", WRITER, f"sqlite:///{path}"]
    with (
        subprocess.Popen([*command, "a"], stdout=subprocess.PIPE, text=True) as one,
        subprocess.Popen([*command, "b"], stdout=subprocess.PIPE, text=True) as other,
    ):
        acknowledged = []
        for name in one.stdout:
            acknowledged.append(name.strip())
            if len(acknowledged) % 40 == 0:
                files.append(appear(len(files)))
        acknowledged += other.stdout.read().split()
    assert (one.returncode, other.returncode, len(acknowledged)) == (0, 0, 600)
    stored = []
    for file in files:
        with closing(sqlite3.connect(file)) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            stored += [name for (name,) in db.execute("SELECT name FROM pixels")]
    assert set(acknowledged) <= set(stored)


# Adds a pixel for each line that it reads, and answers with what came of it.
ANSWERER = """
import sys
from mailtrack import StorageUnavailable, open_storage
from mailtrack.testing import make_pixel

with open_storage(sys.argv[1]) as storage:
    for line in sys.stdin:
        try:
            storage.add_pixel(make_pixel(name=line.strip()))
            print("stored", flush=True)
        except StorageUnavailable:
            print("unavailable", flush=True)
"""


@contextmanager
def _answering(path: Path):
    with subprocess.Popen(
        [sys.executable, "-c", ANSWERER, f"sqlite:///{path}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as child:

        def ask(name: str) -> str:
            child.stdin.write(f"{name}\n")
            return child.stdout.readline().strip()

        yield ask
        child.stdin.close()


def test_a_wal_of_a_file_in_between_is_not_taken_for_the_newest_ones(path: Path) -> None:
    """One process is still at the first file, another at the second, which is replaced by the third."""
    first, second, third = (_make(path.with_name(f"{number}.db"), f"in {number}") for number in range(3))
    first.rename(path)
    with _answering(path) as late, SQLiteStorage(path) as storage:
        storage.ping()
        assert late("late in 0") == "stored"
        os.link(second, path.with_name("next.db"))
        path.with_name("next.db").replace(path)
        storage.add_pixel(make_pixel(name="more in 1"))
        os.link(third, path.with_name("next.db"))
        path.with_name("next.db").replace(path)
        assert late("too early") == "unavailable"
        storage.add_pixel(make_pixel(name="more in 2"))
        assert late("late in 2") == "stored"
        assert _names(storage) == ["late in 2", "more in 2", "in 2"]
    assert _names_in(second) == ["more in 1", "in 1"]
    with closing(sqlite3.connect(third)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_program_that_starts_does_not_take_the_wal_that_a_server_uses_for_the_new_files(path: Path) -> None:
    """The server has not noticed yet that the file was replaced."""
    new = _make(path.with_name("new.db"), "new")
    with SQLiteStorage(path) as storage:
        storage.add_pixel(make_pixel(name="former"))
        os.link(path, path.with_name("former.db"))
        os.link(new, path.with_name("next.db"))
        path.with_name("next.db").replace(path)
        for use in (SQLiteStorage, Inspection):
            with pytest.raises(StorageUnavailable, match="another process still uses the former file's WAL"):
                use(path)
        assert _names(storage) == ["new"]
        with SQLiteStorage(path) as other:
            assert _names(other) == ["new"]
    assert _names_in(path.with_name("former.db")) == ["former"]


def test_a_file_that_is_replaced_while_it_is_opened_is_not_opened(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite would open the one, and then the WAL of the other."""
    new = _make(path.with_name("new.db"), "new")
    _make(path, "former")
    open_file = sqlite3.connect

    def connect(*args, **named):
        connection = open_file(*args, **named)
        new.replace(path)
        return connection

    monkeypatch.setattr(connections.sqlite3, "connect", connect)
    with pytest.raises(StorageUnavailable, match="replaced while it was opened"):
        connections.connect(path)

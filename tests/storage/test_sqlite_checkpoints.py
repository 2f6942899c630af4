"""Files amid a checkpoint, whose header counts pages that only the WAL has: ours open, foreign ones are left alone."""

import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
import sqlite_utils

from mailtrack import StorageError, Tracker, open_storage
from mailtrack.cli import main
from mailtrack.cli._doctor.database import check_database
from mailtrack.storage._sqlite import SQLiteStorage, ours, schema
from mailtrack.storage._sqlite.inspection import Inspection
from mailtrack.storage._sqlite.wal import wal_of
from mailtrack.testing._contract.forks import in_child

TOKENS = 3000
PAGE = 4096


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database as a kill within a checkpoint leaves it: only its first page was moved from the WAL."""
    original = tmp_path_factory.mktemp("original") / "mail.db"
    killed = tmp_path_factory.mktemp("killed") / "mail.db"
    with SQLiteStorage(original) as storage:
        tracker = Tracker(storage)
        tracker.generate_tokens(tracker.create_pixel("Spring launch").id, [f"r{n}@example.org" for n in range(TOKENS)])
        shutil.copy(original, killed)
        shutil.copy(wal_of(original), wal_of(killed))
        with closing(sqlite3.connect(original)) as db:
            db.execute("PRAGMA wal_checkpoint")
        _overwrite(killed, original.read_bytes()[:PAGE])
    return killed


@pytest.fixture
def killed(model: Path, tmp_path: Path) -> Path:
    shutil.copytree(model.parent, tmp_path, dirs_exist_ok=True)
    return tmp_path / "mail.db"


def _overwrite(path: Path, data: bytes) -> None:
    with path.open("r+b") as file:
        file.write(data)


def _files(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {one.name: (one.read_bytes(), one.stat().st_mtime_ns) for one in folder.iterdir()}


def _recipients(path: Path) -> int:
    with SQLiteStorage(path) as storage:
        return storage.list_pixels(limit=9).items[0].recipients


class TestKilledWithinACheckpoint:
    def test_the_file_alone_can_not_be_read(self, killed: Path) -> None:
        wal_of(killed).unlink()
        with closing(sqlite3.connect(killed)) as db, pytest.raises(sqlite3.DatabaseError, match="malformed"):
            db.execute("SELECT * FROM pixels")

    def test_it_opens_with_all_that_is_in_the_wal(self, killed: Path) -> None:
        assert _recipients(killed) == TOKENS
        assert [one.name for one in killed.parent.iterdir()] == ["mail.db"]

    def test_it_opens_without_creating(self, killed: Path) -> None:
        with open_storage(f"sqlite:///{killed}", create=False) as storage:
            storage.ping()

    def test_it_opens_through_a_symbolic_link(self, killed: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
        link = tmp_path_factory.mktemp("elsewhere") / "link.db"
        link.symlink_to(killed)
        assert _recipients(link) == TOKENS

    def test_a_command_reads_it(self, killed: Path, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as ended:
            main(["pixels", "list", "--json", "--database", f"sqlite:///{killed}"])
        assert (ended.value.code, '"recipients": 3000' in capsys.readouterr().out) == (0, True)

    def test_an_inspection_sees_all_and_leaves_it_as_it_is(self, killed: Path) -> None:
        before = _files(killed.parent)
        with Inspection(killed) as inspection:
            assert inspection.find_damage(60) == []
            assert inspection.pending() == []
        assert {name: _files(killed.parent)[name] for name in before} == before

    def test_the_doctor_finds_nothing_wrong(self, killed: Path) -> None:
        assert {finding.outcome.value for finding in check_database(killed)} == {"ok"}

    def test_it_may_have_been_brought_up_to_date_then(self, tmp_path: Path) -> None:
        older, killed = tmp_path / "older.db", tmp_path / "killed.db"
        with closing(sqlite3.connect(older)) as db:
            schema.migrations.apply(sqlite_utils.Database(db), stop_before="m002_judged_opens")
            db.execute(f"PRAGMA application_id = {ours.APPLICATION_ID}")
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("SELECT * FROM pixels")  # now the WAL is open, and stays
            SQLiteStorage(older).close()
            shutil.copy(older, killed)
            shutil.copy(wal_of(older), wal_of(killed))
            db.execute("PRAGMA wal_checkpoint")
        _overwrite(killed, older.read_bytes()[:PAGE])
        with Inspection(killed) as inspection:
            assert inspection.pending() == []
        with SQLiteStorage(killed) as storage:
            assert storage.list_keys() == []

    def test_without_its_wal_it_is_refused_with_what_is_missing(self, killed: Path) -> None:
        wal_of(killed).unlink()
        before = _files(killed.parent)
        for attempt in (partial(SQLiteStorage, killed), partial(Inspection, killed)):
            with pytest.raises(StorageError, match=r"incomplete: .* -wal .* `mailtrack backup`"):
                attempt()
        assert _files(killed.parent) == before


class TestKills:
    """The kernel kills a process when it writes a certain page of the file: all of the WAL's before it are there."""

    @pytest.mark.parametrize("further_pages", [0, 1, 10, 40])
    def test_all_that_was_committed_is_there_and_the_next_process_checkpoints_it(
        self, path: Path, further_pages: int
    ) -> None:
        with SQLiteStorage(path) as storage:
            tracker = Tracker(storage)
            pixel = tracker.create_pixel("Spring launch")
            tracker.generate_tokens(pixel.id, [f"r{n}@example.org" for n in range(TOKENS)])
        size = path.stat().st_size

        def task() -> None:
            storage = SQLiteStorage(path)
            Tracker(storage).generate_tokens(pixel.id, [f"s{n}@example.org" for n in range(TOKENS // 3)])
            assert wal_of(path).stat().st_size < size + further_pages * PAGE  # so that it is the file that ends it
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + further_pages * PAGE, resource.RLIM_INFINITY))
            storage.close()

        assert in_child(task) == f"the child ended with status {signal.SIGXFSZ:d}"
        assert path.stat().st_size == size + further_pages * PAGE
        with (
            closing(sqlite3.connect(f"{path.as_uri()}?immutable=1", uri=True)) as db,
            pytest.raises(sqlite3.DatabaseError, match="malformed"),
        ):
            db.execute("SELECT * FROM pixels")
        with Inspection(path) as inspection:
            assert inspection.find_damage(60) == []
        assert _recipients(path) == TOKENS + TOKENS // 3
        assert not wal_of(path).exists()


class TestTornFirstPages:
    """A power cut while the first page was written."""

    @pytest.mark.parametrize("size", [16, 100, 512, PAGE])
    @pytest.mark.parametrize("byte", [b"\0", b"\xff"], ids=["zeros", "ones"])
    def test_the_first_page_in_the_wal_counts(self, killed: Path, size: int, byte: bytes) -> None:
        _overwrite(killed, byte * size)
        with Inspection(killed) as inspection:
            assert inspection.find_damage(60) == []
        assert _recipients(killed) == TOKENS

    @pytest.mark.parametrize(
        "place",
        [
            pytest.param(0, id="its magic number"),
            pytest.param(20, id="its salt"),
            pytest.param(40, id="a frame's salt"),
            pytest.param(32 + 24 + 1000, id="a page"),
        ],
    )
    def test_it_does_not_count_where_the_wal_is_damaged_too(self, killed: Path, place: int) -> None:
        _overwrite(killed, bytes(100))
        with wal_of(killed).open("r+b") as wal:
            wal.seek(place)
            wal.write(b"\x55\xaa\x55\xaa")
        self._assert_refused_untouched(killed)

    def test_it_does_not_count_where_its_transaction_was_not_committed(self, killed: Path) -> None:
        _overwrite(killed, bytes(100))
        os.truncate(wal_of(killed), 32 + 24 + PAGE)
        self._assert_refused_untouched(killed)

    def test_a_text_beside_a_wal_of_ours_is_left_alone(self, killed: Path) -> None:
        killed.write_text("Dear reader,\n" * 1000)
        self._assert_refused_untouched(killed)

    @staticmethod
    def _assert_refused_untouched(path: Path) -> None:
        before = _files(path.parent)
        for attempt in (partial(SQLiteStorage, path), partial(Inspection, path)):
            with pytest.raises(StorageError, match="not a database"):
                attempt()
        assert _files(path.parent) == before


class TestForeignFiles:
    def test_one_beside_a_wal_of_ours_is_left_alone(self, killed: Path) -> None:
        killed.unlink()
        wal = wal_of(killed).read_bytes()
        with closing(sqlite3.connect(killed)) as db:
            db.execute("CREATE TABLE notes (note TEXT)")
        wal_of(killed).write_bytes(wal)
        self._assert_untouched(killed)

    def test_its_half_done_checkpoint_is_left_alone(self, killed: Path) -> None:
        first = bytearray(killed.read_bytes()[:PAGE])
        first[68:72] = b"\0\0\0\x01"
        _overwrite(killed, first)
        self._assert_untouched(killed)

    def test_its_hot_journal_is_left_alone(self, tmp_path: Path) -> None:
        theirs, path = tmp_path / "theirs.db", tmp_path / "copy" / "theirs.db"
        path.parent.mkdir()
        with closing(sqlite3.connect(theirs, isolation_level=None)) as db:
            db.execute("CREATE TABLE notes (note TEXT)")
            db.execute("PRAGMA cache_size = 1")  # so that pages go to the file before the end
            db.execute("BEGIN")
            db.executemany("INSERT INTO notes VALUES (?)", [("a note" * 100,)] * 1000)
            for end in ("", "-journal"):
                shutil.copy(f"{theirs}{end}", f"{path}{end}")
            db.execute("ROLLBACK")
        assert Path(f"{path}-journal").stat().st_size > 0
        self._assert_untouched(path)

    @staticmethod
    def _assert_untouched(path: Path) -> None:
        before = _files(path.parent)
        for attempt in (partial(SQLiteStorage, path), partial(Inspection, path)):
            with pytest.raises(StorageError, match="not a database of mailtrack"):
                attempt()
        assert _files(path.parent) == before


def test_a_look_at_a_file_drops_no_lock_that_this_process_holds_on_it(tmp_path: Path) -> None:
    path = tmp_path / "mail.db"
    SQLiteStorage(path).close()
    ask = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('PRAGMA locking_mode = EXCLUSIVE')"
    ask += ".connection.execute('BEGIN EXCLUSIVE')"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = DELETE")  # then the locks are on the file itself
        db.execute("BEGIN IMMEDIATE")
        ours.check_ours(path)
        child = subprocess.run([sys.executable, "-c", ask, path], stderr=subprocess.PIPE, text=True, check=False)
        assert "database is locked" in child.stderr


# Grows and empties a table in large transactions, and checkpoints after each few pages.
WRITER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
db.execute("PRAGMA wal_autocheckpoint = 2")
db.execute("CREATE TABLE IF NOT EXISTS ballast (data BLOB)")
print("ready", flush=True)
while True:
    db.execute("BEGIN IMMEDIATE")
    db.executemany("INSERT INTO ballast VALUES (?)", [(bytes(3000),)] * 300)
    db.execute("COMMIT")
    db.execute("BEGIN IMMEDIATE")
    db.execute("DELETE FROM ballast")
    db.execute("COMMIT")
    db.execute("VACUUM")
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A database that another process writes, and checkpoints, all the time."""
    path = tmp_path_factory.mktemp("written") / "mail.db"
    SQLiteStorage(path).close()
    with subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE) as writer:
        try:
            assert writer.stdout.readline() == b"ready\n"
            yield path
            assert writer.poll() is None
        finally:
            writer.kill()


class TestBesideAWriter:
    def test_a_look_at_the_header_never_fails(self, written: Path) -> None:
        for _ in range(2000):
            ours.check_ours(written)

    def test_opening_never_fails(self, written: Path) -> None:
        for _ in range(40):
            with SQLiteStorage(written) as storage:
                storage.ping()

    def test_an_inspection_never_fails(self, written: Path) -> None:
        for _ in range(100):
            with Inspection(written) as inspection:
                assert inspection.pending() == []

    def test_many_threads_that_open_it_never_fail(self, written: Path) -> None:
        failed: list[Exception] = []

        def use() -> None:
            try:
                for _ in range(10):
                    with SQLiteStorage(written) as storage:
                        storage.ping()
            except Exception as error:  # noqa: BLE001  # whatever it is, it is a failure
                failed.append(error)

        threads = [threading.Thread(target=use) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []

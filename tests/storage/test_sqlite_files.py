"""How a SQLite file comes to be, and which files are refused, unharmed."""

import re
import shutil
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
import sqlite_utils

from mailtrack import MailtrackError, StorageError, StorageUnavailable
from mailtrack.storage._sqlite import SQLiteStorage, ours, preparing, schema
from mailtrack.testing import make_pixel
from mailtrack.testing._contract.helpers import at_once


def _bytes(folder: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in folder.iterdir() if one.is_file()}


def _assert_refused(path: Path, match: str) -> None:
    before = _bytes(path.parent)
    with pytest.raises(StorageError, match=match) as caught:
        SQLiteStorage(path)
    assert not isinstance(caught.value, StorageUnavailable)
    assert _bytes(path.parent) == before


class TestCreation:
    def test_a_new_file_is_marked_as_ours(self, path: Path) -> None:
        SQLiteStorage(path).close()
        assert path.read_bytes()[68:72] == b"mail"

    @pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
    def test_only_its_owner_can_read_it(self, path: Path, suffix: str) -> None:
        with SQLiteStorage(path) as storage:
            storage.add_pixel(make_pixel())
            assert stat.S_IMODE(path.with_name(path.name + suffix).stat().st_mode) == 0o600

    def test_nothing_but_the_file_is_left_after_closing(self, path: Path) -> None:
        with SQLiteStorage(path) as storage:
            storage.add_pixel(make_pixel())
        assert [one.name for one in path.parent.iterdir()] == [path.name]

    def test_opening_it_again_changes_no_byte(self, path: Path) -> None:
        with SQLiteStorage(path) as storage:
            storage.add_pixel(make_pixel())
        before = _bytes(path.parent)
        SQLiteStorage(path).close()
        assert _bytes(path.parent) == before

    def test_what_a_killed_process_was_making_is_no_hindrance(self, path: Path) -> None:
        path.with_name(path.name + ".0123456789abcdef.new").write_bytes(b"half")
        with SQLiteStorage(path) as storage:
            storage.add_pixel(make_pixel())
            storage.ping()

    def test_a_file_that_another_process_made_meanwhile_is_left_as_it_is(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pixel, migrate = make_pixel(), preparing._migrate

        def meanwhile(*args: object) -> None:
            monkeypatch.setattr(preparing, "_migrate", migrate)
            migrate(*args)
            with SQLiteStorage(path) as faster:
                faster.add_pixel(pixel)

        monkeypatch.setattr(preparing, "_migrate", meanwhile)
        with SQLiteStorage(path) as storage:
            assert storage.list_pixels(limit=9).items == (pixel,)

    def test_many_threads_that_create_it_at_once_make_one_file(self, path: Path) -> None:
        storages = at_once([partial(SQLiteStorage, path)] * 8)
        for storage in storages:
            storage.add_pixel(make_pixel())
        assert {len(storage.list_pixels(limit=9).items) for storage in storages} == {8}
        for storage in storages:
            storage.close()

    def test_many_processes_that_create_it_at_once_migrate_once(self, path: Path) -> None:
        code = (
            "import sys; from mailtrack import Tracker, open_storage;"
            "print('ready', flush=True); sys.stdin.readline();"
            "storage = open_storage(sys.argv[1]); Tracker(storage).create_pixel('One'); storage.close()"
        )
        children = [
            subprocess.Popen(
                [sys.executable, "-c", code, f"sqlite:///{path}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            for _ in range(4)
        ]
        for child in children:
            child.stdout.readline()
        for child in children:
            child.stdin.write(b"\n")
            child.stdin.flush()
        for child in children:
            child.communicate()
        assert [child.returncode for child in children] == [0] * 4
        with SQLiteStorage(path) as storage:
            assert len(storage.list_pixels(limit=9).items) == 4
        with closing(sqlite3.connect(path)) as db:
            applied = [name for (name,) in db.execute("SELECT name FROM _sqlite_migrations")]
        assert len(applied) == len(set(applied)) > 0
        assert [one.name for one in path.parent.iterdir()] == [path.name]


class TestRefusal:
    def test_a_zero_length_file(self, path: Path) -> None:
        path.touch()
        _assert_refused(path, "is empty")

    def test_a_missing_file_beside_an_orphaned_wal(self, path: Path) -> None:
        path.with_name(path.name + "-wal").write_bytes(b"what is left")
        _assert_refused(path, "WAL")

    @pytest.mark.parametrize("content", [b"Dear reader,\n" * 100, b"\0" * 4096, b"x"])
    def test_a_file_that_is_no_database(self, path: Path, content: bytes) -> None:
        path.write_bytes(content)
        _assert_refused(path, f"^{re.escape(str(path))} .*not a database")

    @pytest.mark.parametrize("application_id", [0, 1, 0x6D61696D])
    def test_a_database_of_another_program(self, path: Path, application_id: int) -> None:
        with closing(sqlite3.connect(path)) as db:
            db.execute(f"PRAGMA application_id = {application_id}")
            db.execute("CREATE TABLE pixels (id TEXT)")
        _assert_refused(path, "not a database of mailtrack")

    def test_a_database_of_another_program_with_writes_in_its_wal(self, tmp_path: Path) -> None:
        theirs = tmp_path / "theirs.db"
        path = tmp_path / "copy" / "theirs.db"
        path.parent.mkdir()
        with closing(sqlite3.connect(theirs)) as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("CREATE TABLE notes (note TEXT)")
            for suffix in ("", "-wal"):
                shutil.copy(f"{theirs}{suffix}", f"{path}{suffix}")
        _assert_refused(path, "not a database of mailtrack")

    def test_a_file_of_a_newer_mailtrack(self, path: Path) -> None:
        SQLiteStorage(path).close()
        with closing(sqlite3.connect(path)) as db, db:
            db.execute(
                "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('mailtrack', 'm999', '')"
            )
        _assert_refused(path, "newer mailtrack")

    def test_a_file_whose_first_page_is_damaged(self, path: Path) -> None:
        SQLiteStorage(path).close()
        content = path.read_bytes()
        path.write_bytes(content[:100] + b"\xff" * 3996 + content[4096:])
        _assert_refused(path, f"^{re.escape(str(path))} can't be used: .*malformed")

    @pytest.mark.parametrize("pages", [1, 2, 20])
    def test_a_file_that_was_cut(self, path: Path, pages: int) -> None:
        SQLiteStorage(path).close()
        path.write_bytes(path.read_bytes()[: pages * 4096])
        _assert_refused(path, f"^{re.escape(str(path))} is incomplete: .* -wal .* `mailtrack backup`")

    def test_a_file_whose_tables_are_elsewhere(self, path: Path) -> None:
        with closing(sqlite3.connect(path)) as db:
            db.execute(f"PRAGMA application_id = {ours.APPLICATION_ID}")
            db.execute("PRAGMA journal_mode = WAL")
        _assert_refused(path, f"^{re.escape(str(path))} is incomplete: it has no tables. .* -wal ")

    def test_a_folder(self, path: Path) -> None:
        path.mkdir()
        with pytest.raises(StorageError, match=f"^{re.escape(str(path))} can't be used: it is a folder"):
            SQLiteStorage(path)

    def test_a_folder_that_does_not_exist(self, path: Path) -> None:
        with pytest.raises(StorageError, match="can't be used"):
            SQLiteStorage(path / "mail.db")

    def test_damage_that_shows_later_is_reported_in_our_own_words(self, path: Path) -> None:
        with SQLiteStorage(path) as storage:
            for _ in range(100):
                storage.add_pixel(make_pixel())
        with closing(sqlite3.connect(path)) as db:
            (root,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'pixels'").fetchone()
        content = path.read_bytes()
        path.write_bytes(content[: (root - 1) * 4096] + b"\xff" * 4096 + content[root * 4096 :])
        with SQLiteStorage(path) as storage, pytest.raises(MailtrackError, match="malformed"):
            storage.list_pixels(limit=100)


def test_pixels_of_an_older_file_are_found_by_their_names(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        schema.migrations.apply(sqlite_utils.Database(db), stop_before="m003_found_opens_and_pixels")
        db.execute(f"PRAGMA application_id = {ours.APPLICATION_ID}")
        db.execute("INSERT INTO pixels (id, short_id, name, created_at) VALUES ('a', 'a', 'Große Post', 0)")
        db.commit()
    with SQLiteStorage(path) as storage:
        assert [one.name for one in storage.list_pixels(limit=9, search="GROSSE").items] == ["Große Post"]

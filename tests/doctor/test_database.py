"""What can be wrong with a database file."""

import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest

from mailtrack import Tracker, open_storage
from mailtrack.cli._doctor.database import check_database, check_sqlite
from mailtrack.storage._sqlite import connections
from mailtrack.storage._sqlite.inspection import Inspection, may_damage_wal
from mailtrack.testing import FakeClock

GOOD = {"database": "ok", "tables": "ok", "journal": "ok", "durability": "ok", "space": "ok", "integrity": "ok"}


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """A database with a pixel and recipients, to be copied."""
    path = tmp_path_factory.mktemp("model") / "mailtrack.db"
    with open_storage(f"sqlite:///{path}") as storage:
        tracker = Tracker(storage, clock=FakeClock())
        pixel = tracker.create_pixel("Spring launch")
        tracker.generate_tokens(pixel.id, [f"ann{number}@example.org" for number in range(2000)])
        tracker.record(pixel.id)
    return path


@pytest.fixture
def path(model, tmp_path):
    return shutil.copy(model, tmp_path / "mailtrack.db")


@pytest.fixture
def check(path, outcomes):
    """Returns the outcomes that are not `ok`."""
    return lambda **options: {
        name: outcome for name, outcome in outcomes(check_database(path, **options)).items() if outcome != "ok"
    }


def change(path, *statements):
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for statement in statements:
            db.execute(statement)


def test_a_database_of_ours_is_fine(path, outcomes):
    assert outcomes(check_database(path)) == GOOD


def test_it_is_left_as_it_was(path):
    before = path.read_bytes()
    list(check_database(path))
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == ["mailtrack.db"]


def test_what_a_killed_server_left_in_the_wal_stays_there(check, path, tmp_path_factory):
    folder = tmp_path_factory.mktemp("running")
    with closing(sqlite3.connect(shutil.copy(path, folder))) as db:
        db.execute("UPDATE pixels SET name = 'Autumn'")
        db.commit()
        for name in ("mailtrack.db", "mailtrack.db-wal"):
            shutil.copy(folder / name, path.parent)
    files = {one: one.read_bytes() for one in (path, path.with_name("mailtrack.db-wal"))}
    assert files[path.with_name("mailtrack.db-wal")]
    assert check() == {}
    assert {one: one.read_bytes() for one in files if one.exists()} == files
    (found,) = [finding.found for finding in check_database(path) if finding.check == "journal"]
    whole = "A copy of the file needs mailtrack.db-wal too; `mailtrack backup` includes it."
    assert found == f"The journal mode is WAL. {whole}"


def test_one_that_is_missing_is_not_made(check, path):
    path.unlink()
    assert check() == {"database": "failed"}
    assert list(path.parent.iterdir()) == []


def test_one_that_is_missing_beside_its_wal_is_not_made(path):
    path.rename(path.with_name("mailtrack.db-wal"))
    (found,) = check_database(path)
    assert (found.outcome, found.found) == ("failed", f"There is no {path}, but its WAL is there.")
    assert [one.name for one in path.parent.iterdir()] == ["mailtrack.db-wal"]


@pytest.mark.parametrize("data", [b"", b"no database" * 100, bytes(4096)], ids=["empty", "text", "zeros"])
def test_one_that_is_none_is_left_alone(check, path, data):
    path.write_bytes(data)
    assert check() == {"database": "failed"}
    assert path.read_bytes() == data


def test_a_folder_in_its_place_fails(check, path):
    path.unlink()
    path.mkdir()
    assert check() == {"database": "failed"}


def test_a_foreign_one_fails(check, path):
    change(path, "PRAGMA application_id = 1")
    assert check() == {"database": "failed"}


def test_a_damaged_page_is_found(check, path):
    data = bytearray(path.read_bytes())
    pages = len(data) // 4096
    for page in range(pages - 10, pages):
        data[page * 4096 : page * 4096 + 200] = b"\xff" * 200
    path.write_bytes(data)
    assert check()["integrity"] == "failed"


def test_a_damaged_first_page_ends_the_look(check, path):
    data = bytearray(path.read_bytes())
    data[100:4096] = b"\xff" * 3996
    path.write_bytes(data)
    assert check()["database"] == "failed"


def test_a_damaged_list_of_migrations_ends_the_look(path, outcomes):
    with closing(sqlite3.connect(path)) as db:
        (root,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = '_sqlite_migrations'").fetchone()
    data = bytearray(path.read_bytes())
    data[(root - 1) * 4096 : root * 4096] = b"\xff" * 4096
    path.write_bytes(data)
    found = list(check_database(path))
    assert outcomes(found) == {"database": "ok", "integrity": "failed"}
    assert "can't be read" in found[-1].found


def test_the_look_for_damage_ends_in_time(check):
    assert check(seconds=-1) == {"integrity": "skipped"}


def test_an_older_one_is_a_warning_and_is_not_changed(check, path):
    change(path, "DELETE FROM _sqlite_migrations WHERE name LIKE 'm003%'")
    before = path.read_bytes()
    assert check() == {"tables": "warning"}
    assert path.read_bytes() == before


def test_a_newer_one_fails(check, path):
    change(path, "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('mailtrack', 'm999', '')")
    assert check() == {"tables": "failed"}


def test_another_journal_mode_fails(check, path):
    change(path, "PRAGMA journal_mode = DELETE")
    assert check() == {"journal": "failed"}


def test_one_that_is_locked_fails(check, path, monkeypatch):
    monkeypatch.setattr(connections, "BUSY_TIMEOUT", 0.01)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert check() == {"database": "failed"}


def test_a_sqlite_that_does_not_do_as_told_fails(check, monkeypatch):
    monkeypatch.setattr(connections, "_PRAGMAS", ("PRAGMA synchronous = OFF",))
    assert check() == {"durability": "failed"}


def test_the_newest_open_is_told(path):
    with Inspection(path) as inspection:
        assert inspection.newest_open() == FakeClock()()
        assert inspection.newest_open() < datetime.now(UTC)


@pytest.mark.parametrize(
    ("version", "outcome"),
    [
        ((3, 30, 1), "failed"),
        ((3, 31, 0), "warning"),
        ((3, 40, 1), "warning"),
        ((3, 44, 5), "warning"),
        ((3, 44, 6), "ok"),
        ((3, 45, 9), "warning"),
        ((3, 50, 6), "warning"),
        ((3, 50, 7), "ok"),
        ((3, 51, 2), "warning"),
        ((3, 51, 3), "ok"),
        ((3, 53, 0), "ok"),
        ((4, 0, 0), "ok"),
    ],
)
def test_versions_of_sqlite_with_known_faults_are_told(outcomes, version, outcome):
    assert outcomes([check_sqlite(version)]) == {"sqlite": outcome}


def test_each_version_before_the_fix_may_damage():
    assert may_damage_wal((3, 7, 0))


@pytest.mark.parametrize(("mode", "outcome", "text"), [("INCREMENTAL", "ok", "server"), ("NONE", "warning", "backup")])
def test_free_space_is_shown_with_how_it_is_given_back(path, mode, outcome, text):
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute(f"PRAGMA auto_vacuum = {mode}")
        db.execute("VACUUM")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE filler AS SELECT zeroblob(5 * 1048576)")
        db.execute("DROP TABLE filler")
    (found,) = (finding for finding in check_database(path) if finding.check == "space")
    assert (found.outcome.value, text in f"{found.found} {found.advice}") == (outcome, True)
    assert found.found.startswith("5 MiB ")

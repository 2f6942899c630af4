"""`mailtrack backup`."""

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from mailtrack import Spool, Tracker, VerdictKind, open_storage
from mailtrack.testing import make_hit
from mailtrack.testing._factories import to_line


@pytest.fixture
def waiting(pixel):
    """A hit that waits in the spool beside the default database."""
    spool = Spool("mailtrack.db.spool")
    spool.open()
    spool.append(to_line(make_hit(pixel)))
    spool.close()


@pytest.mark.usefixtures("waiting")
def test_it_writes_a_copy_with_what_waits_in_the_spool(run, pixel, recipient, tmp_path):
    result = run("backup", "copy.db")
    size = (tmp_path / "copy.db").stat().st_size
    assert (result.stdout, result.stderr) == ("", f"copy.db: {size:,} bytes, 1 open from the spool.\n")
    with open_storage("sqlite:///copy.db") as copy:
        found = copy.get_pixel(pixel.id)
        assert (found.name, found.recipients, found.opens.raw.number) == (pixel.name, 1, 1)
        assert Tracker(copy).get_recipient(recipient.id) == recipient


@pytest.mark.usefixtures("waiting")
def test_what_waits_is_judged_by_the_options(run, pixel):
    run("backup", "strict.db", "--counted", "proxy")
    run("backup", "lax.db", environment={"MAILTRACK_COUNTED": ",".join(VerdictKind)})
    for name, counted in (("strict", 0), ("lax", 1)):
        with open_storage(f"sqlite:///{name}.db") as copy:
            assert copy.get_pixel(pixel.id).opens.counted.number == counted


@pytest.mark.usefixtures("waiting")
def test_the_spool_can_be_named_or_left_out(run, tmp_path):
    assert "0 opens from the spool" in run("backup", "without.db", "--spool", "off").stderr
    (tmp_path / "mailtrack.db.spool").rename(tmp_path / "moved")
    assert "1 open from the spool" in run("backup", "with.db", "--spool", "moved").stderr


@pytest.mark.usefixtures("pixel")
def test_a_copy_can_be_used_as_the_database(run):
    run("backup", "copy.db")
    run("pixels", "create", "Later", "--database", "sqlite:///copy.db")
    listed = run("pixels", "list", "--database", "sqlite:///copy.db").stdout
    assert [line.split()[-1] for line in listed.splitlines()] == ["NAME", "Later", "launch"]


@pytest.mark.usefixtures("pixel")
def test_a_file_that_exists_is_not_overwritten(run, tmp_path):
    (tmp_path / "copy.db").write_text("the last backup")
    assert "a backup overwrites none" in run("backup", "copy.db", exits=1).stderr
    assert (tmp_path / "copy.db").read_text() == "the last backup"


@pytest.mark.usefixtures("pixel")
def test_a_folder_that_does_not_exist_is_an_error(run):
    assert "No backup was written: No such file or directory." in run("backup", "missing/copy.db", exits=1).stderr


def test_a_database_that_does_not_exist_is_not_made(run, tmp_path):
    result = run("backup", "copy.db", "--database", "sqlite:///other.db", exits=1)
    assert f"No database at {tmp_path / 'other.db'}" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_database_in_memory_has_no_backup(run):
    result = run("backup", "copy.db", "--database", "memory://", exits=1)
    assert "A storage of this kind can't be backed up to a file." in result.stderr


def test_it_is_written_while_another_program_holds_the_database_locked(run, pixel, tmp_path):
    with closing(sqlite3.connect(tmp_path / "mailtrack.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        run("backup", "copy.db")
        other.execute("ROLLBACK")
    with open_storage("sqlite:///copy.db") as copy:
        assert copy.get_pixel(pixel.id) == pixel


# Stays within the copying of the database.
STOPPED = """
import threading
from mailtrack.cli import main
from mailtrack.storage._sqlite import SQLiteStorage

def copy_to(self, file):
    print(file, flush=True)
    threading.Event().wait()

SQLiteStorage.copy_to = copy_to
main()
"""


@pytest.mark.usefixtures("pixel")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_without_a_trace(tmp_path, number):
    before = sorted(one.name for one in tmp_path.iterdir())
    command = [sys.executable, "-c", STOPPED, "backup", "copy.db"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert ".partial" in process.stdout.readline()
        process.send_signal(number)
        assert "Aborted!" in process.communicate()[1]
    assert process.returncode == 1
    assert sorted(one.name for one in tmp_path.iterdir()) == before


def test_a_spool_with_more_segments_than_a_process_may_usually_open_is_copied(pixel, tmp_path):
    for _ in range(100):
        spool = Spool("mailtrack.db.spool")
        spool.open()
        spool.append(to_line(make_hit(pixel)))
        spool.close()
    assert len(list((tmp_path / "mailtrack.db.spool").iterdir())) >= 100
    command = [sys.executable, "-m", "mailtrack", "backup", "copy.db"]
    ended = subprocess.run(["sh", "-c", 'ulimit -Sn 64; exec "$@"', "sh", *command], stderr=subprocess.PIPE, text=True)
    assert (ended.returncode, "100 opens from the spool" in ended.stderr) == (0, True)

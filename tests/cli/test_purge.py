"""`mailtrack purge`."""

import os
import pty
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from datetime import timedelta

import pytest

from mailtrack import Spool, open_storage
from mailtrack._times import now
from mailtrack.testing import make_hit, make_open
from mailtrack.testing._factories import to_line

COMMAND = [sys.executable, "-c", "from mailtrack.cli import main; main()", "purge"]


@pytest.fixture
def add(tracker):
    """Makes a pixel with opens that are so many days old."""

    def add(name, *days):
        pixel = tracker.create_pixel(name)
        tracker.store([make_hit(pixel, at=now() - timedelta(days=age, minutes=1)) for age in days])
        return pixel

    return add


def kept(tracker, pixel):
    return tracker.get_pixel(pixel.id).kept


def test_it_lists_what_goes_and_deletes_it(run, tracker, add):
    spring, summer, _ = add("Spring", 100, 90, 89, 1), add("Summer", 91), add("Autumn", 3)
    result = run("purge", "--older-than", "90d", "--yes")
    head, *rows, total = [line.split(None, 2) for line in result.stdout.splitlines()]
    assert head == ["ID", "OPENS", "NAME"]
    assert rows == [[summer.short_id, "1", "Summer"], [spring.short_id, "2", "Spring"]]
    assert total[:2] == ["3", "opens"]
    assert result.stderr.endswith("Deleted 3 opens.\n")
    assert (kept(tracker, spring), kept(tracker, summer)) == (2, 0)
    assert tracker.get_pixel(spring.id).opens.raw.number == 4


@pytest.mark.parametrize(("age", "left"), [("47h", 1), ("49h", 2), ("1d", 1), ("3d", 2), ("1w", 3), ("99999w", 3)])
def test_an_age_is_in_hours_days_or_weeks(run, tracker, add, age, left):
    pixel = add("Spring", 0, 2, 6)
    run("purge", "--older-than", age, "--yes")
    assert kept(tracker, pixel) == left


@pytest.mark.parametrize(
    "age", ["", "90", "d", "0d", "-1d", "1.5d", "1m", "1y", "90 d", "90D", "٩d", "1d\n", "100000d"]
)
def test_another_age_is_wrong_usage(run, tracker, add, age):
    pixel = add("Spring", 500)
    result = run("purge", "--older-than", age, "--yes", exits=2)
    assert "as in 12h, 90d or 26w" in result.stderr
    assert kept(tracker, pixel) == 1


def test_it_can_be_of_one_pixel_alone(run, tracker, add):
    spring, summer = add("Spring", 100), add("Summer", 100)
    run("purge", "--older-than", "90d", "--pixel", summer.short_id, "--yes")
    assert (kept(tracker, spring), kept(tracker, summer)) == (1, 0)


@pytest.mark.usefixtures("tracker")
def test_an_unknown_pixel_is_an_error(run):
    assert "Pixel not found" in run("purge", "--older-than", "90d", "--pixel", "00000000", "--yes", exits=1).stderr


def test_it_says_so_where_there_is_nothing_to_delete(run, add):
    add("Spring", 1)
    result = run("purge", "--older-than", "90d")
    assert (result.stdout, result.stderr) == ("", "No opens are that old.\n")


def test_of_many_pixels_the_first_are_listed(run, add):
    for number in range(23):
        add(f"Mailing {number}", 100)
    lines = run("purge", "--older-than", "90d", "--yes").stdout.splitlines()
    assert [lines[1].split()[-1], lines[20].split()[-1], *lines[21:22]] == ["22", "3", "and 3 more pixels"]


def test_a_database_that_does_not_exist_is_not_made(run, tmp_path):
    result = run("purge", "--older-than", "90d", "--database", "sqlite:///other.db", exits=1)
    assert f"No database at {tmp_path / 'other.db'}" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_without_a_terminal_it_asks_nothing_and_deletes_nothing(run, tracker, add):
    pixel = add("Spring", 100)
    result = run("purge", "--older-than", "90d", stdin="y\n", exits=2)
    assert "Nothing was deleted; --yes deletes without asking." in result.stderr
    assert kept(tracker, pixel) == 1


@pytest.mark.parametrize(("answer", "code", "left"), [(b"y\n", 0, 0), (b"n\n", 1, 1), (b"\n", 1, 1), (b"\x04", 1, 1)])
def test_on_a_terminal_it_asks(tracker, add, answer, code, left):
    pixel = add("Spring", 100)
    outside, inside = pty.openpty()
    try:
        with subprocess.Popen(
            [*COMMAND, "--older-than", "90d"], stdin=inside, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process:
            os.write(outside, answer)
            printed, _ = process.communicate(timeout=60)
    finally:
        os.close(inside)
        os.close(outside)
    assert (process.returncode, kept(tracker, pixel)) == (code, left)
    assert b"1 open from before" in printed
    assert b"Delete them for good?" in printed


def test_hits_that_lie_in_the_spool_keep_the_opens_from_then_on(run, tracker, add):
    pixel = add("Spring", 300, 200, 100)
    spool = Spool("mailtrack.db.spool")
    spool.open()
    spool.append(to_line(make_hit(pixel, at=now() - timedelta(days=250))))
    spool.close()
    result = run("purge", "--older-than", "90d", "--yes")
    assert "the spool still holds hits from then on" in result.stderr
    assert kept(tracker, pixel) == 2
    run("spool", "drain")
    result = run("purge", "--older-than", "90d", "--yes")
    assert "spool" not in result.stderr
    assert (kept(tracker, pixel), tracker.get_pixel(pixel.id).opens.raw.number) == (0, 4)


def test_a_database_that_stays_locked_is_an_error_that_says_how_many_were_deleted(
    run, tracker, add, tmp_path, monkeypatch
):
    pixel = add("Spring", 100)
    monkeypatch.setattr("mailtrack.storage._sqlite.connections.BUSY_TIMEOUT", 0.05)
    with closing(sqlite3.connect(tmp_path / "mailtrack.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        result = run("purge", "--older-than", "90d", "--yes", exits=1)
        other.execute("ROLLBACK")
    assert "Deleted 0 opens." in result.stderr
    assert "Error: SQLite: database is locked" in result.stderr
    assert kept(tracker, pixel) == 1


@contextmanager
def purging():
    """Run a purge until it has begun to delete."""
    with subprocess.Popen(
        [*COMMAND, "--older-than", "90d", "--yes"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        process.stderr.readline()  # what it is about to do
        yield process


def test_ctrl_c_ends_it_between_two_steps_and_it_says_how_many_were_deleted(storage_of_many, tracker):
    pixel, number = storage_of_many
    with purging() as process:
        process.send_signal(signal.SIGINT)
        _, printed = process.communicate(timeout=60)
    deleted = number - kept(tracker, pixel)
    assert 0 < deleted < number
    assert f"Deleted {deleted:,} opens." in printed
    assert process.returncode == 1


@pytest.fixture
def storage_of_many(tracker):
    """A pixel with as many old opens as take some seconds to delete."""
    pixel = tracker.create_pixel("Many")
    at, number = now() - timedelta(days=100), 40_000
    with open_storage("sqlite:///mailtrack.db") as storage:
        for _ in range(number // 4000):
            storage.add_opens([make_open(pixel, at=at) for _ in range(4000)])
    return pixel, number

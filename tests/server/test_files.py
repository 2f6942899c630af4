"""What the server leaves of its database file, and what it does when the file is not what it was."""

import os
import shutil
import signal
import sqlite3
import threading
from contextlib import closing, suppress

import pytest

from mailtrack.storage.sqlite.wal import has_content, wal_of

SECONDS = 30  # that something which must happen may take


def wait_until(condition):
    pause = threading.Event()
    for _ in range(SECONDS * 20):
        if condition():
            return
        pause.wait(0.05)
    raise AssertionError("it did not happen")


def add_recipients(running, pixel, number):
    path = f"/api/v1/pixels/{pixel['id']}/generate-tokens"
    answer = running("POST", path, json_body={"emails": [f"r{n}@example.org" for n in range(number)]})
    assert answer.status == 201


def recipients_in(path, tmp_path):
    """Count the recipients in a file without its WAL."""
    alone = shutil.copy(path, tmp_path / "alone.db")
    with closing(sqlite3.connect(alone)) as db:
        return db.execute("SELECT count(*) FROM recipients").fetchone()[0]


@pytest.mark.parametrize("options", [(), ("--workers", 2), ("--spool", "off"), ("--spool", "off", "--workers", 2)])
def test_a_clean_end_leaves_all_in_the_file_and_no_wal(start, tmp_path, options):
    running = start(*options)
    pixel = running.create_pixel()
    add_recipients(running, pixel, 3000)
    database = running.folder / "mailtrack.db"
    assert has_content(database)
    assert running.stop() == 0
    assert not wal_of(database).exists()
    assert recipients_in(database, tmp_path) == 3000


def test_the_last_worker_to_end_leaves_no_wal_where_the_main_process_was_killed(start, tmp_path):
    running = start("--workers", 2)
    pixel = running.create_pixel()
    add_recipients(running, pixel, 3000)
    workers = running.workers()
    running.kill_alone()
    for worker in workers:
        with suppress(ProcessLookupError):  # it may have seen that it is alone
            os.kill(worker, signal.SIGTERM)
    database = running.folder / "mailtrack.db"
    wait_until(lambda: not wal_of(database).exists())
    assert recipients_in(database, tmp_path) == 3000

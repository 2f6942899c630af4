"""What the server leaves of its database file, and what it does when the file is not what it was."""

import os
import shutil
import signal
import sqlite3
import threading
from contextlib import closing, suppress

import pytest

from mailtrack._images.check import TRANSPARENT_PNG
from mailtrack.storage._sqlite.wal import has_content, wal_of

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


@pytest.mark.parametrize("options", [(), ("--workers", 2), ("--workers", 2, "--spool", "off")])
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


def test_it_comes_up_again_after_a_kill_within_a_checkpoint(start, run_server, tmp_path_factory):
    running = start()
    pixel = running.create_pixel()
    add_recipients(running, pixel, 3000)
    original, folder = running.folder / "mailtrack.db", tmp_path_factory.mktemp("killed")
    shutil.copy(original, folder)
    shutil.copy(wal_of(original), folder)
    with closing(sqlite3.connect(original)) as db:
        db.execute("PRAGMA wal_checkpoint")
    with (folder / "mailtrack.db").open("r+b") as file:
        file.write(original.read_bytes()[:4096])
    with run_server(folder) as again:
        assert again("GET", f"/api/v1/pixels/{pixel['id']}").json["recipients"] == 3000


def each_answers(running, expected, pixel, number=40):
    """Ask over connections of their own, so that all workers and threads are asked."""
    found = {running("GET", f"/api/v1/pixels/{pixel['id']}").status for _ in range(number)}
    return found == {expected}


@pytest.mark.parametrize("how", ["moved", "replaced"])
def test_without_its_file_no_worker_answers_from_it_and_no_open_is_lost(start, how):
    running = start("--workers", 2)
    pixel = running.create_pixel()
    assert each_answers(running, 200, pixel)
    database = running.folder / "mailtrack.db"
    elsewhere = database.rename(running.folder / "elsewhere.db")
    if how == "replaced":
        database.write_bytes(b"Dear reader,\n" * 1000)
    assert each_answers(running, 503, pixel)
    assert running("POST", "/api/v1/pixels", json_body={"name": "Next"}).status == 503
    for number in range(20):
        path = f"/tracker/{pixel['id'][:8]}.png"
        answer = running("GET", path, headers={"User-Agent": f"#{number}"})
        assert (answer.status, answer.data) == (200, TRANSPARENT_PNG.data)
    elsewhere.replace(database)
    assert each_answers(running, 200, pixel)
    assert running.stop() == 0
    assert sorted(running.opens(pixel)) == sorted(f"#{number}" for number in range(20))


def test_a_new_file_of_ours_in_its_place_is_answered_from_by_all_workers(start, run_server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("other")
    with run_server(folder) as other:
        theirs = other.create_pixel()
    running = start("--workers", 2)
    pixel = running.create_pixel()
    assert each_answers(running, 200, pixel)
    (folder / "mailtrack.db").replace(running.folder / "mailtrack.db")
    wait_until(lambda: each_answers(running, 200, theirs))
    assert each_answers(running, 404, pixel)
    assert running.stop() == 0
    assert not wal_of(running.folder / "mailtrack.db").exists()

"""Backups and purges beside a running server: a copy is whole, and holds all that was answered before it began."""

import itertools
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

from mailtrack import Tracker, open_storage
from mailtrack._times import now
from mailtrack.testing._contract.helpers import all_opens
from mailtrack.testing._factories import make_open

SECONDS = 60  # that something which must happen may take


def command(running, *arguments) -> str:
    """Run `mailtrack` beside a server, and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "from mailtrack.cli import main; main()", *map(str, arguments)],
        cwd=running.folder,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


class Load:
    """Clients that open mails and make tokens, each under another name, until they are stopped."""

    def __init__(self, running, pixel) -> None:
        self.opened, self.made = [], []  # what was answered
        self._running, self._pixel = running, pixel
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._ends = threading.Event()
        self._threads = [threading.Thread(target=work) for work in (self._open, self._open, self._make)]

    def _open(self) -> None:
        with closing(self._running.connect()) as connection:
            while not self._ends.is_set():
                name = f"reader {next(self._numbers)}"
                path = f"/tracker/{self._pixel['id'][:8]}.png"
                answer = self._running("GET", path, headers={"Referer": name}, connection=connection)
                assert answer.status == 200
                self._note(self.opened, name)

    def _make(self) -> None:
        while not self._ends.is_set():
            emails = [f"r{next(self._numbers)}@example.org" for _ in range(20)]
            path = f"/api/v1/pixels/{self._pixel['id']}/generate-tokens"
            answer = self._running("POST", path, json_body={"emails": emails})
            assert answer.status == 201
            self._note(self.made, *(one["token"] for one in answer.json["tokens"]))

    def _note(self, answered, *names) -> None:
        with self._changed:
            answered += names
            self._changed.notify_all()

    def wait_for_more(self) -> tuple[set[str], set[str]]:
        """Wait until more was answered of both kinds, and return all that was."""
        with self._changed:
            opened, made = len(self.opened) + 100, len(self.made) + 1
            assert self._changed.wait_for(lambda: len(self.opened) >= opened and len(self.made) >= made, SECONDS)
            return set(self.opened), set(self.made)

    @contextmanager
    def going_on(self):
        for thread in self._threads:
            thread.start()
        try:
            yield self
        finally:
            self._ends.set()
            for thread in self._threads:
                thread.join()


def check(file: Path, pixel, opened: set[str], made: set[str]) -> None:
    """Check that a copy is whole, and holds what it must, once."""
    with closing(sqlite3.connect(file)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    with open_storage(f"sqlite:///{file}") as copy:
        found = copy.get_pixel(pixel["id"])
        names = [one.referer for one in all_opens(copy, found)]
        assert opened <= set(names)
        assert len(names) == len(set(names)) == found.opens.raw.number
        assert made <= {one.token for one in Tracker(copy).iter_recipients(found.id)}


def test_a_backup_under_load_holds_all_that_was_answered_before_it_and_can_be_served(start, run_server, tmp_path):
    running = start("--workers", 2)
    pixel = running.create_pixel()
    answered = {}
    with Load(running, pixel).going_on() as load:
        for name in ("first.db", "second.db"):
            answered[name] = load.wait_for_more()
            command(running, "backup", name)
        load.wait_for_more()
    assert running.stop() == 0
    for name, (opened, made) in answered.items():
        check(running.folder / name, pixel, opened, made)
    check(running.folder / "mailtrack.db", pixel, set(load.opened), set(load.made))
    assert not list(running.folder.glob("*.partial"))
    restored = tmp_path / "restored"
    restored.mkdir()
    (running.folder / "second.db").rename(restored / "mailtrack.db")
    with run_server(restored) as server:
        (found,) = server("GET", "/api/v1/pixels").json["items"]
        assert found["opens"]["number"] >= len(answered["second.db"][0])
        assert server("GET", f"/tracker/{pixel['id'][:8]}.png").status == 200


def test_opens_that_wait_because_the_database_is_locked_are_in_the_backup(start):
    running = start()
    pixel = running.create_pixel()
    names = {f"reader {number}" for number in range(50)}
    with closing(sqlite3.connect(running.folder / "mailtrack.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for name in names:
            assert running("GET", f"/tracker/{pixel['id'][:8]}.png", headers={"Referer": name}).status == 200
        assert "50 opens from the spool" in command(running, "backup", "copy.db")
        other.execute("ROLLBACK")
    check(running.folder / "copy.db", pixel, names, set())


def test_a_purge_beside_a_running_server_keeps_what_is_new_and_its_pages_show_what_is_left(start):
    running = start()
    pixel = running.create_pixel()
    with running.stored() as tracker:
        found = tracker.get_pixel(pixel["id"])
    with open_storage(f"sqlite:///{running.folder}/mailtrack.db") as storage:
        old = now() - timedelta(days=100)
        storage.add_opens([make_open(found, at=old + timedelta(minutes=number)) for number in range(3000)])
    with Load(running, pixel).going_on() as load:
        load.wait_for_more()
        assert "Deleted 3,000 opens." in command(running, "purge", "--older-than", "90d", "--yes")
        load.wait_for_more()
    assert running.stop() == 0
    with running.stored() as tracker:
        left = tracker.get_pixel(pixel["id"])
        assert (left.purged, left.kept) == (3000, len(load.opened))
        assert {one.referer for one in tracker.iter_opens(pixel["id"])} == set(load.opened)

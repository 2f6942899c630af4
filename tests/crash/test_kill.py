"""Promise 1: an open whose image went out survives `kill -9` of every process, and is stored once.

Rounds of load on the reference server over real sockets. At a random moment a worker, all workers, the parent alone or
all processes are killed. In the end: acknowledged ⊆ stored ⊆ sent, no duplicates, and all that is counted equals a
scan. Beside the opens, recipients are added in large transactions; in half of the rounds each transaction is followed
by a checkpoint, so that many kills fall within one.

`MAILTRACK_CRASH_ROUNDS` says how many rounds there are. A round that failed is repeated by its number.
"""

import http.client
import itertools
import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path

import pytest

from mailtrack import Pixel, Tracker, open_storage
from mailtrack._counts import OpenSpan
from mailtrack._images.check import TRANSPARENT_PNG
from mailtrack.storage._sqlite.wal import has_content
from mailtrack.testing._contract.helpers import all_opens, all_recipients

pytest.importorskip("granian")
pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to find the workers")

ROUNDS = int(os.environ.get("MAILTRACK_CRASH_ROUNDS") or "4")
WAYS = ["a worker", "all", "the parent", "the workers"]
EAGER = "from mailtrack.storage._sqlite import connections as c; c._PRAGMAS += ('PRAGMA wal_autocheckpoint = 1',);"
BATCH = 500  # recipients that are added at a time
CLIENTS = 4
REQUESTS = 400  # by all clients together
SECONDS = 60  # that a process may take to begin or to end


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Server:
    """The reference server, in a process group of its own."""

    def __init__(self, folder: Path, *, workers: int, durability: str, eager: bool) -> None:
        self.port = free_port()
        self._folder = folder
        self._program = f"{EAGER if eager else ''} from mailtrack.cli import main; main()".strip()
        self._options = ["--workers", str(workers), "--spool-durability", durability, "--port", str(self.port)]
        self._options += ["--trusted-proxies", "1"]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", self._program, "serve", *self._options],
            cwd=self._folder,
            env={name: value for name, value in os.environ.items() if not name.startswith("MAILTRACK_")},
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert b"mailtrack serves" in self._process.stdout.readline()

    def workers(self) -> list[int]:
        """Return the process ids of the workers."""
        found = []
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                # The name, in brackets, may hold anything; behind it come the state and the parent.
                state, parent = path.read_text().rpartition(")")[2].split()[:2]
                command = path.with_name("cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(parent) == self._process.pid and state != "Z" and b"resource_tracker" not in command:
                found.append(int(path.parent.name))
        return found

    def kill(self, way: str, chance: random.Random) -> None:
        """Kill some or all of it; where nothing is left, or no parent, start it again."""
        if way == "a worker":
            os.kill(chance.choice(self.workers()), signal.SIGKILL)
        elif way == "the workers":
            for worker in self.workers():
                os.kill(worker, signal.SIGKILL)
        elif way == "the parent":
            workers = self.workers()
            self._process.kill()
            self._forget()
            for _ in range(SECONDS * 100):
                if not any(map(is_alive, workers)):
                    break
                threading.Event().wait(0.01)
            self.start()
        else:
            self.kill_all()
            self.start()

    def kill_all(self) -> None:
        """Kill whatever is left of it."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._forget()

    def stop(self) -> int:
        """End it by SIGTERM and return its exit code."""
        self._process.terminate()
        self._process.wait(SECONDS)
        return self._forget()

    def _forget(self) -> int:
        process, self._process = self._process, None
        with process:
            return process.wait(SECONDS)


class Readers:
    """Clients that fetch images, each time under another name, until all requests are sent."""

    def __init__(self, port: int, paths: list[str]) -> None:
        self.sent: list[str] = []
        self.acknowledged: list[str] = []
        self._port, self._paths = port, paths
        self._numbers = iter(range(REQUESTS))
        self._changed = threading.Condition()
        self._threads = [threading.Thread(target=self._read) for _ in range(CLIENTS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wait_for(self, answered: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.acknowledged) >= answered, SECONDS)

    def join(self) -> None:
        for thread in self._threads:
            thread.join(SECONDS)
            assert not thread.is_alive()

    def give_up(self) -> None:
        with self._changed:
            self._numbers = iter(())

    def _next(self) -> int | None:
        with self._changed:
            number = next(self._numbers, None)
            if number is not None:
                self.sent.append(f"reader {number}")
            return number

    def _read(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=SECONDS)
        with closing(connection):
            while (number := self._next()) is not None:
                while not self._fetch(connection, number):
                    threading.Event().wait(0.01)  # until the server is there again

    def _fetch(self, connection: http.client.HTTPConnection, number: int) -> bool:
        """Send a request; return whether it reached a server, answered or not."""
        path = self._paths[number % len(self._paths)]
        if connection.sock is None:
            try:
                connection.connect()
            except ConnectionError:
                return False
        try:
            connection.request("GET", path, headers={"User-Agent": f"reader {number}"})
            answer = connection.getresponse()
            data = answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()  # it may be stored or not
            return True
        assert (answer.status, data) == (200, TRANSPARENT_PNG.data)
        with self._changed:
            self.acknowledged.append(f"reader {number}")
            self._changed.notify_all()
        return True


class Sender:
    """A client that adds recipients, many at a time, each time from another address."""

    def __init__(self, port: int, pixel: Pixel) -> None:
        self.sent: list[str] = []
        self.acknowledged: list[str] = []
        self._port, self._path = port, f"/api/v1/pixels/{pixel.id}/generate-tokens"
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._add)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End after the request that is on its way."""
        self._enough.set()
        if self._thread.ident is None:
            return
        self._thread.join(SECONDS)
        assert not self._thread.is_alive()

    def _add(self) -> None:
        for number in itertools.count():
            if self._enough.is_set():
                return
            emails = [f"n{number}.{place}@example.net" for place in range(BATCH)]
            self.sent += emails
            with suppress(OSError, http.client.HTTPException):  # they may be stored or not
                if self._post(emails, f"198.51.100.{number % 256}") == 201:
                    self.acknowledged += emails
                    continue
            self._enough.wait(0.01)  # until the server is there again

    def _post(self, emails: list[str], address: str) -> int:
        headers = {"Content-Type": "application/json", "X-Forwarded-For": address}
        with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=SECONDS)) as connection:
            connection.request("POST", self._path, json.dumps({"emails": emails}), headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status


def check(folder: Path, readers: Readers, sender: Sender) -> None:
    """Check what is stored against what was sent and answered."""
    with closing(sqlite3.connect(folder / "mailtrack.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    with open_storage(f"sqlite:///{folder}/mailtrack.db") as storage:
        (pixel,) = Tracker(storage).list_pixels().items
        opens = all_opens(storage, pixel)
        stored = Counter(one.user_agent for one in opens)
        assert set(readers.acknowledged) <= set(stored) <= set(readers.sent)
        assert set(stored.values()) <= {1}
        assert pixel.opens.raw == span(one.opened_at for one in opens)
        recipients = all_recipients(storage, pixel)
        emails = [one.email for one in recipients if one.email.endswith(".net")]
        assert len(emails) % BATCH == 0
        assert len(emails) == len(set(emails))
        assert set(sender.acknowledged) <= set(emails) <= set(sender.sent)
        for recipient in recipients[:3]:  # the others have no opens
            assert recipient.opens.raw == span(one.opened_at for one in opens if one.recipient_id == recipient.id)
        hours = Counter((f"{one.opened_at:%Y-%m-%dT%H}", one.verdict.kind) for one in opens)
        counted = {
            (f"{one.hour:%Y-%m-%dT%H}", one.kind): one.opens.raw for one in storage.get_figures(pixel.id, top=1).hours
        }
        assert counted == dict(hours)


def span(times) -> OpenSpan:
    times = list(times)
    return OpenSpan(number=len(times), first=min(times, default=None), last=max(times, default=None))


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_what_was_answered_is_stored_once_whatever_is_killed(tmp_path: Path, round_: int) -> None:
    chance = random.Random(round_)
    with open_storage(f"sqlite:///{tmp_path}/mailtrack.db") as storage:
        tracker = Tracker(storage)
        pixel = tracker.create_pixel("Spring launch")
        recipients = tracker.generate_tokens(pixel.id, [f"r{n}@example.org" for n in range(3)])
    base = f"/tracker/{pixel.short_id}.png"
    way = WAYS[round_ % len(WAYS)]
    workers, durability = chance.choice([1, 2, 4]), chance.choice(["everysec", "always"])
    server = Server(tmp_path, workers=workers, durability=durability, eager=round_ // len(WAYS) % 2 == 0)
    sender = Sender(server.port, pixel)
    readers = Readers(server.port, [base, *(f"{base}?token={one.token}" for one in recipients)])
    try:
        server.start()
        sender.start()
        readers.start()
        readers.wait_for(chance.randrange(1, REQUESTS * 3 // 4))
        server.kill(way, chance)
        readers.join()
        sender.stop()
        assert server.stop() == 0
    finally:
        readers.give_up()
        server.kill_all()
        readers.join()
        sender.stop()
    assert len(readers.acknowledged) > REQUESTS // 2  # or nothing was tried
    assert [one.name for one in (tmp_path / "mailtrack.db.spool").iterdir()] == ["database"]  # whose it is
    assert sender.acknowledged
    assert not has_content(tmp_path / "mailtrack.db")
    check(tmp_path, readers, sender)

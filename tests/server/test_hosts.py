"""Each line of docs/servers.md: a real server below a prefix, with opens, SIGTERM, exit code 0, and nothing lost."""

import contextlib
import http.client
import re
import shlex
import shutil
import signal
import sys
import threading
from pathlib import Path

import pytest

from mailtrack import Spool, Tracker, open_storage

PAGE = (Path(__file__).parents[2] / "docs" / "servers.md").read_text(encoding="utf-8")
LINES = re.findall(r"^\| ([^|]+) \| (\w+) \| `([^`]+)` \|$", PAGE, re.MULTILINE)
FILES = {
    name: text for text, name in re.findall(r"^```\w+\n((?:#|;) ([\w.]+)\n.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
}
STOP_SECONDS = 40  # gunicorn gives its workers 30 to answer what they have begun
SCRIPTS = Path(sys.executable).parent


def command_of(line):
    """Return a line of the page as a command, with the programs of this environment."""
    program, *rest = shlex.split(line)
    if program == "uwsgi":
        found = shutil.which("uwsgi", path=SCRIPTS) or shutil.which("uwsgi")
        if found is None:
            pytest.skip("uWSGI is not installed; it has no wheel, and needs a C compiler")
        return [found, *rest]
    return [sys.executable, *rest] if program == "python" else [sys.executable, "-m", program, *rest]


def stored(server, pixel):
    """Return the user agents of the opens in the database."""
    with open_storage(f"sqlite:///{server.folder}/campaigns.db") as storage:
        return [found.user_agent for found in Tracker(storage).list_opens(pixel["id"], limit=1000).items]


def recover(server):
    """Store what waits in the spool, as the next start of the server does."""
    with open_storage(f"sqlite:///{server.folder}/campaigns.db") as storage:
        tracker = Tracker(storage, spool=Spool(server.folder / "campaigns.db.spool"))
        tracker.start()
        assert tracker.stop()


class Load:
    """A client that asks for an image again and again, until the server is gone.

    Attributes:
        answered: the user agents of the requests that were answered.
        sent: those of all.
    """

    def __init__(self, server, path):
        self.answered, self.sent = [], []
        self.begun = threading.Event()
        self._server, self._path = server, path
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        with contextlib.suppress(OSError, http.client.HTTPException):
            for number in range(100_000):
                self.sent.append(f"load {number}")
                answer = self._server("GET", self._path, headers={"User-Agent": self.sent[-1]})
                assert answer.status == 200
                self.answered.append(self.sent[-1])
                if number == 20:
                    self.begun.set()
        self.begun.set()

    def join(self):
        self._thread.join(60)
        assert not self._thread.is_alive()


@pytest.fixture
def create_pixel():
    def create(server):
        answer = server("POST", "/track/api/v1/pixels", json_body={"name": "Spring"})
        assert answer.status == 201
        return answer.json

    return create


def test_the_page_has_every_server():
    assert {name.partition(",")[0] for name, _, _ in LINES} == {"gunicorn", "uWSGI", "waitress", "granian", "uvicorn"}
    assert len(LINES) == 10


@pytest.mark.parametrize("line", [pytest.param(line, id=f"{name} {kind}") for name, kind, line in LINES])
def test_opens_are_stored_when_the_server_has_ended(run_host, create_pixel, line):
    server = run_host(FILES, command_of(line))
    pixel = create_pixel(server)
    sent = [f"before {number}" for number in range(20)]
    path = f"/track/tracker/{pixel['id'][:8]}.png"
    for agent in sent:
        image = server("GET", path, headers={"User-Agent": agent})
        assert (image.status, image.headers["Content-Type"]) == (200, "image/png")
    assert server.stop(within=STOP_SECONDS) == 0, server.printed()
    if line.startswith("uwsgi"):  # it skips the end hooks of a worker now and then
        recover(server)
    assert sorted(stored(server, pixel)) == sorted(sent)


@pytest.mark.parametrize("line", [pytest.param(line, id=f"{name} {kind}") for name, kind, line in LINES])
def test_a_sigterm_under_load_loses_nothing_that_was_answered(run_host, create_pixel, line):
    server = run_host(FILES, command_of(line))
    pixel = create_pixel(server)
    load = Load(server, f"/track/tracker/{pixel['id'][:8]}.png")
    assert load.begun.wait(60)
    assert server.stop(within=STOP_SECONDS) == 0, server.printed()
    load.join()
    with open_storage(f"sqlite:///{server.folder}/campaigns.db") as storage:
        tracker = Tracker(storage, spool=Spool(server.folder / "campaigns.db.spool"))
        tracker.start()  # as the next start of the server does
        assert tracker.stop()
        found = {one.user_agent for one in tracker.iter_opens(pixel["id"])}
    assert set(load.answered) <= found <= set(load.sent)


def test_uvicorn_alone_ends_by_its_signal_after_everything_is_stored(run_host, create_pixel):
    server = run_host(FILES, [sys.executable, "-m", "uvicorn", "--port", "8000", "asgi_program:app"])
    pixel = create_pixel(server)
    server("GET", f"/track/tracker/{pixel['id'][:8]}.png", headers={"User-Agent": "one"})
    assert server.stop(within=STOP_SECONDS) == -signal.SIGTERM
    assert stored(server, pixel) == ["one"]


def test_the_tracker_answers_on_uvicorn_while_slow_bodies_wait(run_host, create_pixel):
    server = run_host(FILES, [sys.executable, "-m", "uvicorn", "--port", "8000", "asgi_program:app"])
    pixel = create_pixel(server)
    head = (
        b"POST /track/api/v1/pixels HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n"
    )
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            connection = stack.enter_context(contextlib.closing(server.connect()))
            connection.connect()
            connection.sock.sendall(head)
        for _ in range(50):
            image = server("GET", f"/track/tracker/{pixel['id'][:8]}.png")
            assert (image.status, image.headers["Content-Type"]) == (200, "image/png")
        assert server("GET", "/track/api/v1/pixels").status == 200


def test_flask_run_serves_it_and_the_reloader_starts_no_second_spool(run_host, create_pixel):
    command = [sys.executable, "-m", "flask", "--app", "flask_program", "run", "--debug", "--port", "8000"]
    server = run_host(FILES, command)
    pixel = create_pixel(server)
    server("GET", f"/track/tracker/{pixel['id'][:8]}.png", headers={"User-Agent": "one"})
    assert len(list((server.folder / "campaigns.db.spool").glob("*.spool"))) == 1
    server.kill()
    with open_storage(f"sqlite:///{server.folder}/campaigns.db") as storage:
        tracker = Tracker(storage, spool=Spool(server.folder / "campaigns.db.spool"))
        tracker.start()
        assert tracker.stop()
        assert [one.user_agent for one in tracker.iter_opens(pixel["id"])] == ["one"]

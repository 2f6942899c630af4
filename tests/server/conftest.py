"""What the tests of the reference server share: servers as processes of their own, on ports of this machine."""

import contextlib
import functools
import http.client
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest

import mailtrack
from mailtrack import Tracker, open_storage

PYTHON = [sys.executable, "-W", "error", "-c"]
MAIN = "from mailtrack.cli import main; main()"
COMMAND = [*PYTHON, MAIN, "serve"]
STOP_SECONDS = 10  # what the server promises

_addresses = (f"203.0.{high}.{low}" for high, low in itertools.product(range(256), repeat=2))


@attrs.frozen
class Answer:
    status: int
    headers: http.client.HTTPMessage
    data: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.data)


@attrs.frozen
class Server:
    """A running reference server that trusts one proxy, so that each request can come from a client of its own."""

    process: subprocess.Popen
    port: int
    folder: Path

    def connect(self) -> http.client.HTTPConnection:
        """Return a connection, for one request after another; close it."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def __call__(self, method, path, *, json_body=None, headers=None, connection=None) -> Answer:
        """Send a request over a connection, or over one that is made for it."""
        made = {"X-Forwarded-For": next(_addresses)} | (headers or {})
        body = None
        if json_body is not None:
            body = json.dumps(json_body).encode()
            made["Content-Type"] = "application/json"
        with contextlib.ExitStack() as stack:
            if connection is None:
                connection = stack.enter_context(contextlib.closing(self.connect()))
            connection.request(method, path, body, made)
            with connection.getresponse() as answer:
                return Answer(answer.status, answer.headers, answer.read())

    def exchange(self, data: bytes, *, then_shut: bool = False) -> Answer | None:
        """Send bytes as they are and return the answer, `None` where the server only closes the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall(data)
            with http.client.HTTPResponse(connection) as answer:
                try:
                    if then_shut:
                        connection.shutdown(socket.SHUT_WR)
                    answer.begin()
                    return Answer(answer.status, answer.headers, answer.read())
                except (http.client.HTTPException, OSError):
                    if then_shut:
                        return None  # what is begun may be cut for a client that goes away
                    raise

    def create_pixel(self) -> dict[str, Any]:
        answer = self("POST", "/api/v1/pixels", json_body={"name": "Spring"})
        assert answer.status == 201
        return answer.json

    def stop(self, number: int = signal.SIGTERM, *, within: float = STOP_SECONDS) -> int:
        """Send a signal and return the exit code; the server must have ended within so many seconds."""
        self.process.send_signal(number)
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"The server does not end: {self.printed()}") from None

    def kill(self) -> None:
        """Kill the server with all its workers, as `kill -9` does."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def workers(self) -> list[int]:
        """The process ids of the workers."""
        found = []
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                # The name, in brackets, may hold anything; behind it come the state and the parent.
                state, parent = path.read_text().rpartition(")")[2].split()[:2]
                command = path.with_name("cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(parent) == self.process.pid and state != "Z" and b"resource_tracker" not in command:
                found.append(int(path.parent.name))
        return found

    def kill_alone(self) -> None:
        """Kill the parent process and leave its workers alone."""
        self.process.kill()
        self.process.wait()

    def kill_rest(self) -> None:
        """Kill the workers that are left after the parent process ended."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def printed(self) -> str:
        """What the server wrote on standard error."""
        return (self.folder / "stderr").read_text(encoding="utf-8")

    @contextlib.contextmanager
    def stored(self):
        """Open the database behind the server's back."""
        with open_storage(f"sqlite:///{self.folder}/mailtrack.db") as storage:
            yield Tracker(storage)

    def opens(self, pixel) -> list[str]:
        """The user agents of a pixel's opens, in the order in which they were stored."""
        with self.stored() as tracker:
            items, cursor = [], None
            while True:
                page = tracker.list_opens(pixel["id"], limit=1000, cursor=cursor)
                items += page.items
                if (cursor := page.next) is None:
                    return [found.user_agent for found in reversed(items)]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture(scope="session")
def find_port():
    """Finds a free port."""
    return free_port


def _wait_until_ready(server: Server, prefix: str) -> None:
    for _ in range(600):
        try:
            if server("GET", f"{prefix}/healthz").status == 200:
                return
        except ConnectionError:
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.process.wait(0.05)
                break
    raise AssertionError(f"The server does not start: {server.printed()}")


@contextlib.contextmanager
def _serving(folder: Path, command: list[str], port: int, environment: dict[str, str], prefix: str = ""):
    """Run a server in a folder, from when it answers until it is ended with all its processes."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("MAILTRACK_")}
    with (folder / "stdout").open("wb") as stdout, (folder / "stderr").open("wb") as stderr:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env=variables | environment,
            start_new_session=True,  # so that it can be ended with its workers, and nothing else
        )
    with process:
        server = Server(process, port, folder)
        try:
            _wait_until_ready(server, prefix)
            yield server
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
            server.kill_rest()


def _running(
    folder: Path,
    *options: object,
    environment: dict[str, str] | None = None,
    port: int | None = None,
    first: str = "",
    within: Sequence[str] = (),
):
    """Run a reference server, on a port of its own if none is given.

    `first` says in Python what it does first; `within` is a command that runs another one, which comes behind it.
    """
    port = port or free_port()
    variables = {"MAILTRACK_TRUSTED_PROXIES": "1"} | (environment or {})
    if environment is not None:
        variables["MAILTRACK_PORT"] = str(port)
    else:
        options = ("--port", port, *options)
    return _serving(folder, [*within, *PYTHON, f"{first}\n{MAIN}", "serve", *map(str, options)], port, variables)


@pytest.fixture(scope="session")
def run_server():
    """Runs a server in a folder, with options, as a context manager."""
    return _running


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A server that all tests share; each makes pixels of its own."""
    with _running(tmp_path_factory.mktemp("server")) as running:
        yield running


# A user's program with mailtrack in it.
PROGRAM = """
from mailtrack import Tracker, open_storage
from mailtrack_wsgi import create_app

application = create_app(Tracker(open_storage("sqlite:///mailtrack.db")), trusted_proxies=1)
"""
OTHER_SERVERS = {
    "gunicorn": ["gunicorn", "--preload", "--workers=4", "--threads=4", "--bind=127.0.0.1:{}", "program:application"],
    "waitress": [
        "waitress",
        "--threads=4",
        "--max-request-body-size=9000000",
        "--listen=127.0.0.1:{}",
        "program:application",
    ],
}


@pytest.fixture(scope="session")
def mounted(tmp_path_factory):
    """Gives servers of others, by name, that serve `PROGRAM`; all tests share them."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def give(name):
            folder, port = tmp_path_factory.mktemp(name), free_port()
            (folder / "program.py").write_text(PROGRAM, encoding="utf-8")
            command = [sys.executable, "-m", *(part.format(port) for part in OTHER_SERVERS[name])]
            return stack.enter_context(_serving(folder, command, port, {}))

        yield give


@pytest.fixture
def run_program(tmp_path):
    """Runs `PROGRAM` on a server of others: a command for Python, and what the program does first."""
    with contextlib.ExitStack() as stack:

        def run(command, *, first=""):
            port = free_port()
            (tmp_path / "program.py").write_text(f"{first}\n{PROGRAM}", encoding="utf-8")
            command = [sys.executable, *(part.replace("{}", str(port)) for part in command)]
            return stack.enter_context(_serving(tmp_path, command, port, {}))

        yield run


@pytest.fixture
def run_host(tmp_path):
    """Runs a user's program with mailtrack at /track: its files by name, and the command. The port in them is 8000."""
    variables = {"PYTHONPATH": f".:{Path(mailtrack.__file__).parents[1]}"}  # uWSGI is no script of this environment
    with contextlib.ExitStack() as stack:

        def run(files, command):
            port = free_port()
            for name, text in files.items():
                (tmp_path / name).write_text(text.replace("8000", str(port)), encoding="utf-8")
            command = [part.replace("8000", str(port)) for part in command]
            return stack.enter_context(_serving(tmp_path, command, port, variables, "/track"))

        yield run


@pytest.fixture
def start(tmp_path):
    """Starts servers that a test may stop: options, or `environment` for variables instead."""
    with contextlib.ExitStack() as stack:
        yield lambda *options, **named: stack.enter_context(_running(tmp_path, *options, **named))


@pytest.fixture
def fail(tmp_path):
    """Runs a server that can't start, and returns its exit code and what it printed on standard error."""

    def run(*options):
        with subprocess.Popen(
            [*COMMAND, *map(str, options)],
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={name: value for name, value in os.environ.items() if not name.startswith("MAILTRACK_")}
            | {"MAILTRACK_PORT": str(free_port())},  # another program may use the default one
            start_new_session=True,
        ) as process:
            try:
                stdout, stderr = process.communicate(timeout=30)
            finally:
                if process.poll() is None:  # it started nevertheless
                    os.killpg(process.pid, signal.SIGKILL)
        assert stdout == ""
        return process.returncode, stderr

    return run

"""What the tests of the command line share: a folder of their own to work in, and no settings from outside."""

import fcntl
import http.server
import os
import pty
import struct
import subprocess
import sys
import termios
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from mailtrack import Tracker, open_storage
from mailtrack.cli import main


@pytest.fixture(autouse=True)
def _alone(tmp_path, monkeypatch):
    """Work in an empty folder, without the user's environment variables."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("MAILTRACK_") or name == "COLUMNS":
            monkeypatch.delenv(name)


@pytest.fixture
def run():
    """Runs `mailtrack` with arguments, standard input and environment; by default it must succeed."""

    def invoke(*arguments, exits=0, stdin=None, environment=None, encoding="utf-8"):
        runner = CliRunner(charset=encoding)
        result = runner.invoke(main, [str(argument) for argument in arguments], input=stdin, env=environment)
        assert (result.exit_code, isinstance(result.exception, SystemExit | None)) == (exits, True), result.output
        return result

    return invoke


@pytest.fixture
def runner():
    """Runs `mailtrack` in this process."""
    return CliRunner()


@pytest.fixture
def program():
    """Starts `mailtrack` as a process of its own."""
    processes = []

    def start(*arguments, **options):
        command = [sys.executable, "-W", "error", "-m", "mailtrack", *map(str, arguments)]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        # Not the environment that a process inherits by itself: readline, which pytest loads, adds COLUMNS to that one.
        process = subprocess.Popen(command, env=dict(os.environ), **pipes)
        processes.append(process)
        return process

    yield start
    for process in processes:
        with process:
            process.kill()


@pytest.fixture
def end():
    """Waits for the end of a process; its exit code and what it printed, as text."""

    def wait(process, given=None):
        output, errors = process.communicate(given, timeout=60)
        return process.returncode, *((part or b"").decode() for part in (output, errors))

    return wait


class Terminal:
    """A terminal of so many columns: what a process printed on it, and what is typed."""

    def __init__(self, columns):
        self._here, self.end = pty.openpty()
        fcntl.ioctl(self.end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def type(self, text):
        os.write(self._here, text.encode())

    def read(self):
        """Return what was printed, once all processes on the terminal have ended."""
        os.close(self.end)
        self.end = None
        printed = b""
        try:
            while piece := os.read(self._here, 65536):
                printed += piece
        except OSError:  # Linux reports the end so
            pass
        return printed.decode().replace("\r\n", "\n")

    def close(self):
        os.close(self._here)
        if self.end is not None:
            os.close(self.end)


@pytest.fixture
def make_terminal():
    made = []

    def make(columns):
        made.append(Terminal(columns))
        return made[-1]

    yield make
    for terminal in made:
        terminal.close()


@pytest.fixture
def tracker(new_database):
    """What the tests look at, and prepare, behind the command line's back: the default database."""
    new_database(Path("mailtrack.db"))
    with open_storage("sqlite:///mailtrack.db") as storage:
        yield Tracker(storage, base_url="http://127.0.0.1:8000")


@pytest.fixture
def pixel(tracker):
    return tracker.create_pixel("Spring launch")


@pytest.fixture
def recipient(tracker, pixel):
    return tracker.generate_tokens(pixel.id, ["ann@example.org"])[0]


@contextmanager
def _receiving(status):
    """Run an endpoint that answers with a status, and yield its URL."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/in"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def receiving():
    """Runs an endpoint that answers with a status: a context manager that yields its URL."""
    return _receiving

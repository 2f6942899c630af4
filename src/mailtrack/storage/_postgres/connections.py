"""Connections to PostgreSQL: a pool of them, none shared by threads or across a fork; transactions; deadlines.

A pool of its own, without threads: `psycopg_pool` has four, beside which Python warns of every fork, and where the
server is away, it has callers wait where connecting fails at once.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic, sleep
from typing import Any, TypeAlias, TypeVar

import psycopg
from psycopg.abc import PQGen

from mailtrack._errors import StorageError, StorageUnavailable
from mailtrack.storage._postgres.failures import may_repeat, translated
from mailtrack.storage._postgres.urls import Address

SIZE = 10
"""Connections that a process has open at most."""

WAIT_SECONDS = 5.0
"""How long a call waits for a connection, or for a lock, before it raises `StorageUnavailable`."""

ANSWER_SECONDS = 10.0
"""How long a call waits for the answer to one statement. The server ends it a second before."""

_CONNECT_SECONDS = 3
_CHECK_SECONDS = 2.0  # for the answer of a connection that was idle
_IDLE_SECONDS = 0.5  # after which a connection is checked before it is used
_TRIES = 6  # of a transaction that met others

# Each statement finds its rows by an index, in the order in which it is written, however few rows the statistics say.
_SETTINGS = {
    "statement_timeout": f"{round(1000 * (ANSWER_SECONDS - 1))}",
    "lock_timeout": f"{round(1000 * WAIT_SECONDS)}",
    "idle_in_transaction_session_timeout": "30000",
    "timezone": "UTC",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_bitmapscan": "off",
    "enable_material": "off",
    "enable_sort": "off",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "extra_float_digits": "1",
}
_PARAMETERS = {
    "connect_timeout": _CONNECT_SECONDS,
    "application_name": "mailtrack",
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""What libpq connects with, unless the URL says otherwise."""

# Connections that a parent process had open. A child must neither use nor close them.
_inherited: list[object] = []

Row: TypeAlias = tuple[Any, ...]
T = TypeVar("T")


class Connection(psycopg.Connection[Row]):
    """A connection that gives up where the server does not answer.

    Attributes:
        patience: for how long it waits for an answer, in seconds.
        used_at: when it was last used, by `monotonic`.
    """

    patience: float | None = ANSWER_SECONDS
    used_at = 0.0

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """Wait for an answer of the server."""
        return super().wait(gen, interval, self.patience if timeout is None else timeout)

    def is_alive(self) -> bool:
        """Return whether the server answers, on a connection that was idle."""
        if monotonic() - self.used_at < _IDLE_SECONDS:
            return not self.closed
        self.patience = _CHECK_SECONDS
        try:
            self.execute("SELECT 1", prepare=False)
        except psycopg.Error:
            return False
        self.patience = ANSWER_SECONDS
        return True


class Again(Exception):
    """A transaction has to be repeated, because another one was faster."""


class Connections:
    """The connections of one storage in one process.

    Args:
        address: the database.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._closed = False
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        # To be entered in place of the condition, which the exception of a signal may leave locked for ever.
        self._guard = threading.RLock()
        self._changed = threading.Condition(self._guard)
        self._idle: list[Connection] = []
        self._used = 0
        self._waiting: list[object] = []  # tickets of the calls that want a connection, the first one's first
        self._forking = False

    @contextmanager
    def borrowed(self) -> Iterator[Connection]:
        """Yield a connection outside of a transaction, for this thread alone.

        Raises:
            StorageUnavailable: the server does not answer, or all connections are in use for too long.
            StorageError: the storage is closed.
        """
        self._take()
        connection = None
        try:
            with translated():
                connection = self._get()
                yield connection
        finally:
            self._give_back(connection)

    def _take(self) -> None:
        """Wait until one more connection may be used."""
        if self._pid != os.getpid():  # the fork was not announced
            self._leave_to_parent()
        ticket = object()
        with self._guard:
            self._waiting.append(ticket)
            try:
                if not self._changed.wait_for(lambda: self._may_take(ticket), WAIT_SECONDS):
                    raise StorageUnavailable("PostgreSQL: all connections of this process are in use.")
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()  # another is the first now
            if self._closed:
                raise StorageError("The storage is closed.")
            self._used += 1

    def _may_take(self, ticket: object) -> bool:
        """Return whether the holder of a ticket may go on: in order, or a thread would wait while others come again."""
        return self._closed or (self._waiting[0] is ticket and self._used < SIZE and not self._forking)

    def _get(self) -> Connection:
        while True:
            with self._guard:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                return self.connect()
            if connection.is_alive():
                return connection
            connection.close()

    def _give_back(self, connection: Connection | None) -> None:
        usable = False
        if connection is not None and not connection.closed:
            usable = connection.info.transaction_status is psycopg.pq.TransactionStatus.IDLE
            connection.used_at = monotonic()
        with self._guard:
            self._used -= 1
            if usable and connection is not None and not self._closed:
                self._idle.append(connection)
                connection = None
            self._changed.notify_all()
        if connection is not None:
            connection.close()

    def connect(self) -> Connection:
        """Return a new connection, outside of a transaction, which the caller closes."""
        parameters: dict[str, Any] = {**_PARAMETERS, **self._address.parameters, "client_encoding": "utf8"}
        connection = Connection.connect(autocommit=True, **parameters)
        try:
            settings = _SETTINGS | {"search_path": self._address.schema}
            setting = ", ".join(f"set_config('{name}', %s, false)" for name in settings)
            connection.execute(f"SELECT {setting}", list(settings.values()), prepare=False)
        except BaseException:
            connection.close()
            raise
        connection.used_at = monotonic()
        return connection

    def keep(self, connection: Connection) -> None:
        """Keep a connection that `connect` has made for later use."""
        with self._guard:
            self._idle.append(connection)

    @contextmanager
    def reading(self, *, snapshot: bool = False) -> Iterator[Connection]:
        """Yield a connection to read from; with `snapshot`, all statements see one state."""
        with self.borrowed() as db:
            if not snapshot:
                yield db
                return
            with _transaction(db, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"):
                yield db

    def write(self, work: Callable[[Connection], T]) -> T:
        """Return what a piece of work returns, done in a transaction, and repeated where it met others.

        Each of its statements sees what is committed by then.
        """
        with self.borrowed() as db:
            for left in reversed(range(_TRIES)):
                try:
                    with _transaction(db, "BEGIN ISOLATION LEVEL READ COMMITTED"):
                        return work(db)
                except (psycopg.Error, Again) as error:
                    if not (isinstance(error, Again) or may_repeat(error)) or db.closed:
                        raise
                    if not left:
                        raise StorageUnavailable("PostgreSQL: others were faster, again and again.") from error
                sleep(0.002 * 2 ** (_TRIES - left))
            raise AssertionError("unreachable")

    def before_fork(self) -> None:
        """Wait until no connection is in use, and hold back calls until `after_fork`."""
        if self._pid != os.getpid():
            self._leave_to_parent()
        with self._guard:
            self._forking = True
            self._changed.wait_for(lambda: self._used == 0)

    def after_fork(self, *, child: bool) -> None:
        """Accept calls again. The child leaves the connections to its parent."""
        if child:
            self._leave_to_parent()
            return
        with self._guard:
            self._forking = False
            self._changed.notify_all()

    def _leave_to_parent(self) -> None:
        _inherited.extend(self._idle)
        self._begin()

    def close(self) -> None:
        """Close all connections; those in use once they are given back."""
        if self._pid != os.getpid():
            self._leave_to_parent()
        with self._guard:
            self._closed = True
            idle, self._idle = self._idle, []
            self._changed.notify_all()
        for connection in idle:
            connection.close()


@contextmanager
def _transaction(db: Connection, begin: str) -> Iterator[None]:
    db.execute(begin, prepare=False)
    try:
        yield
    except BaseException:
        with suppress(psycopg.Error):
            db.execute("ROLLBACK", prepare=False)
        raise
    db.execute("COMMIT", prepare=False)

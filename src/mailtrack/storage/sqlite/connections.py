"""SQLite connections: one for each thread, none across a fork; one writer at a time; errors in our own words."""

import os
import sqlite3
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mailtrack.errors import StorageError, StorageUnavailable
from mailtrack.storage import forks

BUSY_TIMEOUT = 5.0
"""How long a call waits for a lock, in seconds, before it is told to come back later."""

_PRAGMAS = (
    "PRAGMA synchronous = FULL",  # a commit that was answered survives a power cut; batches make it cheap
    "PRAGMA foreign_keys = ON",
    "PRAGMA secure_delete = ON",  # erased addresses leave no bytes behind
    "PRAGMA trusted_schema = OFF",
    "PRAGMA mmap_size = 0",  # a file that shrinks underneath would kill the process
    "PRAGMA cache_size = -8000",  # KiB: a batch touches some thousand pages of the indexes
)

# Errors that may pass by themselves: locked, full, out of reach.
_PASSING = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_INTERRUPT,
    }
)

# What a parent process had open, where the fork was not announced. A child must neither use nor close it, so it is
# kept from the garbage collector.
_inherited: list[object] = []


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open an existing file with our settings, in autocommit mode. Never makes a file."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rw'}",
        uri=True,
        timeout=BUSY_TIMEOUT,
        isolation_level=None,
        check_same_thread=False,  # each is used by one thread, but `close` closes them all
    )
    try:
        for pragma in _PRAGMAS:
            connection.execute(pragma)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def translated() -> Iterator[None]:
    """Turn errors of the driver into mailtrack's; the only place where that happens."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", None)
        if code is not None and code & 0xFF in _PASSING:
            raise StorageUnavailable(f"SQLite: {error}") from error
        raise StorageError(f"SQLite: {error}") from error


class _Holder:
    """Closes a thread's connection when the thread ends."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._pid = os.getpid()

    def __del__(self) -> None:
        if self._pid == os.getpid():
            self.connection.close()
        else:
            _inherited.append(self.connection)


class Connections:
    """The connections of one storage.

    Thread-safe. All are closed before a fork: SQLite's locks belong to one process, but the SQLite of a child takes
    those of its parent for its own, and others could then remove the WAL underneath it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._closed = False
        self._begin()
        forks.watch(self)

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._local = threading.local()
        self._holders: weakref.WeakSet[_Holder] = weakref.WeakSet()
        self._writer = threading.Lock()
        self._uses = 0
        self._forking = False
        self._changed = threading.Condition(threading.Lock())  # guards the above

    @contextmanager
    def reading(self, *, snapshot: bool = False) -> Iterator[sqlite3.Connection]:
        """Give this thread's connection; each statement sees the newest state, or all see one state."""
        with translated(), self._using() as connection:
            if not snapshot:
                yield connection
                return
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                if connection.in_transaction:  # after some errors SQLite has rolled back already
                    connection.execute("ROLLBACK")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Give this thread's connection within a transaction that commits at the end, or rolls back on any error."""
        with translated(), self._using() as connection:
            if not self._writer.acquire(timeout=BUSY_TIMEOUT):
                raise StorageUnavailable("Other writes in this process take too long.")
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # on a full disk SQLite has rolled back already
                    connection.execute("ROLLBACK")
                raise
            finally:
                self._writer.release()

    def forget_deleted(self) -> None:
        """Move all of the WAL into the file and empty it, so that nothing deleted stays there.

        Where a reader or an error holds it up, the next deletion does it: the one before it is committed by now, so
        telling of an error would be telling that nothing was deleted.
        """
        with suppress(StorageError), self.reading() as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def close(self) -> None:
        """Close every connection of this process."""
        self._closed = True
        if self._pid == os.getpid():
            with self._changed:
                self._close_all()

    def before_fork(self) -> None:
        """Wait until no connection is in use, and close them all. They are opened again when they are needed."""
        self._changed.acquire()
        self._forking = True
        if self._changed.wait_for(lambda: self._uses == 0, timeout=2 * BUSY_TIMEOUT):
            self._close_all()

    def after_fork(self, *, child: bool) -> None:
        """Let connections be used again."""
        if child:
            self._renew()
            return
        self._forking = False
        self._changed.notify_all()
        self._changed.release()

    def _close_all(self) -> None:
        for holder in list(self._holders):
            holder.connection.close()
        self._holders.clear()

    def _renew(self) -> None:
        _inherited.append((self._local, list(self._holders)))
        self._begin()

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        if self._pid != os.getpid():
            self._renew()
        with self._changed:
            self._changed.wait_for(lambda: not self._forking)
            self._uses += 1
        try:
            yield self._connection()
        finally:
            with self._changed:
                self._uses -= 1
                self._changed.notify_all()

    def _connection(self) -> sqlite3.Connection:
        self._check_open()
        holder: _Holder | None = getattr(self._local, "holder", None)
        if holder is None or holder not in self._holders:
            holder = _Holder(connect(self._path))
            with self._changed:
                self._check_open()
                self._holders.add(holder)
            self._local.holder = holder
        return holder.connection

    def _check_open(self) -> None:
        if self._closed:
            raise StorageError("The storage is closed.")

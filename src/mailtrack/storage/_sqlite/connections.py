"""SQLite connections: one for each thread, none across a fork; one writer at a time; errors translated."""

import atexit
import logging
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from mailtrack._errors import StorageError, StorageUnavailable
from mailtrack.storage._sqlite import wal
from mailtrack.storage._sqlite.identity import Identity, identify
from mailtrack.storage._sqlite.ours import check_ours

BUSY_TIMEOUT = 5.0
"""Seconds that a call waits for a lock before it raises `StorageUnavailable`."""

_EMPTYING_MILLISECONDS = 40  # that writers wait at most while readers keep the WAL from being emptied
_EMPTYING_TRIES = 8
_LEAVING_SECONDS = 1.0  # that the end of a process waits for what its daemon threads do just then, and they for it

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

# Connections that a parent process had open, where the fork was not announced. A child must neither use nor close them,
# so they are kept from the garbage collector.
_inherited: list[object] = []

_logger = logging.getLogger(__name__)


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open an existing file with our settings, in autocommit mode. Never makes a file.

    Raises:
        StorageUnavailable: it is just being replaced, or the WAL beside it is used as that of a former file.
        sqlite3.Error: it can't be opened.
    """
    file = identify(path)
    if file is not None:
        wal.check_claims(path, file)
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rw'}",
        uri=True,
        timeout=BUSY_TIMEOUT,
        isolation_level=None,
        check_same_thread=False,  # each is used by one thread, but `close` closes them all
    )
    try:
        if identify(path) != file:  # SQLite opens the WAL, by its name, with the first statement
            raise StorageUnavailable(f"{path} was replaced while it was opened.")
        for pragma in _PRAGMAS:
            connection.execute(pragma)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def translated(what: str = "SQLite") -> Iterator[None]:
    """Turn errors of the driver into mailtrack's, which begin with `what`; the only place where that happens."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", None)
        if code is not None and code & 0xFF in _PASSING:
            raise StorageUnavailable(f"{what}: {error}") from error
        raise StorageError(f"{what}: {error}") from error


class _Holder:
    """A thread's connection, closed when the thread ends.

    Attributes:
        connection: the same.
        file: the file that it has open.
        beside: that file's WAL and the WAL's index, by their places.
        uses: how many use it now: calls of its thread within one another, or one that borrows it.
        retired: whether it must not be used again.
    """

    def __init__(self, path: Path, file: Identity) -> None:
        self.connection = connection = connect(path)
        self.file = file
        self.beside = wal.beside(path)
        self._wal = wal.wal_of(path)
        self._claim = wal.claim(path, file)
        self.uses = 0
        self.retired = False
        # No `__del__`, which would run, and fail, when the interpreter takes the modules apart.
        self._finalize = weakref.finalize(self, _close, connection, self._claim, os.getpid())
        self._finalize.atexit = False  # a thread may still use it; see `_rest`

    def is_current(self, file: Identity) -> bool:
        """Return whether this file is the one that it has open, with the WAL that it has open."""
        return self.file == file and identify(self._wal) == self.beside[self._wal]

    def close(self) -> None:
        if found := self._finalize.detach():  # calling it does nothing at the interpreter's exit
            _, close, arguments, _ = found
            close(*arguments)

    def leave_to_parent(self) -> None:
        """Keep the parent's connection from being closed in a forked child. Only the claim ends here."""
        _inherited.append(self)
        if self._claim is not None:
            os.close(self._claim)


def _close(connection: sqlite3.Connection, claim: int | None, pid: int) -> None:
    if pid == os.getpid():
        connection.close()
    else:
        _inherited.append(connection)
    if claim is not None:
        os.close(claim)


class Connections:
    """The connections of one storage.

    Thread-safe. All are closed before a fork: SQLite's locks belong to one process, but the SQLite of a child takes
    those of its parent for its own, and others could then remove the WAL underneath it.

    Each use checks that the open file and its WAL are still in their places (5 µs): SQLite itself goes on with files
    that were moved, replaced or removed, and everything written there would be lost. While the path leads nowhere or to
    a foreign file, each use fails; the connections stay open, for the file may be put back. When it leads to another
    database of mailtrack, that is checked as at the start, and used from then on.

    Args:
        path: the file.
        check: makes sure that a file which appears at the path can be used, or raises `StorageError`.
    """

    def __init__(self, path: Path, check: Callable[[], None]) -> None:
        self._path = path.absolute()  # the process may go to another folder
        self._check = check
        self._file = identify(self._path)
        self._closed = False
        self._begin()
        _open.add(self)

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._local = threading.local()
        self._holders: weakref.WeakSet[_Holder] = weakref.WeakSet()
        self._ending: weakref.WeakSet[_Holder] = weakref.WeakSet()  # retired, and still in use
        self._writer = threading.Lock()
        self._following = threading.Lock()
        self._uses = 0
        self._forking = False
        self._leaving: int | None = None  # the thread that ends the process
        # Guards the above. Entering the condition itself may leave it locked for ever: that is Python, in the middle of
        # which the exception of a signal can be raised.
        self._guard = threading.RLock()
        self._changed = threading.Condition(self._guard)

    @contextmanager
    def reading(self, *, snapshot: bool = False) -> Iterator[sqlite3.Connection]:
        """Yield this thread's connection. Each statement sees the newest state; with `snapshot`, all see one state."""
        with translated(), self._using() as holder:
            connection = holder.connection
            if not snapshot:
                yield connection
                return
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                self._roll_back(holder)

    def shrink(self) -> None:
        """Free the pages that this thread's connection caches: up to 8 MB after an image was stored."""
        with suppress(StorageError), self.reading() as connection:
            connection.execute("PRAGMA shrink_memory")

    @contextmanager
    def writing(self, *, cascade: bool = True) -> Iterator[sqlite3.Connection]:
        """Yield this thread's connection in a transaction that commits at the end, or rolls back on any error.

        Args:
            cascade: whether foreign keys are enforced, by which a row goes with those that refer to it. The connection
                is not used again where they are not.
        """
        with translated(), self._using() as holder:
            connection = holder.connection
            if not self._writer.acquire(timeout=BUSY_TIMEOUT):
                raise StorageUnavailable("Other writes in this process take too long.")
            try:
                if not cascade:
                    connection.execute("PRAGMA foreign_keys = OFF")  # has no effect within a transaction
                connection.execute("BEGIN IMMEDIATE")
                self._check_current(holder)  # from now on no other process can take the WAL away
                yield connection
                connection.execute("COMMIT")
                self._check_current(holder)
            except BaseException:
                self._roll_back(holder)
                raise
            finally:
                self._writer.release()
                if not cascade:
                    with self._guard:
                        self._retire([holder])

    def _roll_back(self, holder: _Holder) -> None:
        """End a transaction. Where that fails, the connection is not used again."""
        try:
            if holder.connection.in_transaction:  # on a full disk SQLite has rolled back already
                holder.connection.execute("ROLLBACK")
        except BaseException:
            with self._guard:
                self._retire([holder])
            raise

    def forget_deleted(self) -> bool:
        """Move all of the WAL into the file and empty it, so that nothing deleted stays there; return whether it is.

        Most is moved while others write. They are kept from it only for the rest, and for a moment at a time if readers
        hold it up. An error is none for the caller: the deletion is committed by now.
        """
        with suppress(StorageError), self.reading() as connection:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            connection.execute(f"PRAGMA busy_timeout = {_EMPTYING_MILLISECONDS}")
            try:
                for _ in range(_EMPTYING_TRIES):
                    busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                    if not busy:
                        return True
                    time.sleep(_EMPTYING_MILLISECONDS / 1000)
            finally:
                connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT * 1000:.0f}")
        return False

    def close(self) -> None:
        """Close every connection of this process: now, or when its present use ends."""
        closed, self._closed = self._closed, True
        if self._pid == os.getpid():
            self.rest()
            if not closed:
                self._empty_wal()

    def rest(self) -> None:
        """Close every connection that is not in use. They are opened again when they are needed."""
        if self._pid == os.getpid():
            with self._guard:
                self._retire(list(self._holders))

    def leave(self) -> None:
        """Close every connection at the end of the process. Other threads use none for a while, in which it ends."""
        if self._pid != os.getpid():
            return
        own: _Holder | None = getattr(self._local, "holder", None)
        with self._guard:
            self._leaving = threading.get_ident()
            self._changed.wait_for(lambda: self._uses == (own.uses if own else 0), timeout=_LEAVING_SECONDS)
            self._retire(list(self._holders))

    def before_fork(self) -> None:
        """Wait until no connection is in use, and close them all. They are opened again when they are needed."""
        self._changed.acquire()
        self._forking = True
        if self._changed.wait_for(lambda: self._uses == 0, timeout=2 * BUSY_TIMEOUT):
            self._retire(list(self._holders))

    def after_fork(self, *, child: bool) -> None:
        """Allow connections to be used again."""
        if child:
            self._renew()
            return
        self._forking = False
        self._changed.notify_all()
        self._changed.release()

    def _renew(self) -> None:
        _inherited.append(self._local)
        for holder in (*self._holders, *self._ending):
            holder.leave_to_parent()
        self._begin()

    def _empty_wal(self) -> None:
        """Leave no WAL with content behind, unless another process has the file open.

        SQLite does that when the last connection is closed. But there may have been none here, and a process that had
        some may have ended without closing them.
        """
        with suppress(StorageError), translated():
            if wal.has_content(self._path) and identify(self._path) == self._file:
                connect(self._path).close()

    @contextmanager
    def _using(self) -> Iterator[_Holder]:
        if self._pid != os.getpid():
            self._renew()
        holder = self._take()
        try:
            yield holder
        finally:
            with self._guard:
                self._give_back(holder)
                self._uses -= 1
                self._changed.notify_all()

    def _take(self) -> _Holder:
        """Return this thread's connection, counted as in use."""
        self._check_open()
        file = self._find_file()
        holder: _Holder | None = getattr(self._local, "holder", None)
        with self._guard:
            while self._forking:
                self._changed.wait()
            if self._leaving is not None and self._leaving != threading.get_ident():
                self._changed.wait_for(lambda: self._leaving is None, timeout=_LEAVING_SECONDS)
                self._leaving = None  # a later handler of `atexit` waits for this thread
                self._changed.notify_all()
            self._uses += 1  # from now on no fork happens
            if holder is not None and not holder.retired and holder.is_current(file):
                holder.uses += 1
                return holder
        try:
            return self._connect(file)
        except BaseException:
            with self._guard:
                self._uses -= 1
                self._changed.notify_all()
            raise

    def _connect(self, file: Identity) -> _Holder:
        """Return a new connection for this thread, counted as in use."""
        self._follow(file)
        holder = _Holder(self._path, file)
        self._check_current(holder)
        with self._guard:
            self._check_open()
            self._holders.add(holder)
            holder.uses += 1
        self._local.holder = holder
        return holder

    def _follow(self, file: Identity) -> None:
        """Leave files behind that are not in their places any more, and make sure that the present one can be used.

        Raises:
            StorageUnavailable: the former can't be left yet, or the new one can't be used.
        """
        with self._following:
            with self._guard:
                stale = [holder for holder in self._holders if not holder.is_current(file)]
            if stale:
                self._leave(stale)
            # With these, SQLite would share the index of their former WAL.
            if any(holder.file == file and not holder.is_current(file) for holder in self._ending):
                raise StorageUnavailable(f"{self._path} was replaced for a time, and is still in use from before.")
            if file != self._file:
                self._translate(self._check)
                self._file = file
                _logger.warning("%s was replaced; the new file is used from now on.", self._path)

    def _leave(self, stale: list[_Holder]) -> None:
        self._translate(partial(check_ours, self._path))  # while a foreign file is there, the former one may come back
        with self._borrowed(stale) as former:
            self._translate(partial(wal.take_away, self._path, former.connection, former.beside))
        with self._guard:
            self._retire(stale)

    def _translate(self, step: Callable[[], None]) -> None:
        try:
            step()
        except StorageUnavailable:
            raise
        except (StorageError, OSError, sqlite3.Error) as error:
            raise StorageUnavailable(f"{self._path} was replaced, and can't be used: {error}") from error

    @contextmanager
    def _borrowed(self, holders: list[_Holder]) -> Iterator[_Holder]:
        """Yield one of these that is not in use now."""
        with self._guard:
            idle = next((holder for holder in holders if not holder.uses), None)
            if idle is None:
                raise StorageUnavailable(f"{self._path} was replaced, and the former file is still in use.")
            idle.uses += 1
        try:
            yield idle
        finally:
            with self._guard:
                self._give_back(idle)

    def _retire(self, holders: Iterable[_Holder]) -> None:
        """Keep these from further use, and close those that are idle. Needs the lock."""
        for holder in holders:
            self._holders.discard(holder)
            holder.retired = True
            self._ending.add(holder)
            self._end(holder)

    def _give_back(self, holder: _Holder) -> None:
        """End a use. Needs the lock."""
        holder.uses -= 1
        self._end(holder)

    def _end(self, holder: _Holder) -> None:
        if holder.retired and not holder.uses:
            self._ending.discard(holder)
            holder.close()

    def _find_file(self) -> Identity:
        found = identify(self._path)
        if found is None:
            raise StorageUnavailable(f"{self._path} is gone.")
        return found

    def _check_current(self, holder: _Holder) -> None:
        if not holder.is_current(self._find_file()):
            raise StorageUnavailable(f"{self._path} was replaced while it was used.")

    def _check_open(self) -> None:
        if self._closed:
            raise StorageError("The storage is closed.")


_open: "weakref.WeakSet[Connections]" = weakref.WeakSet()


@atexit.register
def _rest() -> None:
    """Close the connections that a program leaves open at its end, so that the last one leaves no WAL behind."""
    for connections in list(_open):
        connections.leave()

"""`SQLiteWindows`: the moving windows of the library `limits` in an SQLite file of their own, or in memory.

The file is not the database's, so counting never waits for a batch of opens. It is small and opened for each call.
"""

import sqlite3
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from hashlib import sha256
from pathlib import Path
from typing import NoReturn

from limits.storage import MovingWindowSupport, Storage

from mailtrack._forking import ForkSafeLock

BUSY_TIMEOUT = 2.0
"""How long a call waits for other processes, in seconds."""

_APPLICATION_ID = 0x6D746C31  # "mtl1", in the header of the file


class SQLiteWindows(Storage, MovingWindowSupport):
    """A storage for one moving window, exact over all threads and processes of one machine that use the file.

    Thread-safe, and safe over a fork: no connection to the file is open while the process forks.

    Time is the system's monotonic clock, which all processes share and nobody can set, so that a jump of the wall clock
    neither blocks anybody nor lets anybody through. It starts again when the machine does: a request of before then
    seems younger than it is, never older; one that seems to be of the future is taken for one of now.

    Clients are kept as hashes, for the window's time; they are deleted by the next request after that.

    Args:
        path: the file, which is made where there is none, readable for its owner only; `None` for memory.
        clock: tells the seconds since any moment.
    """

    STORAGE_SCHEME = None  # it is made by `TokenLimiter`, not by the URLs of limits

    def __init__(self, path: Path | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(wrap_exceptions=True)
        self._path = None if path is None else path.absolute()  # the process may go to another folder
        self._clock = clock
        self._lock = ForkSafeLock()  # threads wait here in line, and not in SQLite, which tries again now and then
        self._memory: sqlite3.Connection | None = None

    @property
    def base_exceptions(self) -> tuple[type[Exception], ...]:
        """What is told as the error of `limits`."""
        return (sqlite3.Error, OSError)

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Add so many requests to a window, if there is room for all."""
        client = _hash(key)
        with self._transaction() as db:
            now = self._clock()
            db.execute("UPDATE requests SET at = ? WHERE at > ?", (now, now))
            db.execute("DELETE FROM requests WHERE at < ?", (now - expiry,))
            found = db.execute("SELECT count(*) FROM requests WHERE client = ?", (client,)).fetchone()[0]
            if found + amount > limit:
                return False
            db.executemany("INSERT INTO requests VALUES (?, ?)", [(client, now)] * amount)
            return True

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:  # noqa: ARG002  # as declared
        """Return when a window's oldest request came, by the wall clock, and how many there are."""
        with self._transaction() as db:
            now = self._clock()
            oldest, found = db.execute(
                "SELECT min(at), count(*) FROM requests WHERE client = ? AND at >= ?", (_hash(key), now - expiry)
            ).fetchone()
        return time.time() - (now - min(now, oldest) if found else 0), found

    def check(self) -> bool:
        """Return `True`, or raise what is wrong."""
        with self._transaction():
            return True

    def reset(self) -> int:
        """Forget all, and return how many requests that were."""
        with self._transaction() as db:
            return db.execute("DELETE FROM requests").rowcount

    def clear(self, key: str) -> None:
        """Forget the requests of a window."""
        with self._transaction() as db:
            db.execute("DELETE FROM requests WHERE client = ?", (_hash(key),))

    def incr(self, key: str, expiry: int, amount: int = 1) -> NoReturn:
        """Fixed windows are not kept."""
        raise NotImplementedError

    def get(self, key: str) -> NoReturn:
        """Fixed windows are not kept."""
        raise NotImplementedError

    def get_expiry(self, key: str) -> NoReturn:
        """Fixed windows are not kept."""
        raise NotImplementedError

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._connected() as db:
            db.execute("PRAGMA secure_delete = ON")  # what is deleted leaves no bytes behind
            db.execute("BEGIN IMMEDIATE")
            try:
                self._prepare(db)
                yield db
                db.execute("COMMIT")
            finally:
                if db.in_transaction:  # after some errors SQLite has rolled back already
                    db.execute("ROLLBACK")

    def _connected(self) -> "closing[sqlite3.Connection] | nullcontext[sqlite3.Connection]":
        if self._path is not None:
            return closing(_connect(f"{self._path.as_uri()}?mode=rwc"))
        if self._memory is None:
            self._memory = _connect("file::memory:")
            weakref.finalize(self, self._memory.close)
        return nullcontext(self._memory)

    def _prepare(self, db: sqlite3.Connection) -> None:
        """Make the table in a new file; leave a file alone that is not ours."""
        (found,) = db.execute("PRAGMA application_id").fetchone()
        if found == _APPLICATION_ID:
            return
        if db.execute("PRAGMA schema_version").fetchone() != (0,):
            raise sqlite3.DatabaseError("the file is not one of rate limits")
        if self._path is not None:
            self._path.chmod(0o600)  # before anything is in it
        db.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        db.execute("CREATE TABLE requests (client BLOB NOT NULL, at REAL NOT NULL)")
        db.execute("CREATE INDEX requests_of_client ON requests (client, at)")
        db.execute("CREATE INDEX requests_by_time ON requests (at)")


def _connect(uri: str) -> sqlite3.Connection:
    return sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)


def _hash(key: str) -> bytes:
    return sha256(key.encode()).digest()

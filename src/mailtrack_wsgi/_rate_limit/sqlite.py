"""`SQLiteWindows`: moving windows in an SQLite file of their own, or in memory.

The file is not the database's, so counting never waits for a batch of opens. It is small and opened for each call.
"""

import sqlite3
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from hashlib import sha256
from pathlib import Path

from mailtrack._errors import StorageUnavailable
from mailtrack._forking import ForkSafeLock
from mailtrack_wsgi._rate_limit.windows import Window

BUSY_TIMEOUT = 2.0
"""How long a call waits for other processes, in seconds."""

_APPLICATION_ID = 0x6D746C31  # "mtl1", in the header of the file
_VERSION = 1  # of the table; 0 had no column for the length of the window, which was always 900 seconds


class SQLiteWindows:
    """`Windows` for all threads and processes of one machine that use the file, or for one process in memory.

    Thread-safe, and safe over a fork: no connection to the file is open while the process forks.

    Time is the system's monotonic clock, which all processes share and which can't be set, so a jump of the wall clock
    neither blocks a client nor grants too much. It starts again when the machine does: a request from before then seems
    younger than it is, never older; one that seems to lie in the future counts as made now.

    Clients are kept as hashes until their window is over; the next request of any client deletes them.

    Args:
        path: the file, created if missing, readable for its owner only; `None` for memory.
        clock: returns the seconds since any fixed moment.
    """

    def __init__(self, path: Path | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = None if path is None else path.absolute()  # the process may change its folder
        self._clock = clock
        self._lock = ForkSafeLock()  # threads queue here and not in SQLite, which only retries now and then
        self._memory: sqlite3.Connection | None = None

    def ask(self, key: str, *, limit: int, seconds: int, cost: int = 1) -> Window:
        """Count a request if there is room for it, and return the window, as `Windows` describes it."""
        client = sha256(key.encode()).digest()
        with self._transaction() as db:
            now = self._clock()
            db.execute("UPDATE requests SET at = ? WHERE at > ?", (now, now))
            db.execute("DELETE FROM requests WHERE at + seconds < ?", (now,))
            oldest, found = db.execute("SELECT min(at), count(*) FROM requests WHERE client = ?", (client,)).fetchone()
            granted = found + cost <= limit
            if granted and cost:
                db.executemany("INSERT INTO requests VALUES (?, ?, ?)", [(client, now, seconds)] * cost)
                found += cost
        return Window(granted, max(limit - found, 0), seconds - (0.0 if oldest is None else now - oldest))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._lock, self._connected() as db:
                db.execute("PRAGMA secure_delete = ON")  # deleted rows leave no bytes behind
                db.execute("BEGIN IMMEDIATE")
                try:
                    self._prepare(db)
                    yield db
                    db.execute("COMMIT")
                finally:
                    if db.in_transaction:  # after some errors SQLite has rolled back already
                        db.execute("ROLLBACK")
        except (sqlite3.Error, OSError) as error:
            raise StorageUnavailable(f"Requests for tokens can't be counted: {error}", retry_after=1) from error

    def _connected(self) -> "closing[sqlite3.Connection] | nullcontext[sqlite3.Connection]":
        if self._path is not None:
            return closing(_connect(f"{self._path.as_uri()}?mode=rwc"))
        if self._memory is None:
            self._memory = _connect("file::memory:")
            weakref.finalize(self, self._memory.close)
        return nullcontext(self._memory)

    def _prepare(self, db: sqlite3.Connection) -> None:
        """Create the table in a new file, or bring it up to date; refuse a file that is not ours."""
        if db.execute("PRAGMA application_id").fetchone() == (_APPLICATION_ID,):
            if db.execute("PRAGMA user_version").fetchone() == (_VERSION,):
                return
            db.execute("ALTER TABLE requests ADD COLUMN seconds REAL NOT NULL DEFAULT 900")
            db.execute("DROP INDEX requests_by_time")
        elif db.execute("PRAGMA schema_version").fetchone() == (0,):
            if self._path is not None:
                self._path.chmod(0o600)  # before it has any content
            db.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            db.execute("CREATE TABLE requests (client BLOB NOT NULL, at REAL NOT NULL, seconds REAL NOT NULL)")
            db.execute("CREATE INDEX requests_of_client ON requests (client, at)")
        else:
            raise sqlite3.DatabaseError("the file is not one of rate limits")
        db.execute("CREATE INDEX requests_by_time ON requests (at)")
        db.execute("CREATE INDEX requests_by_end ON requests (at + seconds)")
        db.execute(f"PRAGMA user_version = {_VERSION}")


def _connect(uri: str) -> sqlite3.Connection:
    return sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)

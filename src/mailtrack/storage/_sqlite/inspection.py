"""`Inspection`: facts about a database file for its operator. The file is not changed."""

import sqlite3
import time
from contextlib import closing
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import sqlite_utils

from mailtrack._errors import StorageError
from mailtrack._times import from_milliseconds
from mailtrack.storage._sqlite import preparing, schema
from mailtrack.storage._sqlite.connections import connect, translated
from mailtrack.storage._sqlite.wal import has_content

SQLITE_VERSION = sqlite3.sqlite_version_info
"""The version of the SQLite that this Python uses."""

NEEDED_SQLITE = (3, 31, 0)
"""The first version that knows `PRAGMA trusted_schema`."""

_LOOK_EVERY = 10_000  # instructions of SQLite's machine: a millisecond or less
_MAX_PROBLEMS = 5


def may_damage_wal(version: tuple[int, int, int]) -> bool:
    """Return whether a version of SQLite has its "WAL-reset bug".

    A write at the moment of another connection's checkpoint can then, very rarely, damage the file
    (https://sqlite.org/wal.html#walresetbug). It came with WAL and was mended in 3.51.3, 3.50.7 and 3.44.6.
    """
    mended = {(3, 44): 6, (3, 50): 7}
    first = mended.get(version[:2])
    return version < (3, 51, 3) if first is None else version[2] < first


class Inspection:
    """An open database file that is neither created, nor migrated, nor written. The caller closes it.

    Args:
        path: the file.

    Raises:
        StorageError: it is none of mailtrack's, or damaged.
        StorageUnavailable: it can't be opened.
    """

    def __init__(self, path: Path) -> None:
        with translated():
            # The last connection to close the file would, if it may write, move into it what a killed server left in
            # the WAL. Without a WAL, a connection that may only read would leave an empty one behind.
            self._connection = preparing.open_existing(path, read_only=has_content(path))
        self._path = path

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def try_to_write(self) -> None:
        """Begin to write, and leave it at that.

        Raises:
            StorageUnavailable: the file is locked for longer, or read-only.
        """
        with translated(), closing(connect(self._path)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")

    def pragma(self, name: str) -> Any:
        """Return the value of a pragma, as our connections have it."""
        with translated():
            return self._connection.execute(f"PRAGMA {name}").fetchone()[0]

    def pending(self) -> list[str]:
        """Return the migrations that are still to come."""
        return sorted(set(schema.all_names()) - self._applied())

    def unknown(self) -> list[str]:
        """Return the migrations that only a newer version knows."""
        return sorted(self._applied().difference(schema.all_names()))

    def _applied(self) -> set[str]:
        db = sqlite_utils.Database(self._connection, recursive_triggers=False, execute_plugins=False)
        with translated():
            return {migration.name for migration in schema.migrations.applied(db)}

    def newest_open(self) -> datetime | None:
        """Return the time of the newest open."""
        with translated():
            (newest,) = self._connection.execute("SELECT max(last_opened_at) FROM pixels").fetchone()
        return None if newest is None else from_milliseconds(newest)

    def find_damage(self, seconds: float) -> list[str] | None:
        """Return up to 5 problems that `PRAGMA quick_check` finds; `None` where it takes longer than `seconds`."""
        until = time.monotonic() + seconds
        self._connection.set_progress_handler(lambda: time.monotonic() > until, _LOOK_EVERY)
        try:
            with translated(), closing(self._connection.execute(f"PRAGMA quick_check({_MAX_PROBLEMS})")) as found:
                problems = [text for (text,) in found]
        except StorageError as error:
            if getattr(error.__cause__, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
                return None
            return [str(error)]
        finally:
            self._connection.set_progress_handler(None, 0)
        return [] if problems == ["ok"] else problems

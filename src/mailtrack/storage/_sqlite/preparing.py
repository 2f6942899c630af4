"""`prepare`: making sure that a file can be used, with the current tables: a new one, an older one, or none at all."""

import fcntl
import logging
import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlite_utils

from mailtrack._errors import DatabaseNotFound, StorageError
from mailtrack.storage._sqlite import compacting
from mailtrack.storage._sqlite.connections import connect, translated
from mailtrack.storage._sqlite.ours import APPLICATION_ID, check_ours, is_cut
from mailtrack.storage._sqlite.schema import AFTER_COPYING, all_names, create_tables, migrations
from mailtrack.storage._sqlite.wal import wal_of

_COPY_ALL = (
    "SQLite had the rest in the WAL, the file of the same name with -wal at its end: copy both while no program uses"
    " them, or make the copy with `mailtrack backup`."
)

_logger = logging.getLogger(__name__)


def prepare(path: Path, *, create: bool = True) -> None:
    """Make sure that there is a database with the current tables.

    A new file appears whole: it is made beside its place and linked there, so that several processes may begin at
    once and a killed one leaves nothing half made. An older one stays usable for the version that wrote it while its
    opens are copied, in many transactions, which the next process continues if this one ends; the last one replaces all
    tables that change.

    Args:
        path: the file.
        create: whether to make a missing one.

    Raises:
        DatabaseNotFound: it is missing, and `create` is false.
        StorageError: the file is foreign, damaged, empty, incomplete or of a newer mailtrack, or missing beside its
            WAL. It is left as it was.
        StorageUnavailable: it can't be read or written just now.
    """
    try:
        if not path.exists():
            _check_creatable(path, create=create)
            _create(path)
        if path.is_dir():
            raise StorageError(f"{path} can't be used: it is a folder.")
        if path.stat().st_size == 0:
            raise StorageError(f"{path} is empty, which no database of mailtrack ever is. Restore it, or remove it.")
    except OSError as error:
        raise StorageError(f"{path} can't be used: {error.strerror}.") from error
    with translated(f"{path} can't be used"):
        connection = open_existing(path)
        try:
            _migrate(connection, path)
        finally:
            connection.close()


def open_existing(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open a file of ours that is not just a part of a database, torn from its WAL.

    Raises:
        StorageError: it is not ours, or shorter than it should be, or has none of the tables that it was made with.
        sqlite3.Error: it can't be read.
    """
    check_ours(path)
    try:
        connection = connect(path, read_only=read_only)
    except sqlite3.DatabaseError as error:
        if is_cut(path, error):
            raise StorageError(f"{path} is incomplete: a part of it is missing. {_COPY_ALL}") from error
        raise
    try:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' LIMIT 1").fetchone():
            raise StorageError(f"{path} is incomplete: it has no tables. {_COPY_ALL}")
    except BaseException:
        connection.close()
        raise
    return connection


def _check_creatable(path: Path, *, create: bool) -> None:
    if wal_of(path).exists():
        raise StorageError(f"{path} is missing, but its WAL is there. Restore the database, or remove the WAL.")
    if not create:
        raise DatabaseNotFound(str(path.absolute()))


def _create(path: Path) -> None:
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}.new")
    try:
        draft.touch(mode=0o600, exist_ok=False)  # it will hold addresses of people
        with translated():
            connection = connect(draft)
            try:
                connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # only before there are tables
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                create_tables(_wrap(connection))
                _migrate(connection, draft)
                # Closing does that, too, but says nothing where it fails; and the WAL is not linked.
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                connection.close()
        try:
            os.link(draft, path)
        except FileExistsError:
            return  # another process was faster
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        draft.unlink(missing_ok=True)


def _wrap(connection: sqlite3.Connection) -> sqlite_utils.Database:
    return sqlite_utils.Database(connection, recursive_triggers=False, execute_plugins=False)


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    db = _wrap(connection)
    if unknown := {row.name for row in migrations.applied(db)}.difference(all_names()):
        raise StorageError(f"{path} was written by a newer mailtrack ({', '.join(sorted(unknown))}).")
    if connection.execute("PRAGMA journal_mode = WAL").fetchone() != ("wal",):
        raise StorageError(f"{path} can't use write-ahead logging; is it on a network file system?")
    if _pending(db):
        with _turn(path):
            if AFTER_COPYING in _pending(db):
                _apply(connection, db, before=AFTER_COPYING)
                compacting.copy_opens(connection, path)
            if _pending(db):
                _apply(connection, db)


@contextmanager
def _turn(path: Path) -> Iterator[None]:
    """Wait until no other process migrates a file, however long that takes, and have others wait meanwhile.

    SQLite's own lock would have them give up after `BUSY_TIMEOUT`. A killed process holds no lock.
    """
    try:
        wal = wal_of(path).open("rb")
    except FileNotFoundError:  # a new file, which no other process knows
        yield
        return
    with wal:
        try:
            fcntl.flock(wal, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _logger.warning("%s is being migrated by another process; waiting for it.", path.name)
            fcntl.flock(wal, fcntl.LOCK_EX)
        yield


def _pending(db: sqlite_utils.Database) -> set[str]:
    return {migration.name for migration in migrations.pending(db)}


def _apply(connection: sqlite3.Connection, db: sqlite_utils.Database, *, before: str | None = None) -> None:
    """Apply the pending migrations, or those before one, in one transaction."""
    connection.execute("BEGIN IMMEDIATE")  # a second process waits here, and then finds nothing to do
    try:
        if before is None or before in _pending(db):
            migrations.apply(db, stop_before=before)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise

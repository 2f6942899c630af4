"""The tables, their migrations, and the checks of a file before it is used.

The key of every table of things that pixels own begins with the pixel. Times are milliseconds since 1970 (UTC). Texts
that SQLite compares are compared byte by byte.
"""

import os
import secrets
import sqlite3
from collections import Counter
from datetime import timedelta
from pathlib import Path

import sqlite_utils

from mailtrack._addresses import comparable
from mailtrack._delays import to_bucket
from mailtrack._errors import DatabaseNotFound, StorageError
from mailtrack.storage._sqlite import compacting, people_tables
from mailtrack.storage._sqlite.connections import connect, translated
from mailtrack.storage._sqlite.ours import APPLICATION_ID, check_ours, is_cut
from mailtrack.storage._sqlite.wal import wal_of

_COPY_ALL = (
    "SQLite had the rest in the WAL, the file of the same name with -wal at its end: copy both while no program uses"
    " them, or make the copy with `mailtrack backup`."
)

_AFTER_COPYING = "m008_sent_times_and_states"
"""The first of the migrations that earlier versions refuse: it waits until the opens are copied."""

migrations = sqlite_utils.Migrations("mailtrack")


@migrations()
def m001_pixels_recipients_opens(db: sqlite_utils.Database) -> None:
    """Make the first tables.

    `pixels.opens` and `pixels.last_recipient` number the opens and recipients of a pixel from 1, without gaps for
    opens but those that were purged, and are never lowered. `hours` counts opens by hour and kind of verdict as they
    arrive.
    """
    db.executescript(
        """
        CREATE TABLE pixels (
            pixel INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            short_id TEXT NOT NULL UNIQUE,
            name TEXT NOT NULL,
            created_at INTEGER NOT NULL,
            image TEXT,
            recipients INTEGER NOT NULL DEFAULT 0,
            last_recipient INTEGER NOT NULL DEFAULT 0,
            opens INTEGER NOT NULL DEFAULT 0,
            first_opened_at INTEGER,
            last_opened_at INTEGER
        );
        CREATE TABLE images (
            pixel INTEGER PRIMARY KEY REFERENCES pixels ON DELETE CASCADE,
            media_type TEXT NOT NULL,
            data BLOB NOT NULL
        );
        CREATE TABLE recipients (
            pixel INTEGER NOT NULL REFERENCES pixels ON DELETE CASCADE,
            number INTEGER NOT NULL,
            id TEXT NOT NULL,
            email TEXT NOT NULL,
            token TEXT NOT NULL,
            created_at INTEGER NOT NULL,
            opens INTEGER NOT NULL DEFAULT 0,
            first_opened_at INTEGER,
            last_opened_at INTEGER,
            PRIMARY KEY (pixel, number),
            UNIQUE (pixel, id),
            UNIQUE (pixel, email),
            UNIQUE (pixel, token)
        ) WITHOUT ROWID;
        CREATE TABLE opens (
            pixel INTEGER NOT NULL REFERENCES pixels ON DELETE CASCADE,
            number INTEGER NOT NULL,
            id TEXT NOT NULL,
            recipient TEXT,
            opened_at INTEGER NOT NULL,
            ip TEXT,
            user_agent TEXT NOT NULL,
            referer TEXT NOT NULL,
            verdict TEXT NOT NULL,
            vendor TEXT,
            reasons TEXT NOT NULL,
            certainty TEXT,
            rules_version INTEGER NOT NULL,
            PRIMARY KEY (pixel, number),
            UNIQUE (pixel, id)
        ) WITHOUT ROWID;
        CREATE TABLE hours (
            pixel INTEGER NOT NULL REFERENCES pixels ON DELETE CASCADE,
            hour INTEGER NOT NULL,
            verdict TEXT NOT NULL,
            opens INTEGER NOT NULL,
            PRIMARY KEY (pixel, hour, verdict)
        ) WITHOUT ROWID;
        """
    )


@migrations()
def m002_judged_opens(db: sqlite_utils.Database) -> None:
    """Store the facts that opens are judged by, and count the opens that count.

    Until now nothing judged opens, and all counted.
    """
    db.executescript(
        """
        ALTER TABLE opens ADD COLUMN signs TEXT NOT NULL DEFAULT '';
        ALTER TABLE opens ADD COLUMN age INTEGER;
        ALTER TABLE opens ADD COLUMN client TEXT NOT NULL DEFAULT 'unknown';
        ALTER TABLE opens ADD COLUMN client_version TEXT NOT NULL DEFAULT '';
        ALTER TABLE opens ADD COLUMN os TEXT NOT NULL DEFAULT 'unknown';
        ALTER TABLE opens ADD COLUMN device TEXT NOT NULL DEFAULT 'unknown';
        ALTER TABLE opens ADD COLUMN counted INTEGER NOT NULL DEFAULT 1;
        ALTER TABLE hours ADD COLUMN counted INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE recipients ADD COLUMN counted INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE recipients ADD COLUMN first_counted_at INTEGER;
        ALTER TABLE recipients ADD COLUMN last_counted_at INTEGER;
        ALTER TABLE pixels ADD COLUMN counted INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE pixels ADD COLUMN first_counted_at INTEGER;
        ALTER TABLE pixels ADD COLUMN last_counted_at INTEGER;
        ALTER TABLE pixels ADD COLUMN views INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE pixels ADD COLUMN counted_views INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE pixels ADD COLUMN opened INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE pixels ADD COLUMN opened_raw INTEGER NOT NULL DEFAULT 0;
        CREATE TABLE facets (
            pixel INTEGER NOT NULL REFERENCES pixels ON DELETE CASCADE,
            facet TEXT NOT NULL,
            name TEXT NOT NULL,
            opens INTEGER NOT NULL,
            counted INTEGER NOT NULL,
            PRIMARY KEY (pixel, facet, name)
        ) WITHOUT ROWID;
        CREATE INDEX frequent_facets ON facets (pixel, facet, opens DESC, name);
        CREATE TABLE top_recipients (
            pixel INTEGER NOT NULL REFERENCES pixels ON DELETE CASCADE,
            number INTEGER NOT NULL,
            counted INTEGER NOT NULL,
            PRIMARY KEY (pixel, number)
        ) WITHOUT ROWID;
        CREATE TABLE delays (
            pixel INTEGER NOT NULL REFERENCES pixels ON DELETE CASCADE,
            bucket INTEGER NOT NULL,
            recipients INTEGER NOT NULL,
            counted INTEGER NOT NULL,
            PRIMARY KEY (pixel, bucket)
        ) WITHOUT ROWID;
        """
    )
    db.execute("UPDATE hours SET counted = opens")
    db.execute(
        "UPDATE recipients SET counted = opens, first_counted_at = first_opened_at, last_counted_at = last_opened_at"
        " WHERE opens > 0"
    )
    db.execute(
        "UPDATE pixels SET counted = opens, first_counted_at = first_opened_at, last_counted_at = last_opened_at,"
        " views = opens, counted_views = opens"
    )
    db.execute(
        "UPDATE pixels SET opened_raw = (SELECT count(*) FROM recipients r WHERE r.pixel = pixels.pixel AND opens > 0)"
    )
    db.execute("UPDATE pixels SET opened = opened_raw")
    for facet in ("client", "os", "device"):
        db.execute("INSERT INTO facets SELECT pixel, ?, 'unknown', opens, opens FROM pixels WHERE opens > 0", [facet])
    for (pixel,) in db.execute("SELECT pixel FROM pixels").fetchall():
        db.execute(
            "INSERT INTO top_recipients SELECT pixel, number, opens FROM recipients WHERE pixel = ? AND opens >= 2"
            " ORDER BY opens DESC, number LIMIT 100",
            [pixel],
        )
    delays = Counter(
        (pixel, to_bucket(timedelta(milliseconds=delay)))
        for pixel, delay in db.execute("SELECT pixel, first_opened_at - created_at FROM recipients WHERE opens > 0")
    )
    for (pixel, bucket), number in delays.items():
        db.execute("INSERT INTO delays VALUES (?, ?, ?, ?)", [pixel, bucket, number, number])


@migrations()
def m003_found_opens_and_pixels(db: sqlite_utils.Database) -> None:
    """Index opens by verdict and by recipient, and store names as searches compare them."""
    db.executescript(
        """
        CREATE INDEX opens_by_verdict ON opens (pixel, verdict, number);
        CREATE INDEX opens_by_recipient ON opens (pixel, recipient, number) WHERE recipient IS NOT NULL;
        ALTER TABLE pixels ADD COLUMN folded_name TEXT NOT NULL DEFAULT '';
        """
    )
    names = db.execute("SELECT pixel, name FROM pixels").fetchall()
    for pixel, name in names:
        db.execute("UPDATE pixels SET folded_name = ? WHERE pixel = ?", [name.casefold(), pixel])


@migrations()
def m004_api_keys(db: sqlite_utils.Database) -> None:
    """Store the hashes of API keys."""
    db.execute(
        """
        CREATE TABLE api_keys (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            name TEXT NOT NULL,
            digest TEXT NOT NULL,
            created_at INTEGER NOT NULL
        )
        """
    )


@migrations()
def m005_addresses_without_case(db: sqlite_utils.Database) -> None:
    """Compare addresses without regard to case.

    Until now two that differ in case were two recipients. They stay so; the oldest is the one that its address finds,
    the others have no `email_key`.
    """
    db.executescript(
        """
        CREATE TABLE keyed_recipients (
            pixel INTEGER NOT NULL REFERENCES pixels ON DELETE CASCADE,
            number INTEGER NOT NULL,
            id TEXT NOT NULL,
            email TEXT NOT NULL,
            email_key TEXT,
            token TEXT NOT NULL,
            created_at INTEGER NOT NULL,
            opens INTEGER NOT NULL DEFAULT 0,
            first_opened_at INTEGER,
            last_opened_at INTEGER,
            counted INTEGER NOT NULL DEFAULT 0,
            first_counted_at INTEGER,
            last_counted_at INTEGER,
            PRIMARY KEY (pixel, number),
            UNIQUE (pixel, id),
            UNIQUE (pixel, email_key),
            UNIQUE (pixel, token)
        ) WITHOUT ROWID;
        """
    )
    kept = "pixel, number, id, email, token, created_at, opens, first_opened_at, last_opened_at, counted"
    kept += ", first_counted_at, last_counted_at"
    db.conn.create_function("comparable", 1, comparable, deterministic=True)
    # In the order of the key, the oldest of several comes first, and the others change nothing.
    db.execute(
        f"INSERT INTO keyed_recipients ({kept}, email_key) SELECT {kept}, comparable(email) FROM recipients"
        " WHERE true ORDER BY pixel, number ON CONFLICT (pixel, email_key) DO NOTHING"
    )
    db.execute(
        f"INSERT INTO keyed_recipients ({kept}) SELECT {kept} FROM recipients"
        " WHERE true ON CONFLICT (pixel, number) DO NOTHING"
    )
    db.conn.create_function("comparable", 1, None)
    db.execute("DROP TABLE recipients")
    db.execute("ALTER TABLE keyed_recipients RENAME TO recipients")


@migrations()
def m006_settings(db: sqlite_utils.Database) -> None:
    """Store short texts by name, such as the base URL of the server."""
    db.execute("CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")


@migrations()
def m007_purged_opens(db: sqlite_utils.Database) -> None:
    """Store the parts of purged opens that are still needed: their numbers, and the spans of those that count."""
    db.executescript(
        """
        ALTER TABLE pixels ADD COLUMN purged INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE pixels ADD COLUMN purged_before INTEGER;
        ALTER TABLE pixels ADD COLUMN first_purged_at INTEGER;
        ALTER TABLE pixels ADD COLUMN last_purged_at INTEGER;
        ALTER TABLE recipients ADD COLUMN purged_counted INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE recipients ADD COLUMN first_purged_at INTEGER;
        ALTER TABLE recipients ADD COLUMN last_purged_at INTEGER;
        CREATE TABLE purged_opens (
            pixel INTEGER NOT NULL REFERENCES pixels ON DELETE CASCADE,
            first INTEGER NOT NULL,
            last INTEGER NOT NULL,
            PRIMARY KEY (pixel, first)
        ) WITHOUT ROWID;
        """
    )


@migrations()
def m008_sent_times_and_states(db: sqlite_utils.Database) -> None:
    """Store when mails were sent, and how many opens of a recipient are prefetches.

    `compacting.finish` counts those that are there. Prefetches that are purged already can't be counted any more.
    """
    db.executescript(
        """
        ALTER TABLE recipients ADD COLUMN sent_at INTEGER;
        ALTER TABLE recipients ADD COLUMN prefetches INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE pixels ADD COLUMN prefetched INTEGER NOT NULL DEFAULT 0;
        """
    )


@migrations()
def m009_compact_opens(db: sqlite_utils.Database) -> None:
    """Store what many opens share once, in the tables `agents` and `judgements`, and refer to it by small numbers.

    `compacting.copy_opens` has copied most of the opens before.
    """
    compacting.finish(db.conn)


@migrations()
def m010_deleted_pixels(db: sqlite_utils.Database) -> None:
    """Remember which pixels are deleted while rows of theirs are left, see `sweeping`.

    Until they are swept, these rows refer to no pixel: a migration that copies them must leave them out.
    """
    db.execute("CREATE TABLE deleted_pixels (pixel INTEGER PRIMARY KEY)")


@migrations()
def m011_references_and_archived_pixels(db: sqlite_utils.Database) -> None:
    """Store references and data of recipients, and which pixels are archived.

    A recipient is one address and one reference ('' is none) in one pixel. `spare` is 0 for the one that these find. Of
    recipients from before `m005` that differ in case, the younger ones have their number there; until now they had no
    `email_key`.
    """
    people_tables.add_references(db.conn)


@migrations()
def m012_erasure(db: sqlite_utils.Database) -> None:
    """Store digests of the tokens and ids of erased recipients, and whose opens are still to be overwritten.

    The opens of all that are erased refer to the recipient 0.
    """
    people_tables.add_erasure(db.conn)


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


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    db = sqlite_utils.Database(connection, recursive_triggers=False, execute_plugins=False)
    if unknown := {row.name for row in migrations.applied(db)} - all_names():
        raise StorageError(f"{path} was written by a newer mailtrack ({', '.join(sorted(unknown))}).")
    if connection.execute("PRAGMA journal_mode = WAL").fetchone() != ("wal",):
        raise StorageError(f"{path} can't use write-ahead logging; is it on a network file system?")
    if _AFTER_COPYING in _pending(db):
        _apply(connection, db, before=_AFTER_COPYING)
        compacting.copy_opens(connection, path)
    if _pending(db):
        _apply(connection, db)


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


def all_names() -> set[str]:
    """Return the names of all migrations that this version knows."""
    with sqlite_utils.Database(memory=True, recursive_triggers=False, execute_plugins=False) as empty:
        return {migration.name for migration in migrations.pending(empty)}

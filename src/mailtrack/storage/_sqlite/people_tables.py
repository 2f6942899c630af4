"""The tables of references, archived pixels and erasure, as migrations make them."""

import sqlite3

from mailtrack._addresses import comparable

_REFERENCES = """
    ALTER TABLE pixels ADD COLUMN archived INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE pixels ADD COLUMN note TEXT NOT NULL DEFAULT '';
    CREATE INDEX pixels_by_archived ON pixels (archived);
    CREATE TABLE referred_recipients (
        pixel INTEGER NOT NULL REFERENCES pixels ON DELETE CASCADE,
        number INTEGER NOT NULL,
        id TEXT NOT NULL,
        email TEXT NOT NULL,
        email_key TEXT NOT NULL,
        ref TEXT NOT NULL DEFAULT '',
        spare INTEGER NOT NULL DEFAULT 0,
        data TEXT,
        token TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        sent_at INTEGER,
        opens INTEGER NOT NULL DEFAULT 0,
        first_opened_at INTEGER,
        last_opened_at INTEGER,
        counted INTEGER NOT NULL DEFAULT 0,
        first_counted_at INTEGER,
        last_counted_at INTEGER,
        purged_counted INTEGER NOT NULL DEFAULT 0,
        first_purged_at INTEGER,
        last_purged_at INTEGER,
        prefetches INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (pixel, number),
        UNIQUE (pixel, id),
        UNIQUE (pixel, email_key, ref, spare),
        UNIQUE (pixel, token)
    ) WITHOUT ROWID;
    CREATE INDEX recipients_by_ref ON referred_recipients (pixel, ref, number) WHERE ref <> '';
"""

_ERASURE = """
    CREATE TABLE erased (
        pixel INTEGER NOT NULL REFERENCES pixels ON DELETE CASCADE,
        digest INTEGER NOT NULL,
        PRIMARY KEY (pixel, digest)
    ) WITHOUT ROWID;
    CREATE TABLE erasing (
        pixel INTEGER NOT NULL REFERENCES pixels ON DELETE CASCADE,
        number INTEGER NOT NULL,
        PRIMARY KEY (pixel, number)
    ) WITHOUT ROWID;
"""


def add_references(db: sqlite3.Connection) -> None:
    """Make the table of recipients again, with references and data, and columns of pixels. Copy all but swept rows."""
    _execute(db, _REFERENCES)
    kept = "pixel, number, id, email, token, created_at, sent_at, opens, first_opened_at, last_opened_at, counted"
    kept += ", first_counted_at, last_counted_at, purged_counted, first_purged_at, last_purged_at, prefetches"
    db.create_function("comparable", 1, comparable, deterministic=True)
    db.execute(
        f"INSERT INTO referred_recipients ({kept}, email_key, spare)"
        f" SELECT {kept}, coalesce(email_key, comparable(email)), iif(email_key IS NULL, number, 0) FROM recipients"
        " WHERE pixel IN (SELECT pixel FROM pixels)"
    )
    db.create_function("comparable", 1, None)
    db.execute("DROP TABLE recipients")
    db.execute("ALTER TABLE referred_recipients RENAME TO recipients")


def add_erasure(db: sqlite3.Connection) -> None:
    """Make the tables of erased recipients."""
    _execute(db, _ERASURE)


def _execute(db: sqlite3.Connection, statements: str) -> None:
    for statement in statements.split(";")[:-1]:
        db.execute(statement)

"""The tables, and the migrations that make them.

The key of every table of things that pixels own begins with the pixel. Times are milliseconds since 1970 (UTC). Texts
that SQLite compares are compared byte by byte.
"""

from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files

import sqlite_utils

from mailtrack._addresses import comparable
from mailtrack._delays import to_bucket
from mailtrack.storage._sqlite import compacting, people_tables, pixel_pages, webhook_tables

AFTER_COPYING = "m008_sent_times_and_states"
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


@migrations()
def m013_top_recipients(db: sqlite_utils.Database) -> None:
    """Find the recipients with the most opens that count by an index, not by a list that deletions had to refill."""
    db.execute("CREATE INDEX recipients_by_counted ON recipients (pixel, counted DESC, number) WHERE counted >= 2")
    db.execute("DROP TABLE top_recipients")


@migrations()
def m014_rejudged_pixels(db: sqlite_utils.Database) -> None:
    """Count how often opens of a pixel were judged again, for what was read of them before, see `edges`."""
    db.execute("ALTER TABLE pixels ADD COLUMN rejudged INTEGER NOT NULL DEFAULT 0")


@migrations()
def m015_orders_of_pixels(db: sqlite_utils.Database) -> None:
    """Index pixels by the orders in which they are listed."""
    pixel_pages.add_indexes(db.conn)


@migrations()
def m016_totals(db: sqlite_utils.Database) -> None:
    """Count all opens that are ever added, by the kind of verdict that they had then. Nothing lowers these numbers.

    Those that are there are counted with their present kinds; those of deleted pixels can't be counted any more.
    """
    db.executescript(
        """
        CREATE TABLE totals (
            verdict TEXT PRIMARY KEY,
            opens INTEGER NOT NULL,
            counted INTEGER NOT NULL
        ) WITHOUT ROWID;
        INSERT INTO totals SELECT verdict, sum(opens), sum(counted) FROM hours GROUP BY verdict;
        """
    )


@migrations()
def m017_feed(db: sqlite_utils.Database) -> None:
    """Store the feed, and its readers. Opens that are there already are not in it.

    A row is the opens that one call of `add_opens` added to a pixel, by their numbers. `newest` is the latest time of
    an open up to there, of the rows before as well. `opens.firsts` are the bits of `firsts.find_firsts`.
    """
    db.execute("ALTER TABLE opens ADD COLUMN firsts INTEGER NOT NULL DEFAULT 0")
    db.execute(
        """
        CREATE TABLE feed (
            place INTEGER PRIMARY KEY AUTOINCREMENT,
            pixel INTEGER NOT NULL REFERENCES pixels ON DELETE CASCADE,
            first INTEGER NOT NULL,
            last INTEGER NOT NULL,
            newest INTEGER NOT NULL
        )
        """
    )
    db.execute("CREATE UNIQUE INDEX feed_of_pixel ON feed (pixel, first)")
    db.execute(
        """
        CREATE TABLE readers (
            name TEXT PRIMARY KEY,
            after TEXT NOT NULL,
            owner TEXT,
            until INTEGER
        ) WITHOUT ROWID
        """
    )


@migrations()
def m018_webhooks(db: sqlite_utils.Database) -> None:
    """Store webhooks, and for each the deliveries in its outbox.

    A deleted webhook has no row in `webhooks`, by which all else is found, and one in `deleted_webhooks` until none of
    its deliveries is left. Its number is never given again, nor is that of a delivery within its webhook.
    """
    webhook_tables.add(db.conn)


@migrations()
def m019_id(db: sqlite_utils.Database) -> None:
    """Give the database an id, by which it is known wherever it is moved, and `Tracker.backup` makes the same again."""
    db.execute("INSERT INTO settings (name, value) VALUES ('id', lower(hex(randomblob(16))))")


@cache
def all_names() -> tuple[str, ...]:
    """Return the names of all migrations that this version knows, in order."""
    with sqlite_utils.Database(memory=True, recursive_triggers=False, execute_plugins=False) as empty:
        return tuple(migration.name for migration in migrations.pending(empty))


def create_tables(db: sqlite_utils.Database) -> None:
    """Make the current tables in an empty file, in a fifth of the time of the migrations, which count as applied."""
    db.conn.executescript(f"BEGIN; {_read_tables()}")
    migrations.ensure_migrations_table(db)
    now = str(datetime.now(UTC))
    applied = ({"migration_set": migrations.name, "name": name, "applied_at": now} for name in all_names())
    db.table(migrations.migrations_table).insert_all(applied)
    db.conn.execute("COMMIT")


@cache
def _read_tables() -> str:
    return (files(__package__) / "tables.sql").read_text(encoding="utf-8")

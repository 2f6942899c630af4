"""The tables of webhooks and their deliveries, as a migration makes them."""

import sqlite3

_TABLES = """
    CREATE TABLE webhooks (
        webhook INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        url TEXT NOT NULL,
        first TEXT NOT NULL,
        kinds TEXT,
        pixels TEXT,
        secret TEXT NOT NULL,
        former_secret TEXT,
        former_until INTEGER,
        enabled INTEGER NOT NULL,
        disabled_reason TEXT,
        failing_since INTEGER,
        created_at INTEGER NOT NULL,
        after TEXT,
        replay_since INTEGER,
        last_delivery INTEGER NOT NULL DEFAULT 0,
        pending INTEGER NOT NULL DEFAULT 0
    );
    CREATE TABLE deleted_webhooks (webhook INTEGER PRIMARY KEY);
    CREATE TABLE deliveries (
        webhook INTEGER NOT NULL,
        number INTEGER NOT NULL,
        event TEXT NOT NULL,
        cursor TEXT NOT NULL,
        event_at INTEGER NOT NULL,
        state INTEGER NOT NULL,
        tries INTEGER NOT NULL,
        next_try_at INTEGER,
        due_at INTEGER,
        last_status INTEGER,
        error TEXT,
        ended_at INTEGER,
        PRIMARY KEY (webhook, number),
        UNIQUE (webhook, event)
    ) WITHOUT ROWID;
    CREATE INDEX deliveries_due ON deliveries (webhook, due_at, number) WHERE due_at IS NOT NULL;
    CREATE INDEX deliveries_pending ON deliveries (webhook, event_at) WHERE due_at IS NOT NULL;
    CREATE INDEX deliveries_by_state ON deliveries (webhook, state, number);
    CREATE INDEX deliveries_ended ON deliveries (ended_at) WHERE ended_at IS NOT NULL;
"""


def add(db: sqlite3.Connection) -> None:
    """Make the tables and their indexes."""
    for statement in _TABLES.split(";")[:-1]:
        db.execute(statement)

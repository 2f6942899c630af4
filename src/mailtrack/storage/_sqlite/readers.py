"""Readers of the feed in tables: where each is, and which process has it until when."""

import sqlite3

from mailtrack.storage import _cursors as cursors
from mailtrack.storage._sqlite import feed_rows


def add(db: sqlite3.Connection, name: str) -> None:
    """Add a reader at the end of the feed, unless there is one of this name."""
    after = cursors.from_pair(*feed_rows.get_end(db))
    db.execute("INSERT OR IGNORE INTO readers (name, after) VALUES (?, ?)", (name, after))


def is_taken(db: sqlite3.Connection, name: str, owner: str, now: int) -> bool:
    """Return whether another owner has a reader at a time in milliseconds, or there is none of this name."""
    return _find(db, name, owner, now) is None


def take(db: sqlite3.Connection, name: str, owner: str, now: int, until: int) -> str | None:
    """Give a reader to an owner until a time in milliseconds, and return where it is; `None` where another has it."""
    after = _find(db, name, owner, now)
    if after is not None:
        db.execute("UPDATE readers SET owner = ?, until = ? WHERE name = ?", (owner, until, name))
    return after


def _find(db: sqlite3.Connection, name: str, owner: str, now: int) -> str | None:
    found = db.execute(
        "SELECT after FROM readers WHERE name = ? AND (owner IS NULL OR owner = ? OR until <= ?)", (name, owner, now)
    ).fetchone()
    return None if found is None else str(found[0])


def move(db: sqlite3.Connection, name: str, owner: str, after: str, until: int) -> bool:
    """Move a reader of an owner, and return whether it still was that owner's."""
    changed = db.execute(
        "UPDATE readers SET after = ?, until = ? WHERE name = ? AND owner = ?", (after, until, name, owner)
    )
    return changed.rowcount > 0

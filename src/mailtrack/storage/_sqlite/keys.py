"""API keys in tables."""

import sqlite3

from mailtrack._errors import KeyNotFound
from mailtrack._model import ApiKey
from mailtrack._times import from_milliseconds, to_milliseconds


def add(db: sqlite3.Connection, key: ApiKey) -> None:
    """Add a key."""
    db.execute(
        "INSERT INTO api_keys (id, name, digest, created_at) VALUES (?, ?, ?, ?)",
        (key.id, key.name, key.digest, to_milliseconds(key.created_at)),
    )


def get_all(db: sqlite3.Connection) -> list[ApiKey]:
    """Return all keys in the order in which they were added."""
    return [_to_key(*row) for row in db.execute("SELECT id, name, digest, created_at FROM api_keys ORDER BY number")]


def delete(db: sqlite3.Connection, key_id: str) -> ApiKey:
    """Delete a key, and return it.

    Raises:
        KeyNotFound: there is none.
    """
    found = db.execute("SELECT id, name, digest, created_at FROM api_keys WHERE id = ?", (key_id,)).fetchone()
    if found is None:
        raise KeyNotFound
    db.execute("DELETE FROM api_keys WHERE id = ?", (key_id,))
    return _to_key(*found)


def _to_key(key_id: str, name: str, digest: str, created_at: int) -> ApiKey:
    return ApiKey(id=key_id, name=name, digest=digest, created_at=from_milliseconds(created_at))

"""API keys and settings in tables."""

import psycopg

from mailtrack._errors import KeyNotFound, StorageError
from mailtrack._model import ApiKey
from mailtrack._times import from_milliseconds, to_milliseconds
from mailtrack.storage._postgres.connections import Connection


def add(db: Connection, key: ApiKey) -> None:
    """Add a key.

    Raises:
        StorageError: another key has the same id.
    """
    try:
        db.execute(
            "INSERT INTO api_keys (id, name, digest, created_at) VALUES (%s, %s, %s, %s)",
            (key.id, key.name, key.digest, to_milliseconds(key.created_at)),
        )
    except psycopg.errors.UniqueViolation as error:
        raise StorageError("Another key has this id.") from error


def get_all(db: Connection) -> list[ApiKey]:
    """Return all keys in the order in which they were added."""
    return [_to_key(*row) for row in db.execute("SELECT id, name, digest, created_at FROM api_keys ORDER BY number")]


def delete(db: Connection, key_id: str) -> ApiKey:
    """Delete a key, and return it.

    Raises:
        KeyNotFound: there is none.
    """
    found = db.execute(
        "DELETE FROM api_keys WHERE id = %s RETURNING id, name, digest, created_at", (key_id,)
    ).fetchone()
    if found is None:
        raise KeyNotFound
    return _to_key(*found)


def get_setting(db: Connection, name: str) -> str | None:
    """Return the text stored under a name, `None` where there is none."""
    found = db.execute("SELECT value FROM settings WHERE name = %s", (name,)).fetchone()
    return None if found is None else str(found[0])


def set_setting(db: Connection, name: str, value: str | None) -> None:
    """Store a text under a name, replacing the former one; `None` removes it."""
    if value is None:
        db.execute("DELETE FROM settings WHERE name = %s", (name,))
    else:
        db.execute(
            "INSERT INTO settings (name, value) VALUES (%s, %s)"
            " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, value),
        )


def _to_key(key_id: str, name: str, digest: str, created_at: int) -> ApiKey:
    return ApiKey(id=key_id, name=name, digest=digest, created_at=from_milliseconds(created_at))

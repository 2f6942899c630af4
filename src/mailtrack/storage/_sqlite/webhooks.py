"""Webhooks in tables."""

import sqlite3
from collections.abc import Iterable

from mailtrack._errors import WebhookNotFound
from mailtrack._webhook import Webhook
from mailtrack.storage._rows.webhooks import COLUMNS, Outbox, to_row, to_webhook


def add(db: sqlite3.Connection, webhook: Webhook) -> None:
    """Add a webhook."""
    db.execute(f"INSERT INTO webhooks ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})", to_row(webhook))


def get(db: sqlite3.Connection, webhook_id: str) -> Webhook:
    """Return a webhook.

    Raises:
        WebhookNotFound: there is none.
    """
    for webhook in _read(db, "WHERE id = ?", webhook_id):
        return webhook
    raise WebhookNotFound


def get_all(db: sqlite3.Connection) -> list[Webhook]:
    """Return all webhooks in the order in which they were added."""
    return list(_read(db, "ORDER BY webhook"))


def change(db: sqlite3.Connection, former: Webhook, present: Webhook) -> bool:
    """Replace a webhook, in a transaction that writes, if it still has its former value, and return whether it had.

    Raises:
        WebhookNotFound: there is none.
    """
    if get(db, former.id) != former:
        return False
    changes = ", ".join(f"{column} = ?" for column in COLUMNS)
    db.execute(f"UPDATE webhooks SET {changes} WHERE id = ?", (*to_row(present), former.id))
    return True


def hide(db: sqlite3.Connection, webhook_id: str) -> Webhook:
    """Take a webhook out of all sight, leave its deliveries to `deliveries.sweep`, and return it as it was.

    Raises:
        WebhookNotFound: there is none.
    """
    hidden = get(db, webhook_id)
    db.execute("INSERT INTO deleted_webhooks (webhook) SELECT webhook FROM webhooks WHERE id = ?", (webhook_id,))
    db.execute("DELETE FROM webhooks WHERE id = ?", (webhook_id,))
    return hidden


def find(db: sqlite3.Connection, webhook_id: str) -> int | None:
    """Return the number of a webhook, `None` where there is none."""
    found = db.execute("SELECT webhook FROM webhooks WHERE id = ?", (webhook_id,)).fetchone()
    return None if found is None else int(found[0])


def find_outbox(db: sqlite3.Connection, webhook_id: str, after: str | None) -> Outbox | None:
    """Return the outbox of a webhook that is enabled, and has come up to a cursor; `None` for any other."""
    found = db.execute(
        "SELECT webhook, last_delivery, replay_since FROM webhooks WHERE id = ? AND enabled AND after IS ?",
        (webhook_id, after),
    ).fetchone()
    return None if found is None else Outbox(*found)


def move(db: sqlite3.Connection, webhook: int, to: str) -> None:
    """Move a webhook on to a cursor."""
    db.execute("UPDATE webhooks SET after = ? WHERE webhook = ?", (to, webhook))


def _read(db: sqlite3.Connection, which: str, *values: str) -> Iterable[Webhook]:
    for row in db.execute(f"SELECT {', '.join(COLUMNS)} FROM webhooks {which}", values):
        yield to_webhook(row)

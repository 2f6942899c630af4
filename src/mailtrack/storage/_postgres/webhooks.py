"""Webhooks in tables."""

from collections.abc import Iterator

import psycopg

from mailtrack._errors import StorageError, WebhookNotFound
from mailtrack._webhook import Webhook
from mailtrack.storage._postgres.connections import Connection
from mailtrack.storage._rows.webhooks import COLUMNS, Outbox, to_row, to_webhook


def add(db: Connection, webhook: Webhook) -> None:
    """Add a webhook.

    Raises:
        StorageError: another one has the same id.
    """
    try:
        db.execute(
            f"INSERT INTO webhooks ({', '.join(COLUMNS)}) VALUES ({', '.join(['%s'] * len(COLUMNS))})",
            to_row(webhook),
        )
    except psycopg.errors.UniqueViolation as error:
        raise StorageError("Another webhook has this id.") from error


def get(db: Connection, webhook_id: str, *, lock: bool = False) -> Webhook:
    """Return a webhook, and lock its row until the transaction ends, if that is asked for.

    Raises:
        WebhookNotFound: there is none.
    """
    for webhook in _read(db, "WHERE id = %s FOR NO KEY UPDATE" if lock else "WHERE id = %s", webhook_id):
        return webhook
    raise WebhookNotFound


def get_all(db: Connection) -> list[Webhook]:
    """Return all webhooks in the order in which they were added."""
    return list(_read(db, "ORDER BY webhook"))


def change(db: Connection, former: Webhook, present: Webhook) -> bool:
    """Replace a webhook, if it still has its former value, and return whether it had.

    Raises:
        WebhookNotFound: there is none.
    """
    if get(db, former.id, lock=True) != former:
        return False
    changes = ", ".join(f"{column} = %s" for column in COLUMNS)
    db.execute(f"UPDATE webhooks SET {changes} WHERE id = %s", (*to_row(present), former.id))
    return True


def hide(db: Connection, webhook_id: str) -> Webhook:
    """Take a webhook out of all sight, leave its deliveries to `deliveries.sweep`, and return it as it was.

    Raises:
        WebhookNotFound: there is none.
    """
    hidden = get(db, webhook_id, lock=True)
    db.execute("INSERT INTO deleted_webhooks (webhook) SELECT webhook FROM webhooks WHERE id = %s", (webhook_id,))
    db.execute("DELETE FROM webhooks WHERE id = %s", (webhook_id,))
    return hidden


def find(db: Connection, webhook_id: str) -> int | None:
    """Return the number of a webhook, `None` where there is none."""
    found = db.execute("SELECT webhook FROM webhooks WHERE id = %s", (webhook_id,)).fetchone()
    return None if found is None else int(found[0])


def lock(db: Connection, webhook_id: str) -> int | None:
    """Lock the row of a webhook until the transaction ends, and return its number; `None` where there is none."""
    found = db.execute("SELECT webhook FROM webhooks WHERE id = %s FOR NO KEY UPDATE", (webhook_id,)).fetchone()
    return None if found is None else int(found[0])


def find_outbox(db: Connection, webhook_id: str, after: str | None) -> Outbox | None:
    """Return the outbox of a webhook that is enabled, and has come up to a cursor, and lock it; `None` for any other.

    A condition on the cursor is read again once the row is locked.
    """
    found = db.execute(
        "SELECT webhook, last_delivery, replay_since FROM webhooks"
        " WHERE id = %s AND enabled AND after IS NOT DISTINCT FROM %s FOR NO KEY UPDATE",
        (webhook_id, after),
    ).fetchone()
    return None if found is None else Outbox(*found)


def move(db: Connection, webhook: int, to: str) -> None:
    """Move a webhook on to a cursor."""
    db.execute("UPDATE webhooks SET after = %s WHERE webhook = %s", (to, webhook))


def _read(db: Connection, which: str, *values: str) -> Iterator[Webhook]:
    for row in db.execute(f"SELECT {', '.join(COLUMNS)} FROM webhooks {which}", values):
        yield to_webhook(row)

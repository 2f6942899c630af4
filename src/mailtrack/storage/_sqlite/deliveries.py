"""Deliveries in tables.

`due_at` is when a delivery can be taken: at its next try, or when the time of the caller that took it is over; `NULL`
once it has ended. `webhooks.pending` counts those that have not ended, so that nothing need count them.
"""

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from time import monotonic

from mailtrack._model import Page
from mailtrack._times import to_milliseconds
from mailtrack._webhook import Delivery, DeliveryCount, DeliveryState
from mailtrack.storage._rows.deliveries import (
    COLUMNS,
    LAST,
    STATES,
    choose,
    to_counts,
    to_delivery,
    to_new_row,
    to_page,
    to_settled_row,
)
from mailtrack.storage._rows.webhooks import Outbox
from mailtrack.storage._sqlite import sweeping

_DUE = (
    " FROM webhooks w CROSS JOIN deliveries d INDEXED BY deliveries_due ON d.webhook = w.webhook AND d.due_at <= ?"
    " WHERE w.id = ? AND w.enabled"
)
_LEFT = "FROM deleted_webhooks g CROSS JOIN deliveries d ON d.webhook = g.webhook"
_MAX_ROWS = 1024  # of one statement


def fill(db: sqlite3.Connection, outbox: Outbox, given: Sequence[Delivery]) -> None:
    """Add deliveries to an outbox, each unless its event has one that is to stay."""
    webhook, last, since = outbox
    kept, replayed = choose(given, since)
    ended = _delete_former(db, webhook, replayed) if replayed else 0
    added = db.executemany(
        "INSERT INTO deliveries (state, webhook, number, event, cursor, event_at, tries, next_try_at, due_at)"
        f" VALUES ({STATES.index(DeliveryState.PENDING)}, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (webhook, event) DO NOTHING",
        ((webhook, *row, row[-1]) for number, one in enumerate(kept, last + 1) for row in [to_new_row(one, number)]),
    ).rowcount
    db.execute(
        "UPDATE webhooks SET last_delivery = ?, pending = pending + ? WHERE webhook = ?",
        (last + len(kept), max(added, 0) - ended, webhook),
    )


def _delete_former(db: sqlite3.Connection, webhook: int, events: set[str]) -> int:
    """Delete the deliveries of some events, and return how many of them were pending."""
    which, values = "webhook = ? AND event IN (SELECT value FROM json_each(?))", (webhook, json.dumps(sorted(events)))
    (pending,) = db.execute(
        f"SELECT count(due_at) FROM deliveries INDEXED BY sqlite_autoindex_deliveries_2 WHERE {which}", values
    ).fetchone()
    db.execute(f"DELETE FROM deliveries WHERE {which}", values)
    return int(pending)


def has_due(db: sqlite3.Connection, webhook_id: str, now: datetime) -> bool:
    """Return whether any delivery of a webhook can be taken."""
    return db.execute(f"SELECT 1{_DUE} LIMIT 1", (to_milliseconds(now), webhook_id)).fetchone() is not None


def take(db: sqlite3.Connection, webhook_id: str, now: datetime, until: datetime, limit: int) -> list[Delivery]:
    """Return deliveries of a webhook that are due, and keep them from others until a time."""
    rows = db.execute(
        f"SELECT d.webhook, {COLUMNS}{_DUE} ORDER BY d.due_at, d.number LIMIT ?",
        (to_milliseconds(now), webhook_id, limit),
    ).fetchall()
    db.executemany(
        "UPDATE deliveries SET due_at = ? WHERE webhook = ? AND number = ?",
        ((to_milliseconds(until), webhook, number) for webhook, number, *_ in rows),
    )
    return [to_delivery(row) for _, *row in rows]


def settle(db: sqlite3.Connection, webhook: int, settled: Sequence[Delivery]) -> None:
    """Store what has become of deliveries of a webhook, unless they are gone or have ended."""
    ended = 0
    for one in settled:
        if not one.id.isdecimal():
            continue
        found = db.execute(
            "UPDATE deliveries SET state = ?, tries = ?, next_try_at = ?, due_at = ?, last_status = ?, error = ?,"
            " ended_at = ? WHERE webhook = ? AND number = ? AND due_at IS NOT NULL",
            (*to_settled_row(one), webhook, int(one.id)),
        ).rowcount
        ended += found and one.state is not DeliveryState.PENDING
    db.execute("UPDATE webhooks SET pending = pending - ? WHERE webhook = ?", (ended, webhook))


def get_page(
    db: sqlite3.Connection, webhook: int, limit: int, before: int | None, state: DeliveryState | None
) -> Page[Delivery]:
    """Return deliveries of a webhook before a number, the last added first."""
    index, of_state = ("", "") if state is None else (" INDEXED BY deliveries_by_state", " AND d.state = ?")
    rows = db.execute(
        f"SELECT {COLUMNS} FROM deliveries d{index} WHERE d.webhook = ? AND d.number < ?{of_state}"
        " ORDER BY d.number DESC LIMIT ?",
        (webhook, LAST if before is None else before, *([] if state is None else [STATES.index(state)]), limit + 1),
    )
    return to_page(rows, limit)


def count(db: sqlite3.Connection) -> dict[str, DeliveryCount]:
    """Return the counts of pending deliveries, by webhook."""
    rows = db.execute(
        "SELECT w.id, w.pending, (SELECT d.event_at FROM deliveries d INDEXED BY deliveries_pending"
        " WHERE d.webhook = w.webhook AND d.due_at IS NOT NULL ORDER BY d.event_at LIMIT 1) FROM webhooks w"
    )
    return to_counts(rows)


def delete_ended(db: sqlite3.Connection, before: datetime, limit: int, until: float) -> tuple[int, bool]:
    """Delete deliveries that ended before a time, the longest ended first, up to a limit or a `monotonic` time.

    Those of deleted webhooks go as well, and are not counted.

    Returns:
        Their number, and whether there are no more of them.
    """
    deleted = 0
    while deleted < limit:
        rows = db.execute(
            "SELECT d.webhook, d.number, w.webhook IS NOT NULL FROM deliveries d INDEXED BY deliveries_ended"
            " LEFT JOIN webhooks w ON w.webhook = d.webhook WHERE d.ended_at < ?"
            " ORDER BY d.ended_at, d.webhook, d.number LIMIT ?",
            (to_milliseconds(before), min(limit - deleted, _MAX_ROWS)),
        ).fetchall()
        if not rows:
            return deleted, True
        db.executemany(
            "DELETE FROM deliveries WHERE webhook = ? AND number = ?",
            ((webhook, number) for webhook, number, _ in rows),
        )
        deleted += sum(counts for _, _, counts in rows)
        if monotonic() >= until:
            break
    return deleted, False


def has_remains(db: sqlite3.Connection) -> bool:
    """Return whether there may be deliveries of deleted webhooks."""
    return db.execute("SELECT 1 FROM deleted_webhooks LIMIT 1").fetchone() is not None


def sweep(db: sqlite3.Connection, until: float) -> tuple[int, bool]:
    """Delete deliveries of deleted webhooks until a `monotonic` time; return their number, and whether none is left."""
    deleted = sweeping.repeat(partial(_delete, db), until, _MAX_ROWS)
    if db.execute(f"SELECT 1 {_LEFT} LIMIT 1").fetchone() is not None:
        return deleted, False
    return deleted + db.execute("DELETE FROM deleted_webhooks").rowcount, True


def _delete(db: sqlite3.Connection, limit: int) -> int:
    return db.execute(
        f"DELETE FROM deliveries WHERE (webhook, number) IN (SELECT d.webhook, d.number {_LEFT} LIMIT ?)", (limit,)
    ).rowcount

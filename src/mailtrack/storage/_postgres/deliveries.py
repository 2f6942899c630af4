"""Deliveries in tables. Who adds to them or changes them has locked the row of their webhook."""

from collections.abc import Sequence
from datetime import datetime
from time import monotonic

from mailtrack._model import Page
from mailtrack._times import to_milliseconds
from mailtrack._webhook import Delivery, DeliveryCount, DeliveryState
from mailtrack.storage._postgres.connections import Connection
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

_DUE = " FROM webhooks w JOIN deliveries d ON d.webhook = w.webhook AND d.due_at <= %s WHERE w.id = %s AND w.enabled"
_MAX_ROWS = 1000  # of one statement


def fill(db: Connection, outbox: Outbox, given: Sequence[Delivery]) -> None:
    """Add deliveries to an outbox, each unless its event has one that is to stay."""
    webhook, last, since = outbox
    kept, replayed = choose(given, since)
    ended = _delete_former(db, webhook, replayed) if replayed else 0
    rows = [to_new_row(one, number) for number, one in enumerate(kept, last + 1)]
    added = 0
    if rows:
        pending = STATES.index(DeliveryState.PENDING)
        added = db.execute(
            "INSERT INTO deliveries (webhook, number, event, cursor, event_at, state, tries, next_try_at, due_at)"
            f" SELECT %s::bigint, number, event, cursor, event_at, {pending}, tries, due_at, due_at"
            " FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::bigint[], %s::integer[], %s::bigint[])"
            " w (number, event, cursor, event_at, tries, due_at) ON CONFLICT (webhook, event) DO NOTHING",
            (webhook, *[list(column) for column in zip(*rows, strict=True)]),
        ).rowcount
    db.execute(
        "UPDATE webhooks SET last_delivery = %s, pending = pending + %s WHERE webhook = %s",
        (last + len(kept), added - ended, webhook),
    )


def _delete_former(db: Connection, webhook: int, events: set[str]) -> int:
    """Delete the deliveries of some events, and return how many of them were pending."""
    gone = db.execute(
        "DELETE FROM deliveries WHERE webhook = %s AND event = ANY(%s::text[]) RETURNING due_at",
        (webhook, sorted(events)),
    )
    return sum(due_at is not None for (due_at,) in gone)


def has_due(db: Connection, webhook_id: str, now: datetime) -> bool:
    """Return whether any delivery of a webhook can be taken."""
    return db.execute(f"SELECT 1{_DUE} LIMIT 1", (to_milliseconds(now), webhook_id)).fetchone() is not None


def take(db: Connection, webhook_id: str, now: datetime, until: datetime, limit: int) -> list[Delivery]:
    """Return deliveries of a webhook that are due, and keep them from others until a time."""
    rows = db.execute(
        f"SELECT d.webhook, {COLUMNS}{_DUE} ORDER BY d.due_at, d.number LIMIT %s",
        (to_milliseconds(now), webhook_id, limit),
    ).fetchall()
    if rows:
        db.execute(
            "UPDATE deliveries SET due_at = %s WHERE webhook = %s AND number = ANY(%s::bigint[])",
            (to_milliseconds(until), rows[0][0], [row[1] for row in rows]),
        )
    return [to_delivery(row) for _, *row in rows]


def settle(db: Connection, webhook: int, settled: Sequence[Delivery]) -> None:
    """Store what has become of deliveries of a webhook, unless they are gone or have ended."""
    ended = 0
    for one in settled:
        if not one.id.isdecimal():
            continue
        found = db.execute(
            "UPDATE deliveries SET state = %s, tries = %s, next_try_at = %s, due_at = %s, last_status = %s, error = %s,"
            " ended_at = %s WHERE webhook = %s AND number = %s AND due_at IS NOT NULL",
            (*to_settled_row(one), webhook, int(one.id)),
        ).rowcount
        ended += found and one.state is not DeliveryState.PENDING
    db.execute("UPDATE webhooks SET pending = pending - %s WHERE webhook = %s", (ended, webhook))


def get_page(
    db: Connection, webhook: int, limit: int, before: int | None, state: DeliveryState | None
) -> Page[Delivery]:
    """Return deliveries of a webhook before a number, the last added first."""
    of_state = "" if state is None else " AND d.state = %s"
    rows = db.execute(
        f"SELECT {COLUMNS} FROM deliveries d WHERE d.webhook = %s AND d.number < %s{of_state}"
        " ORDER BY d.number DESC LIMIT %s",
        (webhook, LAST if before is None else before, *([] if state is None else [STATES.index(state)]), limit + 1),
    )
    return to_page(rows, limit)


def count(db: Connection) -> dict[str, DeliveryCount]:
    """Return the counts of pending deliveries, by webhook."""
    rows = db.execute(
        "SELECT w.id, w.pending, (SELECT d.event_at FROM deliveries d"
        " WHERE d.webhook = w.webhook AND d.due_at IS NOT NULL ORDER BY d.event_at LIMIT 1)"
        " FROM webhooks w ORDER BY w.webhook"
    )
    return to_counts(rows)


def delete_ended(db: Connection, before: datetime, limit: int, until: float) -> tuple[int, bool]:
    """Delete deliveries that ended before a time, the longest ended first, up to a limit or a `monotonic` time.

    Those of deleted webhooks go as well, and are not counted.

    Returns:
        Their number, and whether there are no more of them.
    """
    deleted = 0
    while deleted < limit:
        rows = db.execute(
            "WITH gone AS (DELETE FROM deliveries WHERE ctid = ANY(ARRAY(SELECT ctid FROM deliveries"
            " WHERE ended_at < %s ORDER BY ended_at, webhook, number LIMIT %s)) RETURNING webhook)"
            " SELECT w.webhook IS NOT NULL FROM gone LEFT JOIN webhooks w ON w.webhook = gone.webhook",
            (to_milliseconds(before), min(limit - deleted, _MAX_ROWS)),
        ).fetchall()
        if not rows:
            return deleted, True
        deleted += sum(counts for (counts,) in rows)
        if monotonic() >= until:
            break
    return deleted, False


def has_remains(db: Connection) -> bool:
    """Return whether there may be deliveries of deleted webhooks."""
    return db.execute("SELECT 1 FROM deleted_webhooks LIMIT 1").fetchone() is not None


def sweep(db: Connection, until: float) -> int:
    """Delete deliveries of a deleted webhook until a `monotonic` time, and return their number."""
    found = db.execute("SELECT webhook FROM deleted_webhooks LIMIT 1 FOR UPDATE SKIP LOCKED").fetchone()
    if found is None:
        return 0
    deleted = 0
    while True:
        now = db.execute(
            "DELETE FROM deliveries WHERE ctid = ANY(ARRAY(SELECT ctid FROM deliveries WHERE webhook = %s LIMIT %s))",
            (*found, _MAX_ROWS),
        ).rowcount
        deleted += now
        if now < _MAX_ROWS:
            return deleted + db.execute("DELETE FROM deleted_webhooks WHERE webhook = %s", found).rowcount
        if monotonic() >= until:
            return deleted

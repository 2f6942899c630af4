"""Recipients in tables."""

import json
import sqlite3
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any

from mailtrack._addresses import comparable
from mailtrack._counts import NO_OPENS
from mailtrack._errors import PixelNotFound, RecipientNotFound
from mailtrack._model import Page, Recipient, RecipientState
from mailtrack._times import from_milliseconds, to_milliseconds
from mailtrack.storage import _cursors as cursors
from mailtrack.storage._counting.spans import to_open_spans
from mailtrack.storage._sqlite import counts

# CROSS JOIN keeps SQLite to the order written: the wanted values first, then their places in an index.

_RECIPIENT = (
    "r.number, r.id, r.email, r.token, r.created_at, r.sent_at, r.prefetches,"
    " r.counted, r.first_counted_at, r.last_counted_at, r.opens, r.first_opened_at, r.last_opened_at"
)

_IN_STATE = {
    RecipientState.OPENED: "r.counted > 0",
    RecipientState.PREFETCHED: "r.counted = 0 AND r.prefetches > 0",
    RecipientState.SCANNED: "r.counted = 0 AND r.prefetches = 0 AND r.opens > 0",
    RecipientState.NONE: "r.opens = 0",
}

to_shared_time = lru_cache(maxsize=64)(from_milliseconds)
"""Return a time; all recipients of one request have the same one."""


def add(db: sqlite3.Connection, pixel_id: str, recipients: Sequence[Recipient]) -> list[Recipient]:
    """Add the recipients whose address the pixel does not have yet, and return one for each given.

    Raises:
        PixelNotFound: the pixel does not exist.
    """
    found = db.execute("SELECT pixel, last_recipient FROM pixels WHERE id = ?", (pixel_id,)).fetchone()
    if found is None:
        raise PixelNotFound
    pixel, last = found
    keys = [comparable(new.email) for new in recipients]
    cursor = db.executemany(
        "INSERT INTO recipients (pixel, number, id, email, email_key, token, created_at, sent_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (pixel, email_key) DO NOTHING",
        (
            (
                pixel,
                number,
                new.id,
                new.email,
                key,
                new.token,
                to_milliseconds(new.created_at),
                None if new.sent_at is None else to_milliseconds(new.sent_at),
            )
            for number, (new, key) in enumerate(zip(recipients, keys, strict=True), last + 1)
        ),
    )
    added = cursor.rowcount if recipients else 0
    db.execute(
        "UPDATE pixels SET recipients = recipients + ?, last_recipient = ? WHERE pixel = ?",
        (added, last + len(recipients), pixel),
    )
    if added == len(recipients):
        return list(recipients)
    present = _find_by_key(db, pixel, pixel_id, keys)
    return [present[key] for key in keys]


def _find_by_key(db: sqlite3.Connection, pixel: int, pixel_id: str, keys: list[str]) -> dict[str, Recipient]:
    found = db.execute(
        f"SELECT w.value, {_RECIPIENT}"
        " FROM json_each(?) w CROSS JOIN recipients r ON r.pixel = ? AND r.email_key = w.value",
        (json.dumps(keys), pixel),
    ).fetchall()
    return {key: _to_recipient(row, pixel_id) for key, *row in found}


def get(db: sqlite3.Connection, recipient_ids: Collection[str]) -> dict[str, Recipient]:
    """Return the recipients that exist of those with some ids, by id."""
    wanted = [(recipient_id[:8], recipient_id) for recipient_id in recipient_ids]
    found = db.execute(
        f"SELECT p.id, {_RECIPIENT} FROM json_each(?) w"
        " CROSS JOIN pixels p ON p.short_id = json_extract(w.value, '$[0]')"
        " CROSS JOIN recipients r ON r.pixel = p.pixel AND r.id = json_extract(w.value, '$[1]')",
        (json.dumps(wanted),),
    ).fetchall()
    recipients = (_to_recipient(row, pixel_id) for pixel_id, *row in found)
    return {recipient.id: recipient for recipient in recipients}


def get_page(
    db: sqlite3.Connection, pixel_id: str, limit: int, after: int, *, states: Collection[RecipientState] | None
) -> Page[Recipient]:
    """Return a page of a pixel's recipients with numbers above one, in order; all, or those in some states."""
    condition = "true" if states is None else " OR ".join(_IN_STATE[state] for state in states) or "false"
    found = db.execute(
        f"SELECT {_RECIPIENT} FROM recipients r"
        f" WHERE r.pixel = (SELECT pixel FROM pixels WHERE id = ?) AND r.number > ? AND ({condition})"
        " ORDER BY r.number LIMIT ?",
        (pixel_id, after, limit + 1),
    ).fetchall()
    return cursors.cut_page(((row[0], _to_recipient(row, pixel_id)) for row in found), limit)


def get_top(db: sqlite3.Connection, pixel: int, pixel_id: str, limit: int) -> tuple[Recipient, ...]:
    """Return the recipients of a pixel with the most opens that count, the most first."""
    found = db.execute(
        f"SELECT {_RECIPIENT} FROM top_recipients t CROSS JOIN recipients r USING (pixel, number)"
        " WHERE t.pixel = ? ORDER BY t.counted DESC, t.number LIMIT ?",
        (pixel, limit),
    ).fetchall()
    return tuple(_to_recipient(row, pixel_id) for row in found)


def delete(db: sqlite3.Connection, recipient_id: str) -> Recipient:
    """Delete a recipient, take it out of the counts, and return it as it was.

    Raises:
        RecipientNotFound: there is none.
    """
    found = db.execute(
        f"SELECT p.pixel, p.id, {_RECIPIENT} FROM pixels p JOIN recipients r ON r.pixel = p.pixel"
        " WHERE p.short_id = ? AND r.id = ?",
        (recipient_id[:8], recipient_id),
    ).fetchone()
    if found is None:
        raise RecipientNotFound
    pixel, pixel_id, *row = found
    deleted = _to_recipient(row, pixel_id)
    counts.delete_recipient(db, pixel, recipient_id)
    _pass_key_on(db, pixel, comparable(deleted.email))
    return deleted


def _pass_key_on(db: sqlite3.Connection, pixel: int, key: str) -> None:
    """Make the next recipient with a freed address the one that it finds. Only data from before m005 have several."""
    without = db.execute(
        "SELECT number, email FROM recipients WHERE pixel = ? AND email_key IS NULL ORDER BY number", (pixel,)
    ).fetchall()
    for number in [number for number, email in without if comparable(email) == key][:1]:
        db.execute(
            "UPDATE recipients SET email_key = ? WHERE pixel = ? AND number = ?"
            " AND NOT EXISTS (SELECT 1 FROM recipients WHERE pixel = ? AND email_key = ?)",
            (key, pixel, number, pixel, key),
        )


def _to_recipient(row: Sequence[Any], pixel_id: str) -> Recipient:
    _, recipient_id, email, token, created_at, sent_at, prefetches, counted, first_counted, last_counted, *all_ = row
    raw, first, last = all_
    return Recipient(
        id=recipient_id,
        pixel_id=pixel_id,
        email=email,
        token=token,
        created_at=to_shared_time(created_at),
        sent_at=None if sent_at is None else to_shared_time(sent_at),
        opens=to_open_spans(counted, first_counted, last_counted, raw, first, last) if raw else NO_OPENS,
        prefetches=prefetches,
    )

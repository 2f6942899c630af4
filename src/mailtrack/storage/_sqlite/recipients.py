"""Recipients in tables."""

import json
import sqlite3
from collections.abc import Collection, Sequence
from itertools import repeat

from mailtrack._addresses import comparable
from mailtrack._errors import PixelNotFound, RecipientNotFound
from mailtrack._model import Page, Recipient, RecipientState
from mailtrack.storage._counting.top import TOP_COUNTS_FROM
from mailtrack.storage._counting.values import make_recipients
from mailtrack.storage._protocol import SEARCHED_AT_ONCE
from mailtrack.storage._rows.recipients import NEW_COLUMNS, to_condition, to_long_page, to_new_row, to_page
from mailtrack.storage._rows.recipients import search as search_in
from mailtrack.storage._sqlite import counts
from mailtrack.storage._sqlite.erasure import BY_ADDRESS

# CROSS JOIN keeps SQLite to the order written: the wanted values first, then their places in an index.

RECIPIENT = (
    "r.number, r.id, r.email, r.ref, r.data, r.token, r.created_at, r.sent_at, r.prefetches,"
    " r.counted, r.first_counted_at, r.last_counted_at, r.opens, r.first_opened_at, r.last_opened_at"
)
"""The columns of a recipient, as `make_recipients` reads them."""

_INSERT = (
    f"INSERT INTO recipients (pixel, {NEW_COLUMNS})"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (pixel, email_key, ref, spare) DO NOTHING"
)
_THE_ONE = "pixel = ? AND email_key = ? AND ref = ? AND spare = 0"

_IN_STATE = {
    RecipientState.OPENED: "r.counted > 0",
    RecipientState.PREFETCHED: "r.counted = 0 AND r.prefetches > 0",
    RecipientState.SCANNED: "r.counted = 0 AND r.prefetches = 0 AND r.opens > 0",
    RecipientState.NONE: "r.opens = 0",
}


def add(db: sqlite3.Connection, pixel_id: str, recipients: Sequence[Recipient]) -> list[Recipient]:
    """Add the recipients that the pixel does not have yet, and return one for each given.

    Raises:
        PixelNotFound: the pixel does not exist.
    """
    found = db.execute("SELECT pixel, last_recipient FROM pixels WHERE id = ?", (pixel_id,)).fetchone()
    if found is None:
        raise PixelNotFound
    pixel, last = found
    rows = [(pixel, *to_new_row(new, number)) for number, new in enumerate(recipients, last + 1)]
    added = db.executemany(_INSERT, rows).rowcount if rows else 0
    db.execute(
        "UPDATE pixels SET recipients = recipients + ?, last_recipient = ? WHERE pixel = ?",
        (added, last + len(recipients), pixel),
    )
    if added == len(recipients):
        return list(recipients)
    db.executemany(
        f"UPDATE recipients SET data = ? WHERE {_THE_ONE}",
        [(data, pixel, key, ref) for _, _, _, _, key, ref, data, *_ in rows if data is not None],
    )
    return _find_by_keys(db, pixel, pixel_id, [(key, ref) for _, _, _, _, key, ref, *_ in rows])


def _find_by_keys(
    db: sqlite3.Connection, pixel: int, pixel_id: str, keys: Sequence[tuple[str, str]]
) -> list[Recipient]:
    """Return the recipients with some addresses and references, all of which are there, in that order."""
    found = db.execute(
        f"SELECT {RECIPIENT} FROM json_each(?) w CROSS JOIN recipients r ON r.pixel = ? AND r.spare = 0"
        " AND r.email_key = json_extract(w.value, '$[0]') AND r.ref = json_extract(w.value, '$[1]') ORDER BY w.key",
        (json.dumps(keys), pixel),
    ).fetchall()
    return make_recipients(found, repeat(pixel_id))


def get(db: sqlite3.Connection, recipient_ids: Collection[str]) -> dict[str, Recipient]:
    """Return the recipients that exist of those with some ids, by id."""
    wanted = [(recipient_id[:8], recipient_id) for recipient_id in recipient_ids]
    found = db.execute(
        f"SELECT {RECIPIENT}, p.id FROM json_each(?) w"
        " CROSS JOIN pixels p ON p.short_id = json_extract(w.value, '$[0]')"
        " CROSS JOIN recipients r ON r.pixel = p.pixel AND r.id = json_extract(w.value, '$[1]')",
        (json.dumps(wanted),),
    ).fetchall()
    recipients = make_recipients([row[:-1] for row in found], [row[-1] for row in found])
    return {recipient.id: recipient for recipient in recipients}


def get_page(
    db: sqlite3.Connection,
    pixel_id: str,
    limit: int,
    after: int,
    *,
    states: Collection[RecipientState] | None,
    ref: str | None,
    numbers: Sequence[int] | None = None,
) -> Page[Recipient]:
    """Return a page of a pixel's recipients with numbers above one, in order: all, or those that some filters leave."""
    given, place, bound = "", "r.number > ?", list[int | str]()
    if numbers is not None:
        # Left alone, SQLite reads all recipients of the pixel where it wants a few.
        given, place, bound = "json_each(?) w CROSS JOIN", "r.number = w.value AND r.number > ?", [json.dumps(numbers)]
    bound += [pixel_id, after]
    if ref is not None:
        place += " AND r.ref = ? AND r.ref <> ''"  # as the index has it
        bound.append(ref)
    found = db.execute(
        f"SELECT {RECIPIENT} FROM {given} recipients r"
        f" WHERE r.pixel = (SELECT pixel FROM pixels WHERE id = ?) AND {place} AND {to_condition(states, _IN_STATE)}"
        " ORDER BY r.number LIMIT ?",
        (*bound, limit + 1),
    ).fetchall()
    return to_page(found, pixel_id, limit)


def search(
    db: sqlite3.Connection,
    pixel_id: str,
    limit: int,
    after: int,
    *,
    states: Collection[RecipientState] | None,
    ref: str | None,
    text: str,
) -> Page[Recipient]:
    """Return a page of the recipients with a text in their address or reference, as `get_page` does.

    It ends early after `SEARCHED_AT_ONCE` recipients.
    """
    rows = db.execute(
        "SELECT number, email, ref FROM recipients"
        " WHERE pixel = (SELECT pixel FROM pixels WHERE id = ?) AND number > ? ORDER BY number LIMIT ?",
        (pixel_id, after, SEARCHED_AT_ONCE + 1),
    ).fetchall()

    def get_some(numbers: list[int]) -> Page[Recipient]:
        return get_page(db, pixel_id, limit, after, states=states, ref=ref, numbers=numbers)

    return search_in(rows, text, get_some)


def find(db: sqlite3.Connection, email: str, limit: int, before: tuple[int, int, int] | None) -> Page[Recipient]:
    """Return a page of the recipients with an address over all pixels, the newest first.

    Each pixel is looked into. An index over all pixels would save that, but cost each new recipient a page of its own
    to be written, as addresses come in no order.
    """
    order = "r.created_at, r.pixel, r.number"
    found = db.execute(
        f"SELECT {order}, p.id, {RECIPIENT} FROM pixels p"
        f" CROSS JOIN recipients r {BY_ADDRESS} ON r.pixel = p.pixel AND r.email_key = ?"
        f" WHERE {'true' if before is None else f'({order}) < (?, ?, ?)'}"
        " ORDER BY r.created_at DESC, r.pixel DESC, r.number DESC LIMIT ?",
        (comparable(email), *(before or ()), limit + 1),
    ).fetchall()
    return to_long_page(found, limit)


def get_top(db: sqlite3.Connection, pixel: int, pixel_id: str, limit: int) -> tuple[Recipient, ...]:
    """Return the recipients of a pixel with the most opens that count, the most first."""
    found = db.execute(
        f"SELECT {RECIPIENT} FROM recipients r INDEXED BY recipients_by_counted"
        f" WHERE pixel = ? AND counted >= {TOP_COUNTS_FROM} ORDER BY counted DESC, number LIMIT ?",
        (pixel, limit),
    ).fetchall()
    return tuple(make_recipients(found, repeat(pixel_id)))


def delete(db: sqlite3.Connection, recipient_id: str) -> Recipient:
    """Delete a recipient, take it out of the counts, and return it as it was.

    Raises:
        RecipientNotFound: there is none.
    """
    found = db.execute(
        f"SELECT p.pixel, p.id, {RECIPIENT} FROM pixels p JOIN recipients r ON r.pixel = p.pixel"
        " WHERE p.short_id = ? AND r.id = ?",
        (recipient_id[:8], recipient_id),
    ).fetchone()
    if found is None:
        raise RecipientNotFound
    pixel, pixel_id, *row = found
    (deleted,) = make_recipients([row], [pixel_id])
    counts.delete_recipient(db, pixel, recipient_id)
    _pass_on(db, pixel, comparable(deleted.email), deleted.ref or "")
    return deleted


def _pass_on(db: sqlite3.Connection, pixel: int, key: str, ref: str) -> None:
    """Make the next recipient with a freed address the one that it finds. Only data from before m005 have several."""
    db.execute(
        "UPDATE recipients SET spare = 0 WHERE pixel = ? AND number ="
        " (SELECT number FROM recipients WHERE pixel = ? AND email_key = ? AND ref = ? ORDER BY spare LIMIT 1)",
        (pixel, pixel, key, ref),
    )

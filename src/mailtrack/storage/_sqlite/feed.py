"""The feed: the opens of its rows, in order. Each page is read in a few statements, whatever pixels it is about."""

import json
import sqlite3
from collections.abc import Collection
from typing import Any, TypeAlias

from mailtrack._event import Event, First
from mailtrack._model import Page, Recipient, make
from mailtrack.storage import _cursors as cursors
from mailtrack.storage._counting.firsts import BITS, FIRST, FIRST_COUNTED
from mailtrack.storage._protocol import SEARCHED_AT_ONCE
from mailtrack.storage._sqlite import erasure, feed_rows, opens, pixels, recipient_numbers, recipients
from mailtrack.storage._sqlite.interned import read_agents, read_judgements

_COLUMNS = f"f.place, o.number, o.firsts, f.pixel, o.recipient, {opens.FIELDS}, {recipients.RECIPIENT}"
_RECIPIENT = 13  # where the columns of the recipient begin
_PEOPLE = "LEFT JOIN recipients r ON r.pixel = o.pixel AND r.number = o.recipient"
_PIXELS = "CROSS JOIN pixels p ON p.pixel = f.pixel"  # without one, its rows wait for `sweeping`

_Row: TypeAlias = tuple[Any, ...]
"""An open in the feed, with the columns `_COLUMNS`."""


def get_page(db: sqlite3.Connection, limit: int, after: tuple[int, int], first: First) -> Page[Event]:
    """Return the events behind a place, on a connection that sees one state."""
    rows, last = _read_page(db, limit, after, BITS[first])
    return Page(items=tuple(_to_events(db, rows)), next=cursors.from_pair(*last))


def _read_page(
    db: sqlite3.Connection, limit: int, after: tuple[int, int], bits: int
) -> tuple[list[_Row], tuple[int, int]]:
    """Return the opens that have some bits, and the place of the last one that was looked at."""
    begin = _find_row(db, after[0])
    if begin is None:
        return [], after
    last = begin + SEARCHED_AT_ONCE - 1
    rows: list[_Row] = []
    looked_at = db.execute(
        f"SELECT {_COLUMNS} FROM feed f {_PIXELS} CROSS JOIN opens o ON o.pixel = f.pixel AND o.number <= f.last"
        " AND o.number > iif(f.place = ?, max(f.first - 1, ?), f.first - 1)"
        f" {_PEOPLE} WHERE f.place BETWEEN ? AND ? ORDER BY f.place, o.number LIMIT ?",
        (*after, begin, last, SEARCHED_AT_ONCE if bits else limit),
    )
    for seen, row in enumerate(looked_at, 1):
        if row[2] & bits == bits:
            rows.append(row)
        if seen == SEARCHED_AT_ONCE or len(rows) == limit:
            looked_at.close()
            return rows, row[:2]
    following = _find_row(db, last + 1)
    return rows, max(after, feed_rows.get_end(db)) if following is None else (following, 0)


def _find_row(db: sqlite3.Connection, place: int) -> int | None:
    """Return the first place from one on that has a row, `None` where none has."""
    found = db.execute("SELECT place FROM feed WHERE place >= ? ORDER BY place LIMIT 1", (place,)).fetchone()
    return None if found is None else int(found[0])


def get(db: sqlite3.Connection, wanted: Collection[str]) -> dict[str, Event]:
    """Return the events with some cursors, by these, on a connection that sees one state."""
    places = {cursors.to_pair(cursor) for cursor in wanted}
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM json_each(?) w CROSS JOIN feed f ON f.place = json_extract(w.value, '$[0]') {_PIXELS}"
        " CROSS JOIN opens o ON o.pixel = f.pixel AND o.number = json_extract(w.value, '$[1]')"
        f" AND o.number BETWEEN f.first AND f.last {_PEOPLE}",
        (json.dumps(sorted(places)),),
    ).fetchall()
    return {event.cursor: event for event in _to_events(db, rows)}


def _to_events(db: sqlite3.Connection, rows: list[_Row]) -> list[Event]:
    shown = pixels.get_by_numbers(db, sorted({row[3] for row in rows}))
    gone = {row[3:5] for row in rows if row[4] and row[_RECIPIENT] is None}
    deleted = recipient_numbers.find_deleted(db, gone) if gone else {}
    erased = erasure.find_erasing(db, gone) if gone else set()
    agents = read_agents(db, {(row[3], row[11]) for row in rows})
    judgements = read_judgements(db, {(row[3], row[12]) for row in rows})
    people: dict[tuple[int, int], Recipient] = {}
    events = []
    for row in rows:
        place, number, firsts, pixel, owner = row[:5]
        pixel_id = shown[pixel].id
        key, recipient = (pixel, owner), None
        if row[_RECIPIENT] is not None:
            recipient = people.get(key)
            if recipient is None:
                recipient = people[key] = recipients.to_recipient(row[_RECIPIENT:], pixel_id)
        found = opens.to_open(
            pixel_id,
            deleted.get(key) if recipient is None else recipient.id,
            None if recipient is None else recipient.token,
            agents[pixel, row[11]],
            judgements[pixel, row[12]],
            *row[5:11],
        )
        if recipient is None and (owner == erasure.NO_ONE or key in erased):
            found = found.as_erased()
        fields = {
            "cursor": cursors.from_pair(place, number),
            "open": found,
            "pixel": shown[pixel],
            "recipient": recipient,
            "first": firsts & FIRST > 0,
            "first_counted": firsts & FIRST_COUNTED > 0,
        }
        events.append(make(Event, fields))
    return events

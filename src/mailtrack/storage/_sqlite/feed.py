"""The feed: the opens of its rows, in order. Each page is read in a few statements, whatever pixels it is about."""

import json
import sqlite3
from collections.abc import Collection, Sequence
from typing import Any, TypeAlias

from mailtrack._collector import collector_paused
from mailtrack._event import Event, First
from mailtrack._model import Page, Recipient
from mailtrack.storage import _cursors as cursors
from mailtrack.storage._counting.firsts import BITS
from mailtrack.storage._counting.values import make_events, make_recipients
from mailtrack.storage._protocol import SEARCHED_AT_ONCE
from mailtrack.storage._sqlite import erasure, feed_rows, opens, pixels, recipient_numbers, recipients

_COLUMNS = f"f.place, o.number, o.firsts, f.pixel, o.recipient, {opens.FIELDS}, {recipients.RECIPIENT}"
_RECIPIENT, _ID, _TOKEN = 13, 14, 18  # where the columns of the recipient begin, and two of them
_GONE_AT_ONCE = 100  # rows without opens, in which a page ends early
_PEOPLE = "LEFT JOIN recipients r ON r.pixel = o.pixel AND r.number = o.recipient"
_PIXELS = "CROSS JOIN pixels p ON p.pixel = f.pixel"  # without one, its rows wait for `sweeping`
_OPENS = (
    f"FROM feed f {_PIXELS} CROSS JOIN opens o ON o.pixel = f.pixel AND o.number <= f.last"
    " AND o.number > iif(f.place = ?, max(f.first - 1, ?), f.first - 1)"
)
_ROWS = "f.place BETWEEN ? AND ?"
_ORDER = "ORDER BY f.place, o.number LIMIT ?"

_Row: TypeAlias = tuple[Any, ...]
"""An open in the feed, with the columns `_COLUMNS`."""

_Place: TypeAlias = tuple[int, int]
"""A place in the feed: of a row, and the number of an open in it."""


def get_page(db: sqlite3.Connection, limit: int, after: _Place, first: First) -> Page[Event]:
    """Return the events behind a place, on a connection that sees one state."""
    begin = _find_row(db, after[0])
    if begin is None:
        if feed_rows.is_ahead(db, after[0]):
            cursors.note_ahead(cursors.from_pair(*after))
        return Page(items=(), next=cursors.from_pair(*after))
    bits, end = BITS[first], None
    last = _find_last_row(db, begin, SEARCHED_AT_ONCE if bits else min(SEARCHED_AT_ONCE, limit + _GONE_AT_ONCE))
    if bits:
        limit, end = _count(db, limit, (*after, begin, last), bits)
    with collector_paused():
        rows = db.execute(
            f"SELECT {_COLUMNS} {_OPENS} {_PEOPLE} WHERE {_ROWS} AND o.firsts & ? = ? {_ORDER}",
            (*after, begin, last, bits, bits, limit),
        ).fetchall()
        events = tuple(_to_events(db, rows))
    if not bits and len(rows) == limit:
        end = rows[-1][:2]
    if end is None:
        following = _find_row(db, last + 1)
        end = max(after, feed_rows.get_end(db)) if following is None else (following, 0)
    return Page(items=events, next=cursors.from_pair(*end))


def _count(
    db: sqlite3.Connection, limit: int, bounds: tuple[int, int, int, int], bits: int
) -> tuple[int, _Place | None]:
    """Return how many of the next opens have some bits, and the place of the last open that was looked at.

    Only these opens are read as a whole. The place is `None` where the opens of all rows within the bounds were seen.
    """
    looked_at = db.execute(
        f"SELECT f.place, o.number, o.firsts {_OPENS} WHERE {_ROWS} {_ORDER}", (*bounds, SEARCHED_AT_ONCE)
    )
    found = 0
    for seen, (place, number, firsts) in enumerate(looked_at, 1):
        found += firsts & bits == bits
        if found == limit or seen == SEARCHED_AT_ONCE:
            looked_at.close()
            return found, (place, number)
    return found, None


def _find_row(db: sqlite3.Connection, place: int) -> int | None:
    """Return the first place from one on that has a row, `None` where none has."""
    found = db.execute("SELECT place FROM feed WHERE place >= ? ORDER BY place LIMIT 1", (place,)).fetchone()
    return None if found is None else int(found[0])


def _find_last_row(db: sqlite3.Connection, begin: int, rows: int) -> int:
    """Return the place of the last of some rows from a place on."""
    found = db.execute(
        "SELECT place FROM feed WHERE place >= ? ORDER BY place LIMIT 1 OFFSET ?", (begin, rows - 1)
    ).fetchone()
    return feed_rows.get_end(db)[0] if found is None else int(found[0])


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


def _to_events(db: sqlite3.Connection, rows: Sequence[_Row]) -> list[Event]:
    if not rows:
        return []
    places, numbers, firsts, of_pixels, owners, *columns = zip(*rows, strict=True)
    shown = pixels.get_by_numbers(db, sorted(set(of_pixels)))
    pixel_ids = [shown[pixel].id for pixel in of_pixels]
    people = _make_people(rows, pixel_ids)
    ids, tokens = [row[_ID] for row in rows], [row[_TOKEN] for row in rows]
    absent = [place for place, one in enumerate(people) if one is None]
    keys = {(of_pixels[place], owners[place]) for place in absent if owners[place]}
    deleted = recipient_numbers.find_deleted(db, keys) if keys else {}
    erased = erasure.find_erasing(db, keys) if keys else set()
    for place in absent:
        ids[place] = deleted.get((of_pixels[place], owners[place]))
    found = opens.to_opens(db, of_pixels, pixel_ids, ids, tokens, columns[: _RECIPIENT - 5])
    for place in absent:
        if owners[place] == erasure.NO_ONE or (of_pixels[place], owners[place]) in erased:
            found[place] = found[place].as_erased()
    return make_events(
        map(cursors.from_pair, places, numbers), found, map(shown.__getitem__, of_pixels), people, firsts
    )


def _make_people(rows: Sequence[_Row], pixel_ids: Sequence[str]) -> list[Recipient | None]:
    """Return the recipient of each row, `None` where it has none any more."""
    present = [row[_RECIPIENT:] for row in rows if row[_RECIPIENT] is not None]
    made = make_recipients(
        present, (pixel_id for row, pixel_id in zip(rows, pixel_ids, strict=True) if row[_RECIPIENT] is not None)
    )
    if len(made) == len(rows):
        return list(made)
    left = iter(made)
    return [None if row[_RECIPIENT] is None else next(left) for row in rows]

"""The feed in tables: events from the rows of opens, and readers."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from mailtrack._collector import collector_paused
from mailtrack._event import Event, First
from mailtrack._model import Page, Pixel, Recipient
from mailtrack._times import to_milliseconds
from mailtrack.storage import _cursors as cursors
from mailtrack.storage._counting.firsts import BITS
from mailtrack.storage._counting.values import make_events, make_recipients
from mailtrack.storage._postgres import counts, feed_rows, opens, pixels, recipients
from mailtrack.storage._postgres.connections import Connection
from mailtrack.storage._postgres.feed_rows import END
from mailtrack.storage._protocol import SEARCHED_AT_ONCE

_ROWS_AT_ONCE = 1000  # of the feed


class _Span(NamedTuple):
    """A part of a row of the feed: the opens of a pixel from one number to another."""

    place: int
    position: int
    pixel: int
    first: int
    last: int


def get_page(db: Connection, limit: int, after: str | None, first: First) -> Page[Event]:
    """Return events behind a cursor, on a connection that sees one state."""
    place = (0, 0, 0) if after is None else cursors.to_places(after)
    events: list[Event] = []
    left = SEARCHED_AT_ONCE
    bits = BITS[first]
    spans = _Spans(db, place)
    while left > 0 and len(events) < limit:
        chosen = _choose(spans, left if bits else min(left, limit - len(events)))
        if not chosen:
            break
        left -= sum(span.last - span.first + 1 for span in chosen)
        with collector_paused():
            events += _read(db, chosen, bits, limit - len(events))
        place = (chosen[-1].place, chosen[-1].position, chosen[-1].last)
    if after is not None and place == cursors.to_places(after) and feed_rows.is_ahead(db, place[0]):
        cursors.note_ahead(after)
    if len(events) == limit:
        return Page(items=tuple(events), next=events[-1].cursor)
    return Page(items=tuple(events), next=cursors.from_places(*place))


class _Spans:
    """The spans behind a place, which are taken from the front."""

    def __init__(self, db: Connection, place: tuple[int, int, int]) -> None:
        self._db = db
        self._place = place
        self._found: list[_Span] = []
        self._ended = False

    def take(self, most: int) -> _Span | None:
        """Return the next span, of up to so many opens."""
        while not self._found and not self._ended:
            self._load()
        if not self._found:
            return None
        span = self._found[-1]
        taken = span._replace(last=min(span.last, span.first + most - 1))
        if taken.last == span.last:
            self._found.pop()
        else:
            self._found[-1] = span._replace(first=taken.last + 1)
        return taken

    def _load(self) -> None:
        place, position, number = self._place
        rows = self._db.execute(
            "SELECT place, position, pixel, first, last FROM feed WHERE (place, position) >= (%s, %s)"
            f" AND place < {END} ORDER BY place, position LIMIT {_ROWS_AT_ONCE}",
            (place, position),
        ).fetchall()
        spans = [_Span(*row) for row in rows]
        self._ended = len(spans) < _ROWS_AT_ONCE
        if spans:
            self._place = (spans[-1].place, spans[-1].position, spans[-1].last)
        if spans and spans[0][:2] == (place, position):
            spans[0] = spans[0]._replace(first=max(spans[0].first, number + 1))
        self._found = [span for span in reversed(spans) if span.first <= span.last]


def _choose(spans: _Spans, most: int) -> list[_Span]:
    """Return the next spans, with up to so many opens together."""
    chosen: list[_Span] = []
    while most > 0 and (span := spans.take(most)) is not None:
        chosen.append(span)
        most -= span.last - span.first + 1
    return chosen


def _read(db: Connection, spans: Sequence[_Span], bits: int, limit: int) -> list[Event]:
    """Return the events of spans in order, of which the opens have some bits."""
    # Those of deleted pixels, which wait for `sweeping`, would count towards the limit.
    present = pixels.find_present(db, {span.pixel for span in spans})
    spans = [span for span in spans if span.pixel in present]
    if not spans:
        return []
    rows = db.execute(
        f"SELECT w.place, w.position, o.firsts, {opens.ROW} FROM ("
        "SELECT f.ordinality, f.place, f.position, f.pixel, x.number"
        f" FROM unnest({', '.join(['%s::bigint[]'] * 5)}) WITH ORDINALITY f (place, position, pixel, first, last)"
        " JOIN opens x ON x.pixel = f.pixel AND x.number BETWEEN f.first AND f.last"
        f" AND x.firsts & {bits} = {bits} ORDER BY f.ordinality, x.number LIMIT %s) w"
        f" JOIN opens o ON o.pixel = w.pixel AND o.number = w.number{opens.JOINS} ORDER BY w.ordinality, w.number",
        (*[list(column) for column in zip(*spans, strict=True)], limit),
    ).fetchall()
    return _to_events(db, rows)


def get(db: Connection, wanted: Collection[str]) -> dict[str, Event]:
    """Return the events with some cursors, by cursor."""
    places = [cursors.to_places(cursor) for cursor in set(wanted)]
    if not places:
        return {}
    rows = db.execute(
        f"SELECT f.place, f.position, o.firsts, {opens.ROW}"
        " FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) w (place, position, number)"
        " JOIN feed f ON f.place = w.place AND f.position = w.position"
        " JOIN opens o ON o.pixel = f.pixel AND o.number = w.number AND o.number BETWEEN f.first AND f.last"
        f" JOIN pixels p ON p.pixel = f.pixel{opens.JOINS}",
        [list(column) for column in zip(*places, strict=True)],
    ).fetchall()
    return {event.cursor: event for event in _to_events(db, rows)}


def _to_events(db: Connection, rows: Sequence[tuple[Any, ...]]) -> list[Event]:
    """Return the events of rows, whose pixels exist."""
    of_pixels = pixels.get_all(db, {row[6] for row in rows})
    owners = _find_owners(db, of_pixels, [row[3] for row in rows if row[3] is not None])
    found = opens.to_opens(db, [row[3:] for row in rows], {number: pixel.id for number, pixel in of_pixels.items()})
    return make_events(
        [cursors.from_places(row[0], row[1], row[7]) for row in rows],
        found,
        [of_pixels[row[6]] for row in rows],
        [owners.get(one.recipient_id or "") for one in found],
        [row[2] for row in rows],
    )


def _find_owners(db: Connection, of_pixels: dict[int, Pixel], ids: Sequence[str]) -> dict[str, Recipient]:
    by_short_id = {pixel.short_id: number for number, pixel in of_pixels.items()}
    wanted = {one: by_short_id[one[:8]] for one in ids if one[:8] in by_short_id}
    rows = db.execute(
        f"SELECT {recipients.RECIPIENT}, r.pixel FROM unnest(%s::bigint[], %s::text[]) w (pixel, id)"
        f" JOIN recipients r ON r.pixel = w.pixel AND r.id = w.id{counts.OPENER}",
        (list(wanted.values()), list(wanted)),
    ).fetchall()
    found = make_recipients([row[:-1] for row in rows], [of_pixels[row[-1]].id for row in rows])
    return {one.id: one for one in found}


def find_place(db: Connection, since: datetime) -> str | None:
    """Return a cursor before all events whose opens are of a time or later."""
    ((end, found),) = db.execute(
        "WITH later AS MATERIALIZED (SELECT place, position FROM feed WHERE newest >= %s)"
        f" SELECT {END}, (SELECT ARRAY[place, position] FROM later ORDER BY place, position LIMIT 1)",
        (to_milliseconds(since),),
    ).fetchall()
    place, position = min((end, 0), tuple(found) if found else (end, 0))
    return cursors.from_places(place, position, 0)


def add_reader(db: Connection, name: str) -> None:
    """Add a reader at the end, unless there is one of this name."""
    db.execute(
        "INSERT INTO readers (name, after) VALUES (%s, %s) ON CONFLICT DO NOTHING", (name, feed_rows.get_end(db))
    )


def take_reader(db: Connection, name: str, owner: str, now: datetime, until: datetime) -> str | None:
    """Give a reader to an owner, unless another has it, and return where it is."""
    found = db.execute(
        "UPDATE readers SET owner = %s, until = %s"
        " WHERE name = %s AND (until IS NULL OR owner = %s OR until <= %s) RETURNING after",
        (owner, to_milliseconds(until), name, owner, to_milliseconds(now)),
    ).fetchone()
    return None if found is None else str(found[0])


def move_reader(db: Connection, name: str, owner: str, after: str, until: datetime) -> bool:
    """Move a reader of an owner, and return whether it still was that owner's."""
    cursors.to_places(after)
    moved = db.execute(
        "UPDATE readers SET after = %s, until = %s WHERE name = %s AND owner = %s AND until IS NOT NULL",
        (after, to_milliseconds(until), name, owner),
    ).rowcount
    return moved > 0

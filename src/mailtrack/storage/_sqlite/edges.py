"""The edges of pixels in tables: see `_rows.edges`."""

import json
import sqlite3
from collections import Counter
from collections.abc import Collection

from mailtrack.storage._counting.spans import Span
from mailtrack.storage._counting.tallies import HOUR
from mailtrack.storage._rows.edges import Edge, Edges, TooFar, edge_of, order_of
from mailtrack.storage._sqlite import purging

_NEAR = 1000  # opens on both sides that are read while others wait

_COUNTED = " CROSS JOIN judgements j ON j.pixel = o.pixel AND j.judgement = o.judgement AND j.counted"


def read(db: sqlite3.Connection, pixel: int, but: Collection[int]) -> Edges:
    """Read the edges apart from the opens with some numbers, on a connection that sees one state."""
    numbers = json.dumps(list(but))
    rejudged, newest = _state(db, pixel)
    hours = Counter[int](
        dict(db.execute("SELECT hour, sum(counted) FROM hours WHERE pixel = ? GROUP BY hour", (pixel,)).fetchall())
    )
    hours -= Counter(
        at - at % HOUR
        for (at,) in db.execute(
            "SELECT o.opened_at FROM json_each(?) w"
            f" CROSS JOIN opens o ON o.pixel = ? AND o.number = w.value{_COUNTED}",
            (numbers, pixel),
        )
    )

    def search(edge: Edge) -> int | None:
        if not hours:
            return None
        hour = edge(hours)
        ascending, near, found = edge is min, edge(but or (0,)), list[int]()
        for ahead in (True, False):  # mostly, none behind the ones that are judged counts
            side = ">" if ascending is ahead else "<"
            found += [
                at
                for (at,) in db.execute(
                    f"SELECT o.opened_at FROM opens o{_COUNTED} WHERE o.pixel = ? AND o.number {side} ?"
                    " AND o.opened_at >= ? AND o.opened_at < ? AND o.number NOT IN (SELECT value FROM json_each(?))"
                    f" ORDER BY o.number {order_of(edge)} LIMIT ?",
                    (pixel, near, hour, hour + HOUR, numbers, hours[hour] - len(found)),
                )
            ]
        return edge_of(edge, found)

    return Edges(rejudged, newest, search(min), search(max))


def find(
    db: sqlite3.Connection,
    pixel: int,
    edge: Edge,
    judged: Span,
    numbers: Collection[int],
    edges: Edges | None,
) -> int | None:
    """Return the time of the first open that counts, given `min`, or of the last one, given `max`.

    Args:
        db: a connection in a transaction that writes.
        pixel: the pixel.
        edge: `min` or `max`.
        judged: the span of the opens that were just judged and count.
        numbers: the numbers of the opens that were just judged.
        edges: those that were read before, if any, apart from the opens that were just judged.

    Raises:
        TooFar: `edges` are needed, or not those of now.
    """
    purged = purging.read_span(db, pixel)
    if edges is None or edges.rejudged != _state(db, pixel)[0]:
        found = _find_near(db, pixel, edge, edge(numbers))
    else:
        newer = db.execute(
            f"SELECT o.opened_at FROM opens o{_COUNTED} WHERE o.pixel = ? AND o.number > ?", (pixel, edges.newest)
        )
        found = [at for (at,) in newer] + [edges.first, edges.last, judged.first, judged.last]
    return edge_of(edge, (*found, purged.first, purged.last))


def _find_near(db: sqlite3.Connection, pixel: int, edge: Edge, place: int) -> list[int | None]:
    """Return the times of the opens of the first or last hour, if all that count are near a place in the log."""
    hour, number = db.execute(
        "SELECT hour, sum(counted) FROM hours WHERE pixel = ? AND counted > 0"
        f" GROUP BY hour ORDER BY hour {order_of(edge)} LIMIT 1",
        (pixel,),
    ).fetchone() or (0, 0)
    found: list[int | None] = [
        at
        for (at,) in db.execute(
            f"SELECT o.opened_at FROM opens o{_COUNTED}"
            " WHERE o.pixel = ? AND o.number BETWEEN ? AND ? AND o.opened_at >= ? AND o.opened_at < ?",
            (pixel, place - _NEAR, place + _NEAR, hour, hour + HOUR),
        )
    ]
    if len(found) < number:
        raise TooFar
    return found


def _state(db: sqlite3.Connection, pixel: int) -> tuple[int, int]:
    """Return how often opens of a pixel were judged again, and the number of its newest open."""
    rejudged, newest = db.execute("SELECT rejudged, opens FROM pixels WHERE pixel = ?", (pixel,)).fetchone()
    return rejudged, newest

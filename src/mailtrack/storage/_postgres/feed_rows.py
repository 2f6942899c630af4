"""Rows of the feed: one for each call that added opens, and pixel."""

from collections.abc import Iterable

from mailtrack.storage import _cursors as cursors
from mailtrack.storage._postgres.connections import Connection

# Transactions above the oldest one that is still open may have drawn their places, and commit later.
END = "(SELECT base FROM feed_base) + pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
"""The place behind all rows that are seen now."""


def add(db: Connection, added: Iterable[tuple[int, int, int, int]]) -> None:
    """Add rows for opens of pixels.

    Args:
        db: a connection in a transaction.
        added: for each pixel its number, that of its last open before, how many were added, and the latest of their
            times.
    """
    rows = [(pixel, last + 1, last + number, newest) for pixel, last, number, newest in added]
    db.execute(
        "INSERT INTO feed (place, pixel, first, last, newest)"
        " SELECT (SELECT base FROM feed_base) + pg_current_xact_id()::text::bigint, w.*"
        " FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[]) w",
        [list(column) for column in zip(*rows, strict=True)],
    )


def forget_purged(db: Connection, pixel: int, first: int, last: int) -> None:
    """Delete the rows of a pixel that overlap a range of numbers and have no open left."""
    db.execute(
        "DELETE FROM feed f WHERE f.pixel = %s AND f.first <= %s AND f.last >= %s AND NOT EXISTS"
        " (SELECT 1 FROM opens o WHERE o.pixel = f.pixel AND o.number BETWEEN f.first AND f.last)",
        (pixel, last, first),
    )


def is_ahead(db: Connection, place: int) -> bool:
    """Return whether a place is one that no transaction has had yet."""
    found = db.execute(
        "SELECT %s >= base + pg_snapshot_xmax(pg_current_snapshot())::text::bigint FROM feed_base", (place,)
    ).fetchone()
    return found is not None and bool(found[0])


def get_end(db: Connection) -> str:
    """Return a cursor behind all events that are seen now."""
    found = db.execute(
        f"SELECT place, position, last FROM feed WHERE place < {END} ORDER BY place DESC, position DESC LIMIT 1"
    ).fetchone()
    return cursors.from_places(*(found or (0, 0, 0)))

"""The rows of the feed: each stands for the opens that one call added to a pixel, by their numbers.

They are written in the transaction that adds the opens, and SQLite lets one process write at a time: so the order of
their places is the order in which they can be read. A place is never given again.
"""

import json
import sqlite3
from collections.abc import Iterable

from mailtrack.storage._counting.log_gaps import Gap


def add(db: sqlite3.Connection, pixel: int, opens: Gap, newest: int) -> None:
    """Add a row.

    Args:
        db: a connection in a transaction that writes.
        pixel: the number of the pixel.
        opens: the numbers of its opens.
        newest: the latest of their times, in milliseconds.
    """
    db.execute(
        "INSERT INTO feed (pixel, first, last, newest) SELECT ?, ?, ?,"
        " max(?, coalesce((SELECT newest FROM feed ORDER BY place DESC LIMIT 1), ?))",
        (pixel, *opens, newest, newest),
    )


def forget_gone(db: sqlite3.Connection, pixel: int, gone: Iterable[Gap]) -> None:
    """Delete those rows of a pixel whose opens are all gone, given the numbers of some that are."""
    db.execute(
        "DELETE FROM feed WHERE place IN (SELECT f.place FROM json_each(?) w"
        " CROSS JOIN feed f INDEXED BY feed_of_pixel ON f.pixel = ? AND f.first <= json_extract(w.value, '$[1]')"
        " AND f.first >= coalesce("
        "(SELECT max(first) FROM feed WHERE pixel = ? AND first <= json_extract(w.value, '$[0]')), 0)"
        " WHERE NOT EXISTS (SELECT 1 FROM opens o WHERE o.pixel = f.pixel AND o.number BETWEEN f.first AND f.last))",
        (json.dumps(list(gone)), pixel, pixel),
    )


def get_end(db: sqlite3.Connection) -> tuple[int, int]:
    """Return the place of the last row, and the number of its last open; zeros without any."""
    found: tuple[int, int] | None = db.execute("SELECT place, last FROM feed ORDER BY place DESC LIMIT 1").fetchone()
    return found or (0, 0)


def find_place(db: sqlite3.Connection, since: int) -> int:
    """Return the lowest place up to which all opens are older than a time in milliseconds.

    It is found by halves, as the latest time never falls from row to row.
    """
    low, (high, _) = 0, get_end(db)
    while low < high:
        middle = (low + high) // 2
        (newest,) = db.execute("SELECT newest FROM feed WHERE place > ? ORDER BY place LIMIT 1", (middle,)).fetchone()
        low, high = (low, middle) if newest >= since else (middle + 1, high)
    return low

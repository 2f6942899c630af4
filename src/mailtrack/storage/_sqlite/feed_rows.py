"""The rows of the feed: each stands for the opens that one call added to a pixel, by their numbers.

They are written in the transaction that adds the opens, and SQLite lets one process write at a time: so the order of
their places is the order in which they can be read. A place is never given again.

It is the time in microseconds, or one more than the last place where that is higher. So a file that is put back to an
older state goes on behind all places that it ever gave, and no reader passes over the events that come then.
"""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from itertools import accumulate, count, islice
from typing import NamedTuple

from mailtrack._times import now_in_microseconds
from mailtrack.storage._counting.log_gaps import Gap

_LAST = "coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'feed'), 0)"  # that was ever given
_TOLERATED = 60_000_000  # microseconds between clocks


class Added(NamedTuple):
    """The opens that a call added to a pixel.

    Attributes:
        pixel: the number of the pixel.
        opens: the numbers of its opens.
        newest: the latest of their times, in milliseconds.
    """

    pixel: int
    opens: Gap
    newest: int


def add(db: sqlite3.Connection, added: Sequence[Added]) -> None:
    """Add a row for each pixel of a call, in order, on a connection in a transaction that writes.

    The places before are read once for all of them: no other process writes meanwhile.
    """
    if not added:
        return
    last, before = db.execute(f"SELECT {_LAST}, (SELECT newest FROM feed ORDER BY place DESC LIMIT 1)").fetchone()
    newest = accumulate((one.newest for one in added), max, initial=added[0].newest if before is None else before)
    db.executemany(
        "INSERT INTO feed (place, pixel, first, last, newest) VALUES (?, ?, ?, ?, ?)",
        [
            (place, one.pixel, *one.opens, latest)
            for place, one, latest in zip(
                count(max(now_in_microseconds(), last + 1)), added, islice(newest, 1, None), strict=False
            )
        ],
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


def is_ahead(db: sqlite3.Connection, place: int) -> bool:
    """Return whether a place is one that the feed can't have given yet, in this state or any."""
    (last,) = db.execute(f"SELECT {_LAST}").fetchone()
    return place > max(int(last), now_in_microseconds() + _TOLERATED)


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

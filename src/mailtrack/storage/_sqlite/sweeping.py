"""Sweeping: removing the rows of deleted pixels, and giving free pages back, in short transactions.

A deleted pixel has no row in `pixels`, by which all else is found, and one in `deleted_pixels` until nothing of it is
left. Its number is never given again, so its id is free at once.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from mailtrack._errors import PixelNotFound

KEPT_FREE = 256
"""Free pages that are not worth giving back."""

_WANTED_SECONDS = 0.05  # of a step, with its commit
_WORK_SECONDS = (0.01, 0.03)  # the least and the most of it for the statements
_FIRST = "recipients"  # addresses are to go before all else
_LEFT = "FROM deleted_pixels d CROSS JOIN {} t ON t.pixel = d.pixel"
_MAX_ROWS = 1024  # of one statement
_MAX_PAGES = 64  # that one statement moves


class Pace:
    """Keeps steps short: how long their statements may take, so that a step with its commit takes some 50 ms.

    A commit may cost more than the statements before it, by the disk and by how far apart the changed pages are.
    """

    def __init__(self) -> None:
        self._work = _WORK_SECONDS[1]
        self._took = 0.0

    @contextmanager
    def step(self) -> Iterator[float]:
        """Yield the time, by `monotonic`, at which a step goes on to its commit, and learn from how long it takes."""
        began = time.monotonic()
        yield began + self._work
        least, most = _WORK_SECONDS
        self._took = time.monotonic() - began
        self._work = min(most, max(least, self._work * (_WANTED_SECONDS / self._took) ** 0.5))

    def rest(self) -> None:
        """Let others write, for as long as the last step took: SQLite has them look again after up to 100 ms."""
        time.sleep(self._took)


def hide(db: sqlite3.Connection, pixel_id: str) -> None:
    """Take a pixel out of all sight, and leave its rows to `sweep`. The connection must not enforce foreign keys.

    Raises:
        PixelNotFound: there is none.
    """
    found = db.execute("SELECT pixel FROM pixels WHERE id = ?", (pixel_id,)).fetchone()
    if found is None:
        raise PixelNotFound
    db.execute("INSERT INTO deleted_pixels (pixel) VALUES (?)", found)
    db.execute("DELETE FROM pixels WHERE pixel = ?", found)


def has_remains(db: sqlite3.Connection) -> bool:
    """Return whether there are rows of deleted pixels, or of the table that opens were in before `compacting`."""
    return db.execute("SELECT 1 FROM deleted_pixels LIMIT 1").fetchone() is not None or has_former(db)


def sweep(db: sqlite3.Connection, until: float) -> tuple[int, bool]:
    """Delete rows of deleted pixels, and of the table that opens were in before `compacting`, until a `monotonic` time.

    Returns:
        Their number, and whether all addresses, or all rows, have gone with them.
    """
    deleted, addresses_gone = 0, False
    for table, key in _owned(db):
        of_table = repeat(partial(_delete, db, table, key), until, _MAX_ROWS)
        deleted += of_table
        if of_table and table == _FIRST:
            addresses_gone = db.execute(f"SELECT 1 {_LEFT.format(table)} LIMIT 1").fetchone() is None
        if deleted and time.monotonic() >= until:  # a step that deletes nothing would be the last
            return deleted, addresses_gone
    deleted += db.execute("DELETE FROM deleted_pixels").rowcount
    if has_former(db):
        of_table = repeat(partial(_delete_former, db), until, _MAX_ROWS)
        return (deleted + of_table, False) if of_table else (deleted + _drop_former(db), True)
    return deleted, True


def has_former(db: sqlite3.Connection) -> bool:
    """Return whether there is still the table that opens were in before `compacting`, with copies of them."""
    return db.execute("SELECT 1 FROM sqlite_master WHERE name = 'former_opens'").fetchone() is not None


def _delete_former(db: sqlite3.Connection, limit: int) -> int:
    return db.execute(
        "DELETE FROM former_opens WHERE (pixel, number) IN (SELECT pixel, number FROM former_opens LIMIT ?)", (limit,)
    ).rowcount


def delete_former_of(db: sqlite3.Connection, pixel: int, recipient_id: str, until: float) -> bool:
    """Delete the former rows of a recipient's opens until a `monotonic` time, and return whether none is left."""
    while (
        db.execute(
            "DELETE FROM former_opens WHERE pixel = ? AND number IN (SELECT number FROM former_opens"
            " INDEXED BY opens_by_recipient WHERE pixel = ? AND recipient = ? LIMIT ?)",
            (pixel, pixel, recipient_id, _MAX_ROWS),
        ).rowcount
        == _MAX_ROWS
    ):
        if time.monotonic() >= until:
            return False
    return True


def _drop_former(db: sqlite3.Connection) -> int:
    db.execute("DROP TABLE former_opens")
    return 1  # the end of a sweep


def _owned(db: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    """Yield all tables of things that pixels own, which have a column `pixel`, and the columns of their keys."""
    yield from db.execute(
        "SELECT t.name, group_concat(k.name) FILTER (WHERE k.pk > 0) FROM sqlite_master t, pragma_table_info(t.name) k"
        " WHERE t.type = 'table' AND t.name NOT IN ('pixels', 'deleted_pixels')"
        " GROUP BY t.name HAVING max(k.name = 'pixel') ORDER BY t.name <> ?, t.name",
        (_FIRST,),
    ).fetchall()


def _delete(db: sqlite3.Connection, table: str, key: str, limit: int) -> int:
    columns = ", ".join(f"t.{column}" for column in key.split(","))
    return db.execute(
        f"DELETE FROM {table} WHERE ({key}) IN (SELECT {columns} {_LEFT.format(table)} LIMIT ?)",
        (limit,),
    ).rowcount


def free_pages(db: sqlite3.Connection) -> int:
    """Return the number of free pages that can be given back."""
    (mode,) = db.execute("PRAGMA auto_vacuum").fetchone()
    (free,) = db.execute("PRAGMA freelist_count").fetchone()
    return int(free) if mode and free > KEPT_FREE else 0


def give_back(db: sqlite3.Connection, until: float) -> tuple[int, bool]:
    """Shorten the file by free pages until a time by `monotonic`, and return their number, and whether none is left."""

    def vacuum(limit: int) -> int:
        before = free_pages(db)
        if before:
            db.execute(f"PRAGMA incremental_vacuum({limit})").fetchall()  # a step a page
        return before - free_pages(db)

    return repeat(vacuum, until, _MAX_PAGES), not free_pages(db)


def repeat(work: Callable[[int], int], until: float, most: int) -> int:
    """Repeat a piece of work, with limits that grow from 1, until there is none or it is late; return its sum.

    A limit is at most what the time that is left is enough for, by how long the piece before took.
    """
    done, limit, began = 0, 1, time.monotonic()
    while now := work(limit):
        done += now
        ended = time.monotonic()
        if ended >= until:
            break
        fits = limit * (until - ended) / max(ended - began, 1e-6)
        limit, began = max(1, min(2 * limit, most, int(fits))), ended
    return done

"""Copies of rows, made in SQL: large files in minutes, where draining as many opens would take hours.

Copied rows lie in the tables and indexes as drained ones do, because every key begins with the pixel and the indexes
are kept while rows are copied.
"""

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mailtrack.storage._counting.shared_rows import Agent, JudgementRow, digest_row

MONTH = 30 * 24 * 3_600_000
"""Milliseconds by which each further copy of a pixel's opens is later."""

_OWNED = ("agents", "judgements", "recipients", "opens", "hours", "facets", "delays")
_CACHE_KIB = 600_000


@contextmanager
def filling(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a fast connection to a file that no other connection has open. A crash would damage the file."""
    db = sqlite3.connect(path, isolation_level=None)
    try:
        db.execute("PRAGMA journal_mode = OFF").fetchone()
        db.execute("PRAGMA synchronous = OFF")
        db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        db.execute("BEGIN EXCLUSIVE")
        yield db
        db.execute("COMMIT")
        db.execute("PRAGMA journal_mode = WAL").fetchone()
    finally:
        db.close()


def copy_pixel(db: sqlite3.Connection, pixel: int) -> int:
    """Copy a pixel with its recipients, opens and counts, and return the number of the copy."""
    pixel_id = str(uuid.uuid4())
    own = {"id": pixel_id, "short_id": pixel_id[:8]}
    columns = [name for name in _columns(db, "pixels") if name != "pixel"]
    values = ", ".join(f":{name}" if name in own else name for name in columns)
    copy = db.execute(
        f"INSERT INTO pixels ({', '.join(columns)}) SELECT {values} FROM pixels WHERE pixel = :pixel",
        {**own, "pixel": pixel},
    ).lastrowid
    assert copy is not None
    for table in _OWNED:
        changed = {"pixel": str(copy)}
        if table == "recipients":
            changed["id"] = f"'{pixel_id[:8]}' || substr(id, 9)"
        values = ", ".join(changed.get(name, name) for name in _columns(db, table))
        db.execute(f"INSERT INTO {table} SELECT {values} FROM {table} WHERE pixel = ?", (pixel,))
    for table, kind in {"agents": Agent, "judgements": JudgementRow}.items():
        columns = ", ".join([table[:-1], *_columns(db, table)[4:]])
        for number, *row in db.execute(f"SELECT {columns} FROM {table} WHERE pixel = ?", (copy,)).fetchall():
            db.execute(
                f"UPDATE {table} SET digest = ? WHERE pixel = ? AND {table[:-1]} = ?",
                (digest_row(kind(*row), pixel_id), copy, number),
            )
    return copy


def copy_opens(db: sqlite3.Connection, pixel: int, times: int) -> None:
    """Copy the opens of a pixel within the pixel, each copy a month later, and count them."""
    db.create_function("another_id", 2, lambda rest, copy: rest[:4] + copy.to_bytes(2, "big") + rest[6:])
    (last,) = db.execute("SELECT opens FROM pixels WHERE pixel = ?", (pixel,)).fetchone()
    changed = {
        "number": "number + :copy * :last",
        "opened_at": "opened_at + :copy * :month",
        "rest": "another_id(rest, :copy)",
    }
    values = ", ".join(changed.get(name, name) for name in _columns(db, "opens"))
    for copy in range(1, times + 1):
        given = {"copy": copy, "last": last, "month": MONTH, "pixel": pixel}
        db.execute(f"INSERT INTO opens SELECT {values} FROM opens WHERE pixel = :pixel AND number <= :last", given)
        db.execute(
            "INSERT INTO hours SELECT pixel, hour + :copy * :month, verdict, opens, counted FROM hours"
            " WHERE pixel = :pixel AND hour < (SELECT min(hour) FROM hours WHERE pixel = :pixel) + :month",
            given,
        )
    many = times + 1
    for table, columns in {
        "pixels": ("opens", "counted", "views", "counted_views"),
        "recipients": ("opens", "counted", "prefetches"),
        "facets": ("opens", "counted"),
        "agents": ("opens",),
        "judgements": ("opens",),
    }.items():
        sets = [f"{column} = {column} * {many}" for column in columns]
        if table in ("pixels", "recipients"):
            sets += [f"last_{kind}_at = last_{kind}_at + {times * MONTH}" for kind in ("opened", "counted")]
        db.execute(f"UPDATE {table} SET {', '.join(sets)} WHERE pixel = ?", (pixel,))


def _columns(db: sqlite3.Connection, table: str) -> list[str]:
    return [name for (name,) in db.execute("SELECT name FROM pragma_table_info(?) ORDER BY cid", (table,))]

"""Sweeping: removing the rows of deleted pixels, in short transactions.

A deleted pixel has no row in `pixels`, by which all else is found, and one in `deleted_pixels` until nothing of it is
left. Its number is never given again, so its id is free at once.
"""

from time import monotonic

from mailtrack._errors import PixelNotFound
from mailtrack.storage._postgres import locks
from mailtrack.storage._postgres.connections import Connection

_STEP_SECONDS = 0.04  # for the statements: with the commit, other writers wait for less than 100 ms

# Addresses are to go before all else.
_OWNED = (
    "recipients",
    "deleted_recipients",
    "openers",
    "opens",
    "images",
    "agents",
    "judgements",
    "hours",
    "facets",
    "delays",
    "purged_opens",
    "erased",
    "erasing",
    "feed",
)
_MAX_ROWS = 2000  # of one statement


def step_end() -> float:
    """Return when a step that begins now goes on to its commit, by `monotonic`, so that no writer waits long."""
    return monotonic() + _STEP_SECONDS


def hide(db: Connection, pixel_id: str) -> None:
    """Take a pixel out of all sight, and leave its rows to `sweep`.

    Raises:
        PixelNotFound: there is none.
    """
    locks.have_alone(db, [pixel_id])
    found = db.execute("DELETE FROM pixels WHERE id = %s RETURNING pixel", (pixel_id,)).fetchone()
    if found is None:
        raise PixelNotFound
    db.execute("INSERT INTO deleted_pixels (pixel) VALUES (%s)", found)


def has_remains(db: Connection) -> bool:
    """Return whether there are rows of deleted pixels."""
    return db.execute("SELECT 1 FROM deleted_pixels LIMIT 1").fetchone() is not None


def sweep(db: Connection, until: float) -> int:
    """Delete rows of a deleted pixel until a `monotonic` time, and return their number.

    Pixels that another process sweeps meanwhile are left to it.
    """
    found = db.execute("SELECT pixel FROM deleted_pixels LIMIT 1 FOR UPDATE SKIP LOCKED").fetchone()
    if found is None:
        return 0
    deleted = 0
    for table in _OWNED:
        limit = 100
        while True:
            now = _delete(db, table, found[0], limit)
            deleted += now
            if monotonic() >= until:
                return deleted + 1
            if now < limit:
                break
            limit = min(2 * limit, _MAX_ROWS)
    return deleted + db.execute("DELETE FROM deleted_pixels WHERE pixel = %s", found).rowcount


def _delete(db: Connection, table: str, pixel: int, limit: int) -> int:
    return db.execute(
        # A partition has rows of other pixels under the same `ctid` as another one has those of this pixel.
        f"DELETE FROM {table} WHERE pixel = %s"
        f" AND ctid = ANY(ARRAY(SELECT ctid FROM {table} WHERE pixel = %s LIMIT %s))",
        (pixel, pixel, limit),
    ).rowcount

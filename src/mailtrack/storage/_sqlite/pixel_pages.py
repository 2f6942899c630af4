"""Pages of pixels from tables, in each order by an index."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

from mailtrack.storage._pixel_orders import RATE_UNIT, Choice, Order, Place
from mailtrack.storage._protocol import SEARCHED_AT_ONCE

# In the index of stored files, too: another expression needs another index.
_RATE = f"CASE WHEN recipients > 0 THEN opened * {RATE_UNIT} / recipients ELSE -1 END"
_KEYS: dict[Order, tuple[str, str]] = {
    "newest": ("pixel", "pixels_by_archived"),
    "created": ("created_at", "pixels_by_creation"),
    "name": ("folded_name", "pixels_by_name"),
    "opens": ("counted", "pixels_by_opens"),
    "rate": (_RATE, "pixels_by_rate"),
}
"""What each order compares, and the index that has it."""

_IN_TIME = "created_at >= :since AND created_at < :before"

# The names descend, so that walking backwards finds them ascending, and of equal ones the last added first.
_INDEXES = f"""
    CREATE INDEX pixels_by_creation ON pixels (archived, created_at);
    CREATE INDEX pixels_by_name ON pixels (archived, folded_name DESC);
    CREATE INDEX pixels_by_opens ON pixels (archived, counted);
    CREATE INDEX pixels_by_rate ON pixels (archived, {_RATE})
"""


def add_indexes(db: sqlite3.Connection) -> None:
    """Make the indexes."""
    for statement in _INDEXES.split(";"):
        db.execute(statement)


def choose(db: sqlite3.Connection, choice: Choice, limit: int, cursor: str | None) -> tuple[list[int], str | None]:
    """Return the numbers of the pixels on a page, and the cursor of the following one, if there is one."""
    after = None if cursor is None else choice.to_place(cursor)
    at_once = SEARCHED_AT_ONCE if choice.ends_early else limit
    return choice.cut(_places(db, choice, after), limit, at_once)


def _places(db: sqlite3.Connection, choice: Choice, after: Place | None) -> Iterator[tuple[Place, bool]]:
    """Yield the places behind one, and whether their pixels fit: first the equal ones, then the others.

    One condition for both would use no index.
    """
    key, index = _KEYS[choice.order]
    direction, behind = ("ASC", ">") if choice.order == "name" else ("DESC", "<")
    source, archived = "pixels", "true"
    if choice.archived is not None:
        source, archived = f"pixels INDEXED BY {index}", f"archived = {choice.archived:d}"
    first, later = "true", f"{key} {behind} :key"
    if choice.order == "created":
        first, later = _IN_TIME, f"created_at >= :since AND {later}"
    arranged = f"ORDER BY {key} {direction}, pixel DESC"
    parts = [f"{first} {arranged}"]
    if after is not None:
        parts = [f"{key} = :key AND pixel < :number ORDER BY pixel DESC", f"{later} {arranged}"]
    fits = _IN_TIME if choice.search is None else f"{_IN_TIME} AND instr(folded_name, :search)"
    values = {"since": choice.since, "before": choice.before, "search": choice.search}
    for part in parts:
        rows = db.execute(
            f"SELECT {key}, pixel, {fits} FROM {source} WHERE {archived} AND {part}",
            values | (after._asdict() if after else {}),
        )
        with closing(rows):
            yield from ((Place(*place), bool(fitting)) for *place, fitting in rows)

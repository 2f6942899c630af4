"""Pages of pixels from tables, in each order by an index."""

from collections.abc import Iterator

from mailtrack.storage._pixel_orders import RATE_UNIT, Choice, Order, Place
from mailtrack.storage._postgres.connections import Connection
from mailtrack.storage._protocol import SEARCHED_AT_ONCE

# As in the index of the tables: another expression needs another index.
_RATE = f"(CASE WHEN recipients > 0 THEN opened * {RATE_UNIT} / recipients ELSE -1 END)"
_KEYS: dict[Order, str] = {
    "newest": "pixel",
    "created": "created_at",
    "name": "folded_name",
    "opens": "counted",
    "rate": _RATE,
}
"""What each order compares."""

_IN_TIME = "created_at >= %(since)s AND created_at < %(before)s"


def choose(db: Connection, choice: Choice, limit: int, cursor: str | None) -> tuple[list[int], str | None]:
    """Return the numbers of the pixels on a page, and the cursor of the following one, if there is one."""
    after = None if cursor is None else choice.to_place(cursor)
    at_once = SEARCHED_AT_ONCE if choice.ends_early else limit
    return choice.cut(_places(db, choice, after, at_once + 1), limit, at_once)


def _places(db: Connection, choice: Choice, after: Place | None, most: int) -> Iterator[tuple[Place, bool]]:
    """Yield the places behind one, and whether their pixels fit: first the equal ones, then the others."""
    key = _KEYS[choice.order]
    direction, behind = ("ASC", ">") if choice.order == "name" else ("DESC", "<")
    archived = "true" if choice.archived is None else f"archived = {choice.archived}"
    first, later = "true", f"{key} {behind} %(key)s"
    if choice.order == "created":
        first, later = _IN_TIME, f"created_at >= %(since)s AND {later}"
    arranged = f"ORDER BY {key} {direction}, pixel DESC"
    parts = [f"{first} {arranged}"]
    if after is not None:
        parts = [f"{key} = %(key)s AND pixel < %(number)s ORDER BY pixel DESC", f"{later} {arranged}"]
    fits = _IN_TIME if choice.search is None else f"{_IN_TIME} AND strpos(folded_name, %(search)s) > 0"
    values = {"since": choice.since, "before": choice.before, "search": choice.search, "most": most}
    for part in parts:
        rows = db.execute(
            f"SELECT {key}, pixel, {fits} FROM pixels WHERE {archived} AND {part} LIMIT %(most)s",
            values | (after._asdict() if after else {}),
        )
        yield from ((Place(*place), bool(fitting)) for *place, fitting in rows)

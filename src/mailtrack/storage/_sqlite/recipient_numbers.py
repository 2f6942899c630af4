"""The numbers by which opens refer to recipients, also to those that are deleted.

Of a deleted recipient its id is kept, under its number, for as long as the pixel exists.
"""

import json
import sqlite3
from collections.abc import Collection


def find(db: sqlite3.Connection, pixel: int, recipient_id: str) -> int | None:
    """Return the number by which opens refer to a recipient, who may be deleted; `None` where it has no opens."""
    found = db.execute(
        "SELECT number FROM recipients WHERE pixel = ? AND id = ?"
        " UNION ALL SELECT number FROM deleted_recipients WHERE pixel = ? AND id = ?",
        (pixel, recipient_id, pixel, recipient_id),
    ).fetchone()
    return None if found is None else int(found[0])


def find_deleted(db: sqlite3.Connection, keys: Collection[tuple[int, int]]) -> dict[tuple[int, int], str]:
    """Return the ids of deleted recipients, by their pixels and numbers."""
    found = db.execute(
        "SELECT d.pixel, d.number, d.id FROM json_each(?) w CROSS JOIN deleted_recipients d"
        " ON d.pixel = json_extract(w.value, '$[0]') AND d.number = json_extract(w.value, '$[1]')",
        (json.dumps(list(keys)),),
    )
    return {(pixel, number): recipient_id for pixel, number, recipient_id in found}


def number_deleted(db: sqlite3.Connection, pixel: int, recipient_ids: Collection[str]) -> dict[str, int]:
    """Return the numbers by which opens refer to recipients that do not exist any more, by id; new ones if needed."""
    if not recipient_ids:
        return {}
    found: dict[str, int] = dict(
        db.execute(
            "SELECT d.id, d.number FROM json_each(?) w"
            " CROSS JOIN deleted_recipients d ON d.pixel = ? AND d.id = w.value",
            (json.dumps(list(recipient_ids)), pixel),
        ).fetchall()
    )
    if new := [one for one in dict.fromkeys(recipient_ids) if one not in found]:
        (last,) = db.execute("SELECT last_recipient FROM pixels WHERE pixel = ?", (pixel,)).fetchone()
        found |= {one: number for number, one in enumerate(new, last + 1)}
        db.executemany("INSERT INTO deleted_recipients VALUES (?, ?, ?)", [(pixel, found[one], one) for one in new])
        db.execute("UPDATE pixels SET last_recipient = ? WHERE pixel = ?", (last + len(new), pixel))
    return found


def find_all(db: sqlite3.Connection, pixel: int, recipient_ids: Collection[str]) -> dict[str, int]:
    """Return the numbers of recipients by their ids; new ones for those that do not exist any more, if needed."""
    found: dict[str, int] = dict(
        db.execute(
            "SELECT r.id, r.number FROM json_each(?) w CROSS JOIN recipients r ON r.pixel = ? AND r.id = w.value",
            (json.dumps(list(recipient_ids)), pixel),
        ).fetchall()
    )
    return found | number_deleted(db, pixel, [one for one in recipient_ids if one not in found])

"""The numbers by which opens refer to recipients, also to those that are deleted.

Of a deleted recipient its id is kept, under its number, for as long as the pixel exists.
"""

from collections.abc import Collection

from mailtrack.storage._postgres.connections import Connection


def find(db: Connection, pixel: int, recipient_id: str) -> int | None:
    """Return the number by which opens refer to a recipient, who may be deleted; `None` where it has no opens."""
    found = db.execute(
        "SELECT number FROM recipients WHERE pixel = %s AND id = %s"
        " UNION ALL SELECT number FROM deleted_recipients WHERE pixel = %s AND id = %s",
        (pixel, recipient_id, pixel, recipient_id),
    ).fetchone()
    return None if found is None else int(found[0])


def number_deleted(db: Connection, pixel: int, last: int, recipient_ids: Collection[str]) -> dict[str, int]:
    """Return the numbers by which opens refer to recipients that do not exist any more, by id; new ones if needed.

    The transaction must have locked the pixel's row, which says what the last number is.
    """
    if not recipient_ids:
        return {}
    found: dict[str, int] = dict(
        db.execute(
            "SELECT id, number FROM deleted_recipients WHERE pixel = %s AND id = ANY(%s::text[])",
            (pixel, list(recipient_ids)),
        ).fetchall()
    )
    if new := [one for one in dict.fromkeys(recipient_ids) if one not in found]:
        numbers = list(range(last + 1, last + 1 + len(new)))
        db.execute(
            "INSERT INTO deleted_recipients SELECT %s, * FROM unnest(%s::bigint[], %s::text[])", (pixel, numbers, new)
        )
        db.execute("UPDATE pixels SET last_recipient = %s WHERE pixel = %s", (numbers[-1], pixel))
        found |= dict(zip(new, numbers, strict=True))
    return found

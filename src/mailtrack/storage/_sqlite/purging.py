"""Purged opens: deleting them, and the parts of them that the counts and the log still need."""

import json
import sqlite3
from collections.abc import Iterable, Sequence

from mailtrack.storage._counting.log_gaps import Gap, join_gaps
from mailtrack.storage._counting.log_gaps import pass_over as pass_over_gaps
from mailtrack.storage._counting.spans import Span, join_spans, make_span, spans_by_recipient


def count(db: sqlite3.Connection, pixel_id: str, before: int) -> int:
    """Return how many opens of a pixel are older than a time in milliseconds."""
    found: tuple[int] = db.execute(
        "SELECT count(*) FROM opens WHERE pixel = (SELECT pixel FROM pixels WHERE id = ?) AND opened_at < ?",
        (pixel_id, before),
    ).fetchone()
    return found[0]


def find(db: sqlite3.Connection, pixel_id: str, before: int, limit: int) -> tuple[int, list[int]]:
    """Return the pixel's number, and those of up to `limit` of its opens that are older than a time."""
    found = db.execute(
        "SELECT p.pixel, o.number FROM pixels p CROSS JOIN opens o ON o.pixel = p.pixel"
        " WHERE p.id = ? AND o.opened_at < ? ORDER BY o.number LIMIT ?",
        (pixel_id, before, limit),
    ).fetchall()
    return (found[0][0] if found else 0), [number for _, number in found]


def purge(db: sqlite3.Connection, pixel: int, numbers: Sequence[int], before: int) -> int:
    """Delete the opens with some numbers, and return how many of them were still there. All counts stay as they are."""
    wanted = json.dumps(numbers)
    found = db.execute(
        "SELECT o.number, o.recipient, o.opened_at, o.counted FROM json_each(?) w"
        " CROSS JOIN opens o ON o.pixel = ? AND o.number = w.value",
        (wanted, pixel),
    ).fetchall()
    if not found:
        return 0
    db.execute("DELETE FROM opens WHERE pixel = ? AND number IN (SELECT value FROM json_each(?))", (pixel, wanted))
    _keep_spans(db, pixel, [(recipient, at) for _, recipient, at, counted in found if counted])
    _keep_gaps(db, pixel, [number for number, *_ in found])
    db.execute(
        "UPDATE pixels SET purged = purged + ?, purged_before = max(coalesce(purged_before, ?), ?) WHERE pixel = ?",
        (len(found), before, before, pixel),
    )
    return len(found)


def pass_over(db: sqlite3.Connection, pixel: int, number: int, skip: int) -> int:
    """Return the number of the open that comes, downwards, behind the next `skip` opens that are not purged."""
    found = db.execute(
        "SELECT first, last FROM purged_opens WHERE pixel = ? AND first <= ? ORDER BY first DESC", (pixel, number)
    )
    return pass_over_gaps((Gap(*row) for row in found), number, skip)


def _keep_spans(db: sqlite3.Connection, pixel: int, counted: Sequence[tuple[str | None, int]]) -> None:
    """Keep the spans of purged opens that count, for when others are judged again."""
    new = spans_by_recipient(counted)
    db.executemany(
        "UPDATE recipients SET purged_counted = ?, first_purged_at = ?, last_purged_at = ? WHERE pixel = ? AND id = ?",
        [
            (*join_spans(before, new[recipient_id]), pixel, recipient_id)
            for recipient_id, before in read_spans(db, pixel, new)
        ],
    )
    span = join_spans(read_span(db, pixel), make_span([at for _, at in counted]))
    db.execute(
        "UPDATE pixels SET first_purged_at = ?, last_purged_at = ? WHERE pixel = ?", (span.first, span.last, pixel)
    )


def read_spans(db: sqlite3.Connection, pixel: int, recipient_ids: Iterable[str]) -> list[tuple[str, Span]]:
    """Return the recipients that exist of those with some ids, each with the span of its purged opens that count."""
    found = db.execute(
        "SELECT r.id, r.purged_counted, r.first_purged_at, r.last_purged_at FROM json_each(?) w"
        " CROSS JOIN recipients r ON r.pixel = ? AND r.id = w.value",
        (json.dumps(list(recipient_ids)), pixel),
    )
    return [(recipient_id, Span(*span)) for recipient_id, *span in found]


def read_span(db: sqlite3.Connection, pixel: int) -> Span:
    """Return the span of a pixel's purged opens that count, with 0 for their number, which is not stored."""
    found = db.execute("SELECT 0, first_purged_at, last_purged_at FROM pixels WHERE pixel = ?", (pixel,))
    return Span(*found.fetchone())


def _keep_gaps(db: sqlite3.Connection, pixel: int, numbers: Sequence[int]) -> None:
    rows = db.execute("SELECT first, last FROM purged_opens WHERE pixel = ?", (pixel,))
    before = [Gap(*row) for row in rows]
    after = join_gaps([*before, *(Gap(number, number) for number in numbers)])
    db.executemany(
        "DELETE FROM purged_opens WHERE pixel = ? AND first = ?",
        [(pixel, gap.first) for gap in set(before).difference(after)],
    )
    db.executemany(
        "INSERT INTO purged_opens (pixel, first, last) VALUES (?, ?, ?)",
        [(pixel, *gap) for gap in set(after).difference(before)],
    )

"""Opens that are purged: what goes, what stays of them in the counts, and the gaps that they leave in the log.

Opens are numbered in order of arrival and purged by their time, so that the numbers that go are mostly, not always, the
lowest. `purged_opens` keeps them as ranges that neither touch nor overlap: few, however many opens are purged.
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence

from mailtrack.storage._sqlite.tally import NO_OPENS, Span, join_spans, to_span

Range = tuple[int, int]
"""Numbers of opens, from the first to the last."""


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
    """Delete those of some opens that are still there, and return how many that were. All counts stay as they are."""
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
    _keep_ranges(db, pixel, [number for number, *_ in found])
    db.execute(
        "UPDATE pixels SET purged = purged + ?, purged_before = max(coalesce(purged_before, ?), ?) WHERE pixel = ?",
        (len(found), before, before, pixel),
    )
    return len(found)


def pass_over(db: sqlite3.Connection, pixel: int, number: int, skip: int) -> int:
    """Return from which number on, downwards, the log goes on behind the next `skip` opens that it still has."""
    for first, last in db.execute(
        "SELECT first, last FROM purged_opens WHERE pixel = ? AND first <= ? ORDER BY first DESC", (pixel, number)
    ):
        above = max(number - last, 0)
        if skip < above:
            break
        skip -= above
        number = first - 1
    return max(number - skip, 0)


def _keep_spans(db: sqlite3.Connection, pixel: int, counted: Sequence[tuple[str | None, int]]) -> None:
    """Keep the spans of purged opens that count, given with their recipients, for when others are judged again."""
    times: defaultdict[str, list[int]] = defaultdict(list)
    for recipient, at in counted:
        if recipient is not None:
            times[recipient].append(at)
    before = dict(read_spans(db, pixel, times))
    db.executemany(
        "UPDATE recipients SET purged_counted = ?, first_purged_at = ?, last_purged_at = ? WHERE pixel = ? AND id = ?",
        [(*join_spans(span, to_span(times[recipient])), pixel, recipient) for recipient, span in before.items()],
    )
    _, first, last = join_spans(read_span(db, pixel), to_span([at for _, at in counted]))
    db.execute("UPDATE pixels SET first_purged_at = ?, last_purged_at = ? WHERE pixel = ?", (first, last, pixel))


def read_spans(db: sqlite3.Connection, pixel: int, recipients: Iterable[str]) -> list[tuple[str, Span]]:
    """Return the recipients that exist of those with some ids, each with the span of its purged opens that count."""
    found = db.execute(
        "SELECT r.id, r.purged_counted, r.first_purged_at, r.last_purged_at FROM json_each(?) w"
        " CROSS JOIN recipients r ON r.pixel = ? AND r.id = w.value",
        (json.dumps(list(recipients)), pixel),
    )
    return [(recipient, (number, first, last)) for recipient, number, first, last in found]


def read_span(db: sqlite3.Connection, pixel: int) -> Span:
    """Return the span of a pixel's purged opens that count, of which the number does not matter."""
    first, last = db.execute("SELECT first_purged_at, last_purged_at FROM pixels WHERE pixel = ?", (pixel,)).fetchone()
    return NO_OPENS if first is None else (1, first, last)


def _keep_ranges(db: sqlite3.Connection, pixel: int, numbers: Sequence[int]) -> None:
    before = db.execute("SELECT first, last FROM purged_opens WHERE pixel = ?", (pixel,)).fetchall()
    after = _joined([*before, *((number, number) for number in numbers)])
    db.executemany(
        "DELETE FROM purged_opens WHERE pixel = ? AND first = ?",
        [(pixel, first) for first, _ in set(before).difference(after)],
    )
    db.executemany(
        "INSERT INTO purged_opens VALUES (?, ?, ?)", [(pixel, *one) for one in set(after).difference(before)]
    )


def _joined(ranges: Iterable[Range]) -> list[Range]:
    """Return the same numbers in as few ranges as can be."""
    joined: list[Range] = []
    for first, last in sorted(ranges):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return joined

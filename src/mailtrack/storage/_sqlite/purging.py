"""Purged opens: deleting them, and the parts of them that the counts and the log still need."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from time import monotonic

from mailtrack.storage._counting.log_gaps import Gap, join_gaps
from mailtrack.storage._counting.log_gaps import pass_over as pass_over_gaps
from mailtrack.storage._counting.spans import Span, join_spans, make_span, spans_by_recipient
from mailtrack.storage._counting.tallies import HOUR
from mailtrack.storage._rows.purging import Place
from mailtrack.storage._sqlite import feed_rows
from mailtrack.storage._sqlite.interned import release

_AT_ONCE = 200


def count(db: sqlite3.Connection, pixel_id: str, before: int) -> int:
    """Return how many opens of a pixel are older than a time in milliseconds, on a connection that sees one state."""
    found = _bound(db, pixel_id, before)
    if found is None:
        return 0
    pixel, until, most = found
    (number,) = db.execute(
        "SELECT count(*) FILTER (WHERE opened_at < ?) FROM ("
        "SELECT opened_at FROM opens WHERE pixel = ? AND opened_at < ? ORDER BY number LIMIT ?)",
        (before, pixel, until, most),
    ).fetchone()
    return int(number)


def _bound(db: sqlite3.Connection, pixel_id: str, before: int) -> tuple[int, int, int] | None:
    """Return a pixel's number, and where its opens can be that are older than a time; `None` where there are none.

    These are among the opens from before the end of some hour, of which there are so many (-1 where that is unknown).
    The log is mostly in order of time, so that a search for so many ends soon after the last one.
    """
    found = db.execute("SELECT pixel, purged, purged_before FROM pixels WHERE id = ?", (pixel_id,)).fetchone()
    if found is None:
        return None
    pixel, purged, purged_before = found
    hour, ever = db.execute(
        "SELECT max(hour), sum(opens) FROM hours WHERE pixel = ? AND hour < ?", (pixel, before)
    ).fetchone()
    if hour is None:
        return None
    return pixel, hour + HOUR, -1 if purged_before is not None and purged_before > before else ever - purged


def find(db: sqlite3.Connection, pixel_id: str, before: int, limit: int, last: Place | None) -> list[Place]:
    """Return up to `limit` of the pixel's opens that are older than a time, those with the lowest numbers.

    The log is read from the last one that was purged before, up to where the counts by hour say that all are found.

    Args:
        db: a connection that sees one state.
        pixel_id: the pixel.
        before: the time.
        limit: the maximum number of opens.
        last: of a purge before, which may be another one.
    """
    found = _bound(db, pixel_id, before)
    if found is None:
        return []
    pixel, until, most = found
    _, _, number, passed = last if last is not None and last[:2] == (pixel, before) else Place(pixel, before, 0, 0)
    most = -1 if most < 0 else max(0, most - passed)
    places: list[Place] = []
    for candidate, at in db.execute(
        "SELECT number, opened_at FROM opens WHERE pixel = ? AND number > ? AND opened_at < ? ORDER BY number LIMIT ?",
        (pixel, number, until, most),
    ):
        if at >= before:
            passed += 1
            continue
        places.append(Place(pixel, before, candidate, passed))
        if len(places) == limit:
            break
    return places


def purge(db: sqlite3.Connection, places: Sequence[Place], until: float) -> tuple[int, Place]:
    """Delete opens, the first ones before a time by `monotonic`. All counts stay as they are.

    Returns:
        How many of them were still there, and the last one that need not be looked at again.
    """
    purged, last = 0, places[0]
    for start in range(0, len(places), _AT_ONCE):
        some = places[start : start + _AT_ONCE]
        last = some[-1]
        purged += _purge(db, last.pixel, [one.number for one in some], last.before)
        if monotonic() >= until:
            break
    return purged, last


def _purge(db: sqlite3.Connection, pixel: int, numbers: Sequence[int], before: int) -> int:
    wanted = json.dumps(numbers)
    found = db.execute(
        "SELECT o.number, o.recipient, o.opened_at, j.counted, o.agent, o.judgement FROM json_each(?) w"
        " CROSS JOIN pixels p ON p.pixel = ?"  # it may have been deleted meanwhile
        " CROSS JOIN opens o ON o.pixel = p.pixel AND o.number = w.value"
        " CROSS JOIN judgements j ON j.pixel = o.pixel AND j.judgement = o.judgement",
        (wanted, pixel),
    ).fetchall()
    if not found:
        return 0
    db.execute("DELETE FROM opens WHERE pixel = ? AND number IN (SELECT value FROM json_each(?))", (pixel, wanted))
    release(db, pixel, "agents", [agent for *_, agent, _ in found])
    release(db, pixel, "judgements", [judgement for *_, judgement in found])
    _keep_spans(db, pixel, [(recipient, at) for _, recipient, at, counted, *_ in found if counted])
    gaps = join_gaps(Gap(number, number) for number, *_ in found)
    _keep_gaps(db, pixel, gaps)
    feed_rows.forget_gone(db, pixel, gaps)
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


def _keep_spans(db: sqlite3.Connection, pixel: int, counted: Sequence[tuple[int | None, int]]) -> None:
    """Keep the spans of purged opens that count, for when others are judged again."""
    new = spans_by_recipient(counted)
    db.executemany(
        "UPDATE recipients SET purged_counted = ?, first_purged_at = ?, last_purged_at = ?"
        " WHERE pixel = ? AND number = ?",
        [(*join_spans(before, new[number]), pixel, number) for number, before in read_spans(db, pixel, new).items()],
    )
    span = join_spans(read_span(db, pixel), make_span([at for _, at in counted]))
    db.execute(
        "UPDATE pixels SET first_purged_at = ?, last_purged_at = ? WHERE pixel = ?", (span.first, span.last, pixel)
    )


def read_spans(db: sqlite3.Connection, pixel: int, numbers: Iterable[int]) -> dict[int, Span]:
    """Return the span of the purged opens that count of each recipient with one of these numbers that exists."""
    found = db.execute(
        "SELECT r.number, r.purged_counted, r.first_purged_at, r.last_purged_at FROM json_each(?) w"
        " CROSS JOIN recipients r ON r.pixel = ? AND r.number = w.value",
        (json.dumps(sorted(numbers)), pixel),
    )
    return {number: Span(*span) for number, *span in found}


def read_span(db: sqlite3.Connection, pixel: int) -> Span:
    """Return the span of a pixel's purged opens that count, with 0 for their number, which is not stored."""
    found = db.execute("SELECT 0, first_purged_at, last_purged_at FROM pixels WHERE pixel = ?", (pixel,))
    return Span(*found.fetchone())


def _keep_gaps(db: sqlite3.Connection, pixel: int, new: Sequence[Gap]) -> None:
    before = _touching(db, pixel, new)
    after = join_gaps([*before, *new])
    db.executemany(
        "DELETE FROM purged_opens WHERE pixel = ? AND first = ?",
        [(pixel, gap.first) for gap in before.difference(after)],
    )
    db.executemany(
        "INSERT INTO purged_opens (pixel, first, last) VALUES (?, ?, ?)",
        [(pixel, *gap) for gap in set(after).difference(before)],
    )


def _touching(db: sqlite3.Connection, pixel: int, gaps: Sequence[Gap]) -> set[Gap]:
    """Return the gaps that are kept and touch one of these: at most the ones before it and behind it."""
    found = db.execute(
        "SELECT g.first, g.last FROM json_each(?) w CROSS JOIN purged_opens g ON g.pixel = ? AND g.first ="
        " (SELECT max(first) FROM purged_opens WHERE pixel = ? AND first <= w.value)",
        (json.dumps([place for gap in gaps for place in (gap.first, gap.last + 1)]), pixel, pixel),
    )
    return {Gap(*row) for row in found}

"""Purged opens: deleting them, and the parts of them that the counts and the log still need."""

from collections.abc import Iterable, Sequence
from time import monotonic

from mailtrack.storage._counting.log_gaps import Gap, join_gaps
from mailtrack.storage._counting.log_gaps import pass_over as pass_over_gaps
from mailtrack.storage._counting.spans import Span, join_spans, make_span, spans_by_recipient
from mailtrack.storage._counting.tallies import HOUR
from mailtrack.storage._postgres import feed_rows, locks, pixels
from mailtrack.storage._postgres.connections import Connection
from mailtrack.storage._postgres.shared import release
from mailtrack.storage._rows.purging import Place

_AT_ONCE = 500


def count(db: Connection, pixel_id: str, before: int) -> int:
    """Return how many opens of a pixel are older than a time in milliseconds, on a connection that sees one state."""
    found = _bound(db, pixel_id, before)
    if found is None:
        return 0
    pixel, until, most = found
    ((number,),) = db.execute(
        "SELECT count(*) FILTER (WHERE opened_at < %s) FROM ("
        "SELECT opened_at FROM opens WHERE pixel = %s AND opened_at < %s ORDER BY number LIMIT %s) o",
        (before, pixel, until, most),
    ).fetchall()
    return int(number)


def _bound(db: Connection, pixel_id: str, before: int) -> tuple[int, int, int | None] | None:
    """Return a pixel's number, and where its opens can be that are older than a time; `None` where there are none.

    These are among the opens from before the end of some hour, of which there are so many (`None` where that is
    unknown). The log is mostly in order of time, so that a search for so many ends soon after the last one.
    """
    found = db.execute("SELECT pixel, purged, purged_before FROM pixels WHERE id = %s", (pixel_id,)).fetchone()
    if found is None:
        return None
    pixel, purged, purged_before = found
    ((hour, ever),) = db.execute(
        "SELECT max(hour), sum(opens)::bigint FROM hours WHERE pixel = %s AND hour < %s", (pixel, before)
    ).fetchall()
    if hour is None:
        return None
    return pixel, hour + HOUR, None if purged_before is not None and purged_before > before else ever - purged


def find(db: Connection, pixel_id: str, before: int, limit: int, last: Place | None) -> list[Place]:
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
    if most is not None:
        most = max(0, most - passed)
    rows = db.execute(
        "SELECT number, passed FROM (SELECT number, opened_at,"
        " count(*) FILTER (WHERE opened_at >= %s) OVER (ORDER BY number) AS passed FROM ("
        "SELECT number, opened_at FROM opens WHERE pixel = %s AND number > %s AND opened_at < %s"
        " ORDER BY number LIMIT %s) o) o WHERE opened_at < %s ORDER BY number LIMIT %s",
        (before, pixel, number, until, most, before, limit),
    )
    return [Place(pixel, before, candidate, passed + more) for candidate, more in rows]


def purge(db: Connection, pixel_id: str, places: Sequence[Place], until: float) -> tuple[int, Place]:
    """Delete opens of a pixel, the first ones before a time by `monotonic`. All counts stay as they are.

    Returns:
        How many of them were still there, and the last one that need not be looked at again.
    """
    purged, last = 0, places[0]
    locks.have_alone(db, [pixel_id])
    if not pixels.lock(db, [last.pixel]):  # it was deleted meanwhile
        return 0, places[-1]
    for start in range(0, len(places), _AT_ONCE):
        some = places[start : start + _AT_ONCE]
        last = some[-1]
        purged += _purge(db, last.pixel, [one.number for one in some], last.before)
        if monotonic() >= until:
            break
    return purged, last


def _purge(db: Connection, pixel: int, numbers: Sequence[int], before: int) -> int:
    found = db.execute(
        "SELECT number, recipient, opened_at, agent, judgement FROM opens"
        " WHERE pixel = %s AND number = ANY(%s::bigint[])",
        (pixel, list(numbers)),
    ).fetchall()
    if not found:
        return 0
    judgements = [judgement for *_, judgement in found]
    rows = db.execute(
        "SELECT judgement FROM judgements WHERE pixel = %s AND judgement = ANY(%s::bigint[]) AND counted",
        (pixel, list(set(judgements))),
    )
    counted = {judgement for (judgement,) in rows}
    db.execute("DELETE FROM opens WHERE pixel = %s AND number = ANY(%s::bigint[])", (pixel, list(numbers)))
    release(db, pixel, "agents", [agent for *_, agent, _ in found])
    release(db, pixel, "judgements", judgements)
    _keep_spans(db, pixel, [(recipient, at) for _, recipient, at, _, judgement in found if judgement in counted])
    _keep_gaps(db, pixel, [number for number, *_ in found])
    feed_rows.forget_purged(db, pixel, numbers[0], numbers[-1])
    db.execute(
        "UPDATE pixels SET purged = purged + %s, purged_before = greatest(purged_before, %s::bigint) WHERE pixel = %s",
        (len(found), before, pixel),
    )
    return len(found)


def pass_over(db: Connection, pixel: int, number: int, skip: int) -> int:
    """Return the number of the open that comes, downwards, behind the next `skip` opens that are not purged."""
    found = db.execute(
        "SELECT first, last FROM purged_opens WHERE pixel = %s AND first <= %s ORDER BY first DESC", (pixel, number)
    )
    return pass_over_gaps((Gap(*row) for row in found), number, skip)


def _keep_spans(db: Connection, pixel: int, counted: Sequence[tuple[int | None, int]]) -> None:
    """Keep the spans of purged opens that count, for when others are judged again."""
    new = spans_by_recipient(counted)
    rows = [(number, *join_spans(before, new[number])) for number, before in read_spans(db, pixel, new).items()]
    if rows:
        db.execute(
            "UPDATE openers o SET purged_counted = w.number, first_purged_at = w.first, last_purged_at = w.last"
            " FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[]) w (recipient, number, first, last)"
            " WHERE o.pixel = %s AND o.number = ANY(%s::bigint[]) AND o.number = w.recipient",
            (*[list(column) for column in zip(*rows, strict=True)], pixel, [number for number, *_ in rows]),
        )
    span = join_spans(read_span(db, pixel), make_span([at for _, at in counted]))
    db.execute(
        "UPDATE pixels SET first_purged_at = %s, last_purged_at = %s WHERE pixel = %s", (span.first, span.last, pixel)
    )


def read_spans(db: Connection, pixel: int, numbers: Iterable[int]) -> dict[int, Span]:
    """Return the span of the purged opens that count of each recipient with one of these numbers that exists."""
    found = db.execute(
        "SELECT number, purged_counted, first_purged_at, last_purged_at FROM openers"
        " WHERE pixel = %s AND number = ANY(%s::bigint[])",
        (pixel, list(numbers)),
    )
    return {number: Span(*span) for number, *span in found}


def read_span(db: Connection, pixel: int) -> Span:
    """Return the span of a pixel's purged opens that count, with 0 for their number, which is not stored."""
    ((first, last),) = db.execute(
        "SELECT first_purged_at, last_purged_at FROM pixels WHERE pixel = %s", (pixel,)
    ).fetchall()
    return Span(0, first, last)


def _keep_gaps(db: Connection, pixel: int, numbers: Sequence[int]) -> None:
    new = join_gaps(Gap(number, number) for number in numbers)
    before = _touching(db, pixel, new)
    after = join_gaps([*before, *new])
    gone = before.difference(after)
    db.execute(
        "DELETE FROM purged_opens WHERE pixel = %s AND first = ANY(%s::bigint[])", (pixel, [gap.first for gap in gone])
    )
    added = sorted(set(after).difference(before))
    db.execute(
        "INSERT INTO purged_opens (pixel, first, last) SELECT %s, * FROM unnest(%s::bigint[], %s::bigint[])",
        (pixel, [gap.first for gap in added], [gap.last for gap in added]),
    )


def _touching(db: Connection, pixel: int, gaps: Sequence[Gap]) -> set[Gap]:
    """Return the gaps that are kept and touch one of these: at most the ones before it and behind it."""
    found = db.execute(
        "SELECT DISTINCT g.first, g.last FROM unnest(%s::bigint[]) w (value) CROSS JOIN LATERAL"
        " (SELECT first, last FROM purged_opens WHERE pixel = %s AND first <= w.value ORDER BY first DESC LIMIT 1) g",
        ([place for gap in gaps for place in (gap.first, gap.last + 1)], pixel),
    )
    return {Gap(*row) for row in found}

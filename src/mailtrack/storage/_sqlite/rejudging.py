"""Rejudge opens: their rows, and all counts that depend on them."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from functools import partial, reduce

from mailtrack._model import Judgement, Open
from mailtrack.storage._counting.openers import Openers
from mailtrack.storage._counting.rejudging import Rejudging, correct
from mailtrack.storage._counting.spans import NO_SPAN, Span, Spans, join_spans
from mailtrack.storage._rows.edges import Edges
from mailtrack.storage._sqlite import counts, edges, opens, pixels, purging


def read_edges(db: sqlite3.Connection, pixel_id: str, judgements: Sequence[Judgement]) -> Edges | None:
    """Return the edges of a pixel apart from the opens that are judged; `None` where the pixel does not exist."""
    pixel = pixels.find(db, pixel_id)
    if pixel is None:
        return None
    return edges.read(db, pixel, opens.find(db, pixel, pixel_id, {one.open_id for one in judgements}).keys())


def rejudge(
    db: sqlite3.Connection, pixel: int, pixel_id: str, judgements: Sequence[Judgement], found_edges: Edges | None
) -> int:
    """Apply judgements to opens of a pixel, and return how many of them are of opens that it has.

    Raises:
        TooFar: `read_edges` has to read the edges, or to read them again, before.
    """
    by_id: defaultdict[str, list[Judgement]] = defaultdict(list)
    for judgement in judgements:
        by_id[judgement.open_id].append(judgement)
    before = opens.find(db, pixel, pixel_id, by_id)
    after = {number: reduce(_apply, by_id[one.id], one) for number, one in before.items()}
    opens.judge(db, pixel, {number: one for number, one in after.items() if one != before[number]})
    changes = Rejudging(list(before.values()), list(after.values()))
    counts.change_by_name(db, pixel, changes.hours, changes.facets)
    openers = _recount_recipients(db, pixel, changes.recipients)
    if before:
        _correct_pixel(db, pixel, changes, openers, before.keys(), found_edges)
    found = {one.id for one in before.values()}
    return sum(one.open_id in found for one in judgements)


def _apply(stored: Open, judgement: Judgement) -> Open:
    return judgement.apply(stored)


def _recount_recipients(db: sqlite3.Connection, pixel: int, changes: Mapping[str, tuple[Spans, Spans]]) -> Openers:
    """Correct the counts of recipients; of those whose first or last open that counts is lost, from all their opens."""
    owners = counts.find_recipients(db, pixel, changes)
    corrected: dict[int, Span] = {}
    lost: list[int] = []
    for owner in owners:
        was, now = changes[owner[0]]
        corrected[owner[1]], *is_lost = correct(Span(*counts.spans_of(owner)[:3]), Span(*was[:3]), Span(*now[:3]))
        if any(is_lost):
            lost.append(owner[1])
    kept, purged = _kept_spans(db, pixel, lost), purging.read_spans(db, pixel, lost)
    corrected |= {number: join_spans(span, kept.get(number, NO_SPAN)) for number, span in purged.items()}
    openers, changed = Openers(), []
    for owner in owners:
        recipient_id, number, made_at, sent_at, *_ = owner
        before = counts.spans_of(owner)
        was, now = changes[recipient_id]
        after = Spans(*corrected[number], *before[3:6], before.prefetches + now.prefetches - was.prefetches)
        if after != before:
            openers.change(made_at, sent_at, before, after)
            changed.append((*corrected[number], after.prefetches, pixel, number))
    db.executemany(
        "UPDATE recipients SET counted = ?, first_counted_at = ?, last_counted_at = ?, prefetches = ?"
        " WHERE pixel = ? AND number = ?",
        changed,
    )
    counts.change_delays(db, pixel, openers.delays)
    return openers


def _kept_spans(db: sqlite3.Connection, pixel: int, numbers: list[int]) -> dict[int, Span]:
    """Return the spans of opens that count and were not purged, by the number of the recipient."""
    found = db.execute(
        "SELECT o.recipient, count(*), min(o.opened_at), max(o.opened_at) FROM json_each(?) w"
        " CROSS JOIN opens o INDEXED BY opens_of_recipient ON o.pixel = ? AND o.recipient = w.value"
        " CROSS JOIN judgements j ON j.pixel = o.pixel AND j.judgement = o.judgement"
        " WHERE j.counted GROUP BY o.recipient",
        (json.dumps(numbers), pixel),
    )
    return {number: Span(*span) for number, *span in found}


def _correct_pixel(
    db: sqlite3.Connection,
    pixel: int,
    changes: Rejudging,
    openers: Openers,
    numbers: Collection[int],
    found_edges: Edges | None,
) -> None:
    stored = db.execute(
        "SELECT counted, first_counted_at, last_counted_at FROM pixels WHERE pixel = ?", (pixel,)
    ).fetchone()
    span, first_is_lost, last_is_lost = changes.correct(Span(*stored))
    find = partial(edges.find, db, pixel, judged=changes.counted, numbers=numbers, edges=found_edges)
    first = find(min) if first_is_lost else span.first
    last = find(max) if last_is_lost else span.last
    db.execute(
        "UPDATE pixels SET rejudged = rejudged + 1, counted = ?, first_counted_at = ?, last_counted_at = ?,"
        " views = views + ?, counted_views = counted_views + ?, opened = opened + ?, prefetched = prefetched + ?"
        " WHERE pixel = ?",
        (
            span.number,
            first,
            last,
            changes.views.raw,
            changes.views.counted,
            openers.opened.counted,
            openers.prefetched,
            pixel,
        ),
    )

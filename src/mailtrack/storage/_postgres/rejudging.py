"""Rejudge opens: their rows, and all counts that depend on them."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from functools import partial, reduce

from mailtrack._model import Judgement, Open
from mailtrack.storage._counting.openers import Openers
from mailtrack.storage._counting.rejudging import Rejudging, correct
from mailtrack.storage._counting.spans import NO_SPAN, Span, Spans, join_spans
from mailtrack.storage._postgres import counts, edges, locks, opens, pixels, purging
from mailtrack.storage._postgres.connections import Connection
from mailtrack.storage._rows.edges import Edges


def read_edges(db: Connection, pixel_id: str, judgements: Sequence[Judgement]) -> Edges | None:
    """Return the edges of a pixel apart from the opens that are judged; `None` where the pixel does not exist."""
    pixel = pixels.find(db, pixel_id)
    if pixel is None:
        return None
    return edges.read(db, pixel, opens.find(db, pixel, pixel_id, {one.open_id for one in judgements}).keys())


def rejudge(db: Connection, pixel_id: str, judgements: Sequence[Judgement], found_edges: Edges | None) -> int:
    """Apply judgements to opens of a pixel, and return how many of them are of opens that it has.

    Raises:
        TooFar: `read_edges` has to read the edges, or to read them again, before.
    """
    locks.have_alone(db, [pixel_id])
    pixel = pixels.find(db, pixel_id)
    if pixel is None:
        return 0
    pixels.lock(db, [pixel])
    by_id: defaultdict[str, list[Judgement]] = defaultdict(list)
    for judgement in judgements:
        by_id[judgement.open_id].append(judgement)
    before = opens.find(db, pixel, pixel_id, by_id)
    after = {number: reduce(_apply, by_id[one.id], one) for number, one in before.items()}
    opens.judge(db, pixel, pixel_id, {number: one for number, one in after.items() if one != before[number]})
    changes = Rejudging(list(before.values()), list(after.values()))
    counts.change_hours(db, {pixel: changes.hours})
    counts.change_facets(db, {pixel: changes.facets})
    openers = _recount_recipients(db, pixel, changes.recipients)
    if before:
        _correct_pixel(db, pixel, changes, openers, before.keys(), found_edges)
    found = {one.id for one in before.values()}
    return sum(one.open_id in found for one in judgements)


def _apply(stored: Open, judgement: Judgement) -> Open:
    return judgement.apply(stored)


def _recount_recipients(db: Connection, pixel: int, changes: Mapping[str, tuple[Spans, Spans]]) -> Openers:
    """Correct the counts of recipients; of those whose first or last open that counts is lost, from all their opens."""
    owners = counts.find_with_spans(db, pixel, changes.keys())
    corrected: dict[int, Span] = {}
    lost: list[int] = []
    for owner, spans in owners:
        was, now = changes[owner.id]
        corrected[owner.number], *is_lost = correct(Span(*spans[:3]), Span(*was[:3]), Span(*now[:3]))
        if any(is_lost):
            lost.append(owner.number)
    kept, purged = _kept_spans(db, pixel, lost), purging.read_spans(db, pixel, lost)
    corrected |= {number: join_spans(span, kept.get(number, NO_SPAN)) for number, span in purged.items()}
    openers, changed = Openers(), []
    for owner, before in owners:
        was, now = changes[owner.id]
        after = Spans(*corrected[owner.number], *before[3:6], before.prefetches + now.prefetches - was.prefetches)
        if after != before:
            openers.change(owner.made_at, owner.sent_at, before, after)
            changed.append((owner.number, *corrected[owner.number], after.prefetches))
    if changed:
        db.execute(
            "UPDATE openers o SET counted = w.counted, first_counted_at = w.first, last_counted_at = w.last,"
            f" prefetches = w.prefetches FROM unnest({', '.join(['%s::bigint[]'] * 5)})"
            " w (number, counted, first, last, prefetches) WHERE o.pixel = %s AND o.number = w.number"
            " AND o.number = ANY(%s::bigint[])",
            (*[list(column) for column in zip(*changed, strict=True)], pixel, [number for number, *_ in changed]),
        )
    counts.change_delays(db, {pixel: openers.delays})
    return openers


def _kept_spans(db: Connection, pixel: int, numbers: list[int]) -> dict[int, Span]:
    """Return the spans of opens that count and were not purged, by the number of the recipient."""
    found = db.execute(
        "SELECT o.recipient, count(*), min(o.opened_at), max(o.opened_at) FROM opens o"
        " JOIN judgements j ON j.pixel = o.pixel AND j.judgement = o.judgement"
        " WHERE o.pixel = %s AND o.recipient = ANY(%s::bigint[]) AND j.counted GROUP BY o.recipient",
        (pixel, numbers),
    )
    return {number: Span(*span) for number, *span in found}


def _correct_pixel(
    db: Connection,
    pixel: int,
    changes: Rejudging,
    openers: Openers,
    numbers: Collection[int],
    found_edges: Edges | None,
) -> None:
    ((*stored,),) = db.execute(
        "SELECT counted, first_counted_at, last_counted_at FROM pixels WHERE pixel = %s", (pixel,)
    ).fetchall()
    span, first_is_lost, last_is_lost = changes.correct(Span(*stored))
    find = partial(edges.find, db, pixel, judged=changes.counted, numbers=numbers, edges=found_edges)
    first = find(min) if first_is_lost else span.first
    last = find(max) if last_is_lost else span.last
    db.execute(
        "UPDATE pixels SET rejudged = rejudged + 1, counted = %s, first_counted_at = %s, last_counted_at = %s,"
        " views = views + %s, counted_views = counted_views + %s, opened = opened + %s, prefetched = prefetched + %s"
        " WHERE pixel = %s",
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

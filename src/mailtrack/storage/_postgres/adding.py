"""Adding opens: many processes at once, in batches for many pixels.

Most of the work is done while others do the same for the same pixels. Then the rows of the pixels are locked, the opens
are numbered and written, and all counts are added to, until the commit.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import attrs

from mailtrack._columns import Opens
from mailtrack._counts import Count
from mailtrack.storage._counting.firsts import find_firsts
from mailtrack.storage._counting.openers import Openers
from mailtrack.storage._counting.spans import Spans
from mailtrack.storage._counting.tallies import HourKey, Tally
from mailtrack.storage._postgres import counts, feed_rows, locks, pixels, recipient_numbers, shared
from mailtrack.storage._postgres.connections import Again, Connection
from mailtrack.storage._postgres.counts import Owner
from mailtrack.storage._postgres.packing import pack_id, pack_ip
from mailtrack.storage._postgres.people import NO_ONE, find_erased

_PROCESS = 6  # bytes of an id that name the process that made it

_COPY = (
    "COPY opens (pixel, number, opened_at, recipient, agent, judgement, age, kind, firsts, id, ip, referer)"
    " FROM STDIN (FORMAT BINARY)"
)
_TYPES = (*("int8",) * 7, *("int2",) * 2, *("bytea",) * 2, "text")

_UPSERT = (
    "INSERT INTO openers AS o (pixel, number, counted, first_counted_at, last_counted_at, opens, first_opened_at,"
    f" last_opened_at, prefetches) SELECT * FROM unnest({', '.join(['%s::bigint[]'] * 9)})"
    " ON CONFLICT (pixel, number) DO UPDATE SET"
    " former_first = o.first_opened_at, former_first_counted = o.first_counted_at,"
    " counted = o.counted + excluded.counted,"
    " first_counted_at = least(o.first_counted_at, excluded.first_counted_at),"
    " last_counted_at = greatest(o.last_counted_at, excluded.last_counted_at),"
    " opens = o.opens + excluded.opens,"
    " first_opened_at = least(o.first_opened_at, excluded.first_opened_at),"
    " last_opened_at = greatest(o.last_opened_at, excluded.last_opened_at),"
    " prefetches = o.prefetches + excluded.prefetches"
    " RETURNING pixel, number, counted, first_counted_at, opens, first_opened_at, prefetches, former_first_counted,"
    " former_first"
)

_COUNT = (
    "UPDATE pixels p SET opens = p.opens + w.opens, first_opened_at = least(p.first_opened_at, w.first),"
    " last_opened_at = greatest(p.last_opened_at, w.last), counted = p.counted + w.counted,"
    " first_counted_at = least(p.first_counted_at, w.first_counted),"
    " last_counted_at = greatest(p.last_counted_at, w.last_counted), views = p.views + w.views,"
    " counted_views = p.counted_views + w.counted_views, opened = p.opened + w.opened,"
    " opened_raw = p.opened_raw + w.opened_raw, prefetched = p.prefetched + w.prefetched"
    f" FROM unnest({', '.join(['%s::bigint[]'] * 12)}) w (pixel, counted, first_counted, last_counted, opens, first,"
    " last, counted_views, views, opened, opened_raw, prefetched) WHERE p.pixel = w.pixel"
)


@attrs.frozen
class Batch:
    """Opens of one pixel, with what can be made of them before a transaction begins.

    Attributes:
        pixel_id: the id of their pixel.
        opens: the opens, each once.
        ids: their ids, packed.
        tally: their counts.
    """

    pixel_id: str
    opens: Opens
    ids: list[bytes]
    tally: Tally

    @classmethod
    def of(cls, pixel_id: str, opens: Opens) -> "Batch":
        """Return a batch with some opens."""
        return cls(pixel_id, opens, [pack_id(one) for one in opens.ids], Tally(opens))

    def without(self, ids: set[bytes]) -> "Batch":
        """Return the same without the opens with some ids."""
        places = [place for place, one in enumerate(self.ids) if one not in ids]
        return self if len(places) == len(self.ids) else Batch.of(self.pixel_id, self.opens.take(places))

    def without_people(self, gone: set[str]) -> "Batch":
        """Return the same, with the opens of erased recipients, given by their ids, as they are to be stored."""
        places = {place for place, one in enumerate(self.opens.recipients) if one in gone}
        return Batch.of(self.pixel_id, self.opens.as_erased(places)) if places else self


def add(db: Connection, given: Iterable[Batch], *, alone: bool) -> list[Opens]:
    """Add opens, count them, and return them as they are stored.

    Those that are there already are left out, and so are all of pixels that do not exist.

    Args:
        db: a connection in a transaction.
        given: the opens, a batch for each pixel.
        alone: whether to keep all others out from the start, as after `Again`.

    Raises:
        Again: another transaction has added one of the opens meanwhile.
    """
    by_id = {batch.pixel_id: batch for batch in given}
    (locks.have_alone if alone else locks.share)(db, by_id)
    numbers = pixels.find_all(db, by_id)
    batches = {number: by_id[pixel_id] for pixel_id, number in sorted(numbers.items(), key=lambda item: item[1])}
    present = _find_present(db, batches)
    batches = {pixel: batch.without(present[pixel]) for pixel, batch in batches.items()}
    owners = _find_owners(db, batches)
    batches = {pixel: batch for pixel, batch in _forget_people(db, batches, owners).items() if batch.opens}
    if not batches:
        return []
    openers, firsts = _count_openers(db, batches, owners)
    last = pixels.lock(db, batches)
    if not alone and any(_find_present(db, batches).values()):
        raise Again
    shared.refer(db, {pixel: (batch.pixel_id, batch.opens.findings) for pixel, batch in batches.items()})
    owned = _number_owners(db, batches, owners, last)
    with db.cursor().copy(_COPY) as copy:
        copy.set_types(_TYPES)
        for pixel, batch in batches.items():
            for row in _to_rows(pixel, batch, last[pixel][0], owned, firsts[pixel]):
                copy.write_row(row)
    _count(db, batches, openers)
    feed_rows.add(
        db, [(pixel, last[pixel][0], len(batch.opens), max(batch.opens.times)) for pixel, batch in batches.items()]
    )
    _count_totals(db, batches.values())
    return [batch.opens for batch in batches.values()]


def _find_present(db: Connection, batches: Mapping[int, Batch]) -> dict[int, set[bytes]]:
    """Return the ids of those opens that are there, by their pixels."""
    found: dict[int, set[bytes]] = {pixel: set() for pixel in batches}
    spans = [
        (pixel, min(some), max(some)) for pixel, batch in batches.items() for some in _by_process(batch.ids).values()
    ]
    if not spans:
        return found
    near = db.execute(
        "SELECT DISTINCT w.pixel FROM unnest(%s::bigint[], %s::bytea[], %s::bytea[]) w (pixel, first, last)"
        " WHERE EXISTS (SELECT 1 FROM opens o WHERE o.pixel = w.pixel AND o.id BETWEEN w.first AND w.last)",
        [list(column) for column in zip(*spans, strict=True)],
    ).fetchall()
    # Mostly there are none: all opens of a process are newer than those that are there.
    for (pixel,) in near:
        rows = db.execute(
            "SELECT o.id FROM unnest(%s::bytea[]) w (id) JOIN opens o ON o.pixel = %s AND o.id = w.id",
            (batches[pixel].ids, pixel),
            binary=True,
        )
        found[pixel] = {open_id for (open_id,) in rows}
    return found


def _by_process(ids: Iterable[bytes]) -> dict[bytes, list[bytes]]:
    found: defaultdict[bytes, list[bytes]] = defaultdict(list)
    for one in ids:
        found[one[:_PROCESS]].append(one)
    return found


def _find_owners(db: Connection, batches: Mapping[int, Batch]) -> dict[int, dict[str, Owner]]:
    """Return those recipients of the opens that exist, by pixel and id."""
    found: dict[int, dict[str, Owner]] = {pixel: {} for pixel in batches}
    for owner in counts.find_owners(
        db, [(pixel, one) for pixel, batch in batches.items() for one in batch.tally.recipients]
    ):
        found[owner.pixel][owner.id] = owner
    return found


def _forget_people(
    db: Connection, batches: Mapping[int, Batch], owners: Mapping[int, Mapping[str, Owner]]
) -> dict[int, Batch]:
    unknown = [
        (pixel, one) for pixel, batch in batches.items() for one in batch.tally.recipients if one not in owners[pixel]
    ]
    gone: defaultdict[int, set[str]] = defaultdict(set)
    for pixel, one in find_erased(db, unknown):
        gone[pixel].add(one)
    return {pixel: batch.without_people(gone[pixel]) if pixel in gone else batch for pixel, batch in batches.items()}


def _count_openers(
    db: Connection, batches: Mapping[int, Batch], owners: Mapping[int, Mapping[str, Owner]]
) -> tuple[dict[int, Openers], dict[int, list[int]]]:
    """Count opens for their recipients, and return the changes that makes for pixels, and the bits of `find_firsts`."""
    openers = {pixel: Openers() for pixel in batches}
    unopened: dict[int, set[str]] = {pixel: set() for pixel in batches}
    uncounted: dict[int, set[str]] = {pixel: set() for pixel in batches}
    added = {
        (pixel, owner.number): (owner, spans)
        for pixel, batch in batches.items()
        for one, spans in batch.tally.recipients.items()
        if (owner := owners[pixel].get(one))
    }
    if added:
        rows = [(*place, *added[place][1]) for place in sorted(added)]
        changed = db.execute(_UPSERT, [list(column) for column in zip(*rows, strict=True)]).fetchall()
        for pixel, number, counted, first_counted, raw, first, prefetches, former_counted, former in changed:
            owner, new = added[pixel, number]
            raw_before, counted_before = raw - new.raw, counted - new.counted
            before = Spans(
                counted_before,
                former_counted if counted_before else None,
                None,
                raw_before,
                former if raw_before else None,
                None,
                prefetches - new.prefetches,
            )
            after = Spans(counted, first_counted, None, raw, first, None, prefetches)
            openers[pixel].change(owner.made_at, owner.sent_at, before, after)
            if not raw_before:
                unopened[pixel].add(owner.id)
            if not counted_before:
                uncounted[pixel].add(owner.id)
    firsts = {
        pixel: find_firsts(
            ((one, finding.counted) for one, finding in zip(batch.opens.recipients, batch.opens.findings, strict=True)),
            unopened[pixel],
            uncounted[pixel],
        )
        for pixel, batch in batches.items()
    }
    return openers, firsts


def _number_owners(
    db: Connection,
    batches: Mapping[int, Batch],
    owners: Mapping[int, Mapping[str, Owner]],
    last: Mapping[int, tuple[int, int]],
) -> dict[int, dict[str, int]]:
    """Return the numbers of the recipients, also of those that do not exist any more, by pixel and id."""
    owned = {pixel: {owner.id: owner.number for owner in owners[pixel].values()} for pixel in batches}
    for pixel, batch in batches.items():
        if deleted := [one for one in batch.tally.recipients if one not in owned[pixel]]:
            owned[pixel] |= recipient_numbers.number_deleted(db, pixel, last[pixel][1], deleted)
    return owned


def _to_rows(
    pixel: int, batch: Batch, last: int, owned: Mapping[int, Mapping[str, int]], firsts: Sequence[int]
) -> Iterable[tuple[object, ...]]:
    opens, numbers = batch.opens, owned[pixel]
    common = shared.share(batch.pixel_id, opens.findings)
    ips = {ip: pack_ip(ip) for ip in set(opens.ips)}
    rows = zip(
        opens.times, opens.recipients, opens.findings, opens.ages, firsts, batch.ids, opens.ips, opens.referers,
        strict=True,
    )  # fmt: skip
    for number, (at, owner, finding, age, bits, open_id, ip, referer) in enumerate(rows, last + 1):
        agent, judgement, kind = common[finding]
        recipient = numbers[owner] if owner is not None else NO_ONE if finding.erased else None
        yield (pixel, number, at, recipient, agent, judgement, age, kind, bits, open_id, ips[ip], referer)


def _count(db: Connection, batches: Mapping[int, Batch], openers: Mapping[int, Openers]) -> None:
    rows = []
    for pixel, batch in batches.items():
        tally, opened = batch.tally, openers[pixel].opened
        changes = (tally.views.counted, tally.views.raw, opened.counted, opened.raw, openers[pixel].prefetched)
        rows.append((pixel, *tally.opens[:6], *changes))
    db.execute(_COUNT, [list(column) for column in zip(*rows, strict=True)])
    counts.change_hours(db, {pixel: batch.tally.hours for pixel, batch in batches.items()})
    counts.change_facets(db, {pixel: batch.tally.facets for pixel, batch in batches.items()})
    counts.change_delays(db, {pixel: openers[pixel].delays for pixel in batches})


def _count_totals(db: Connection, batches: Iterable[Batch]) -> None:
    """Count opens by kind. Each backend of the server has a part of its own, so that none waits for another."""
    totals: defaultdict[str, Count] = defaultdict(Count)
    for batch in batches:
        hours: Mapping[HourKey, Count] = batch.tally.hours
        for key, number in hours.items():
            totals[key.kind] += number
    counts.add_to_totals(db, totals)

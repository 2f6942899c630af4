"""The counts that tables keep beside opens: added to as opens arrive, and read for reports."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from mailtrack._collector import collector_paused
from mailtrack._columns import Hours
from mailtrack._counts import Count
from mailtrack._figures import DayCount, DelayCount, Facet, FacetCount
from mailtrack._model import VerdictKind
from mailtrack._times import from_milliseconds, to_milliseconds
from mailtrack.storage._counting.delays import Delays
from mailtrack.storage._counting.openers import Openers
from mailtrack.storage._counting.spans import NO_SPANS, Spans
from mailtrack.storage._counting.tallies import DAY, FacetKey, HourKey
from mailtrack.storage._postgres.connections import Connection

SPANS = "counted, first_counted_at, last_counted_at, opens, first_opened_at, last_opened_at"
"""The columns of `Spans`, but the last."""

K = TypeVar("K")


class Owner(NamedTuple):
    """A recipient as the counts need it, with times in milliseconds.

    Attributes:
        pixel: the number of its pixel.
        id: its id.
        number: its number.
        made_at: the time of its token.
        sent_at: the time of its mail.
    """

    pixel: int
    id: str
    number: int
    made_at: int
    sent_at: int | None


OWNER = "r.pixel, r.id, r.number, r.created_at, r.sent_at"
"""The columns of an `Owner`, read from `recipients r`."""

SPANS_OF = (
    "coalesce(o.counted, 0), o.first_counted_at, o.last_counted_at, coalesce(o.opens, 0), o.first_opened_at,"
    " o.last_opened_at, coalesce(o.prefetches, 0)"
)
"""The columns of `Spans`, read from `recipients r` with `OPENER`."""

OPENER = " LEFT JOIN openers o ON o.pixel = r.pixel AND o.number = r.number"


def find_owners(db: Connection, wanted: Collection[tuple[int, str]]) -> list[Owner]:
    """Return those recipients that exist, given by their pixels and ids."""
    if not wanted:
        return []
    return [
        Owner(*row)
        for row in db.execute(
            f"SELECT {OWNER} FROM unnest(%s::bigint[], %s::text[]) w (pixel, id)"
            " JOIN recipients r ON r.pixel = w.pixel AND r.id = w.id",
            ([pixel for pixel, _ in wanted], [one for _, one in wanted]),
        )
    ]


def find_with_spans(db: Connection, pixel: int, recipient_ids: Collection[str]) -> list[tuple[Owner, Spans]]:
    """Return those recipients of a pixel that exist, given their ids, with their spans."""
    if not recipient_ids:
        return []
    found = db.execute(
        f"SELECT {OWNER}, {SPANS_OF} FROM unnest(%s::text[]) w (id)"
        f" JOIN recipients r ON r.pixel = %s AND r.id = w.id{OPENER}",
        (list(recipient_ids), pixel),
    )
    return [(Owner(*row[:5]), Spans(*row[5:])) for row in found]


def change_hours(db: Connection, changes: Mapping[int, Mapping[HourKey, Count]]) -> None:
    """Add to the counts of pixels by hour and kind; subtract where the numbers are negative."""
    rows = [(pixel, *key, count.raw, count.counted) for pixel, some in changes.items() for key, count in some.items()]
    _upsert(db, "hours (pixel, hour, verdict, opens, counted)", "bigint, bigint, text, bigint, bigint", rows)
    if any(row[3] < 0 for row in rows):
        db.execute("DELETE FROM hours WHERE pixel = ANY(%s::bigint[]) AND opens = 0", (list(changes),))


def change_facets(db: Connection, changes: Mapping[int, Mapping[FacetKey, Count]]) -> None:
    """Add to the counts of pixels by facet and name; subtract where the numbers are negative."""
    rows = [(pixel, *key, count.raw, count.counted) for pixel, some in changes.items() for key, count in some.items()]
    _upsert(db, "facets (pixel, facet, name, opens, counted)", "bigint, text, text, bigint, bigint", rows)
    if any(row[3] < 0 for row in rows):
        db.execute("DELETE FROM facets WHERE pixel = ANY(%s::bigint[]) AND opens = 0", (list(changes),))


def change_delays(db: Connection, changes: Mapping[int, Delays]) -> None:
    """Change the numbers of recipients of pixels by the delay of their first open."""
    rows = [
        (pixel, bucket, count.raw, count.counted)
        for pixel, delays in changes.items()
        for bucket, count in delays.buckets.items()
    ]
    _upsert(db, "delays (pixel, bucket, recipients, counted)", "bigint, bigint, bigint, bigint", rows)


def _upsert(db: Connection, table: str, types: str, rows: list[tuple[Any, ...]]) -> None:
    """Add rows, of which the last two columns are added to those that are there for the same first columns."""
    if not rows:
        return
    name, _, columns = table.partition(" ")
    *key, one, other = columns.strip("()").split(", ")
    arrays = ", ".join(f"%s::{kind}[]" for kind in types.split(", "))
    db.execute(
        f"INSERT INTO {table} SELECT * FROM unnest({arrays}) ON CONFLICT ({', '.join(key)})"
        f" DO UPDATE SET {one} = {name}.{one} + excluded.{one}, {other} = {name}.{other} + excluded.{other}",
        [list(column) for column in zip(*rows, strict=True)],
    )


def delete_recipients(db: Connection, pixel: int, recipient_ids: Collection[str], *, keep_ids: bool = True) -> None:
    """Delete recipients that exist, and take them out of the counts. Their ids may be kept for their opens."""
    found = find_with_spans(db, pixel, recipient_ids)
    openers = Openers()
    for owner, spans in found:
        openers.change(owner.made_at, owner.sent_at, spans, NO_SPANS)
    db.execute(
        "UPDATE pixels SET recipients = recipients - %s, opened_raw = opened_raw + %s, opened = opened + %s,"
        " prefetched = prefetched + %s WHERE pixel = %s",
        (len(found), openers.opened.raw, openers.opened.counted, openers.prefetched, pixel),
    )
    change_delays(db, {pixel: openers.delays})
    numbers = [owner.number for owner, _ in found]
    db.execute("DELETE FROM openers WHERE pixel = %s AND number = ANY(%s::bigint[])", (pixel, numbers))
    db.execute("DELETE FROM recipients WHERE pixel = %s AND number = ANY(%s::bigint[])", (pixel, numbers))
    if keep_ids:
        kept = [owner for owner, spans in found if spans.raw]
        db.execute(
            "INSERT INTO deleted_recipients SELECT %s, * FROM unnest(%s::bigint[], %s::text[])",
            (pixel, [owner.number for owner in kept], [owner.id for owner in kept]),
        )


def hours(db: Connection, pixel: int) -> Hours:
    """Return the counts by hour and kind, in that order."""
    with collector_paused():  # of a year, there are tens of thousands
        rows = db.execute(
            "SELECT hour, verdict, counted, opens FROM hours WHERE pixel = %s ORDER BY hour, verdict", (pixel,)
        )
        return Hours.of_rows(rows.fetchall())


def days(db: Connection, pixel_ids: Collection[str], since: datetime) -> dict[str, list[DayCount]]:
    """Return the counts of pixels by day, by the pixels' ids."""
    found: defaultdict[str, list[DayCount]] = defaultdict(list)
    for pixel_id, day, counted, raw in db.execute(
        f"SELECT p.id, h.hour - (mod(h.hour, {DAY}) + {DAY}) %% {DAY} AS day, sum(h.counted)::bigint,"
        " sum(h.opens)::bigint FROM unnest(%s::text[]) w (id) JOIN pixels p ON p.id = w.id"
        " JOIN hours h ON h.pixel = p.pixel AND h.hour >= %s GROUP BY p.id, p.pixel, day ORDER BY p.pixel, day",
        (list(set(pixel_ids)), to_milliseconds(since)),
    ):
        found[pixel_id].append(DayCount(day=from_milliseconds(day), opens=Count(counted, raw)))
    return dict(found)


def facets(db: Connection, pixel: int, limit: int) -> Iterator[FacetCount]:
    """Yield the most frequent names of each facet."""
    found: defaultdict[str, list[Any]] = defaultdict(list)
    for facet, *row in db.execute(
        "SELECT facet, name, counted, opens FROM (SELECT *, row_number() OVER"
        " (PARTITION BY facet ORDER BY opens DESC, name) AS place FROM facets WHERE pixel = %s) f"
        " WHERE place <= %s ORDER BY facet, place",
        (pixel, limit),
    ):
        found[facet].append(row)
    for one in Facet:
        for name, counted, raw in found[one.value]:
            yield FacetCount(facet=one, name=name, opens=Count(counted, raw))


def delays(db: Connection, pixel: int) -> list[DelayCount]:
    """Return the numbers of recipients by the delay of their first open, in order."""
    found = db.execute(
        "SELECT bucket, counted, recipients FROM delays WHERE pixel = %s AND (recipients > 0 OR counted > 0)"
        " ORDER BY bucket",
        (pixel,),
    )
    return [DelayCount(bucket=bucket, recipients=Count(counted, raw)) for bucket, counted, raw in found]


def add_to_totals(db: Connection, totals: Mapping[str, Count]) -> None:
    """Add to the numbers of all opens by kind. Each backend of the server has a part of its own, or shares it."""
    rows = [(kind, number.raw, number.counted) for kind, number in sorted(totals.items())]
    if rows:
        db.execute(
            "INSERT INTO totals (verdict, part, opens, counted)"
            " SELECT w.verdict, mod(pg_backend_pid(), 64), w.opens, w.counted"
            " FROM unnest(%s::text[], %s::bigint[], %s::bigint[]) w (verdict, opens, counted)"
            " ON CONFLICT (verdict, part)"
            " DO UPDATE SET opens = totals.opens + excluded.opens, counted = totals.counted + excluded.counted",
            [list(column) for column in zip(*rows, strict=True)],
        )


def totals(db: Connection) -> dict[VerdictKind, Count]:
    """Return the numbers of all opens that were ever added, by the kind that they had then."""
    found = db.execute("SELECT verdict, sum(counted)::bigint, sum(opens)::bigint FROM totals GROUP BY verdict")
    return {VerdictKind(kind): Count(counted, raw) for kind, counted, raw in found}

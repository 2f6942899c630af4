"""The counts that tables keep beside opens: added to as opens arrive, and read for reports."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from operator import itemgetter
from typing import Any, TypeAlias

from mailtrack._collector import collector_paused
from mailtrack._columns import Hours
from mailtrack._counts import Count
from mailtrack._figures import DayCount, DelayCount, Facet, FacetCount
from mailtrack._model import VerdictKind
from mailtrack._times import from_milliseconds, to_milliseconds
from mailtrack.storage._counting.delays import Delays
from mailtrack.storage._counting.openers import Openers
from mailtrack.storage._counting.spans import NO_SPANS, Spans, join_both
from mailtrack.storage._counting.tallies import DAY, FacetKey, HourKey, Tally

SPANS = "counted, first_counted_at, last_counted_at, opens, first_opened_at, last_opened_at"
"""The columns of `Spans`, but the last."""

_SET_SPANS = ", ".join(f"{column} = ?" for column in SPANS.split(", "))
OWNER = f"r.id, r.number, r.created_at, r.sent_at, {SPANS}, prefetches"
"""The columns of an `Owner`, read from `recipients r`: id, number, times of the token and the mail, `Spans`."""

COUNTED, RAW = 4, 7
"""The places of two of them in an `Owner`: how many of its opens count, and how many it has."""

Owner: TypeAlias = tuple[Any, ...]
"""A recipient as the counts need it: a row that begins with the columns `OWNER`, with times in milliseconds.

Rows are used as they are, because there is one for nearly each open.
"""


def spans_of(owner: Owner) -> Spans:
    """Return the spans of a recipient."""
    return tuple.__new__(Spans, owner[4:11])  # in half the time of `Spans(*...)`


def add(db: sqlite3.Connection, pixel: int, tally: Tally, owners: Iterable[Owner]) -> None:
    """Add the counts of new opens of a pixel, given the recipients that exist of those in the tally."""
    row = db.execute(f"SELECT {SPANS} FROM pixels WHERE pixel = ?", (pixel,)).fetchone()
    spans = join_both(Spans(*row), tally.opens)
    openers = _add_to_recipients(db, pixel, tally.recipients, owners)
    opened = openers.opened
    db.execute(
        f"UPDATE pixels SET {_SET_SPANS}, views = views + ?, counted_views = counted_views + ?,"
        " opened_raw = opened_raw + ?, opened = opened + ?, prefetched = prefetched + ? WHERE pixel = ?",
        (*spans[:6], tally.views.raw, tally.views.counted, opened.raw, opened.counted, openers.prefetched, pixel),
    )
    change_by_name(db, pixel, tally.hours, tally.facets)
    _add_to_totals(db, tally.hours)


def change_by_name(
    db: sqlite3.Connection, pixel: int, hours: Mapping[HourKey, Count], facets: Mapping[FacetKey, Count]
) -> None:
    """Add to the counts by hour and kind, and by facet and name; subtract where the numbers are negative."""
    db.executemany(
        "INSERT INTO hours (pixel, hour, verdict, opens, counted) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (pixel, hour, verdict)"
        " DO UPDATE SET opens = opens + excluded.opens, counted = counted + excluded.counted",
        [(pixel, key.hour, key.kind, change.raw, change.counted) for key, change in hours.items()],
    )
    db.executemany(
        "INSERT INTO facets (pixel, facet, name, opens, counted) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (pixel, facet, name)"
        " DO UPDATE SET opens = opens + excluded.opens, counted = counted + excluded.counted",
        [(pixel, key.facet, key.name, change.raw, change.counted) for key, change in facets.items()],
    )
    if any(change.raw < 0 for change in hours.values()):
        db.execute("DELETE FROM hours WHERE pixel = ? AND opens = 0", (pixel,))
    for facet in {key.facet for key, change in facets.items() if change.raw < 0}:
        db.execute("DELETE FROM facets WHERE pixel = ? AND facet = ? AND opens = 0", (pixel, facet))


def _add_to_totals(db: sqlite3.Connection, hours: Mapping[HourKey, Count]) -> None:
    totals: defaultdict[str, Count] = defaultdict(Count)
    for key, number in hours.items():
        totals[key.kind] += number
    db.executemany(
        "INSERT INTO totals (verdict, opens, counted) VALUES (?, ?, ?) ON CONFLICT (verdict)"
        " DO UPDATE SET opens = opens + excluded.opens, counted = counted + excluded.counted",
        [(kind, number.raw, number.counted) for kind, number in totals.items()],
    )


def _add_to_recipients(
    db: sqlite3.Connection, pixel: int, recipients: Mapping[str, Spans], owners: Iterable[Owner]
) -> Openers:
    """Return the changes of the numbers of recipients."""
    openers = Openers()
    changed: list[tuple[int | None, ...]] = []
    for owner in owners:
        recipient_id, number, made_at, sent_at = owner[:4]
        before = spans_of(owner)
        after = join_both(before, recipients[recipient_id])
        openers.change(made_at, sent_at, before, after)
        changed.append((*after, pixel, number))
    changed.sort(key=itemgetter(-1))  # in the order of the pages
    db.executemany(f"UPDATE recipients SET {_SET_SPANS}, prefetches = ? WHERE pixel = ? AND number = ?", changed)
    change_delays(db, pixel, openers.delays)
    return openers


def find_recipients(
    db: sqlite3.Connection, pixel: int, recipient_ids: Iterable[str] = (), numbers: Iterable[int] = ()
) -> list[Owner]:
    """Return those recipients that exist, given by their ids, and others by their numbers, which costs less."""
    return [*_find_recipients(db, pixel, "id", recipient_ids), *_find_recipients(db, pixel, "number", numbers)]


def _find_recipients(db: sqlite3.Connection, pixel: int, key: str, values: Iterable[int | str]) -> Iterator[Owner]:
    if not (wanted := sorted(values)):
        return iter(())
    return db.execute(
        f"SELECT {OWNER} FROM json_each(?) w CROSS JOIN recipients r ON r.pixel = ? AND r.{key} = w.value",
        (json.dumps(wanted), pixel),
    )


def delete_recipient(db: sqlite3.Connection, pixel: int, recipient_id: str, *, keep_id: bool = True) -> None:
    """Delete a recipient, and take it out of the counts. Its id may be kept for its opens."""
    (owner,) = find_recipients(db, pixel, [recipient_id])
    _, number, made_at, sent_at, *_ = owner
    spans = spans_of(owner)
    openers = Openers()
    openers.change(made_at, sent_at, spans, NO_SPANS)
    change_delays(db, pixel, openers.delays)
    db.execute(
        "UPDATE pixels SET recipients = recipients - 1, opened_raw = opened_raw + ?, opened = opened + ?,"
        " prefetched = prefetched + ? WHERE pixel = ?",
        (openers.opened.raw, openers.opened.counted, openers.prefetched, pixel),
    )
    db.execute("DELETE FROM recipients WHERE pixel = ? AND number = ?", (pixel, number))
    if spans.raw and keep_id:
        db.execute("INSERT INTO deleted_recipients VALUES (?, ?, ?)", (pixel, number, recipient_id))


def change_delays(db: sqlite3.Connection, pixel: int, delays: Delays) -> None:
    """Change the numbers of recipients by the delay of their first open."""
    db.executemany(
        "INSERT INTO delays (pixel, bucket, recipients, counted) VALUES (?, ?, ?, ?) ON CONFLICT (pixel, bucket)"
        " DO UPDATE SET recipients = recipients + excluded.recipients, counted = counted + excluded.counted",
        [(pixel, bucket, change.raw, change.counted) for bucket, change in delays.buckets.items()],
    )


def hours(db: sqlite3.Connection, pixel: int) -> Hours:
    """Return the counts by hour and kind, in that order."""
    with collector_paused():  # of a year, there are tens of thousands
        rows = db.execute(
            "SELECT hour, verdict, counted, opens FROM hours WHERE pixel = ? ORDER BY hour, verdict", (pixel,)
        )
        return Hours.of_rows(rows.fetchall())


def days(db: sqlite3.Connection, pixel_ids: Collection[str], since: datetime) -> dict[str, list[DayCount]]:
    """Return the counts of pixels by day, by the pixels' ids."""
    found: defaultdict[str, list[DayCount]] = defaultdict(list)
    for pixel_id, day, counted, raw in db.execute(
        f"SELECT p.id, h.hour - (h.hour % {DAY} + {DAY}) % {DAY} AS day, sum(h.counted), sum(h.opens)"
        " FROM json_each(?) w CROSS JOIN pixels p ON p.id = w.value"
        " CROSS JOIN hours h ON h.pixel = p.pixel AND h.hour >= ? GROUP BY p.pixel, day ORDER BY p.pixel, day",
        (json.dumps(list(pixel_ids)), to_milliseconds(since)),
    ):
        found[pixel_id].append(DayCount(day=from_milliseconds(day), opens=Count(counted, raw)))
    return dict(found)


def totals(db: sqlite3.Connection) -> dict[VerdictKind, Count]:
    """Return the numbers of all opens that were ever added, by the kind that they had then."""
    found = db.execute("SELECT verdict, counted, opens FROM totals")
    return {VerdictKind(kind): Count(counted, raw) for kind, counted, raw in found}


def facets(db: sqlite3.Connection, pixel: int, limit: int) -> Iterator[FacetCount]:
    """Yield the most frequent names of each facet."""
    for facet in Facet:
        for name, counted, raw in db.execute(
            "SELECT name, counted, opens FROM facets WHERE pixel = ? AND facet = ? ORDER BY opens DESC, name LIMIT ?",
            (pixel, facet.value, limit),
        ):
            yield FacetCount(facet=facet, name=name, opens=Count(counted, raw))


def delays(db: sqlite3.Connection, pixel: int) -> list[DelayCount]:
    """Return the numbers of recipients by the delay of their first open, in order."""
    found = db.execute(
        "SELECT bucket, counted, recipients FROM delays WHERE pixel = ? AND (recipients > 0 OR counted > 0)"
        " ORDER BY bucket",
        (pixel,),
    )
    return [DelayCount(bucket=bucket, recipients=Count(counted, raw)) for bucket, counted, raw in found]

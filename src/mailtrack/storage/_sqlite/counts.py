"""The counts that are kept beside opens: added to as opens arrive, and read for reports."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from heapq import nsmallest

from mailtrack._model import DayCount, DelayCount, Facet, FacetCount, HourCount, VerdictKind
from mailtrack._times import from_milliseconds, to_milliseconds
from mailtrack.storage._protocol import MAX_TOP
from mailtrack.storage._sqlite.tally import NO_OPENS, Count, Delays, Span, Tally, join_spans

_TOP_COUNTS_FROM = 2  # opening once is nothing special
_HOUR = 3_600_000
_DAY = 24 * _HOUR


def add(db: sqlite3.Connection, pixel: int, tally: Tally) -> None:
    """Add what new opens of a pixel amount to."""
    before = _span_of_pixel(db, pixel)
    opens, counted = join_spans(before[0], tally.opens), join_spans(before[1], tally.counted)
    opened = _add_to_recipients(db, pixel, tally)
    db.execute(
        "UPDATE pixels SET opens = ?, first_opened_at = ?, last_opened_at = ?,"
        " counted = ?, first_counted_at = ?, last_counted_at = ?,"
        " views = views + ?, counted_views = counted_views + ?, opened_raw = opened_raw + ?, opened = opened + ?"
        " WHERE pixel = ?",
        (*opens, *counted, *tally.views, *opened, pixel),
    )
    add_by_name(db, pixel, tally.hours, tally.facets)


def add_by_name(
    db: sqlite3.Connection,
    pixel: int,
    hours: Mapping[tuple[int, str], Count],
    facets: Mapping[tuple[str, str], Count],
) -> None:
    """Add to the counts by hour and kind, and by facet and name; take away where they are below 0."""
    db.executemany(
        "INSERT INTO hours (pixel, hour, verdict, opens, counted) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (pixel, hour, verdict)"
        " DO UPDATE SET opens = opens + excluded.opens, counted = counted + excluded.counted",
        [(pixel, *key, *count) for key, count in hours.items()],
    )
    db.executemany(
        "INSERT INTO facets VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (pixel, facet, name)"
        " DO UPDATE SET opens = opens + excluded.opens, counted = counted + excluded.counted",
        [(pixel, *key, *count) for key, count in facets.items()],
    )
    if any(opens < 0 for opens, _ in hours.values()):
        db.execute("DELETE FROM hours WHERE pixel = ? AND opens = 0", (pixel,))
    for facet in {facet for (facet, _), (opens, _) in facets.items() if opens < 0}:
        db.execute("DELETE FROM facets WHERE pixel = ? AND facet = ? AND opens = 0", (pixel, facet))


def _span_of_pixel(db: sqlite3.Connection, pixel: int) -> tuple[Span, Span]:
    row = db.execute(
        "SELECT opens, first_opened_at, last_opened_at, counted, first_counted_at, last_counted_at"
        " FROM pixels WHERE pixel = ?",
        (pixel,),
    ).fetchone()
    return row[:3], row[3:]


def _add_to_recipients(db: sqlite3.Connection, pixel: int, tally: Tally) -> Count:
    """Return for how many recipients these are the first opens, and the first that count."""
    delays, opened_raw, opened = Delays(), 0, 0
    changed: list[tuple[int | None, ...]] = []
    rising: dict[int, int] = {}
    for recipient_id, number, made_at, *before in db.execute(
        "SELECT r.id, r.number, r.created_at, r.opens, r.first_opened_at, r.last_opened_at,"
        " r.counted, r.first_counted_at, r.last_counted_at"
        " FROM json_each(?) w CROSS JOIN recipients r ON r.pixel = ? AND r.id = w.value",
        (json.dumps(list(tally.recipients)), pixel),
    ).fetchall():
        opens_before, first, last, counted_before, first_counted, last_counted = before
        opens = join_spans((opens_before, first, last), tally.recipients[recipient_id])
        counted = join_spans(
            (counted_before, first_counted, last_counted), tally.counted_recipients.get(recipient_id, NO_OPENS)
        )
        if opens[1] != first:
            opened_raw += not opens_before
            delays.change(made_at, first, opens[1], counted=False)
        if counted[1] != first_counted:
            opened += not counted_before
            delays.change(made_at, first_counted, counted[1], counted=True)
        changed.append((*opens, *counted, pixel, number))
        if counted[0] >= _TOP_COUNTS_FROM:
            rising[number] = counted[0]
    db.executemany(
        "UPDATE recipients SET opens = ?, first_opened_at = ?, last_opened_at = ?,"
        " counted = ?, first_counted_at = ?, last_counted_at = ? WHERE pixel = ? AND number = ?",
        changed,
    )
    change_delays(db, pixel, delays)
    _add_to_top(db, pixel, rising)
    return opened_raw, opened


def _add_to_top(db: sqlite3.Connection, pixel: int, counted: dict[int, int]) -> None:
    """Let recipients, by number, have more opens that count; a few of those with the most are kept apart."""
    before = dict(db.execute("SELECT number, counted FROM top_recipients WHERE pixel = ?", (pixel,)).fetchall())
    best = nsmallest(MAX_TOP, (before | counted).items(), key=lambda item: (-item[1], item[0]))
    after = dict(best)
    if after != before:
        db.executemany(
            "DELETE FROM top_recipients WHERE pixel = ? AND number = ?",
            [(pixel, number) for number in before.keys() - after.keys()],
        )
        db.executemany(
            "INSERT INTO top_recipients VALUES (?, ?, ?) ON CONFLICT (pixel, number)"
            " DO UPDATE SET counted = excluded.counted",
            [(pixel, *item) for item in after.items() - before.items()],
        )


def find_top(db: sqlite3.Connection, pixel: int) -> None:
    """Look for the recipients with the most opens that count among all."""
    db.execute("DELETE FROM top_recipients WHERE pixel = ?", (pixel,))
    db.execute(
        "INSERT INTO top_recipients SELECT pixel, number, counted FROM recipients WHERE pixel = ? AND counted >= ?"
        " ORDER BY counted DESC, number LIMIT ?",
        (pixel, _TOP_COUNTS_FROM, MAX_TOP),
    )


def delete_recipient(db: sqlite3.Connection, pixel: int, recipient_id: str) -> None:
    """Delete a recipient, and take it out of the counts."""
    number, made_at, opens, first, counted, first_counted = db.execute(
        "SELECT number, created_at, opens, first_opened_at, counted, first_counted_at"
        " FROM recipients WHERE pixel = ? AND id = ?",
        (pixel, recipient_id),
    ).fetchone()
    delays = Delays()
    delays.change(made_at, first, None, counted=False)
    delays.change(made_at, first_counted, None, counted=True)
    change_delays(db, pixel, delays)
    db.execute(
        "UPDATE pixels SET recipients = recipients - 1, opened_raw = opened_raw - ?, opened = opened - ?"
        " WHERE pixel = ?",
        (opens > 0, counted > 0, pixel),
    )
    db.execute("DELETE FROM recipients WHERE pixel = ? AND number = ?", (pixel, number))
    if db.execute("SELECT 1 FROM top_recipients WHERE pixel = ? AND number = ?", (pixel, number)).fetchone():
        find_top(db, pixel)


# All kinds of an hour follow each other.
_to_shared_hour = lru_cache(maxsize=64)(from_milliseconds)


def change_delays(db: sqlite3.Connection, pixel: int, delays: Delays) -> None:
    """Change the numbers of recipients by the delay of their first open."""
    db.executemany(
        "INSERT INTO delays VALUES (?, ?, ?, ?) ON CONFLICT (pixel, bucket)"
        " DO UPDATE SET recipients = recipients + excluded.recipients, counted = counted + excluded.counted",
        [(pixel, *row) for row in delays.rows],
    )


def hours(db: sqlite3.Connection, pixel: int) -> list[HourCount]:
    """Return the counts by hour and kind, in that order."""
    found = db.execute(
        "SELECT hour, verdict, opens, counted FROM hours WHERE pixel = ? ORDER BY hour, verdict", (pixel,)
    )
    kinds = {kind.value: kind for kind in VerdictKind}
    return [
        HourCount(hour=_to_shared_hour(hour), kind=kinds[kind], opens=opens, counted=counted)
        for hour, kind, opens, counted in found
    ]


def days(db: sqlite3.Connection, pixel_ids: Collection[str], since: datetime) -> dict[str, list[DayCount]]:
    """Return the counts of pixels by day, by the pixels' ids."""
    found: defaultdict[str, list[DayCount]] = defaultdict(list)
    for pixel_id, day, opens, counted in db.execute(
        f"SELECT p.id, h.hour - (h.hour % {_DAY} + {_DAY}) % {_DAY} AS day, sum(h.opens), sum(h.counted)"
        " FROM json_each(?) w CROSS JOIN pixels p ON p.id = w.value"
        " CROSS JOIN hours h ON h.pixel = p.pixel AND h.hour >= ? GROUP BY p.pixel, day ORDER BY p.pixel, day",
        (json.dumps(list(pixel_ids)), to_milliseconds(since)),
    ):
        found[pixel_id].append(DayCount(day=from_milliseconds(day), opens=opens, counted=counted))
    return dict(found)


def facets(db: sqlite3.Connection, pixel: int, limit: int) -> Iterator[FacetCount]:
    """Return the most frequent names of each facet."""
    for facet in Facet:
        for name, opens, counted in db.execute(
            "SELECT name, opens, counted FROM facets WHERE pixel = ? AND facet = ? ORDER BY opens DESC, name LIMIT ?",
            (pixel, facet.value, limit),
        ):
            yield FacetCount(facet=facet, name=name, opens=opens, counted=counted)


def delays(db: sqlite3.Connection, pixel: int) -> list[DelayCount]:
    """Return the numbers of recipients by the delay of their first open."""
    found = db.execute(
        "SELECT bucket, recipients, counted FROM delays WHERE pixel = ? AND (recipients > 0 OR counted > 0)"
        " ORDER BY bucket",
        (pixel,),
    )
    return [DelayCount(bucket=bucket, recipients=recipients, counted=counted) for bucket, recipients, counted in found]

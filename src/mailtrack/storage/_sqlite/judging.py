"""Opens that are judged again: what that changes in their rows, and in all counts."""

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import attrs

from mailtrack._model import Judgement, Open
from mailtrack._times import to_milliseconds
from mailtrack.storage._sqlite import counts, purging, rows
from mailtrack.storage._sqlite.tally import NO_OPENS, Count, Delays, Span, Tally, join_spans

_HOUR = 3_600_000
_OPEN = rows.OPEN.replace("r.token", "NULL")  # the token does not matter here

K = TypeVar("K")


def judge_again(db: sqlite3.Connection, pixel: int, pixel_id: str, judgements: Sequence[Judgement]) -> int:
    """Change what is known of opens of a pixel, and return how many of the judgements are of opens that it has."""
    by_id = {one.open_id: one for one in judgements}
    before = _read(db, pixel, pixel_id, list(by_id))
    after = [_judged(one, by_id[one.id]) for one in before]
    _write(db, pixel, [by_id[one.id] for one in before])
    times = [to_milliseconds(one.opened_at) for one in before]
    was, now = Tally(before, times), Tally(after, times)
    counts.add_by_name(db, pixel, _difference(now.hours, was.hours), _difference(now.facets, was.facets))
    opened = _recount_recipients(db, pixel, list(now.recipients))
    _correct_pixel(db, pixel, was, now, opened)
    found = {one.id for one in before}
    return sum(one.open_id in found for one in judgements)


def _judged(one: Open, judgement: Judgement) -> Open:
    return attrs.evolve(one, verdict=judgement.verdict, client=judgement.client, counted=judgement.counted)


def _read(db: sqlite3.Connection, pixel: int, pixel_id: str, open_ids: list[str]) -> list[Open]:
    found = db.execute(
        f"SELECT {_OPEN} FROM json_each(?) w CROSS JOIN opens o ON o.pixel = ? AND o.id = w.value",
        (json.dumps(open_ids), pixel),
    )
    return [rows.to_open(row, pixel_id) for row in found]


def _write(db: sqlite3.Connection, pixel: int, judgements: Sequence[Judgement]) -> None:
    db.executemany(
        "UPDATE opens SET verdict = ?, vendor = ?, reasons = ?, certainty = ?, rules_version = ?,"
        " client = ?, client_version = ?, os = ?, device = ?, counted = ? WHERE pixel = ? AND id = ?",
        (
            (*rows.from_verdict(one.verdict), *rows.from_client(one.client), one.counted, pixel, one.open_id)
            for one in judgements
        ),
    )


def _difference(now: Mapping[K, Count], was: Mapping[K, Count]) -> dict[K, Count]:
    """Return by how much counts are more or less now, where they are."""
    nothing: Count = (0, 0)
    found = {}
    for key in {**was, **now}:
        (opens, counted), (opens_before, counted_before) = now.get(key, nothing), was.get(key, nothing)
        if (opens, counted) != (opens_before, counted_before):
            found[key] = (opens - opens_before, counted - counted_before)
    return found


def _recount_recipients(db: sqlite3.Connection, pixel: int, recipient_ids: list[str]) -> int:
    """Count anew what counts of recipients' opens, and return how many more of them have opened now."""
    ids = json.dumps(recipient_ids)
    purged = dict(purging.read_spans(db, pixel, recipient_ids))
    stored: dict[str, Span] = {
        recipient_id: (number, first, last)
        for recipient_id, number, first, last in db.execute(
            "SELECT o.recipient, count(*), min(o.opened_at), max(o.opened_at) FROM json_each(?) w"
            " CROSS JOIN opens o INDEXED BY opens_by_recipient ON o.pixel = ? AND o.recipient = w.value"
            " WHERE o.counted GROUP BY o.recipient",
            (ids, pixel),
        )
    }
    delays, changed, opened = Delays(), [], 0
    for recipient_id, number, made_at, *before in db.execute(
        "SELECT r.id, r.number, r.created_at, r.counted, r.first_counted_at, r.last_counted_at FROM json_each(?) w"
        " CROSS JOIN recipients r ON r.pixel = ? AND r.id = w.value",
        (ids, pixel),
    ).fetchall():
        span = join_spans(purged[recipient_id], stored.get(recipient_id, NO_OPENS))
        if span != tuple(before):
            opened += (span[0] > 0) - (before[0] > 0)
            delays.change(made_at, before[1], span[1], counted=True)
            changed.append((*span, pixel, number))
    db.executemany(
        "UPDATE recipients SET counted = ?, first_counted_at = ?, last_counted_at = ? WHERE pixel = ? AND number = ?",
        changed,
    )
    counts.change_delays(db, pixel, delays)
    if changed:
        counts.find_top(db, pixel)
    return opened


def _correct_pixel(db: sqlite3.Connection, pixel: int, was: Tally, now: Tally, opened: int) -> None:
    number, first, last = db.execute(
        "SELECT counted, first_counted_at, last_counted_at FROM pixels WHERE pixel = ?", (pixel,)
    ).fetchone()
    _, first, last = join_spans((number, first, last), now.counted)
    if was.counted[1] == first and now.counted[1] != first:  # who was the first may count no more
        first = _edge(db, pixel, min)
    if was.counted[2] == last and now.counted[2] != last:
        last = _edge(db, pixel, max)
    db.execute(
        "UPDATE pixels SET counted = counted + ?, first_counted_at = ?, last_counted_at = ?,"
        " counted_views = counted_views + ?, opened = opened + ? WHERE pixel = ?",
        (now.counted[0] - was.counted[0], first, last, now.views[1] - was.views[1], opened, pixel),
    )


def _edge(db: sqlite3.Connection, pixel: int, which: Callable[[list[int]], int]) -> int | None:
    """Return the time of the first or the last open that counts.

    Its hour is known, and how many count in that; they are looked for from the end of the log where they should be.
    Of those that were purged, the first and the last are known.
    """
    order = "ASC" if which is min else "DESC"
    hour = db.execute(
        "SELECT hour, sum(counted) FROM hours WHERE pixel = ? AND counted > 0"
        f" GROUP BY hour ORDER BY hour {order} LIMIT 1",
        (pixel,),
    ).fetchone()
    if hour is None:
        return None
    found = db.execute(
        "SELECT opened_at FROM opens WHERE pixel = ? AND counted AND opened_at >= ? AND opened_at < ?"
        f" ORDER BY number {order} LIMIT ?",
        (pixel, hour[0], hour[0] + _HOUR, hour[1]),
    )
    _, *purged = purging.read_span(db, pixel)
    return which([at for (at,) in found] + [at for at in purged if at is not None])

"""Opens in tables: the only file that knows all columns of an open's row.

A row refers to its recipient by number, and to its agent and judgement, which `interned` describes.
"""

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import count, repeat
from typing import Any

import attrs

from mailtrack._columns import Opens
from mailtrack._model import Open, Page, VerdictKind
from mailtrack.storage import _cursors as cursors
from mailtrack.storage._counting.firsts import find_firsts
from mailtrack.storage._counting.log_gaps import Gap
from mailtrack.storage._counting.shared_rows import KINDS
from mailtrack.storage._counting.tallies import Tally
from mailtrack.storage._counting.values import make_opens
from mailtrack.storage._sqlite import counts, erasure, feed_rows, purging, recipient_numbers
from mailtrack.storage._sqlite.counts import Owner
from mailtrack.storage._sqlite.interned import read_agents, read_judgements, release, share
from mailtrack.storage._sqlite.packing import PLACES, PackedId, by_process, pack_id, pack_ip, unpack_id, unpack_ip
from mailtrack.storage._sqlite.resolved import Resolved

FIELDS = "o.opened_at, o.shift, o.rest, o.ip, o.age, o.referer, o.agent, o.judgement"
"""The columns of a row, apart from its place, its recipient, and what is not in an `Open`."""

_ROW = f"r.id, r.token, d.id, o.number, {erasure.IS_ERASED}, {FIELDS}"
_JOINS = (
    " LEFT JOIN recipients r ON r.pixel = o.pixel AND r.number = o.recipient"
    " LEFT JOIN deleted_recipients d ON d.pixel = o.pixel AND d.number = o.recipient" + erasure.ERASING
)
_BOUND_AT_ONCE = 5000  # SQLite takes 32,766 values


@attrs.frozen
class Batch:
    """Opens of one pixel, with all that can be made of them before a transaction begins, for which others wait.

    Attributes:
        opens: the opens, each once.
        ids: their ids, packed.
        ips: their addresses, packed.
        tally: their counts.
    """

    opens: Opens
    ids: list[PackedId]
    ips: list[bytes | str | None]
    tally: Tally

    @classmethod
    def of(cls, opens: Opens) -> "Batch":
        """Return a batch with some opens."""
        ids = [pack_id(open_id, at) for open_id, at in zip(opens.ids, opens.times, strict=True)]
        return cls(opens, ids, [pack_ip(ip) for ip in opens.ips], Tally(opens))


def add(db: sqlite3.Connection, batches: Mapping[str, Batch], resolved: Resolved) -> list[Opens]:
    """Add the opens of pixels, count them, put them into the feed, and return them as they are stored.

    Those that are there already are left out; without their pixel, all are.

    Args:
        db: a connection in a transaction that writes.
        batches: the opens, by the ids of the pixels.
        resolved: recipients that were resolved, which are the opens' as a rule.
    """
    rows: list[feed_rows.Added] = []
    added = [_add_to_pixel(db, pixel_id, batch, resolved, rows) for pixel_id, batch in batches.items()]
    feed_rows.add(db, rows)
    return added


def _add_to_pixel(
    db: sqlite3.Connection, pixel_id: str, batch: Batch, resolved: Resolved, rows: list[feed_rows.Added]
) -> Opens:
    """Add the opens of one pixel, append its row of the feed to others, and return the opens as they are stored."""
    found = db.execute("SELECT pixel, opens FROM pixels WHERE id = ?", (pixel_id,)).fetchone()
    if found is None:
        return batch.opens.take([])
    pixel, last = found
    if present := _find_present(db, pixel, batch):
        ids = batch.opens.ids
        batch = Batch.of(batch.opens.take([place for place, one in enumerate(ids) if one not in present]))
    given = {one for one in batch.opens.recipients if one is not None}
    owners = resolved.find(db, pixel, given)
    owned: dict[str, int] = {owner[0]: owner[1] for owner in owners}
    if given > owned.keys():
        gone = erasure.find_erased(db, pixel, given - owned.keys())
        if gone:
            recipients = batch.opens.recipients
            batch = Batch.of(batch.opens.as_erased([place for place, one in enumerate(recipients) if one in gone]))
        owned |= recipient_numbers.number_deleted(db, pixel, given - owned.keys() - gone)
    opens = batch.opens
    if not opens:
        return opens
    shared = share(db, pixel, opens.findings)
    db.executemany(
        f"INSERT INTO opens VALUES ({PLACES}, ?)",
        zip(
            repeat(pixel),
            count(last + 1),
            opens.times,
            [shift for shift, _ in batch.ids],
            [rest for _, rest in batch.ids],
            [
                owned[one] if one is not None else erasure.NO_ONE if finding.erased else None
                for one, finding in zip(opens.recipients, opens.findings, strict=True)
            ],
            batch.ips,
            [shared[finding].agent for finding in opens.findings],
            [shared[finding].judgement for finding in opens.findings],
            [shared[finding].kind for finding in opens.findings],
            opens.ages,
            opens.referers,
            _find_firsts(opens, owners),
            strict=False,
        ),
    )
    rows.append(feed_rows.Added(pixel, Gap(last + 1, last + len(opens)), max(opens.times)))
    counts.add(db, pixel, batch.tally, owners)
    return opens


def _find_firsts(opens: Opens, owners: Sequence[Owner]) -> list[int]:
    return find_firsts(
        zip(opens.recipients, [finding.counted for finding in opens.findings], strict=True),
        {owner[0] for owner in owners if not owner[counts.RAW]},
        {owner[0] for owner in owners if not owner[counts.COUNTED]},
    )


def _find_present(db: sqlite3.Connection, pixel: int, batch: Batch) -> Collection[str]:
    """Return the ids of those opens that are there."""
    if any(
        db.execute(
            "SELECT 1 FROM opens WHERE pixel = ? AND rest BETWEEN ? AND ? LIMIT 1", (pixel, min(some), max(some))
        ).fetchone()
        for some in by_process(batch.ids).values()
    ):  # as after a crash; in most batches, all opens of a process are newer than those that are there
        return _find_ids(db, pixel, batch.opens.ids).keys()
    return ()


def _find_ids(db: sqlite3.Connection, pixel: int, open_ids: Iterable[str]) -> dict[str, int]:
    """Return the numbers of the opens that a pixel has of those with some ids, by their ids."""
    wanted = set(open_ids)
    rests = [pack_id(one, 0)[1] for one in wanted]
    ids: dict[str, int] = {}
    for start in range(0, len(rests), _BOUND_AT_ONCE):
        some = rests[start : start + _BOUND_AT_ONCE]
        found = db.execute(
            "SELECT number, opened_at, shift, rest FROM opens INDEXED BY opens_by_id"
            f" WHERE pixel = ? AND rest IN ({', '.join('?' * len(some))})",
            (pixel, *some),
        )
        ids |= {unpack_id(*packed): number for number, *packed in found}
    return {open_id: ids[open_id] for open_id in wanted & ids.keys()}


def get_page(
    db: sqlite3.Connection,
    pixel_id: str,
    limit: int,
    last: int | None,
    *,
    skip: int,
    kind: VerdictKind | None,
    recipient_id: str | None,
) -> Page[Open]:
    """Return a page of a pixel's opens from a number on, or from the newest, downwards.

    The cursor is the newest open of the next page, so that a page begins with its own place.
    """
    found = db.execute("SELECT pixel, opens FROM pixels WHERE id = ?", (pixel_id,)).fetchone()
    if found is None:
        return Page(items=())
    pixel, newest = found
    last = newest if last is None else min(last, newest)
    last = purging.pass_over(db, pixel, last, skip) if skip else last
    index, condition, bound = "", "", []
    if kind is not None:
        index, condition, bound = "INDEXED BY opens_by_kind", " AND o.kind = ?", [KINDS[kind]]
    if recipient_id is not None:
        owner = recipient_numbers.find(db, pixel, recipient_id)
        if owner is None:
            return Page(items=())
        index, condition = "INDEXED BY opens_of_recipient", condition + " AND o.recipient = ?"
        bound.append(owner)
    rows = db.execute(
        f"SELECT {_ROW} FROM opens o {index}{_JOINS}"
        f" WHERE o.pixel = ? AND o.number <= ?{condition} ORDER BY o.number DESC LIMIT ?",
        (pixel, last, *bound, limit + 1),
    ).fetchall()
    return cursors.cut_page(_to_opens(db, pixel, pixel_id, rows), limit, begins_with_cursor=True)


def find(db: sqlite3.Connection, pixel: int, pixel_id: str, open_ids: Iterable[str]) -> dict[int, Open]:
    """Return the opens that a pixel has of those with some ids, by their numbers."""
    numbers = sorted(_find_ids(db, pixel, open_ids).values())
    found = db.execute(
        f"SELECT {_ROW} FROM json_each(?) w CROSS JOIN opens o ON o.pixel = ? AND o.number = w.value{_JOINS}",
        (json.dumps(numbers), pixel),
    ).fetchall()
    return dict(_to_opens(db, pixel, pixel_id, found))


def judge(db: sqlite3.Connection, pixel: int, judged: Mapping[int, Open]) -> None:
    """Write the verdicts, clients, signals, networks, ages and weights of opens, given by number, into their rows."""
    places = json.dumps(list(judged))
    former = db.execute(
        "SELECT agent, judgement FROM json_each(?) w CROSS JOIN opens o ON o.pixel = ? AND o.number = w.value",
        (places, pixel),
    ).fetchall()
    opens = Opens.of(list(judged.values()))
    shared = share(db, pixel, opens.findings)
    db.executemany(
        "UPDATE opens SET agent = ?, judgement = ?, kind = ?, age = ? WHERE pixel = ? AND number = ?",
        [
            (*shared[finding], age, pixel, number)
            for number, finding, age in zip(judged, opens.findings, opens.ages, strict=True)
        ],
    )
    release(db, pixel, "agents", [agent for agent, _ in former])
    release(db, pixel, "judgements", [judgement for _, judgement in former])


def _to_opens(
    db: sqlite3.Connection, pixel: int, pixel_id: str, rows: Sequence[tuple[Any, ...]]
) -> list[tuple[int, Open]]:
    """Return the number and the open of each row."""
    if not rows:
        return []
    ids, tokens, deleted_ids, numbers, erased, *fields = zip(*rows, strict=True)
    owners = [one or other for one, other in zip(ids, deleted_ids, strict=True)]
    opens = to_opens(db, [pixel] * len(rows), [pixel_id] * len(rows), owners, tokens, fields)
    return [
        (number, one.as_erased() if is_erased else one)
        for number, one, is_erased in zip(numbers, opens, erased, strict=True)
    ]


def to_opens(
    db: sqlite3.Connection,
    pixels: Sequence[int],
    pixel_ids: Sequence[str],
    recipient_ids: Sequence[str | None],
    tokens: Sequence[str | None],
    fields: Sequence[Sequence[Any]],
) -> list[Open]:
    """Return opens, given their pixels and recipients, and `FIELDS` in columns."""
    times, shifts, rests, ips, ages, referers, agents, judgements = fields
    agent_keys, judgement_keys = [list(zip(pixels, column, strict=True)) for column in (agents, judgements)]
    return make_opens(
        ids=map(unpack_id, times, shifts, rests),
        pixel_ids=pixel_ids,
        recipient_ids=recipient_ids,
        tokens=tokens,
        times=times,
        ips=map(unpack_ip, ips),
        referers=referers,
        ages=ages,
        agents=map(read_agents(db, set(agent_keys)).__getitem__, agent_keys),
        judgements=map(read_judgements(db, set(judgement_keys)).__getitem__, judgement_keys),
    )

"""Opens in tables: reading their rows, and judging them again.

A row refers to its recipient by number, and to its agent and judgement, which `shared` describes, by digests.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mailtrack._columns import Opens
from mailtrack._model import Open, Page, VerdictKind
from mailtrack.storage import _cursors as cursors
from mailtrack.storage._counting.shared_rows import KINDS
from mailtrack.storage._counting.values import make_opens
from mailtrack.storage._postgres import purging, recipient_numbers
from mailtrack.storage._postgres.connections import Connection
from mailtrack.storage._postgres.packing import pack_id, unpack_id, unpack_ip
from mailtrack.storage._postgres.people import ERASING, IS_ERASED
from mailtrack.storage._postgres.shared import read_agents, read_judgements, refer, release, share

ROW = (
    f"r.id, r.token, d.id, o.pixel, o.number, {IS_ERASED}, o.opened_at, o.id, o.ip, o.age, o.referer, o.agent,"
    " o.judgement"
)
"""The columns that `to_opens` reads, from `opens o` with `JOINS`."""

JOINS = (
    " LEFT JOIN recipients r ON r.pixel = o.pixel AND r.number = o.recipient"
    " LEFT JOIN deleted_recipients d ON d.pixel = o.pixel AND d.number = o.recipient" + ERASING
)
_PIXEL, _NUMBER, _AGENT, _JUDGEMENT = 3, 4, -2, -1


def get_page(
    db: Connection,
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
    found = db.execute("SELECT pixel, opens FROM pixels WHERE id = %s", (pixel_id,)).fetchone()
    if found is None:
        return Page(items=())
    pixel, newest = found
    last = newest if last is None else min(last, newest)
    last = purging.pass_over(db, pixel, last, skip) if skip else last
    condition, bound = "", list[Any]()
    if kind is not None:
        condition, bound = " AND o.kind = %s", [KINDS[kind]]
    if recipient_id is not None:
        owner = recipient_numbers.find(db, pixel, recipient_id)
        if owner is None:
            return Page(items=())
        condition += " AND o.recipient = %s"
        bound.append(owner)
    rows = db.execute(
        f"SELECT {ROW} FROM (SELECT * FROM opens o WHERE o.pixel = %s AND o.number <= %s{condition}"
        f" ORDER BY o.number DESC LIMIT %s) o{JOINS} ORDER BY o.number DESC",
        (pixel, last, *bound, limit + 1),
    ).fetchall()
    found_opens = to_opens(db, rows, {pixel: pixel_id})
    return cursors.cut_page(
        ((row[_NUMBER], one) for row, one in zip(rows, found_opens, strict=True)), limit, begins_with_cursor=True
    )


def find(db: Connection, pixel: int, pixel_id: str, open_ids: Iterable[str]) -> dict[int, Open]:
    """Return the opens that a pixel has of those with some ids, by their numbers."""
    rows = db.execute(
        f"SELECT {ROW} FROM (SELECT o.* FROM unnest(%s::bytea[]) w (id) JOIN opens o ON o.pixel = %s AND o.id = w.id"
        f" OFFSET 0) o{JOINS} ORDER BY o.number",
        ([pack_id(one) for one in set(open_ids)], pixel),
    ).fetchall()
    return {row[_NUMBER]: one for row, one in zip(rows, to_opens(db, rows, {pixel: pixel_id}), strict=True)}


def judge(db: Connection, pixel: int, pixel_id: str, judged: Mapping[int, Open]) -> None:
    """Write the verdicts, clients, signals, networks, ages and weights of opens, given by number, into their rows."""
    if not judged:
        return
    numbers = list(judged)
    former = db.execute(
        "SELECT agent, judgement FROM opens WHERE pixel = %s AND number = ANY(%s::bigint[])", (pixel, numbers)
    ).fetchall()
    opens = Opens.of(list(judged.values()))
    shared = share(pixel_id, opens.findings)
    refer(db, {pixel: (pixel_id, opens.findings)})
    columns = [numbers, *map(list, zip(*(shared[one] for one in opens.findings), strict=True)), opens.ages]
    db.execute(
        "UPDATE opens o SET agent = w.agent, judgement = w.judgement, kind = w.kind, age = w.age"
        " FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::smallint[], %s::bigint[])"
        " w (number, agent, judgement, kind, age) WHERE o.pixel = %s AND o.number = w.number"
        " AND o.number = ANY(%s::bigint[])",
        (*columns, pixel, numbers),
    )
    release(db, pixel, "agents", [agent for agent, _ in former])
    release(db, pixel, "judgements", [judgement for _, judgement in former])


def to_opens(db: Connection, rows: Sequence[tuple[Any, ...]], pixel_ids: Mapping[int, str]) -> list[Open]:
    """Return the opens of rows, given the ids of their pixels."""
    if not rows:
        return []
    owners, tokens, deleted, pixels, _, erased, times, ids, ips, ages, referers, *shared = zip(*rows, strict=True)
    agents, judgements = [list(zip(pixels, column, strict=True)) for column in shared]
    opens = make_opens(
        ids=map(unpack_id, ids),
        pixel_ids=map(pixel_ids.__getitem__, pixels),
        recipient_ids=[one or other for one, other in zip(owners, deleted, strict=True)],
        tokens=tokens,
        times=times,
        ips=map(unpack_ip, ips),
        referers=referers,
        ages=ages,
        agents=map(read_agents(db, set(agents)).__getitem__, agents),
        judgements=map(read_judgements(db, set(judgements)).__getitem__, judgements),
    )
    return [one.as_erased() if is_erased else one for one, is_erased in zip(opens, erased, strict=True)]

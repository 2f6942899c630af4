"""Agents and judgements in tables: each is stored once for a pixel, under its digest, with the number of its opens.

The transaction must have locked the pixel's row.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from mailtrack._columns import Finding
from mailtrack.storage._counting.shared_rows import (
    KINDS,
    Agent,
    JudgementRow,
    ReadAgent,
    ReadJudgement,
    digest_row,
    read_agent,
    read_judgement,
    to_rows,
)
from mailtrack.storage._postgres.connections import Connection

Place: TypeAlias = tuple[int, int]
"""A pixel, and a digest."""

_TYPES = {"rules_version": "bigint", "counted": "boolean"}  # all others are texts
_ROWS: dict[str, type[Agent | JudgementRow]] = {"agents": Agent, "judgements": JudgementRow}


class Shared(NamedTuple):
    """What an open shares with others: the digests of its agent and judgement, and the number of its verdict's kind."""

    agent: int
    judgement: int
    kind: int


def share(pixel_id: str, findings: Iterable[Finding]) -> dict[Finding, Shared]:
    """Return what opens of a pixel share, given the finding of each."""
    return {
        one: Shared(digest_row(agent, pixel_id), digest_row(judgement, pixel_id), KINDS[one.verdict.kind])
        for one in set(findings)
        for agent, judgement in [to_rows(one)]
    }


def refer(db: Connection, pixels: Mapping[int, tuple[str, Sequence[Finding]]]) -> None:
    """Note that new opens of pixels, given by number with their ids, have some findings."""
    agents: dict[Place, tuple[int, Agent]] = {}
    judgements: dict[Place, tuple[int, JudgementRow]] = {}
    for pixel, (pixel_id, findings) in pixels.items():
        for finding, number in Counter(findings).items():
            agent, judgement = to_rows(finding)
            place = (pixel, digest_row(agent, pixel_id))
            agents[place] = (agents.get(place, (0,))[0] + number, agent)
            place = (pixel, digest_row(judgement, pixel_id))
            judgements[place] = (judgements.get(place, (0,))[0] + number, judgement)
    refer_to(db, "agents", agents)
    refer_to(db, "judgements", judgements)


def refer_to(db: Connection, table: str, rows: Mapping[Place, tuple[int, Agent | JudgementRow]]) -> None:
    """Note that numbers of opens refer to rows of `agents` or `judgements`; those that are new are added."""
    if not rows:
        return
    fields = _ROWS[table]._fields
    values = [
        (*place, number, *(bool(one) if name == "counted" else one for name, one in zip(fields, row, strict=True)))
        for place, (number, row) in rows.items()
    ]
    arrays = ", ".join(f"%s::{_TYPES.get(name, 'text')}[]" for name in fields)
    db.execute(
        f"INSERT INTO {table} (pixel, {table[:-1]}, opens, {', '.join(fields)})"
        f" SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], {arrays})"
        f" ON CONFLICT (pixel, {table[:-1]}) DO UPDATE SET opens = {table}.opens + excluded.opens",
        [list(column) for column in zip(*values, strict=True)],
    )


def release(db: Connection, pixel: int, table: str, digests: Iterable[int]) -> None:
    """Note that opens do not refer to rows of `agents` or `judgements` any more; rows without any are deleted.

    Args:
        db: a connection in a transaction.
        pixel: the number of the pixel.
        table: the name of the table.
        digests: that of the row that each open has referred to.
    """
    released = Counter(digests)
    if not released:
        return
    this_one = f"pixel = %s AND {table[:-1]}"
    db.execute(
        f"UPDATE {table} SET opens = opens - w.number FROM unnest(%s::bigint[], %s::bigint[]) w (digest, number)"
        f" WHERE {this_one} = w.digest",
        (list(released), list(released.values()), pixel),
    )
    db.execute(f"DELETE FROM {table} WHERE {this_one} = ANY(%s::bigint[]) AND opens = 0", (pixel, list(released)))


def read_agents(db: Connection, places: Iterable[Place]) -> dict[Place, ReadAgent]:
    """Return agents by their places."""
    return {place: read_agent(columns) for place, columns in _read(db, "agents", places).items()}


def read_judgements(db: Connection, places: Iterable[Place]) -> dict[Place, ReadJudgement]:
    """Return judgements by their places."""
    return {place: read_judgement(columns) for place, columns in _read(db, "judgements", places).items()}


def _read(db: Connection, table: str, places: Iterable[Place]) -> dict[Place, Sequence[object]]:
    wanted = sorted(set(places))
    if not wanted:
        return {}
    columns = ", ".join(f"t.{column}" for column in _ROWS[table]._fields)
    found = db.execute(
        f"SELECT t.pixel, t.{table[:-1]}, {columns} FROM unnest(%s::bigint[], %s::bigint[]) w (pixel, digest)"
        f" JOIN {table} t ON t.pixel = w.pixel AND t.{table[:-1]} = w.digest",
        ([pixel for pixel, _ in wanted], [digest for _, digest in wanted]),
    )
    return {(pixel, digest): row for pixel, digest, *row in found}

"""Agents and judgements: what many opens of a pixel share, stored once and referred to by a small number.

Each is stored with the number of opens that refer to it, and goes with the last of them.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, TypeVar

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

T = TypeVar("T", bound=Agent | JudgementRow)


class Shared(NamedTuple):
    """What an open shares with others: the numbers of its agent and judgement, and that of the kind of its verdict."""

    agent: int
    judgement: int
    kind: int


def share(db: sqlite3.Connection, pixel: int, findings: Sequence[Finding]) -> dict[Finding, Shared]:
    """Return what opens of a pixel share, given the finding of each. Agents and judgements that are new are added.

    The connection must be in a transaction that writes.
    """
    numbers = Counter(findings)
    agents, judgements = Counter[Agent](), Counter[JudgementRow]()
    for one, number in numbers.items():
        agent, judgement = to_rows(one)
        agents[agent] += number
        judgements[judgement] += number
    agent_numbers = intern(db, pixel, "agents", agents)
    judgement_numbers = intern(db, pixel, "judgements", judgements)
    return {
        one: Shared(agent_numbers[agent], judgement_numbers[judgement], KINDS[one.verdict.kind])
        for one in numbers
        for agent, judgement in [to_rows(one)]
    }


def intern(db: sqlite3.Connection, pixel: int, table: str, rows: Mapping[T, int]) -> dict[T, int]:
    """Return the number of each row in `agents` or `judgements`; those that are new are added.

    Args:
        db: a connection in a transaction that writes.
        pixel: the number of the pixel.
        table: the name of the table.
        rows: the columns of each row that describe it, with the number of opens that will refer to it.
    """
    if not rows:
        return {}
    (pixel_id,) = db.execute("SELECT id FROM pixels WHERE pixel = ?", (pixel,)).fetchone()
    digests = {row: digest_row(row, pixel_id) for row in rows}
    number = table[:-1]
    found = dict(
        db.execute(
            f"SELECT t.digest, t.{number} FROM json_each(?) w"
            f" CROSS JOIN {table} t ON t.pixel = ? AND t.digest = w.value",
            (json.dumps(list(digests.values())), pixel),
        ).fetchall()
    )
    db.executemany(
        f"UPDATE {table} SET opens = opens + ? WHERE pixel = ? AND {number} = ?",
        [(rows[row], pixel, found[digest]) for row, digest in digests.items() if digest in found],
    )
    new = {row: digest for row, digest in digests.items() if digest not in found}
    if new:
        (last,) = db.execute(f"SELECT max({number}) FROM {table} WHERE pixel = ?", (pixel,)).fetchone()
        found |= {digest: place for place, digest in enumerate(new.values(), 0 if last is None else last + 1)}
        db.executemany(
            f"INSERT INTO {table} VALUES (?, ?, ?, ?{', ?' * len(next(iter(new)))})",
            [(pixel, found[digest], digest, rows[row], *row) for row, digest in new.items()],
        )
    return {row: found[digest] for row, digest in digests.items()}


def release(db: sqlite3.Connection, pixel: int, table: str, numbers: Iterable[int]) -> None:
    """Note that opens do not refer to rows of `agents` or `judgements` any more; rows without any are deleted.

    Args:
        db: a connection in a transaction that writes.
        pixel: the number of the pixel.
        table: the name of the table.
        numbers: the number of the row that each open has referred to.
    """
    released = Counter(numbers)
    this_one = f"pixel = ? AND {table[:-1]} = ?"
    db.executemany(
        f"UPDATE {table} SET opens = opens - ? WHERE {this_one}",
        [(opens, pixel, number) for number, opens in released.items()],
    )
    db.executemany(f"DELETE FROM {table} WHERE {this_one} AND opens = 0", [(pixel, number) for number in released])


Key: TypeAlias = tuple[int, int]
"""A pixel, and a number in it."""


def read_agents(db: sqlite3.Connection, keys: Collection[Key]) -> dict[Key, ReadAgent]:
    """Return some agents by their pixels and numbers."""
    return {
        (pixel, number): read_agent(columns) for pixel, number, *columns in _read(db, "agents", Agent._fields, keys)
    }


def read_judgements(db: sqlite3.Connection, keys: Collection[Key]) -> dict[Key, ReadJudgement]:
    """Return some judgements by their pixels and numbers."""
    return {
        (pixel, number): read_judgement(columns)
        for pixel, number, *columns in _read(db, "judgements", JudgementRow._fields, keys)
    }


def _read(db: sqlite3.Connection, table: str, columns: Sequence[str], keys: Collection[Key]) -> list[tuple[Any, ...]]:
    number = table[:-1]
    return db.execute(
        f"SELECT t.pixel, t.{number}, {', '.join(f't.{column}' for column in columns)} FROM json_each(?) w"
        f" CROSS JOIN {table} t ON t.pixel = json_extract(w.value, '$[0]')"
        f" AND t.{number} = json_extract(w.value, '$[1]')",
        (json.dumps(list(keys)),),
    ).fetchall()

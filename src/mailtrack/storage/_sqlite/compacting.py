"""Compacting: the move of opens from the table of earlier versions to the present ones, in short transactions.

The former table stays, under another name, until its last row is moved. Each step moves some rows and commits, so that
a process that ends meanwhile loses nothing, the next one goes on, and several may take turns. The file does not grow,
as the new rows are smaller and take the place of the old ones. Nothing else reads or writes the file until all are
moved: storages wait for it when they are opened, and earlier versions refuse the file from the first step on.
"""

import logging
import sqlite3
from collections import Counter
from pathlib import Path
from time import monotonic
from typing import Any

from mailtrack._model import VerdictKind
from mailtrack.storage._sqlite import recipient_numbers
from mailtrack.storage._sqlite.interned import KINDS, Agent, JudgementRow, intern
from mailtrack.storage._sqlite.packing import INSERT, pack_id, pack_ip

_AT_ONCE = 5000  # opens in a transaction; a few MiB of memory
_REPORT_SECONDS = 5.0

_TABLES = """
    DROP INDEX opens_by_verdict;
    DROP INDEX opens_by_recipient;
    ALTER TABLE opens RENAME TO old_opens;
    CREATE TABLE agents (
        pixel INTEGER NOT NULL REFERENCES pixels ON DELETE CASCADE,
        agent INTEGER NOT NULL,
        digest INTEGER NOT NULL,
        opens INTEGER NOT NULL,
        user_agent TEXT NOT NULL,
        client TEXT NOT NULL,
        client_version TEXT NOT NULL,
        os TEXT NOT NULL,
        device TEXT NOT NULL,
        PRIMARY KEY (pixel, agent),
        UNIQUE (pixel, digest)
    ) WITHOUT ROWID;
    CREATE TABLE judgements (
        pixel INTEGER NOT NULL REFERENCES pixels ON DELETE CASCADE,
        judgement INTEGER NOT NULL,
        digest INTEGER NOT NULL,
        opens INTEGER NOT NULL,
        verdict TEXT NOT NULL,
        vendor TEXT,
        reasons TEXT NOT NULL,
        certainty TEXT,
        rules_version INTEGER NOT NULL,
        counted INTEGER NOT NULL,
        signals TEXT NOT NULL,
        networks TEXT NOT NULL,
        PRIMARY KEY (pixel, judgement),
        UNIQUE (pixel, digest)
    ) WITHOUT ROWID;
    CREATE TABLE deleted_recipients (
        pixel INTEGER NOT NULL REFERENCES pixels ON DELETE CASCADE,
        number INTEGER NOT NULL,
        id TEXT NOT NULL,
        PRIMARY KEY (pixel, number),
        UNIQUE (pixel, id)
    ) WITHOUT ROWID;
    CREATE TABLE opens (
        pixel INTEGER NOT NULL REFERENCES pixels ON DELETE CASCADE,
        number INTEGER NOT NULL,
        opened_at INTEGER NOT NULL,
        shift INTEGER NOT NULL,
        rest BLOB NOT NULL,
        recipient INTEGER,
        ip BLOB,
        agent INTEGER NOT NULL,
        judgement INTEGER NOT NULL,
        kind INTEGER NOT NULL,
        age INTEGER,
        referer TEXT NOT NULL,
        PRIMARY KEY (pixel, number)
    ) WITHOUT ROWID;
    CREATE INDEX opens_by_id ON opens (pixel, rest);
    CREATE INDEX opens_by_recipient ON opens (pixel, recipient, number) WHERE recipient IS NOT NULL;
    CREATE INDEX opens_by_kind ON opens (pixel, kind, number);
"""

_OLD = (
    "number, id, opened_at, recipient, ip, age, referer, user_agent, client, client_version, os, device,"
    " verdict, vendor, reasons, certainty, rules_version, counted, signs, networks"
)
_OWN_COLUMNS = 7

_logger = logging.getLogger(__name__)


def make_tables(db: sqlite3.Connection) -> None:
    """Make the present tables, and keep the opens in a former one until `move_opens` has moved them."""
    for statement in _TABLES.split(";")[:-1]:
        db.execute(statement)


def move_opens(db: sqlite3.Connection, path: Path) -> None:
    """Move all opens that are in the former table, and drop it. The progress is logged every 5 seconds.

    Raises:
        sqlite3.Error: it failed. What is moved by then stays so.
    """
    if not _is_there(db):
        return
    (total,) = db.execute("SELECT sum(opens - purged) FROM pixels").fetchone()
    moved, reported = 0, monotonic()
    while (now := _step(db)) is not None:
        moved += now
        if monotonic() >= reported + _REPORT_SECONDS:
            reported = monotonic()
            # As a warning, which commands show: until it is done, they wait.
            _logger.warning("Migrating %s: %s of %s opens are done.", path.name, f"{moved:,}", f"{total:,}")


def _step(db: sqlite3.Connection) -> int | None:
    """Move some opens of one pixel, and return how many; `None` where the former table is gone."""
    db.execute("BEGIN IMMEDIATE")
    try:
        moved = _move(db) if _is_there(db) else None
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    return moved


def _is_there(db: sqlite3.Connection) -> bool:
    return db.execute("SELECT 1 FROM sqlite_master WHERE name = 'old_opens'").fetchone() is not None


def _move(db: sqlite3.Connection) -> int:
    found = db.execute("SELECT pixel FROM old_opens ORDER BY pixel LIMIT 1").fetchone()
    if found is None:
        db.execute("DROP TABLE old_opens")
        return 0
    (pixel,) = found
    rows = db.execute(
        f"SELECT {_OLD} FROM old_opens WHERE pixel = ? ORDER BY number LIMIT ?", (pixel, _AT_ONCE)
    ).fetchall()
    if db.execute("SELECT 1 FROM pixels WHERE pixel = ?", (pixel,)).fetchone():  # else it is deleted, see `sweeping`
        db.executemany(INSERT, _to_rows(db, pixel, rows))
    db.execute("DELETE FROM old_opens WHERE pixel = ? AND number <= ?", (pixel, rows[-1][0]))
    return len(rows)


def _to_rows(db: sqlite3.Connection, pixel: int, rows: list[tuple[Any, ...]]) -> list[tuple[object, ...]]:
    own = [row[:_OWN_COLUMNS] for row in rows]
    agents = [Agent(*row[_OWN_COLUMNS:][: len(Agent._fields)]) for row in rows]
    judgements = [JudgementRow(*row[-len(JudgementRow._fields) :]) for row in rows]
    recipients = recipient_numbers.find_all(db, pixel, sorted({row[3] for row in rows} - {None}))
    agent_numbers = intern(db, pixel, "agents", Counter(agents))
    judgement_numbers = intern(db, pixel, "judgements", Counter(judgements))
    return [
        (
            pixel,
            number,
            at,
            *pack_id(open_id, at),
            None if recipient is None else recipients[recipient],
            pack_ip(ip),
            agent_numbers[agent],
            judgement_numbers[judgement],
            KINDS[VerdictKind(judgement.verdict)],
            age,
            referer,
        )
        for (number, open_id, at, recipient, ip, age, referer), agent, judgement in zip(
            own, agents, judgements, strict=True
        )
    ]

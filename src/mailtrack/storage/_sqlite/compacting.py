"""Compacting: copying opens from the table of earlier versions to the present ones, in short transactions.

Until the last step the former table is the one in use: earlier versions may read and write the file meanwhile, and a
process that ends halfway loses nothing. The next one goes on. Triggers note what earlier
versions change of opens that are copied already. The last step, `finish`, copies the rest and puts the new table in the
place of the former one, which `sweeping` removes afterwards. The file grows by about a third until then.
"""

import json
import logging
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from mailtrack._model import VerdictKind
from mailtrack.storage._counting.shared_rows import KINDS, Agent, JudgementRow
from mailtrack.storage._sqlite import recipient_numbers
from mailtrack.storage._sqlite.interned import intern, release
from mailtrack.storage._sqlite.packing import PLACES, pack_id, pack_ip

_AT_ONCE = 5000  # opens in a transaction; a few MiB of memory
_REPORT_SECONDS = 5.0
_PAUSE = 0.25  # of the time that a transaction took: SQLite looks every 100 ms whether another has ended

_BEGIN = """
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
    CREATE TABLE compact_opens (
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
    CREATE INDEX opens_by_id ON compact_opens (pixel, rest);
    CREATE INDEX opens_of_recipient ON compact_opens (pixel, recipient, number) WHERE recipient IS NOT NULL;
    CREATE INDEX opens_by_kind ON compact_opens (pixel, kind, number);
    CREATE TABLE changed_opens (
        pixel INTEGER NOT NULL,
        number INTEGER NOT NULL,
        PRIMARY KEY (pixel, number)
    ) WITHOUT ROWID
"""

_COPY = "FROM compact_opens WHERE pixel = old.pixel AND number = old.number"

_TRIGGERS = {
    "opens_are_updated": "AFTER UPDATE ON opens BEGIN"
    " INSERT OR IGNORE INTO changed_opens VALUES (old.pixel, old.number); END",
    # What an earlier version purges is to leave no byte in the copies.
    "opens_are_deleted": "AFTER DELETE ON opens BEGIN"
    + "".join(
        f" UPDATE {name}s SET opens = opens - 1 WHERE pixel = old.pixel AND {name} = (SELECT {name} {_COPY});"
        f" DELETE FROM {name}s WHERE pixel = old.pixel AND {name} = (SELECT {name} {_COPY}) AND opens = 0;"
        for name in ("agent", "judgement")
    )
    + f" DELETE {_COPY}; END",
    # With a pixel, all of it goes.
    "recipients_are_deleted": "AFTER DELETE ON recipients"
    " WHEN EXISTS (SELECT 1 FROM pixels WHERE pixel = old.pixel) BEGIN"
    " INSERT OR IGNORE INTO deleted_recipients VALUES (old.pixel, old.number, old.id); END",
}

_INSERT = f"INSERT INTO compact_opens VALUES ({PLACES})"
_FORMER = (
    "number, id, opened_at, recipient, ip, age, referer, user_agent, client, client_version, os, device,"
    " verdict, vendor, reasons, certainty, rules_version, counted, signs, ''"
)
_OWN_COLUMNS = 7

_logger = logging.getLogger(__name__)


def copy_opens(db: sqlite3.Connection, path: Path) -> None:
    """Copy the opens that are in the former table. The progress is logged every 5 seconds.

    Raises:
        sqlite3.Error: it failed. What is copied by then stays so.
    """
    _in_transaction(db, _begin)
    (total,) = db.execute("SELECT coalesce(sum(opens - purged), 0) FROM pixels").fetchone()
    done, reported = 0, monotonic()
    for copied in _copy_all(db):
        done += copied
        if monotonic() >= reported + _REPORT_SECONDS:
            reported = monotonic()
            # As a warning, which commands show: until it is done, they wait.
            _logger.warning("Migrating %s: %s of %s opens are done.", path.name, f"{done:,}", f"{total:,}")
    while _in_transaction(db, _copy_changed):
        pass


def finish(db: sqlite3.Connection) -> None:
    """Copy the rest, and put the table with the copies in the place of the former one.

    The connection must be in a transaction that writes.
    """
    _begin(db)
    pixels = db.execute("SELECT pixel FROM pixels").fetchall()
    for (pixel,) in pixels:
        while _copy(db, pixel):
            pass
    while _copy_changed(db):
        pass
    for trigger in _TRIGGERS:
        db.execute(f"DROP TRIGGER {trigger}")
    db.execute("DROP TABLE changed_opens")
    if db.execute("SELECT 1 FROM opens LIMIT 1").fetchone():
        db.execute("ALTER TABLE opens RENAME TO former_opens")
    else:
        db.execute("DROP TABLE opens")
    db.execute("ALTER TABLE compact_opens RENAME TO opens")
    for (pixel,) in pixels:
        _count_prefetches(db, pixel)


def _in_transaction(db: sqlite3.Connection, work: Callable[[sqlite3.Connection], int]) -> int:
    """Do a piece of work unless another process has finished, and return its result, else 0.

    A pause follows, in which others can write.
    """
    db.execute("BEGIN IMMEDIATE")
    began = monotonic()
    try:
        done = work(db) if _is_former(db) else 0
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    sleep(_PAUSE * (monotonic() - began))
    return done


def _is_former(db: sqlite3.Connection) -> bool:
    """Return whether opens are still in the table of earlier versions."""
    return db.execute("SELECT 1 FROM pragma_table_info('opens') WHERE name = 'user_agent'").fetchone() is not None


def _begin(db: sqlite3.Connection) -> int:
    """Make the new tables and the triggers, unless they are there."""
    if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'compact_opens'").fetchone():
        for statement in _BEGIN.split(";"):
            db.execute(statement)
        for name, definition in _TRIGGERS.items():
            db.execute(f"CREATE TRIGGER {name} {definition}")
    return 0


def _copy_all(db: sqlite3.Connection) -> Iterator[int]:
    """Copy the opens of all pixels, and those that came meanwhile until they are few; yield how many at a time."""
    found = _AT_ONCE
    while found >= _AT_ONCE:
        found = 0
        for (pixel,) in db.execute("SELECT pixel FROM pixels ORDER BY pixel").fetchall():
            while copied := _in_transaction(db, partial(_copy, pixel=pixel)):
                found += copied
                yield copied


def _copy(db: sqlite3.Connection, pixel: int) -> int:
    """Copy the next opens of a pixel, and return how many."""
    (last,) = db.execute("SELECT coalesce(max(number), 0) FROM compact_opens WHERE pixel = ?", (pixel,)).fetchone()
    rows = db.execute(
        f"SELECT {_FORMER} FROM opens WHERE pixel = ? AND number > ? ORDER BY number LIMIT ?", (pixel, last, _AT_ONCE)
    ).fetchall()
    db.executemany(_INSERT, _to_rows(db, pixel, rows))
    return len(rows)


def _copy_changed(db: sqlite3.Connection) -> int:
    """Copy again some of the opens that were changed after they had been copied, and return how many changes."""
    changed = db.execute("SELECT pixel, number FROM changed_opens LIMIT ?", (_AT_ONCE,)).fetchall()
    for pixel, group in groupby(changed, itemgetter(0)):
        numbers = json.dumps([number for _, number in group])
        copied = db.execute(
            "SELECT o.number, o.agent, o.judgement FROM json_each(?) w"
            " CROSS JOIN compact_opens o ON o.pixel = ? AND o.number = w.value",
            (numbers, pixel),
        ).fetchall()  # the others are still to be copied, or gone with their pixel
        places = json.dumps([number for number, _, _ in copied])
        release(db, pixel, "agents", [agent for _, agent, _ in copied])
        release(db, pixel, "judgements", [judgement for _, _, judgement in copied])
        db.execute(
            "DELETE FROM compact_opens WHERE pixel = ? AND number IN (SELECT value FROM json_each(?))", (pixel, places)
        )
        rows = db.execute(
            f"SELECT {_FORMER} FROM opens WHERE pixel = ? AND number IN (SELECT value FROM json_each(?))",
            (pixel, places),
        ).fetchall()
        db.executemany(_INSERT, _to_rows(db, pixel, rows))
        db.execute(
            "DELETE FROM changed_opens WHERE pixel = ? AND number IN (SELECT value FROM json_each(?))", (pixel, numbers)
        )
    return len(changed)


def _count_prefetches(db: sqlite3.Connection, pixel: int) -> None:
    """Count the prefetches of each recipient of a pixel, and the recipients that have nothing else."""
    db.executemany(
        "UPDATE recipients SET prefetches = ? WHERE pixel = ? AND number = ?",
        db.execute(
            "SELECT count(*), pixel, recipient FROM opens INDEXED BY opens_by_kind"
            " WHERE pixel = ? AND kind = ? AND recipient IS NOT NULL GROUP BY recipient",
            (pixel, KINDS[VerdictKind.PREFETCH]),
        ),
    )
    db.execute(
        "UPDATE pixels SET prefetched = (SELECT count(*) FROM recipients r WHERE r.pixel = pixels.pixel"
        " AND counted = 0 AND prefetches > 0) WHERE pixel = ?",
        (pixel,),
    )


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

"""Erasure: taking a person out of all pixels at once, and out of the rows of their opens in short transactions.

Until these rows are overwritten, their recipients are in the table `erasing`, by which they are read as if they were.
Then they refer to the recipient 0. Only digests of the tokens and ids are kept.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable
from time import monotonic

from mailtrack._addresses import comparable
from mailtrack._model import Erased
from mailtrack.storage._counting.digests import digest
from mailtrack.storage._sqlite import counts
from mailtrack.storage._sqlite.interned import Agent, intern, release

NO_ONE = 0
"""The number of the recipient that opens of erased ones refer to."""

IS_ERASED = f"(o.recipient IS {NO_ONE} OR e.number IS NOT NULL)"
"""Whether an open is one of an erased person, read from `opens o` with `ERASING`."""

ERASING = " LEFT JOIN erasing e ON e.pixel = o.pixel AND e.number = o.recipient"

BY_ADDRESS = "INDEXED BY sqlite_autoindex_recipients_3"
"""The unique index of pixel, address and reference. Left alone, SQLite reads all recipients where it wants a few."""

_AT_ONCE = 100  # recipients
_LEAST, _MOST = 16, 512  # opens of one statement


def erase(db: sqlite3.Connection, email: str, until: float) -> tuple[Erased, bool]:
    """Delete recipients with an address, in all pixels, until a time by `monotonic`.

    Returns:
        Their number with that of their opens, and whether none is left.
    """
    key, recipients, opens = comparable(email), 0, 0
    while True:
        found = db.execute(
            "SELECT r.pixel, r.number, r.id, r.token, r.opens FROM pixels p"
            f" CROSS JOIN recipients r {BY_ADDRESS} ON r.pixel = p.pixel AND r.email_key = ? LIMIT ?",
            (key, _AT_ONCE),
        ).fetchall()
        if not found:
            return Erased(recipients=recipients, opens=opens), True
        for pixel, number, recipient_id, token, ever in found:
            opens += _hide_opens(db, pixel, number) if ever else 0
            counts.delete_recipient(db, pixel, recipient_id, keep_id=False)
            digests = {digest(recipient_id), digest(token)}
            db.executemany("INSERT OR IGNORE INTO erased VALUES (?, ?)", [(pixel, one) for one in digests])
            recipients += 1
            if monotonic() >= until:
                return Erased(recipients=recipients, opens=opens), False


def _hide_opens(db: sqlite3.Connection, pixel: int, number: int) -> int:
    """Have the opens of a recipient overwritten by `overwrite`, and return how many they are."""
    (opens,) = db.execute(
        "SELECT count(*) FROM opens INDEXED BY opens_of_recipient WHERE pixel = ? AND recipient = ?", (pixel, number)
    ).fetchone()
    if opens:
        db.execute("INSERT INTO erasing VALUES (?, ?)", (pixel, number))
    return int(opens)


def has_remains(db: sqlite3.Connection) -> bool:
    """Return whether there are opens to be overwritten."""
    return db.execute("SELECT 1 FROM erasing LIMIT 1").fetchone() is not None


def overwrite(db: sqlite3.Connection, until: float) -> tuple[int, bool]:
    """Overwrite opens of erased recipients until a time by `monotonic`.

    Returns:
        How many rows were changed, and whether none is left.
    """
    done, limit = 0, _LEAST
    # The rows of a deleted pixel are left to `sweeping`.
    done += db.execute("DELETE FROM erasing WHERE pixel NOT IN (SELECT pixel FROM pixels)").rowcount
    while found := db.execute("SELECT pixel, number FROM erasing LIMIT 1").fetchone():
        pixel, number = found
        overwritten = _overwrite(db, pixel, number, limit)
        if overwritten < limit:
            done += db.execute("DELETE FROM erasing WHERE pixel = ? AND number = ?", found).rowcount
        done += overwritten
        limit = min(2 * limit, _MOST)
        if monotonic() >= until:
            break
    return done, not has_remains(db)


def _overwrite(db: sqlite3.Connection, pixel: int, number: int, limit: int) -> int:
    rows = db.execute(
        "SELECT o.number, a.agent, a.client, a.client_version, a.os, a.device"
        " FROM opens o INDEXED BY opens_of_recipient CROSS JOIN agents a ON a.pixel = o.pixel AND a.agent = o.agent"
        " WHERE o.pixel = ? AND o.recipient = ? LIMIT ?",
        (pixel, number, limit),
    ).fetchall()
    unnamed = {place: Agent("", *client) for place, _, *client in rows}
    agents = intern(db, pixel, "agents", Counter(unnamed.values())) if rows else {}
    db.executemany(
        f"UPDATE opens SET recipient = {NO_ONE}, ip = NULL, agent = ?, age = NULL, referer = ''"
        " WHERE pixel = ? AND number = ?",
        [(agents[agent], pixel, place) for place, agent in unnamed.items()],
    )
    release(db, pixel, "agents", [agent for _, agent, *_ in rows])
    return len(rows)


def find_erased(db: sqlite3.Connection, pixel: int, secrets: Iterable[str]) -> set[str]:
    """Return those of some tokens or ids that were an erased recipient's."""
    digests = {digest(one): one for one in secrets}
    found = db.execute(
        "SELECT e.digest FROM json_each(?) w CROSS JOIN erased e ON e.pixel = ? AND e.digest = w.value",
        (json.dumps(list(digests)), pixel),
    )
    return {digests[one] for (one,) in found}

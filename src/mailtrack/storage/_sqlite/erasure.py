"""Erasure: taking a person out of all pixels at once, and out of the rows of their opens in short transactions.

Until these rows are overwritten, their recipients are in the table `erasing`, by which they are read as if they were.
Then they refer to the recipient 0. Only digests of the tokens and ids are kept.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable
from time import monotonic
from typing import NamedTuple

from mailtrack._addresses import comparable
from mailtrack._model import Erased
from mailtrack.storage._counting.digests import digest
from mailtrack.storage._counting.shared_rows import Agent
from mailtrack.storage._sqlite import counts, sweeping
from mailtrack.storage._sqlite.interned import intern, release

NO_ONE = 0
"""The number of the recipient that opens of erased ones refer to."""

IS_ERASED = f"(o.recipient IS {NO_ONE} OR e.number IS NOT NULL)"
"""Whether an open is one of an erased person, read from `opens o` with `ERASING`."""

ERASING = " LEFT JOIN erasing e ON e.pixel = o.pixel AND e.number = o.recipient"

BY_ADDRESS = "INDEXED BY sqlite_autoindex_recipients_3"
"""The unique index of pixel, address and reference. Left alone, SQLite reads all recipients where it wants a few."""

_AT_ONCE = 100  # recipients
_LEAST, _MOST = 16, 512  # opens of one statement


class Person(NamedTuple):
    """A recipient to be erased.

    Attributes:
        pixel: its pixel.
        number: its own.
        last: the number of the pixel's newest open when the recipient was found.
        opens: how many of the opens up to that one are the recipient's.
    """

    pixel: int
    number: int
    last: int
    opens: int


def find(db: sqlite3.Connection, email: str) -> list[Person]:
    """Return recipients with an address, on a connection that sees one state: all, or some where they are many."""
    found = db.execute(
        "SELECT r.pixel, r.number, p.opens FROM pixels p"
        f" CROSS JOIN recipients r {BY_ADDRESS} ON r.pixel = p.pixel AND r.email_key = ? LIMIT ?",
        (comparable(email), _AT_ONCE),
    ).fetchall()
    # There may be millions of opens, which are not to be counted while others wait.
    return [Person(pixel, number, last, _count_opens(db, pixel, number, 1, last)) for pixel, number, last in found]


def _count_opens(db: sqlite3.Connection, pixel: int, recipient: int, first: int, last: int) -> int:
    (opens,) = db.execute(
        "SELECT count(*) FROM opens INDEXED BY opens_of_recipient"
        " WHERE pixel = ? AND recipient = ? AND number BETWEEN ? AND ?",
        (pixel, recipient, first, last),
    ).fetchone()
    return int(opens)


def erase(db: sqlite3.Connection, people: list[Person], until: float) -> Erased:
    """Delete recipients that were found, until a time by `monotonic`, and take them off the list.

    Returns:
        The number of those that were still there, with that of their opens.
    """
    recipients = opens = 0
    has_former = sweeping.has_former(db)
    while people:
        pixel, number, last, ever = people[-1]
        found = db.execute(
            "SELECT r.id, r.token, p.opens FROM pixels p CROSS JOIN recipients r ON r.pixel = p.pixel AND r.number = ?"
            " WHERE p.pixel = ?",
            (number, pixel),
        ).fetchone()
        if found is not None:
            recipient_id, token, newest = found
            if has_former and not sweeping.delete_former_of(db, pixel, recipient_id, until):
                break  # the others of its former rows come next
            ever += _count_opens(db, pixel, number, last + 1, newest)
            if ever:
                db.execute("INSERT INTO erasing VALUES (?, ?)", (pixel, number))
            counts.delete_recipient(db, pixel, recipient_id, keep_id=False)
            digests = {digest(recipient_id), digest(token)}
            db.executemany("INSERT OR IGNORE INTO erased VALUES (?, ?)", [(pixel, one) for one in digests])
            recipients, opens = recipients + 1, opens + ever
        people.pop()
        if monotonic() >= until:
            break
    return Erased(recipients=recipients, opens=opens)


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
    done += db.execute(
        "DELETE FROM erasing WHERE NOT EXISTS (SELECT 1 FROM pixels p WHERE p.pixel = erasing.pixel)"
    ).rowcount
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


def find_erasing(db: sqlite3.Connection, keys: Collection[tuple[int, int]]) -> set[tuple[int, int]]:
    """Return those of some pixels and numbers that are recipients whose opens are still to be overwritten."""
    found = db.execute(
        "SELECT e.pixel, e.number FROM json_each(?) w CROSS JOIN erasing e"
        " ON e.pixel = json_extract(w.value, '$[0]') AND e.number = json_extract(w.value, '$[1]')",
        (json.dumps(list(keys)),),
    )
    return set(found)


def find_erased(db: sqlite3.Connection, pixel: int, secrets: Iterable[str]) -> set[str]:
    """Return those of some tokens or ids that were an erased recipient's."""
    digests = {digest(one): one for one in secrets}
    found = db.execute(
        "SELECT e.digest FROM json_each(?) w CROSS JOIN erased e ON e.pixel = ? AND e.digest = w.value",
        (json.dumps(list(digests)), pixel),
    )
    return {digests[one] for (one,) in found}

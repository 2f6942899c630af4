"""Erasure: taking a person out of all pixels at once, and out of the rows of their opens in short transactions.

Until these rows are overwritten, their recipients are in the table `erasing`, by which they are read as if they were.
Then they refer to the recipient 0. Only digests of the tokens and ids are kept.
"""

from collections import Counter
from time import monotonic

import attrs

from mailtrack._addresses import comparable
from mailtrack._model import Erased
from mailtrack.storage._counting.digests import digest
from mailtrack.storage._counting.shared_rows import Agent, digest_row
from mailtrack.storage._postgres import counts, locks, pixels
from mailtrack.storage._postgres.connections import Connection
from mailtrack.storage._postgres.people import NO_ONE
from mailtrack.storage._postgres.shared import refer_to, release

_AT_ONCE = 100  # recipients
_ROWS = 1000  # opens of one statement


@attrs.frozen
class People:
    """Recipients of one pixel to be erased.

    Attributes:
        pixel: the number of the pixel.
        pixel_id: its id.
        last: the number of its newest open when the recipients were found.
        opens: how many of the opens up to that one are each recipient's, by its number.
    """

    pixel: int
    pixel_id: str
    last: int
    opens: dict[int, int] = attrs.Factory(dict)


def find(db: Connection, email: str) -> list[People]:
    """Return recipients with an address, on a connection that sees one state: all, or some where they are many."""
    # There may be millions of opens, which are not to be counted while others wait.
    found: dict[int, People] = {}
    for pixel, pixel_id, last, number, opens in db.execute(
        "SELECT r.pixel, p.id, p.opens, r.number, (SELECT count(*) FROM opens o"
        " WHERE o.pixel = r.pixel AND o.recipient = r.number AND o.number <= p.opens)"
        " FROM recipients r JOIN pixels p ON p.pixel = r.pixel WHERE r.email_key = %s LIMIT %s",
        (comparable(email), _AT_ONCE),
    ):
        found.setdefault(pixel, People(pixel, pixel_id, last)).opens[number] = opens
    return list(found.values())


def erase(db: Connection, people: People) -> Erased:
    """Delete recipients that were found, and return how many were still there, and how many opens they had."""
    pixel, opens = people.pixel, people.opens
    locks.have_alone(db, [people.pixel_id])
    if not pixels.lock(db, [pixel]):
        return Erased(recipients=0, opens=0)
    found = db.execute(
        "SELECT r.number, r.id, r.token, (SELECT count(*) FROM opens o"
        " WHERE o.pixel = r.pixel AND o.recipient = r.number AND o.number > %s)"
        " FROM recipients r WHERE r.pixel = %s AND r.number = ANY(%s::bigint[])",
        (people.last, pixel, list(opens)),
    ).fetchall()
    ever = {number: opens[number] + newer for number, _, _, newer in found}
    db.execute(
        "INSERT INTO erasing SELECT %s, * FROM unnest(%s::bigint[])",
        (pixel, [number for number, number_of_opens in ever.items() if number_of_opens]),
    )
    counts.delete_recipients(db, pixel, [recipient_id for _, recipient_id, *_ in found], keep_ids=False)
    db.execute(
        "INSERT INTO erased SELECT %s, * FROM unnest(%s::bigint[]) ON CONFLICT DO NOTHING",
        (pixel, [digest(secret) for _, recipient_id, token, _ in found for secret in (recipient_id, token)]),
    )
    return Erased(recipients=len(found), opens=sum(ever.values()))


def find_remains(db: Connection) -> tuple[int, int, str | None] | None:
    """Return the pixel, the number and the pixel's id of one whose opens are to be overwritten, if there is one."""
    found = db.execute(
        "SELECT e.pixel, e.number, p.id FROM (SELECT pixel, number FROM erasing LIMIT 1) e"
        " LEFT JOIN pixels p ON p.pixel = e.pixel"
    ).fetchone()
    return None if found is None else (found[0], found[1], found[2])


def overwrite(db: Connection, remains: tuple[int, int, str | None], until: float) -> int:
    """Overwrite opens of an erased recipient until a time by `monotonic`, and return how many rows were changed."""
    pixel, number, pixel_id = remains
    done = 0
    if pixel_id is not None:
        locks.have_alone(db, [pixel_id])
        while pixels.lock(db, [pixel]):
            overwritten = _overwrite(db, pixel, pixel_id, number)
            done += overwritten
            if overwritten < _ROWS:
                break
            if monotonic() >= until:
                return done
    # The rows of a deleted pixel are left to `sweeping`.
    return done + db.execute("DELETE FROM erasing WHERE pixel = %s AND number = %s", (pixel, number)).rowcount


def _overwrite(db: Connection, pixel: int, pixel_id: str, number: int) -> int:
    rows = db.execute(
        "SELECT o.number, a.agent, a.client, a.client_version, a.os, a.device FROM opens o"
        " JOIN agents a ON a.pixel = o.pixel AND a.agent = o.agent WHERE o.pixel = %s AND o.recipient = %s LIMIT %s",
        (pixel, number, _ROWS),
    ).fetchall()
    if not rows:
        return 0
    unnamed = {place: Agent("", *client) for place, _, *client in rows}
    agents = {agent: digest_row(agent, pixel_id) for agent in set(unnamed.values())}
    refer_to(
        db, "agents", {(pixel, agents[agent]): (opens, agent) for agent, opens in Counter(unnamed.values()).items()}
    )
    db.execute(
        f"UPDATE opens o SET recipient = {NO_ONE}, ip = NULL, agent = w.agent, age = NULL, referer = ''"
        " FROM unnest(%s::bigint[], %s::bigint[]) w (number, agent) WHERE o.pixel = %s AND o.number = w.number"
        " AND o.number = ANY(%s::bigint[])",
        (list(unnamed), [agents[agent] for agent in unnamed.values()], pixel, list(unnamed)),
    )
    release(db, pixel, "agents", [agent for _, agent, *_ in rows])
    return len(rows)

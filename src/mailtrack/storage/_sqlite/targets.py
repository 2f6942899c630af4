"""Targets: the pixels and recipients that hits belong to."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Sequence

from mailtrack._addresses import domain_of
from mailtrack._model import Hit, Target
from mailtrack.storage._sqlite.erasure import find_erased
from mailtrack.storage._sqlite.recipients import to_shared_time


def resolve(db: sqlite3.Connection, hits: Sequence[Hit], numbers: dict[str, int]) -> list[Target | None]:
    """Return the target of each hit, in their order, `None` where the pixel does not exist.

    The numbers of the recipients that are found are added to `numbers`, by their ids.
    """
    tokens: defaultdict[str, set[str]] = defaultdict(set)  # by the pixel's short id
    for hit in hits:
        tokens[hit.pixel[:8]].add(hit.token or "")
    targets: dict[str, dict[str, Target]] = {}  # by the pixel's short id or id, and token
    for pixel, pixel_id, short_id in db.execute(
        "SELECT pixel, id, short_id FROM pixels WHERE short_id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(tokens)),),
    ).fetchall():
        found = dict.fromkeys(tokens[short_id], Target(pixel_id=pixel_id))
        targets[short_id] = targets[pixel_id] = found
        for token, number, recipient_id, created_at, sent_at, email in db.execute(
            "SELECT r.token, r.number, r.id, r.created_at, r.sent_at, r.email FROM json_each(?) w"
            " CROSS JOIN recipients r ON r.pixel = ? AND r.token = w.value",
            (json.dumps(sorted(found)), pixel),
        ):
            numbers[recipient_id] = number
            found[token] = Target(
                pixel_id=pixel_id,
                recipient_id=recipient_id,
                token_made_at=to_shared_time(created_at),
                sent_at=None if sent_at is None else to_shared_time(sent_at),
                domain=domain_of(email),
            )
        if unknown := [token for token, target in found.items() if token and target.recipient_id is None]:
            gone = find_erased(db, pixel, unknown)
            found |= dict.fromkeys(gone, Target(pixel_id=pixel_id, erased=True))
    nowhere: dict[str, Target] = {}
    return [targets.get(hit.pixel, nowhere).get(hit.token or "") for hit in hits]

"""Targets: the pixels and recipients that hits belong to."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Sequence

from mailtrack._addresses import domain_of
from mailtrack._columns import Hits
from mailtrack._model import Hit, Target, make
from mailtrack.storage._sqlite import counts
from mailtrack.storage._sqlite.erasure import find_erased
from mailtrack.storage._sqlite.recipients import to_shared_time
from mailtrack.storage._sqlite.resolved import Resolved


def resolve(db: sqlite3.Connection, hits: Sequence[Hit], resolved: Resolved) -> list[Target | None]:
    """Return the target of each hit, in their order, `None` where the pixel does not exist.

    The recipients that are found are added to `resolved`.
    """
    tokens: defaultdict[str, set[str]] = defaultdict(set)  # by the pixel's short id
    columns = Hits.of(hits)
    for key, token in zip(columns.pixels, columns.tokens, strict=True):
        tokens[key[:8]].add(token or "")
    targets: dict[str, dict[str, Target]] = {}  # by the pixel's short id or id, and token
    for pixel, pixel_id, short_id in db.execute(
        "SELECT pixel, id, short_id FROM pixels WHERE short_id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(tokens)),),
    ).fetchall():
        found = dict.fromkeys(tokens[short_id], Target(pixel_id=pixel_id))
        targets[short_id] = targets[pixel_id] = found
        owners = resolved.owners[pixel]
        for owner in db.execute(
            f"SELECT {counts.OWNER}, r.token, r.email FROM json_each(?) w"
            " CROSS JOIN recipients r ON r.pixel = ? AND r.token = w.value",
            (json.dumps(sorted(found)), pixel),
        ):
            recipient_id, _, made_at, sent_at, *_, token, email = owner
            owners[recipient_id] = owner
            found[token] = make(
                Target,
                {
                    "pixel_id": pixel_id,
                    "recipient_id": recipient_id,
                    "token_made_at": to_shared_time(made_at),
                    "sent_at": None if sent_at is None else to_shared_time(sent_at),
                    "domain": domain_of(email),
                    "erased": False,
                },
            )
        if unknown := [token for token, target in found.items() if token and target.recipient_id is None]:
            gone = find_erased(db, pixel, unknown)
            found |= dict.fromkeys(gone, Target(pixel_id=pixel_id, erased=True))
    nowhere: dict[str, Target] = {}
    return [
        targets.get(key, nowhere).get(token or "") for key, token in zip(columns.pixels, columns.tokens, strict=True)
    ]

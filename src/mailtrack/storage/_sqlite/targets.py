"""Targets: the pixels and recipients that hits belong to."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from typing import TypeAlias

from mailtrack._columns import Hits, Targets
from mailtrack._model import Hit
from mailtrack.storage._sqlite import counts
from mailtrack.storage._sqlite.erasure import find_erased
from mailtrack.storage._sqlite.resolved import Resolved


def resolve(db: sqlite3.Connection, hits: Sequence[Hit], resolved: Resolved) -> Targets:
    """Return the target of each hit, in their order, `None` where the pixel does not exist.

    The recipients that are found are added to `resolved`.
    """
    given = Hits.of(hits)
    tokens: defaultdict[str, set[str]] = defaultdict(set)  # by the pixel's short id
    for key, token in zip(given.pixels, given.tokens, strict=True):
        tokens[key[:8]].add(token or "")
    targets: dict[str, dict[str, _Row]] = {}  # by the pixel's short id or id, and token
    for pixel, pixel_id, short_id in db.execute(
        "SELECT pixel, id, short_id FROM pixels WHERE short_id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(tokens)),),
    ).fetchall():
        found: dict[str, _Row] = dict.fromkeys(tokens[short_id], (pixel_id, None, None, None, None, False))
        targets[short_id] = targets[pixel_id] = found
        owners = resolved.owners[pixel]
        for owner in db.execute(
            f"SELECT {counts.OWNER}, r.token, r.email FROM json_each(?) w"
            " CROSS JOIN recipients r ON r.pixel = ? AND r.token = w.value",
            (json.dumps(sorted(found)), pixel),
        ):
            recipient_id = owner[0]
            owners[recipient_id] = owner
            found[owner[_TOKEN]] = (pixel_id, recipient_id, *owner[2:4], owner[_EMAIL], False)
        if unknown := [token for token, target in found.items() if token and target[1] is None]:
            erased = (pixel_id, None, None, None, None, True)
            found |= dict.fromkeys(find_erased(db, pixel, unknown), erased)
    rows = [
        targets.get(key, _NOWHERE).get(token or "", _NO_TARGET)
        for key, token in zip(given.pixels, given.tokens, strict=True)
    ]
    return Targets(*map(list, zip(*rows, strict=True))) if rows else Targets.of([])


_TOKEN, _EMAIL = -2, -1  # in a row, behind the columns of an owner

_Row: TypeAlias = tuple[str, str | None, int | None, int | None, str | None, bool]
"""A row of `Targets`."""

_NO_TARGET: _Row = ("", None, None, None, None, False)
_NOWHERE: dict[str, _Row] = {}

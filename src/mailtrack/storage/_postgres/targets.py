"""Targets: the pixels and recipients that hits belong to."""

from collections import defaultdict
from collections.abc import Sequence
from typing import TypeAlias

from mailtrack._columns import Hits, Targets
from mailtrack._model import Hit
from mailtrack.storage._postgres.connections import Connection
from mailtrack.storage._postgres.people import find_erased


def resolve(db: Connection, hits: Sequence[Hit]) -> Targets:
    """Return the target of each hit, in their order, `None` where the pixel does not exist."""
    given = Hits.of(hits)
    tokens: defaultdict[str, set[str]] = defaultdict(set)  # by the pixel's short id
    for key, token in zip(given.pixels, given.tokens, strict=True):
        tokens[key[:8]].add(token or "")
    targets: dict[str, dict[str, _Row]] = {}  # by the pixel's short id or id, and token
    by_number: dict[int, tuple[str, dict[str, _Row]]] = {}
    wanted: dict[tuple[int, str], None] = {}
    for pixel, pixel_id, short_id in db.execute(
        "SELECT pixel, id, short_id FROM pixels WHERE short_id = ANY(%s::text[])", (list(tokens),)
    ).fetchall():
        found: dict[str, _Row] = dict.fromkeys(tokens[short_id], (pixel_id, None, None, None, None, False))
        targets[short_id] = targets[pixel_id] = found
        by_number[pixel] = (pixel_id, found)
        wanted |= dict.fromkeys((pixel, token) for token in sorted(found) if token)
    if wanted:
        for pixel, token, *owner in db.execute(
            "SELECT r.pixel, r.token, r.id, r.created_at, r.sent_at, r.email"
            " FROM unnest(%s::bigint[], %s::text[]) w (pixel, token)"
            " JOIN recipients r ON r.pixel = w.pixel AND r.token = w.token",
            ([pixel for pixel, _ in wanted], [token for _, token in wanted]),
        ):
            pixel_id, found = by_number[pixel]
            found[token] = (pixel_id, *owner, False)
            del wanted[pixel, token]
        for pixel, token in find_erased(db, wanted):
            pixel_id, found = by_number[pixel]
            found[token] = (pixel_id, None, None, None, None, True)
    rows = [
        targets.get(key, _NOWHERE).get(token or "", _NO_TARGET)
        for key, token in zip(given.pixels, given.tokens, strict=True)
    ]
    return Targets(*map(list, zip(*rows, strict=True))) if rows else Targets.of([])


_Row: TypeAlias = tuple[str, str | None, int | None, int | None, str | None, bool]
"""A row of `Targets`."""

_NO_TARGET: _Row = ("", None, None, None, None, False)
_NOWHERE: dict[str, _Row] = {}

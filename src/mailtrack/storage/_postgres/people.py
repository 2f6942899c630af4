"""How rows refer to people who were erased."""

from collections.abc import Iterable

from mailtrack.storage._counting.digests import digest
from mailtrack.storage._postgres.connections import Connection

NO_ONE = 0
"""The number of the recipient that opens of erased ones refer to."""

IS_ERASED = f"(o.recipient IS NOT DISTINCT FROM {NO_ONE} OR e.number IS NOT NULL)"
"""Whether an open is one of an erased person, read from `opens o` with `ERASING`."""

ERASING = " LEFT JOIN erasing e ON e.pixel = o.pixel AND e.number = o.recipient"


def find_erased(db: Connection, wanted: Iterable[tuple[int, str]]) -> set[tuple[int, str]]:
    """Return those of some tokens or ids, each with its pixel, that were an erased recipient's."""
    digests = {(pixel, digest(one)): (pixel, one) for pixel, one in wanted}
    if not digests:
        return set()
    found = db.execute(
        "SELECT e.pixel, e.digest FROM unnest(%s::bigint[], %s::bigint[]) w (pixel, digest)"
        " JOIN erased e ON e.pixel = w.pixel AND e.digest = w.digest",
        ([pixel for pixel, _ in digests], [one for _, one in digests]),
    )
    return {digests[pixel, one] for pixel, one in found}

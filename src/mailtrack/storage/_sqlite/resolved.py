"""`Resolved`: the recipients that were just looked up, so that they need not be looked up again."""

import sqlite3
from collections import defaultdict
from collections.abc import Collection

from mailtrack.storage._sqlite import counts
from mailtrack.storage._sqlite.counts import Owner


class Resolved:
    """The recipients of the hits that were last resolved, which are those of the opens that are added next.

    Looking them up again would cost a tenth of draining.

    Args:
        db: the connection that they are read from, in a transaction; `None` for none.

    Attributes:
        owners: the recipients, by pixel and id.
    """

    def __init__(self, db: sqlite3.Connection | None = None) -> None:
        self.owners: defaultdict[int, dict[str, Owner]] = defaultdict(dict)
        self._db = db
        self._state = _state(db) if db else None
        self._current = False

    def check(self, db: sqlite3.Connection) -> None:
        """Find out whether nothing in the database has changed since.

        Args:
            db: a connection in a transaction that writes, which has written nothing yet.
        """
        self._current = db is self._db and _state(db) == self._state

    def find(self, db: sqlite3.Connection, pixel: int, recipient_ids: Collection[str]) -> list[Owner]:
        """Return those recipients of a pixel that exist, given their ids."""
        owners = self.owners[pixel]
        known = {one: owners[one] for one in recipient_ids if one in owners}
        if not self._current:
            # In another file, as after a restore, these may be the numbers of others.
            present = counts.find_recipients(db, pixel, numbers=[owner[1] for owner in known.values()])
            known = {owner[0]: owner for owner in present if owner[0] in known}
        others = [one for one in recipient_ids if one not in known]
        return [*known.values(), *counts.find_recipients(db, pixel, others)]


def _state(db: sqlite3.Connection) -> tuple[int, int]:
    """Return two numbers of which one changes with each commit: of another connection, or of this one."""
    (version,) = db.execute("PRAGMA data_version").fetchone()
    return version, db.total_changes

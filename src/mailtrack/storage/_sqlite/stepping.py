"""`Stepping`: what the methods of the storage that go in steps share."""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from mailtrack.storage._sqlite.connections import Connections
from mailtrack.storage._sqlite.sweeping import Pace


class Stepping:
    """The connections of a storage, and the pace of its steps."""

    _connections: Connections
    _pace: Pace
    _forgets: bool  # whether the WAL still has deleted data, because a reader held up its emptying

    @contextmanager
    def _step(self, *, cascade: bool = True) -> Iterator[tuple[sqlite3.Connection, float]]:
        """Yield a connection in a transaction, and when, by `monotonic`, to commit so that no writer waits long."""
        with ExitStack() as pace, self._connections.writing(cascade=cascade) as db:
            yield db, pace.enter_context(self._pace.step())

    def _forget_deleted(self) -> None:
        self._forgets = not self._connections.forget_deleted()

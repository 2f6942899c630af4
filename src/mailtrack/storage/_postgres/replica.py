"""`Replica`: a replica of a database, as one process sees it: whether it can be read now, and how far it is behind."""

import logging
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep

from mailtrack import _forking as forking
from mailtrack._errors import InvalidSetting, StorageError, StorageUnavailable
from mailtrack.storage._postgres import migrating, positions
from mailtrack.storage._postgres.connections import Connections
from mailtrack.storage._postgres.positions import Position
from mailtrack.storage._postgres.urls import Address
from mailtrack.storage._replica import ReplicaState

LOOK_SECONDS = 1.0
"""How long what was seen of a replica is taken for its state."""

RETRY_SECONDS = 5.0
"""How long a replica that failed is left alone."""

SHOWN_SECONDS = 0.25
"""How long a change waits at most until the replica shows it."""

_CATCH_UP_SECONDS = 0.05  # for a replica that is on its way; one that is idle has an old time
_POLL_SECONDS = 0.002

_logger = logging.getLogger(__name__)


class Replica:
    """Watches a replica. Thread-safe.

    It is read where it answers, is one of the primary's, and shows all that this process has changed. A fault is logged
    once, and so is its end.

    Args:
        address: the database on the replica.
        primary: connections to the same database on its primary.

    Attributes:
        connections: connections to the replica.
    """

    def __init__(self, address: Address, primary: Connections) -> None:
        self._primary = primary
        self._schema = address.schema
        self.connections = Connections(address)
        self._state = ReplicaState(None, "it was not looked at yet")
        self._place = 0
        self._needed: float = 0  # the place of the last change by this process; infinite while it is not known
        self._verified = False
        self._next_look = 0.0
        self._looking = threading.Lock()
        self._noting = forking.ForkSafeLock()
        forking.watch(self)

    @property
    def state(self) -> ReplicaState:
        """How it is doing."""
        self.is_usable()
        return self._state

    def verify(self) -> None:
        """Return if it is a replica of the primary, and has the same tables.

        Raises:
            InvalidSetting: it is another server, or has another database.
            StorageUnavailable: it, or the primary, can't be reached, or it does not have the newest tables yet.
        """
        with self._primary.reading() as db:
            ours, applied = positions.identify(db), migrating.read_applied(db, self._schema)
        with self.connections.reading() as db:
            replayed, theirs = positions.get_replayed(db), positions.identify(db)
            if replayed is None:
                raise InvalidSetting("read_url", "names a server that is no replica: it can be written")
            if ours != theirs:
                raise InvalidSetting("read_url", "names another database, not a replica of this one")
            if migrating.read_applied(db, self._schema) != applied:
                raise StorageUnavailable("it does not have the newest tables yet")
        self._verified = True

    def is_usable(self) -> bool:
        """Return whether it can be read now."""
        if monotonic() >= self._next_look or self._place < self._needed:
            looking = self._looking
            if looking.acquire(blocking=False):  # where another thread looks, the last state counts
                try:
                    self._look()
                finally:
                    looking.release()
        return self._state.lag is not None and self._place >= self._needed

    @contextmanager
    def changing(self, *, wait: bool = True) -> Iterator[None]:
        """Have reads wait for what this process commits meanwhile, all of it or a part.

        With `wait`, also wait for a moment at the end until the replica shows it. So a page after a change shows it as
        well where another process makes that page.
        """
        try:
            yield
        finally:
            self._note(wait=wait)

    def _note(self, *, wait: bool) -> None:
        try:
            with self._primary.reading() as db:
                end = positions.get_end(db)
        except StorageError as error:  # what was changed is changed
            with self._noting:
                self._needed = math.inf
            self.fail(error)
            return
        with self._noting:
            self._needed = max(self._needed, end.place)
        if wait and self._state.lag is not None and self._state.lag < SHOWN_SECONDS:
            try:
                self._wait_for(end.place, SHOWN_SECONDS)
            except StorageError as error:
                self.fail(error)

    def fail(self, error: Exception | str) -> None:
        """Leave it alone for a while, since it failed."""
        reason = str(error)
        if self._state.lag is not None or self._state.reason != reason:
            _logger.warning("The replica is not read, so all reads go to the primary: %s", reason)
        self._next_look = monotonic() + RETRY_SECONDS
        self._state = ReplicaState(None, reason)

    def _look(self) -> None:
        if self._state.lag is None and monotonic() < self._next_look:
            return
        try:
            with self._noting, self._primary.reading() as db:  # no change is noted meanwhile that lies behind this end
                end = positions.get_end(db)
                if self._needed == math.inf:
                    self._needed = end.place
        except StorageError:  # reads of the primary say so
            return
        try:
            if not self._verified:
                self.verify()
            replayed = self._wait_for(end.place, _CATCH_UP_SECONDS)
        except (InvalidSetting, StorageError) as error:
            self.fail(error)
            return
        if replayed is None:
            self.fail("it is no replica any more")
            return
        if self._state.lag is None:
            _logger.info("The replica is read.")
        self._next_look = monotonic() + LOOK_SECONDS
        behind = replayed.place < end.place
        self._state = ReplicaState(max(0.0, end.at - replayed.at) if behind else 0.0)

    def _wait_for(self, place: int, seconds: float) -> Position | None:
        """Return how far it is, once it is at a place, or some seconds have passed; `None` if it is no replica."""
        deadline = monotonic() + seconds
        with self.connections.borrowed() as db:
            while True:
                found = positions.get_replayed(db)
                if found is None:
                    self._verified = False
                    return None
                self._place = found.place
                if found.place >= place or monotonic() > deadline:
                    return found
                sleep(_POLL_SECONDS)

    def before_fork(self) -> None:
        """Do nothing; the connections wait."""

    def after_fork(self, *, child: bool) -> None:
        """Have the child look by itself: a thread of the parent may have been looking."""
        if child:
            self._looking = threading.Lock()

"""`Place`: where a named reader is in the feed, for the thread that has its lease."""

import logging
import os
import threading
import time
from datetime import timedelta

from mailtrack._times import Clock
from mailtrack.storage._feed import Feed

_LEASE = timedelta(seconds=15)  # after a kill, another process takes over as late as that
_SAVE_SECONDS = 0.1  # a function that takes longer has its place saved after each event
_PASS_SECONDS = 5.0  # the same, where events were only passed over

_logger = logging.getLogger(__name__)


class Place:
    """The place of a reader. Of all owners, one has it at a time, for as long as it renews its lease.

    One thread uses it; others may `renew` it meanwhile.

    Args:
        feed: the feed.
        name: the name of the reader.
        clock: returns the current time.

    Attributes:
        after: the cursor behind which the reader goes on, `None` without the lease.
    """

    after: str | None

    def __init__(self, feed: Feed, name: str, clock: Clock) -> None:
        self.after = None
        self._feed = feed
        self._name = name
        self._clock = clock
        self._owner = f"{os.getpid()}-{os.urandom(8).hex()}"
        self._known = False
        self._handled = False  # events since it was saved
        self._saved_at = 0.0
        self._leasing = threading.Lock()  # so that no renewal follows the release

    def take(self) -> bool:
        """Return whether this has the lease, after an attempt to take it.

        Raises:
            StorageError: the storage can't be used.
        """
        if not self._known:
            self._feed.add_reader(self._name)
            self._known = True
        if self.after is None:
            self.after = self._lease()
        return self.after is not None

    def renew(self) -> None:
        """Keep the lease, if this has it.

        Raises:
            StorageError: the storage can't be used.
        """
        with self._leasing:
            if self.after is not None:
                self._lease()

    def pass_to(self, cursor: str, *, handled: bool) -> bool:
        """Go on to a cursor, which is saved soon. Return whether this still has the lease, as far as it is known.

        Args:
            cursor: the cursor.
            handled: whether it is of an event that was handled.

        Raises:
            StorageError: the storage can't be used. The cursor is kept, and saved later.
        """
        self.after = cursor
        self._handled |= handled
        if time.monotonic() - self._saved_at >= (_SAVE_SECONDS if self._handled else _PASS_SECONDS):
            self._move(cursor, _LEASE)
        return self.after is not None

    def save(self) -> None:
        """Save the place now, if events were handled since it was saved.

        Raises:
            StorageError: the storage can't be used.
        """
        if self._handled and self.after is not None:
            self._move(self.after, _LEASE)

    def release(self) -> None:
        """Save the place, and let another owner have it at once. Never raises: otherwise the lease expires."""
        with self._leasing:
            if self.after is not None:
                try:
                    self._move(self.after, timedelta(seconds=-1))
                except Exception:  # the storage may be closed by now
                    _logger.debug("The place of the reader %r was not saved", self._name, exc_info=True)
                self.after = None

    def _lease(self) -> str | None:
        now = self._clock()
        return self._feed.take_reader(self._name, self._owner, now=now, until=now + _LEASE)

    def _move(self, after: str, lease: timedelta) -> None:
        if self._feed.move_reader(self._name, self._owner, after, until=self._clock() + lease):
            self._handled, self._saved_at = False, time.monotonic()
        else:
            _logger.warning("The reader %r goes on in another process, which has taken over its lease.", self._name)
            self.after, self._known = None, False  # or a restored storage does not have it

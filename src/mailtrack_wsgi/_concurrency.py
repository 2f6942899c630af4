"""How many slow requests may hold a server's threads at once."""

import threading
import time
from types import TracebackType

from werkzeug.exceptions import ServiceUnavailable

PATIENCE = 0.25
"""How long a request may wait for its turn, in seconds; the thread that waits is missing elsewhere."""


class Share:
    """Lets only so many at once do what lasts as long as a client or a storage likes.

    While turns come to their ends quickly, as in a burst of small requests, others wait for theirs. When none has begun
    for a while, they are all held by what is slow, and others are turned away at once. Thread-safe.

    Args:
        most: how many at once.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0
        self._last_taken = 0.0
        self._changed = threading.Condition()

    def __enter__(self) -> None:
        self.take()

    def __exit__(self, *_: "type[BaseException] | BaseException | TracebackType | None") -> None:
        self.give_back()

    def take(self) -> None:
        """Begin a turn; whoever does ends it with `give_back`.

        Raises:
            ServiceUnavailable: too many are at it.
        """
        with self._changed:
            patience = self._last_taken + PATIENCE - time.monotonic()
            if not self._changed.wait_for(lambda: self._held < self._most, timeout=patience):
                raise ServiceUnavailable("The server is busy just now. Try again later.", retry_after=1)
            self._held += 1
            self._last_taken = time.monotonic()

    def give_back(self) -> None:
        """End a turn."""
        with self._changed:
            self._held -= 1
            self._changed.notify()

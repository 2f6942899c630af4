"""Limits how many slow requests hold a server's threads at once."""

import threading
import time
from types import TracebackType

from werkzeug.exceptions import ServiceUnavailable

PATIENCE = 0.25
"""How long a request may wait for its turn, in seconds; the thread that waits is missing elsewhere."""


class ConcurrencyLimit:
    """Limits how many requests run at once whose duration depends on a client or on the storage.

    While requests end quickly, as in a burst of small ones, the others wait for their turn. When none has begun for a
    while, slow ones hold every turn, and further requests are refused at once. Thread-safe; a context manager that
    takes a turn and gives it back.

    Args:
        most: number of requests at once.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._running = 0
        self._last_acquired = 0.0
        # Entered in place of the condition, which the exception of a signal may leave locked for ever.
        self._guard = threading.RLock()
        self._changed = threading.Condition(self._guard)

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: "type[BaseException] | BaseException | TracebackType | None") -> None:
        self.release()

    def acquire(self) -> None:
        """Take a turn, to be ended with `release`.

        Raises:
            ServiceUnavailable: every turn is taken.
        """
        with self._guard:
            patience = self._last_acquired + PATIENCE - time.monotonic()
            if not self._changed.wait_for(lambda: self._running < self._most, timeout=patience):
                raise ServiceUnavailable("The server is busy. Try again later.", retry_after=1)
            self._running += 1
            self._last_acquired = time.monotonic()

    def release(self) -> None:
        """End a turn."""
        with self._guard:
            self._running -= 1
            self._changed.notify()

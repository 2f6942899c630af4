"""`Follower`: what goes through the feed in background threads, for as long as its tracker is started."""

from collections.abc import Sequence
from typing import Protocol

from mailtrack._model import Open


class Follower(Protocol):
    """Follows the feed in threads of its own. Thread-safe. No method raises, or waits for the storage, but `stop`."""

    def start(self) -> None:
        """Start the threads of this process, also in a forked child of one that had started. Harmless if they run."""
        ...

    def wake(self, opens: Sequence[Open]) -> None:
        """Look into the feed now, since this process has stored opens. It may not be started, in this process or any.

        Called in the thread that stores opens, so it takes microseconds.
        """
        ...

    def end(self) -> None:
        """Let the threads end after what they are at, without waiting for it."""
        ...

    def stop(self, timeout: float) -> None:
        """Wait until the threads have ended, for up to `timeout` seconds. Harmless if they do not run."""
        ...

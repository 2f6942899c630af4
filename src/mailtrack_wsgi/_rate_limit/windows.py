"""`Windows`: where requests are counted, as the limiter needs it."""

from typing import NamedTuple, Protocol


class Window(NamedTuple):
    """The state of a client's window at the moment of a request.

    Attributes:
        granted: whether there was room for the request.
        remaining: number of requests that there is still room for.
        reset: time until the oldest request leaves the window, in seconds; the whole window if there is none.
    """

    granted: bool
    remaining: int
    reset: float


class Windows(Protocol):
    """Counts requests in moving windows.

    Exact over every thread, process and machine that counts in the same place. Thread-safe and safe over a fork.
    """

    def ask(self, key: str, *, limit: int, seconds: int, cost: int = 1) -> Window:
        """Count a request if there is room for it, and return the window as it is then: one transaction.

        Args:
            key: the client and its limit; only a hash of it is kept by the bundled file and memory.
            limit: number of requests that fit into a window.
            seconds: length of the window.
            cost: number of requests that it counts for. All or none are counted; 0 only looks.

        Raises:
            StorageUnavailable: it can't be counted now.
        """
        ...

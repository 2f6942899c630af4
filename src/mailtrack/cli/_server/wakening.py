"""`Wakening`: what the handlers of signals wake the server's main thread with."""

from queue import SimpleQueue


class Wakening:
    """Does what `threading.Event` does for granian, and can be set at any moment, also by one handler within another.

    An event has a lock. A handler that interrupts its thread while that has the lock, as at a second Ctrl-C, would wait
    for it for ever. A `SimpleQueue` is made for that: its methods are in C, and may be interrupted by each other.
    """

    def __init__(self) -> None:
        self._is_set = False
        self._woken: SimpleQueue[None] = SimpleQueue()

    def set(self) -> None:
        """Let `wait` return."""
        self._is_set = True
        self._woken.put(None)

    def clear(self) -> None:
        """Let `wait` wait for the next `set`."""
        self._is_set = False

    def wait(self) -> bool:
        """Wait until it is set, and return `True`."""
        while not self._is_set:
            self._woken.get()
        return True

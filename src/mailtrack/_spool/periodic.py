"""A thread that does one thing again and again."""

import threading
from typing import Protocol


class Work(Protocol):
    """What a `Repeater` does."""

    def __call__(self, *, last: bool) -> float:
        """Do it once, without raising, and return in how many seconds to do it again."""
        ...


class Repeater:
    """A background thread of this process; it does not survive a fork.

    Args:
        name: the thread's name.
        work: what it does, one last time when it is stopped.
        first_wait: when it begins, in seconds after `start`.
    """

    def __init__(self, name: str, work: Work, *, first_wait: float) -> None:
        self._work = work
        self._first_wait = first_wait
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._repeat, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread, once."""
        self._thread.start()

    def stop(self, timeout: float) -> bool:
        """Let it work one last time and end; tell whether it did so within `timeout` seconds."""
        self._stopping.set()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _repeat(self) -> None:
        wait = self._first_wait
        while True:
            last = self._stopping.wait(wait)
            wait = self._work(last=last)
            if last:
                return

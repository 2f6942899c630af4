"""`PeriodicThread`: a background thread that repeats a task."""

import os
import sys
import threading
from contextlib import suppress
from typing import Protocol

from mailtrack._threads import BackgroundThread


class Work(Protocol):
    """The task of a `PeriodicThread`."""

    def __call__(self, *, last: bool) -> float:
        """Do the task once, without raising, and return the seconds to wait before the next time."""
        ...


def give_way(niceness: int) -> None:
    """Let the system prefer other threads to this one, and to those that it starts, by a niceness of 0 to 19.

    Only Linux has it for threads; elsewhere nothing changes.
    """
    if niceness and sys.platform == "linux":
        with suppress(OSError):  # some sandboxes forbid it
            me = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, me, os.getpriority(os.PRIO_PROCESS, me) + niceness)


class PeriodicThread:
    """A daemon thread that repeats a task. It does not survive a fork.

    Args:
        name: the thread's name.
        work: the task. It is done one last time when the thread is stopped.
        first_wait: seconds between `start` and the first time.
        niceness: how much the system is to prefer other threads, 0 (not at all) to 19. Only Linux has it for threads.
    """

    def __init__(self, name: str, work: Work, *, first_wait: float, niceness: int = 0) -> None:
        self._work = work
        self._first_wait = first_wait
        self._niceness = niceness
        self._stopping = threading.Event()
        self._thread = BackgroundThread(self._repeat, name=name)

    def start(self) -> None:
        """Start the thread. It can be started once."""
        self._thread.start()

    def stop(self, timeout: float) -> bool:
        """Do the task one last time and end the thread; return whether it ended within `timeout` seconds."""
        self._stopping.set()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _repeat(self) -> None:
        give_way(self._niceness)
        wait = self._first_wait
        while True:
            last = self._stopping.wait(wait)
            wait = self._work(last=last)
            if last:
                return

"""`Sender`: sends events to webhooks, in background threads of its own."""

import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mailtrack._events.webhooks.filling import Outboxes
from mailtrack._events.webhooks.guard import Network
from mailtrack._forking import ForkSafeLock
from mailtrack._model import Open
from mailtrack._times import Clock

if TYPE_CHECKING:
    from mailtrack._events.webhooks.loop import Loop


class Sender:
    """A `Follower` that sends events to webhooks, in one process or in many that share a storage. Thread-safe.

    One thread fills the outboxes; each webhook with something due has threads of its own, so that none waits for
    another's endpoint.

    Args:
        storage: has the webhooks.
        allow: networks that are allowed though they are not public.
        clock: returns the current time.
    """

    def __init__(self, storage: Outboxes, allow: Sequence[Network], clock: Clock) -> None:
        self._storage = storage
        self._allow = allow
        self._clock = clock
        self._starting = ForkSafeLock()
        self._process: int | None = None  # the one in which it is started
        self._loop: Loop | None = None

    def start(self) -> None:
        """Start the threads of this process, also in a forked child of one that had started. Harmless if they run."""
        with self._starting:
            if self._process != os.getpid():
                from mailtrack._events.webhooks.loop import Loop  # only here: it takes a while to load

                self._process = os.getpid()
                self._loop = Loop(self._storage, self._allow, self._clock)
                self._loop.start()

    def wake(self, _: Sequence[Open]) -> None:
        """Look for events now, if there are webhooks: without any, storing an open costs nothing more."""
        loop = self._loop
        if loop is not None and loop.has_webhooks and self._process == os.getpid():
            loop.woken.set()

    def end(self) -> None:
        """Let the threads end after the tries that are under way."""
        if self._process == os.getpid() and self._loop is not None:
            self._loop.end()

    def stop(self, timeout: float) -> None:
        """Wait for the threads to end, for up to `timeout` seconds. Tries that take longer are interrupted."""
        with self._starting:
            self.end()
            loop = self._loop if self._process == os.getpid() else None
            self._process, self._loop = None, None
        if loop is not None:
            loop.wait(time.monotonic() + timeout)

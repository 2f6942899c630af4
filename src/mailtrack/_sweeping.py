"""`Sweeper`: removes what deletions leave in a storage, in short steps, while others write."""

import logging
import threading
import time
from collections.abc import Callable, Iterator

from mailtrack._errors import StorageError, StorageUnavailable
from mailtrack._forking import ForkSafeLock
from mailtrack._threads import BackgroundThread
from mailtrack.storage._protocol import Storage

_LOOK_SECONDS = 3.0  # a reader may have held up what overwrites deleted addresses, or a sweeping process was killed

_logger = logging.getLogger(__name__)


def in_steps(step: Callable[[], int]) -> Iterator[int]:
    """Repeat a step until it returns 0, and yield what it returns.

    After each comes a pause for other writers, as long as the step and its wait for others. So several processes that
    do so at once leave half of the time to the rest.
    """
    began = time.monotonic()
    while number := step():
        yield number
        time.sleep(time.monotonic() - began)
        began = time.monotonic()


class Sweeper:
    """Sweeps a storage at once, or in a daemon thread, which does not survive a fork. Thread-safe.

    Args:
        storage: the storage.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._starting = ForkSafeLock()
        self._thread: threading.Thread | None = None
        self._woken = threading.Event()
        self._stopping = threading.Event()

    def sweep(self, timeout: float | None) -> None:
        """Sweep until nothing is left. Errors, and what is left after `timeout` seconds, are left to the thread."""
        until = None if timeout is None else time.monotonic() + timeout
        try:
            for _ in in_steps(self._storage.sweep):
                if until is not None and time.monotonic() >= until:
                    break
            else:
                return
        except StorageError:
            pass  # the deletion itself was made
        self.wake()

    def wake(self) -> None:
        """Make the thread sweep now, and look again every 3 seconds. Start it if it does not run."""
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._woken, self._stopping = threading.Event(), threading.Event()
                self._thread = BackgroundThread(self._repeat, name="mailtrack-sweep")
                self._thread.start()
            self._woken.set()

    def stop(self, timeout: float) -> None:
        """End the thread after its present step; wait for that up to `timeout` seconds. Harmless if it does not run."""
        with self._starting:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._stopping.set()
            self._woken.set()
            thread.join(timeout)

    def _repeat(self) -> None:
        woken, stopping = self._woken, self._stopping
        while True:
            woken.wait(_LOOK_SECONDS)
            woken.clear()
            try:
                for _ in in_steps(self._storage.sweep):
                    if stopping.is_set():
                        break
            except StorageUnavailable as error:
                _logger.warning("Sweeping deleted data failed; trying again in %d s: %s", _LOOK_SECONDS, error)
            except StorageError as error:
                _logger.warning("Sweeping deleted data failed: %s", error)
                return
            if stopping.is_set():
                return

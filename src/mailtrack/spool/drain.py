"""Bringing hits from the spool to the storage: in batches, in the background, for as long as it takes."""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from mailtrack.errors import StorageError
from mailtrack.model import Hit
from mailtrack.spool.records import to_line
from mailtrack.spool.spool import Batch, Spool

Store = Callable[[Sequence[Hit]], object]
"""Stores hits, all or none; storing one again changes nothing."""

# An open shows in the log within 0.5 seconds of its image.
_POLL_SECONDS = 0.1
_RECOVER_SECONDS = 2.0
_SYNC_SECONDS = 0.8  # with the time that syncing takes, at least each second
_MAX_BACKOFF_SECONDS = 5.0

_logger = logging.getLogger(__name__)


def drain(spool: Spool, store: Store) -> int:
    """Store all that waits in a spool now, and return how many hits that was.

    A batch is removed from the spool only after it is stored. A hit with which the storage can't do anything at all is
    set aside.

    Raises:
        StorageError: the storage does not take them; what is not stored stays in the spool.
        OSError: a part of the spool can't be read, or a line can't be set aside.
    """
    stored = 0
    for batch in spool.batches():
        stored += _store(batch, store, batch.hits)
        spool.acknowledge(batch)
    return stored


def _store(batch: Batch, store: Store, hits: Sequence[Hit]) -> int:
    """Store hits of a batch, or let it set them aside; return how many were stored."""
    if not hits:
        return 0
    try:
        store(hits)
    except (StorageError, OSError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001  # whatever it is, it must not keep the other hits back
        if len(hits) == 1:
            batch.aside.append((to_line(hits[0]).rstrip(b"\n"), f"the storage failed with {type(error).__name__}"))
            return 0
        middle = len(hits) // 2
        return _store(batch, store, hits[:middle]) + _store(batch, store, hits[middle:])
    return len(hits)


class Drainer:
    """The two threads of a process that drain and sync its spool.

    Args:
        spool: what to drain. It is opened by `start` and closed by `stop`.
        store: where to.
    """

    def __init__(self, spool: Spool, store: Store) -> None:
        self._spool = spool
        self._store = store
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._drain_on, name="mailtrack-drain", daemon=True),
            threading.Thread(target=self._sync_on, name="mailtrack-sync", daemon=True),
        ]

    def start(self) -> None:
        """Open the spool and start.

        Raises:
            OSError: the spool can't be opened.
        """
        self._spool.open()
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float) -> bool:
        """Drain what is there, and end.

        Args:
            timeout: how long to wait, in seconds.

        Returns:
            Whether all is stored. If not, it stays in the spool for the next process.
        """
        deadline = time.monotonic() + timeout
        self._stopping.set()
        for thread in self._threads:
            if thread.ident is not None:  # it was started
                thread.join(max(0.0, deadline - time.monotonic()))
        if any(thread.is_alive() for thread in self._threads):
            return False  # the storage holds it up; its segments are given up when the process ends
        return self._spool.close()

    def _drain_on(self) -> None:
        wait = _POLL_SECONDS
        recovered = time.monotonic()
        while True:
            last_round = self._stopping.wait(wait)
            try:
                if time.monotonic() - recovered >= _RECOVER_SECONDS:
                    recovered = time.monotonic()
                    self._spool.recover()
                drain(self._spool, self._store)
                wait = _POLL_SECONDS
            except Exception as error:  # this thread must live on, whatever comes
                wait = min(wait * 2, _MAX_BACKOFF_SECONDS)
                expected = isinstance(error, StorageError | OSError)
                _logger.warning(
                    "Draining the spool failed; trying again in %.1f s: %s", wait, error, exc_info=not expected
                )
            if last_round:
                return

    def _sync_on(self) -> None:
        while True:
            last_round = self._stopping.wait(_SYNC_SECONDS)
            try:
                self._spool.sync()
            except OSError as error:
                _logger.error("The spool's disk does not take what was written: %s", error)
            if last_round:
                return

"""Bringing hits from the spool to the storage: in batches, in the background, for as long as it takes."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from mailtrack._errors import StorageError, StorageUnavailable
from mailtrack._model import Hit
from mailtrack._spool.lines import to_line
from mailtrack._spool.periodic import Repeater
from mailtrack._spool.reader import Backlog

Store = Callable[[Sequence[Hit]], object]
"""Stores hits, all or none; storing one again changes nothing."""

# An open shows in the log within 0.5 seconds of its image.
_POLL_SECONDS = 0.1
_STANDBY_SECONDS = 0.5
_MAX_BACKOFF_SECONDS = 5.0

_logger = logging.getLogger(__name__)


def drain(backlog: Backlog, store: Store) -> int:
    """Store all that waits in a spool now, and return how many hits that was.

    A batch is removed from the spool only after it is stored. A hit with which the storage can't do anything at all is
    set aside, where it can do something with others.

    Raises:
        Exception: the storage does not take them; what is not stored stays in the spool. Or a line can't be set aside.
    """
    stored = 0
    for batch in backlog.batches():
        refused = _store(store, batch.hits) if batch.hits else []
        if refused:
            bad = {hit.id for hit, _ in refused}
            taken = next((hit for hit in batch.hits if hit.id not in bad), None)
            if taken is None:
                raise refused[0][1]  # the storage takes nothing at all: that says nothing about these hits
            store([taken])  # which changes nothing, and raises where the storage has begun to take nothing meanwhile
        batch.aside += [(to_line(hit)[:-1], f"the storage fails with {type(error).__name__}") for hit, error in refused]
        backlog.acknowledge(batch)
        stored += len(batch.hits) - len(refused)
    return stored


def _store(store: Store, hits: Sequence[Hit]) -> list[tuple[Hit, Exception]]:
    """Store hits, and return those that the storage refuses for themselves, each with its error."""
    try:
        store(hits)
    except (StorageUnavailable, OSError, MemoryError):
        raise  # it may pass by itself
    except Exception as error:  # noqa: BLE001  # whatever it is, it must not keep the other hits back
        if len(hits) == 1:
            return [(hits[0], error)]
        middle = len(hits) // 2
        return _store(store, hits[:middle]) + _store(store, hits[middle:])
    return []


class Drainer:
    """A thread that brings a spool's hits to the storage, in one process at a time: the others stand by.

    Args:
        folder: the spool's folder.
        store: where to.
    """

    def __init__(self, folder: Path, store: Store) -> None:
        self._backlog = Backlog(folder)
        self._store = store
        self._wait = _POLL_SECONDS
        self._thread = Repeater("mailtrack-drain", self._work, first_wait=_POLL_SECONDS)

    def start(self) -> None:
        """Start. Of several processes that drain a folder, the one that starts first leads.

        Raises:
            OSError: the folder can't be used.
        """
        self._backlog.lead()
        self._thread.start()

    @property
    def leads(self) -> bool:
        """Whether it drains, and does not stand by."""
        return self._backlog.leads

    def stop(self, timeout: float) -> None:
        """Drain what is there, where this process leads, and end.

        Args:
            timeout: how long to wait, in seconds. Where the storage holds it up for longer, the thread ends later.
        """
        self._thread.stop(timeout)

    def _work(self, *, last: bool) -> float:
        try:
            if self._backlog.lead():
                drain(self._backlog, self._store)
                self._wait = _POLL_SECONDS
            else:
                self._wait = _STANDBY_SECONDS
        except Exception as error:  # this thread must live on, whatever comes
            self._wait = min(self._wait * 2, _MAX_BACKOFF_SECONDS)
            expected = isinstance(error, StorageError | OSError)
            _logger.warning(
                "Draining the spool failed; trying again in %.1f s: %s", self._wait, error, exc_info=not expected
            )
        if last:
            self._backlog.release()
        return self._wait

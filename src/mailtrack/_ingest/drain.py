"""Drain the spool: read its lines as hits and store them, in batches, until the storage has them all."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from mailtrack._collector import collector_paused
from mailtrack._columns import HitRow, Hits
from mailtrack._errors import StorageError, StorageUnavailable
from mailtrack._ingest.lines import UnreadableLine, parse_line
from mailtrack._model import Hit
from mailtrack._spool import Batch, PeriodicThread, Reader

Store = Callable[[Sequence[Hit]], int]
"""Stores hits, all or none, and returns how many it has an open of, new or not. Storing a hit again changes nothing."""

# An open is in the log within 0.5 seconds of its image.
_POLL_SECONDS = 0.1
_STANDBY_SECONDS = 0.5
_MAX_BACKOFF_SECONDS = 5.0

_logger = logging.getLogger(__name__)


def drain(reader: Reader, store: Store) -> int:
    """Store all hits that wait in a spool, and return their number.

    A batch leaves the spool only once it is stored. Unreadable lines become dead letters, and so do hits that the
    storage refuses while it takes others.

    Raises:
        Exception: storing failed, or the dead letters can't be written. What is not stored stays in the spool.
    """
    stored = 0
    for batch in reader.batches():
        with collector_paused():
            stored += _store_batch(batch, store)
        reader.acknowledge(batch)
    return stored


def _store_batch(batch: Batch, store: Store) -> int:
    """Store the hits of a batch, and return their number. The other lines go to its dead letters."""
    hits, lines = _read(batch)
    refused, taken = _store(store, hits)
    # Where it takes no hit at all, which is not the fault of these, all wait. The hits that it took are given again:
    # that changes nothing, and raises if the storage has meanwhile begun to refuse all hits.
    if refused and not (taken and store(taken)):
        raise next(iter(refused.values()))
    letters = [
        (line, f"the storage fails with {type(refused[hit_id]).__name__}")
        for hit_id, line in (zip(hits.ids, lines, strict=True) if refused else ())
        if hit_id in refused
    ]
    batch.dead_letters += letters
    return len(hits) - len(letters)


def _read(batch: Batch) -> tuple[Hits, list[bytes]]:
    """Return the hits of a batch and the line of each. Unreadable lines go to its dead letters."""
    rows: list[HitRow] = []
    lines: list[bytes] = []
    for line in batch.lines:
        try:
            rows.append(parse_line(line))
        except UnreadableLine as error:
            batch.dead_letters.append((line, str(error)))
        else:
            lines.append(line)
    return Hits.of_rows(rows), lines


def _store(store: Store, hits: Sequence[Hit]) -> tuple[dict[str, Exception], Sequence[Hit]]:
    """Store hits, by halves if necessary.

    Returns:
        The error of each single hit that is refused, by its id, and some hits of which the storage has opens, if any.
    """
    if not hits:
        return {}, ()
    try:
        found = store(hits)
    except (StorageUnavailable, OSError, MemoryError):
        raise  # it may pass
    except Exception as error:  # noqa: BLE001  # no error may keep the other hits back
        if len(hits) == 1:
            return {hits[0].id: error}, ()
        middle = len(hits) // 2
        refused, taken = _store(store, hits[:middle])
        also_refused, also_taken = _store(store, hits[middle:])
        return refused | also_refused, also_taken or taken
    return {}, hits if found else ()


class Drainer:
    """A thread that drains a spool, in one process at a time: the others stand by.

    Args:
        folder: the spool's folder.
        store: stores hits.
        niceness: how much the system is to prefer other threads, 0 to 19. Not for a process whose other threads are
            waited for: they queue for the interpreter behind this one.
    """

    def __init__(self, folder: Path, store: Store, *, niceness: int = 0) -> None:
        self._reader = Reader(folder)
        self._store = store
        self._wait = _POLL_SECONDS
        self._thread = PeriodicThread("mailtrack-drain", self._work, first_wait=_POLL_SECONDS, niceness=niceness)

    def start(self) -> None:
        """Start the thread. Of several processes that drain a folder, the one that starts first leads.

        Raises:
            OSError: the folder can't be used.
        """
        self._reader.lead()
        self._thread.start()

    @property
    def leads(self) -> bool:
        """Whether this process drains the folder. If not, it stands by."""
        return self._reader.leads

    def stop(self, timeout: float) -> None:
        """Drain one last time if this process leads, and end the thread.

        Args:
            timeout: how long to wait, in seconds. If the storage takes longer, the thread ends later.
        """
        self._thread.stop(timeout)

    def _work(self, *, last: bool) -> float:
        try:
            if self._reader.lead():
                drain(self._reader, self._store)
                self._wait = _POLL_SECONDS
            else:
                self._wait = _STANDBY_SECONDS
        except Exception as error:  # the thread must go on after any error
            self._wait = min(self._wait * 2, _MAX_BACKOFF_SECONDS)
            expected = isinstance(error, StorageError | OSError)
            _logger.warning(
                "Draining the spool failed; trying again in %.1f s: %s", self._wait, error, exc_info=not expected
            )
        if last:
            self._reader.release()
        return self._wait

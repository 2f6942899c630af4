"""`Recorder`: takes requests for a pixel's image, and stores them through the spool or at once."""

from collections.abc import Sequence

from mailtrack import _ids as ids
from mailtrack._forking import ForkSafeLock
from mailtrack._ingest.enrich import Enricher
from mailtrack._ingest.lines import make_line
from mailtrack._ingest.request import Request
from mailtrack._ingest.storing import Report, keep_hits, store_hits
from mailtrack._ingest.worker import Worker
from mailtrack._model import Hit
from mailtrack._spool import Spool, SpoolClosed
from mailtrack._times import Clock, from_milliseconds, now, now_in_milliseconds, to_milliseconds
from mailtrack.storage._protocol import Storage


class Recorder:
    """Records opens. Thread-safe. `Tracker` documents the methods.

    Args:
        storage: where opens are stored.
        enricher: turns hits into opens.
        spool: keeps opens until they are stored, while it is started. `None`: they are stored at once.
        clock: returns the time of arrival.
    """

    def __init__(self, storage: Storage, enricher: Enricher, spool: Spool | None, clock: Clock) -> None:
        self._storage = storage
        self._enricher = enricher
        self._spool = spool
        self._worker: Worker | None = None
        self._starting = ForkSafeLock()
        self._reports: list[Report] = []
        self._milliseconds = now_in_milliseconds if clock is now else lambda: to_milliseconds(clock())

    def start(self) -> None:
        """Start to use the spool. Harmless if it is started."""
        with self._starting:
            if self._spool is not None and not self._spool.is_open:
                self._enricher.prepare()
                worker = Worker(self._spool, self.keep)
                worker.start()
                self._worker = worker

    def stop(self, timeout: float) -> bool:
        """Stop using the spool, wait up to `timeout` seconds, and return whether everything is stored."""
        with self._starting:
            worker, self._worker = self._worker, None
            return worker is None or worker.stop(timeout)

    def record(self, request: Request) -> None:
        """Record a request that arrives now.

        With a started spool this makes a line and no `Hit`, which would cost 1.9 of the 8.1 µs of this path. Without
        one it makes the `Hit` directly and no line.
        """
        at = self._milliseconds()
        hit_id = ids.new_open_id(at)
        if self._spool is not None:
            try:
                self._spool.append(make_line(hit_id, at, request))
            except SpoolClosed:
                pass  # it is not started, or was stopped just now
            else:
                return
        self.store([Hit(id=hit_id, at=from_milliseconds(at), **request._asdict())])

    def store(self, hits: Sequence[Hit]) -> int:
        """Store hits as opens, and return how many were new."""
        return len(store_hits(self._storage, self._enricher, hits, self._reports))

    def report_to(self, function: Report) -> None:
        """Call one more function with the new opens after each time that this process has stored some."""
        self._reports.append(function)

    def keep(self, hits: Sequence[Hit]) -> int:
        """Store hits as opens, and return how many have an open now, see `keep_hits`."""
        return keep_hits(self._storage, self._enricher, hits, self._reports)

"""`Recorder`: takes requests for a pixel's image, and stores them through the spool or at once."""

from collections.abc import Sequence
from contextlib import suppress

from mailtrack import _ids as ids
from mailtrack._errors import StorageUnavailable
from mailtrack._forking import ForkSafeLock
from mailtrack._ingest.enrich import Enricher
from mailtrack._ingest.lines import make_line
from mailtrack._ingest.owning import owner_of
from mailtrack._ingest.request import Request
from mailtrack._ingest.storing import Report, keep_hits, store_hits
from mailtrack._ingest.worker import Worker
from mailtrack._model import Hit
from mailtrack._spool import Spool, SpoolClosed, SpoolOfAnother, check_owner, claim
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
        self._claimed = False
        self._starting = ForkSafeLock()
        self._reports: list[Report] = []
        self._milliseconds = now_in_milliseconds if clock is now else lambda: to_milliseconds(clock())

    def start(self) -> None:
        """Start to use the spool. Harmless if it is started.

        Raises:
            InvalidSetting: the spool has opens of another database.
        """
        with self._starting:
            if self._spool is not None and not self._spool.is_open:
                self._enricher.prepare()
                self._claim(self._spool)
                worker = Worker(self._spool, self.keep if self._claimed else self._keep_own)
                worker.start()
                self._worker = worker

    def _claim(self, spool: Spool) -> None:
        """Note that a spool is this storage's. Where that does not answer, the first batch to be stored does it."""
        with suppress(StorageUnavailable):
            owner = owner_of(self._storage)
            self._claimed = True
            if owner is not None:
                claim(spool.folder, owner)

    def _keep_own(self, hits: Sequence[Hit]) -> int:
        if not self._claimed and self._spool is not None:
            owner = owner_of(self._storage)
            try:
                if owner is not None:
                    check_owner(self._spool.folder, owner)
            except SpoolOfAnother as error:  # the hits wait for theirs
                raise StorageUnavailable(str(error)) from error
            self._claimed = True
        return self.keep(hits)

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

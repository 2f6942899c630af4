"""`Recorder`: the way of an open behind the tracker, from a request's parts to the storage, by the spool or at once."""

from collections.abc import Collection, Sequence

from mailtrack import _ids as ids
from mailtrack._forking import ForkSafeLock
from mailtrack._ingest.enrich import Examiner
from mailtrack._model import HEADER_SIGNALS, Hit
from mailtrack._spool import Spool, SpoolClosed, SpoolWorker, from_line, make_line
from mailtrack._text import clean_text, parse_ip
from mailtrack._times import Clock, now, now_in_milliseconds, to_milliseconds
from mailtrack.storage._protocol import Storage


class Recorder:
    """Records hits. Thread-safe; `Tracker` tells more of each method.

    Args:
        storage: where hits become opens.
        examiner: tells what opens they are.
        spool: keeps them until the storage has them, while it is started; without one, they are stored at once.
        clock: tells when they arrive.
    """

    def __init__(self, storage: Storage, examiner: Examiner, spool: Spool | None, clock: Clock) -> None:
        self._storage = storage
        self._examiner = examiner
        self._spool = spool
        self._worker: SpoolWorker | None = None
        self._starting = ForkSafeLock()
        self._milliseconds = now_in_milliseconds if clock is now else lambda: to_milliseconds(clock())

    def start(self) -> None:
        """Start to use the spool. Harmless where it is started."""
        with self._starting:
            if self._spool is not None and not self._spool.is_open:
                self._examiner.prepare()
                worker = SpoolWorker(self._spool, self.store)
                worker.start()
                self._worker = worker

    def stop(self, timeout: float) -> bool:
        """Stop using the spool, wait for so many seconds, and tell whether all is stored."""
        with self._starting:
            worker, self._worker = self._worker, None
            return worker is None or worker.stop(timeout)

    def record(
        self, pixel: str, token: str | None, ip: str | None, user_agent: str, referer: str, signals: Collection[str]
    ) -> None:
        """Record a request for a pixel's image, arrived now."""
        line = self._new_line(pixel, token, ip, user_agent, referer, signals)
        if line is None:
            return
        if self._spool is not None and self._spool.is_open:
            try:
                self._spool.append(line)
            except SpoolClosed:
                pass  # it was stopped in this moment
            else:
                return
        self.store([from_line(line)])

    def new_hit(
        self, pixel: str, token: str | None, ip: str | None, user_agent: str, referer: str, signals: Collection[str]
    ) -> Hit | None:
        """Return the hit that `record` would record, `None` where it would record none."""
        line = self._new_line(pixel, token, ip, user_agent, referer, signals)
        return None if line is None else from_line(line)

    def store(self, hits: Sequence[Hit]) -> int:
        """Store hits as opens, and return how many were new."""
        opens = self._examiner.examine(hits, self._storage.resolve(hits))
        try:
            return len(self._storage.add_opens(opens)) if opens else 0
        except Exception:
            self._examiner.expect_again(opens)
            raise

    def _new_line(
        self, pixel: str, token: str | None, ip: str | None, user_agent: str, referer: str, signals: Collection[str]
    ) -> bytes | None:
        key = ids.parse_pixel_key(pixel)
        if key is None:
            return None
        at = self._milliseconds()
        return make_line(
            ids.new_open_id(at),
            at,
            key,
            ids.parse_token(token),
            parse_ip(ip),
            clean_text(user_agent),
            clean_text(referer),
            tuple(signal for signal in HEADER_SIGNALS if signal in signals) if signals else (),
        )

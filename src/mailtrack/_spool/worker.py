"""`SpoolWorker`: the spool at work in one process that serves."""

import logging
import time

from mailtrack._spool.drain import Drainer, Store
from mailtrack._spool.periodic import Repeater
from mailtrack._spool.spool import Spool

_SYNC_SECONDS = 0.8  # with the time that syncing takes, at least each second
_LOOK_SECONDS = 0.05

_logger = logging.getLogger(__name__)


class SpoolWorker:
    """Two threads of a process: one syncs its spool, one drains the folder or stands by to do so.

    Args:
        spool: what to use. It is opened by `start` and closed by `stop`.
        store: stores hits.
    """

    def __init__(self, spool: Spool, store: Store) -> None:
        self._spool = spool
        self._drainer = Drainer(spool.folder, store)
        self._syncer = Repeater("mailtrack-sync", self._sync, first_wait=_SYNC_SECONDS)

    def start(self) -> None:
        """Open the spool and start.

        Raises:
            OSError: the spool can't be opened.
        """
        self._spool.open()
        try:
            self._drainer.start()
            self._syncer.start()
        except BaseException:
            self._spool.close()
            raise

    def stop(self, timeout: float) -> bool:
        """Take no more hits, and wait until those that were taken are stored, here or by whoever drains.

        Args:
            timeout: how long to wait, in seconds.

        Returns:
            Whether all is stored. If not, it stays in the spool for the next process.
        """
        deadline = time.monotonic() + timeout
        self._spool.close()
        self._syncer.stop(timeout)
        while self._spool.waits() and not self._drainer.leads and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)  # another process drains; should that end before it has all, this one goes on
        self._drainer.stop(max(0.0, deadline - time.monotonic()))
        return not self._spool.waits()

    def _sync(self, *, last: bool) -> float:  # noqa: ARG002  # the last time is like the others
        try:
            self._spool.sync()
        except OSError as error:
            _logger.error("The spool's disk does not take what was written: %s", error)
        except Exception:  # this thread must live on, whatever comes
            _logger.exception("Syncing the spool failed.")
        return _SYNC_SECONDS

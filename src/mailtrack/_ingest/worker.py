"""`Worker`: the background threads of a process that records through the spool."""

import time

from mailtrack._ingest.drain import Drainer, Store
from mailtrack._spool import Spool, Syncer

_POLL_SECONDS = 0.05


class Worker:
    """Two threads of a process: one syncs its spool, one drains the folder or stands by to do so.

    Args:
        spool: the spool. `start` opens it and `stop` closes it.
        store: stores hits.
    """

    def __init__(self, spool: Spool, store: Store) -> None:
        self._spool = spool
        self._drainer = Drainer(spool.folder, store)
        self._syncer = Syncer(spool)

    def start(self) -> None:
        """Open the spool and start the threads.

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
        """Close the spool, and wait until its opens are stored, by this process or by the one that drains the folder.

        Args:
            timeout: how long to wait, in seconds.

        Returns:
            Whether all are stored. The others stay in the spool for the next process.
        """
        deadline = time.monotonic() + timeout
        self._spool.close()
        self._syncer.stop(timeout)
        while self._spool.waits() and not self._drainer.leads and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)  # another process drains; if it ends before it is done, this one takes over
        self._drainer.stop(max(0.0, deadline - time.monotonic()))
        return not self._spool.waits()

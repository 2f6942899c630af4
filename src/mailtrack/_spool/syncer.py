"""`Syncer`: the thread that syncs a spool to disk each second."""

import logging

from mailtrack._spool.periodic import PeriodicThread
from mailtrack._spool.spool import Spool

_SYNC_SECONDS = 0.8  # plus the time that a sync takes: at least once a second

_logger = logging.getLogger(__name__)


class Syncer(PeriodicThread):
    """A thread that syncs an open spool about once a second.

    Args:
        spool: the spool of this process.
    """

    def __init__(self, spool: Spool) -> None:
        super().__init__("mailtrack-sync", self._sync, first_wait=_SYNC_SECONDS)
        self._spool = spool

    def _sync(self, *, last: bool) -> float:  # noqa: ARG002  # the last time is like the others
        try:
            self._spool.sync()
        except OSError as error:
            _logger.error("The spool can't be synced to disk: %s", error)
        except Exception:  # the thread must go on after any error
            _logger.exception("Syncing the spool failed.")
        return _SYNC_SECONDS

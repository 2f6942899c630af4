"""`Retention`: deletes old opens while the server runs, for `serve --keep`."""

import logging
from datetime import timedelta
from threading import Event

from mailtrack._errors import StorageError
from mailtrack._spool import PeriodicThread
from mailtrack._text import plural
from mailtrack._tracker import Tracker

_FIRST_SECONDS = 2.0
_LOOK_SECONDS = 3600.0
_ALWAYS = 1000  # so few opens may go at once, whatever their share is

_logger = logging.getLogger(__name__)


class Retention:
    """A thread that deletes, every hour, all opens that are older than an age.

    It stops, with an error in the log, before it deletes more than half of all opens and more than 1,000 at once: the
    clock may have jumped.

    Args:
        tracker: the tracker of the opens, with the spool of the server.
        keep: the age.
    """

    def __init__(self, tracker: Tracker, keep: timedelta) -> None:
        self._tracker = tracker
        self._keep = keep
        self._stopping = Event()
        self._refused = False
        self._thread = PeriodicThread("mailtrack-keep", self._work, first_wait=_FIRST_SECONDS)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """End the thread between two steps of a purge; wait for that up to `timeout` seconds."""
        self._stopping.set()
        self._thread.stop(timeout)

    def purge(self) -> int:
        """Delete the opens that are too old now, and return their number.

        Raises:
            StorageError: the storage or the spool can't be used.
        """
        plan = self._tracker.plan_purge(before=self._tracker.now() - self._keep)
        due = sum(number for _, number in plan.count())
        if not due or self._refuse(due):
            return 0
        deleted = 0
        for number in plan.run():
            deleted += number
            if self._stopping.is_set():
                break
        _logger.info("Deleted %s from before %s", plural(deleted, "open"), plan.before)
        return deleted

    def _refuse(self, due: int) -> bool:
        kept = sum(pixel.kept for pixel in self._tracker.iter_pixels())
        self._refused = due > _ALWAYS and 2 * due > kept
        if self._refused:
            _logger.error(
                "--keep stops: %s of %s would be deleted at once. Check the clock. If it is right, delete them with"
                " `mailtrack purge`, and restart the server.",
                plural(due, "open"),
                f"{kept:,}",
            )
        return self._refused

    def _work(self, *, last: bool) -> float:
        if not last and not self._refused:
            try:
                self.purge()
            except StorageError as error:
                _logger.warning("Deleting old opens failed; trying again in an hour: %s", error)
            except Exception:  # the thread must go on after any error
                _logger.exception("Deleting old opens failed")
        return _LOOK_SECONDS

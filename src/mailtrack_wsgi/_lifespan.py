"""Starts a tracker in each process that serves, with its first request, and stops it when the process ends."""

import atexit
import logging
import os
from multiprocessing.util import Finalize
from pathlib import Path

from mailtrack._spool import Spool
from mailtrack._tracker import Tracker
from mailtrack.storage._abilities import SupportsLocalFile
from mailtrack.storage._protocol import Storage

_logger = logging.getLogger(__name__)


class Lifespan:
    """Starts and stops a tracker, in a host that says neither when it begins to serve nor when it ends. Thread-safe.

    Needs no lock: to start a tracker twice is harmless. A forked child finds that it has not started, whatever its
    parent had done.

    Args:
        tracker: the tracker. Before it is started, it stores opens at once.
    """

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker
        self._process: int | None = None

    def start(self) -> None:
        """Start the tracker in this process. Harmless if it is started."""
        if self._process == os.getpid():
            return
        try:
            self._tracker.start()
        except Exception:
            _logger.exception("The spool can't be used, so opens are stored while their images wait.")
        atexit.unregister(self.stop)
        atexit.register(self.stop)  # behind the storage's handler, and so called before it
        # For processes of `multiprocessing`, as the workers of granian are, which do not run those of `atexit`.
        Finalize(None, self.stop, exitpriority=0)
        self._process = os.getpid()

    def stop(self) -> None:
        """Stop the tracker if it is started in this process. The next request would start it again."""
        if self._process == os.getpid():
            self._process = None
            self._tracker.stop()


def make_spool(storage: Storage, url: str, folder: str | os.PathLike[str] | None) -> Spool | None:
    """Return the spool that a host's setting names, not open yet.

    Args:
        storage: where the opens go.
        url: the URL that it was opened with.
        folder: a folder, "off" for none, and `None` for the one that `mailtrack serve` would use: beside the file of
            the storage, if it has one; none for `memory://`; else `mailtrack.spool` in the working directory.
    """
    if folder == "off":
        return None
    if folder is not None:
        return Spool(folder)
    if isinstance(storage, SupportsLocalFile):
        return Spool(f"{storage.path}.spool")
    return None if url.lower().startswith("memory:") else Spool(Path("mailtrack.spool").absolute())

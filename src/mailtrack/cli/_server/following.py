"""`FollowingJudge`: a judge whose networks follow their files while the server runs."""

import logging
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from mailtrack._errors import MailtrackError
from mailtrack._spool import PeriodicThread
from mailtrack.cli._settings import Settings
from mailtrack.verdicts._judge import use_table

_LOOK_SECONDS = 2.0  # the files are only looked at, and read after a change

_logger = logging.getLogger(__name__)

Stamps = dict[Path, tuple[int, int, int]]


class FollowingJudge:
    """A judge, and a thread that gives it a new table when a stored list or a file of `--networks` has changed.

    Lists that can't be used are logged once, and the judge keeps its table.

    Args:
        settings: those of the server.

    Attributes:
        judge: the judge.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stamps = _stamps(settings)  # before the files are read: a change in between shows
        self.judge = settings.make_judge()
        self._thread = PeriodicThread("mailtrack-networks", self._work, first_wait=_LOOK_SECONDS)

    def start(self) -> None:
        """Start the thread, a daemon that ends with its process."""
        self._thread.start()

    def look(self) -> None:
        """Take up the lists if one has changed."""
        stamps = _stamps(self._settings)
        if stamps == self._stamps:
            return
        self._stamps = stamps
        try:
            use_table(self.judge, self._settings.make_table())
        except MailtrackError as error:
            _logger.warning("Changed networks can't be used; the former ones stay: %s", error)
            return
        _logger.info("Networks have changed; opens are judged by version %d", self.judge.table.version)

    def _work(self, *, last: bool) -> float:  # noqa: ARG002  # it may be stopped at any time
        try:
            self.look()
        except Exception:  # the thread must go on after any error
            _logger.exception("Looking at the networks failed")
        return _LOOK_SECONDS


def _stamps(settings: Settings) -> Stamps:
    """Return what changes when a file is replaced or written."""
    found: Stamps = {}
    for file in _files(settings):
        with suppress(OSError):
            state = file.stat()
            found[file] = (state.st_mtime_ns, state.st_size, state.st_ino)
    return found


def _files(settings: Settings) -> Iterator[Path]:
    yield from map(Path, settings.network_files.values())
    if settings.stored_networks is not None:
        yield from settings.stored_networks.path.glob("[!.]*.txt")

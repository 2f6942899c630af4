"""The signal `opened`, and what sends it."""

import logging
import weakref
from collections.abc import Sequence
from typing import Any

from django.db import close_old_connections, connections
from django.dispatch import Signal

from mailtrack._errors import StorageError
from mailtrack._event import Event
from mailtrack._forking import ForkSafeLock
from mailtrack._model import Open
from mailtrack._tracker import Tracker

_logger = logging.getLogger(__name__)

READER = "django.opened"
"""The name under which the storage keeps how far the signal has been sent."""


class _Opened(Signal):
    """A signal that is not followed for as long as it has no receivers."""

    def connect(self, *arguments: Any, **options: Any) -> None:
        super().connect(*arguments, **options)
        for announcer in list(_announcers):
            announcer.begin()


_announcers: "weakref.WeakSet[Announcer]" = weakref.WeakSet()

opened: Signal = _Opened()
"""Sent for each stored open, at least once, with `open`, `pixel`, `recipient` and `event`.

The sender is `mailtrack.Tracker`. `recipient` is `None` for an open without a token. `event` is the `mailtrack.Event`
of all that. Receivers take further keyword arguments, since later releases may add some. An exception of a receiver is
logged, and changes nothing: the event has been sent.
"""


class Announcer:
    """Sends `opened` for stored opens, from when it has receivers. Thread-safe.

    Args:
        tracker: the tracker of the project.
        threaded: whether a thread sends it, at least once, also what other processes have stored. Otherwise it is sent
            for the opens of this process while they are stored, as a storage in memory needs it that ends with it.
    """

    def __init__(self, tracker: Tracker, *, threaded: bool) -> None:
        self._tracker = tracker
        self._threaded = threaded
        self._serves = False
        self._begun = False
        self._beginning = ForkSafeLock()
        self._after = None if threaded else tracker.get_feed_end()
        if not threaded:
            tracker._report_opens(self._announce)
        _announcers.add(self)

    def serve(self) -> None:
        """Begin to send, once there are receivers: this process serves the project."""
        if not self._serves:
            self._serves = True
            self.begin()

    def begin(self) -> None:
        """Begin to send if there are receivers, and this process serves. Harmless if it has begun."""
        if not self._threaded or not self._serves or not opened.has_listeners(Tracker):
            return
        with self._beginning:
            if not self._begun:
                try:
                    self._tracker._call_on_open(self._send_in_thread, READER, at_end=connections.close_all)
                except StorageError:
                    _logger.exception("The signal `opened` is not sent in this process.")
                self._begun = True

    def _announce(self, _: Sequence[Open]) -> None:
        with self._beginning:
            after, self._after = self._after, self._tracker.get_feed_end()
            end = self._after
        if not opened.has_listeners(Tracker):
            return
        for event in self._tracker.iter_events(after):
            _send(event)
            if event.cursor == end:  # other threads send what is behind
                break

    def _send_in_thread(self, event: Event) -> None:
        close_old_connections()  # as Django does around a request
        _send(event)
        close_old_connections()


def _send(event: Event) -> None:
    opened.send_robust(sender=Tracker, open=event.open, pixel=event.pixel, recipient=event.recipient, event=event)

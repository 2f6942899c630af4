"""The signal `opened`, and the thread that sends it."""

import logging
import queue
import threading
from collections.abc import Sequence
from contextlib import suppress

import attrs
from django.db import close_old_connections, connections
from django.dispatch import Signal

from mailtrack._forking import ForkSafeLock
from mailtrack._model import Open
from mailtrack._pixels import pixels_of
from mailtrack._tracker import Tracker

_logger = logging.getLogger(__name__)

_MOST_WAITING = 1000  # batches of up to some thousand opens each

opened: Signal = Signal()
"""Sent for each open that this process has stored, at most once, with `open`, `pixel` and `recipient`.

The sender is `mailtrack.Tracker`. `recipient` is `None` for an open without a token. Receivers take further keyword
arguments, since later releases may add some. An exception of a receiver is logged, and changes nothing.
"""


class Announcer:
    """Sends `opened` for stored opens. Thread-safe.

    Args:
        tracker: finds the pixels and recipients of opens.
        threaded: whether a thread of its own sends it, so that receivers never delay the storing of opens. What they
            have not received yet waits, up to a limit. Otherwise they are called at once.
    """

    def __init__(self, tracker: Tracker, *, threaded: bool) -> None:
        self._tracker = tracker
        self._threaded = threaded
        self._waiting: queue.Queue[Sequence[Open] | None] = queue.Queue(_MOST_WAITING)
        self._thread: threading.Thread | None = None
        self._starting = ForkSafeLock()

    def announce(self, opens: Sequence[Open]) -> None:
        """Send the signal for opens, which are new. Never raises."""
        if not opened.has_listeners(Tracker):
            return
        if not self._threaded:
            self._send(opens)
            return
        self._start()
        try:
            self._waiting.put_nowait(opens)
        except queue.Full:
            _logger.error("Receivers of `opened` are too slow; %d opens are not sent to them.", len(opens))

    def stop(self, timeout: float) -> None:
        """Send what waits, for up to `timeout` seconds, and end the thread."""
        thread, self._thread = self._thread, None
        if thread is not None and thread.is_alive():
            with suppress(queue.Full):
                self._waiting.put(None, timeout=timeout)
                thread.join(timeout)

    def _start(self) -> None:
        """Start the thread, unless it runs: the thread of its parent does not run in a forked child."""
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._waiting = queue.Queue(_MOST_WAITING)  # a fork may have left the parent's locked
                self._thread = threading.Thread(target=self._run, name="mailtrack-opened", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        try:
            while (opens := self._waiting.get()) is not None:
                close_old_connections()  # as Django does around a request
                self._send(opens)
                close_old_connections()
        finally:
            connections.close_all()

    def _send(self, opens: Sequence[Open]) -> None:
        try:
            recipients = self._tracker.get_recipients({one.recipient_id for one in opens})
            pixels = pixels_of(opens, self._tracker.get_pixel)
        except Exception:
            _logger.exception("%d opens can't be looked up, and are not sent to receivers of `opened`.", len(opens))
            return
        for one in opens:
            if pixel := pixels.get(one.pixel_id):  # it was not deleted meanwhile
                recipient = recipients.get(one.recipient_id or "")
                as_listed = attrs.evolve(one, token=recipient.token if recipient else None)
                opened.send_robust(sender=Tracker, open=as_listed, pixel=pixel, recipient=recipient)

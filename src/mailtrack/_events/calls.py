"""`Calls`: the thread that calls one function with events."""

import inspect
import logging
import threading
import time
from collections.abc import Callable

import attrs

from mailtrack._errors import StorageError
from mailtrack._event import Event, First
from mailtrack._events.backoff import backoff
from mailtrack._events.place import Place
from mailtrack._times import Clock
from mailtrack.storage._feed import Feed

_LOOK_SECONDS = 0.5  # for opens that other processes have stored, and for leases that have ended
_FRESH_SECONDS = 1.0  # events read longer ago are read again, since parts of them may be erased by now
_EVENTS_AT_ONCE = 100  # more with each full page that a fast function has got through while it was fresh,
_MOST_EVENTS = 1000  # up to so many
_MOST_STORAGE_SECONDS = 5.0

_logger = logging.getLogger(__name__)


@attrs.frozen
class Callback:
    """A function to call with events.

    Attributes:
        name: the name of its reader of the feed.
        function: the function.
        first: which events it is called with.
        at_end: called once in the same thread, when that ends.
    """

    name: str
    function: Callable[[Event], object]
    first: First
    at_end: Callable[[], object] | None = None


class Calls:
    """Calls a function with events in a daemon thread, which is started once, and does not survive a fork.

    Of all processes that have a function of this name, one calls it at a time.

    Args:
        feed: the feed.
        callback: the function.
        clock: returns the current time.
    """

    def __init__(self, feed: Feed, callback: Callback, clock: Clock) -> None:
        self._feed = feed
        self._callback = callback
        self._place = Place(feed, callback.name, clock)
        self._at_once = _EVENTS_AT_ONCE
        self._failed_id = ""  # the event on which the function fails,
        self._failures = 0  # and how often it has
        self._storage_failures = 0
        self._woken = threading.Event()
        self._stopping = threading.Event()
        # No `BackgroundThread`: a process that the function starts could not be ended by a signal.
        self._thread = threading.Thread(target=self._run, name=f"mailtrack-on-open-{callback.name}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wake(self) -> None:
        """Look for events now."""
        self._woken.set()

    def renew(self) -> None:
        """Keep the lease, if the thread has it. A failing storage changes nothing: the next time tries again."""
        try:
            self._place.renew()
        except Exception:
            _logger.debug("The lease of the function %r of on_open was not renewed", self._callback.name, exc_info=True)

    def end(self) -> None:
        """Let the thread end once the function returns, save its place and release the lease."""
        self._stopping.set()
        self._woken.set()

    def join(self, timeout: float) -> None:
        """Wait for the end of the thread, for up to `timeout` seconds."""
        if self._thread is not threading.current_thread():  # the function itself may stop the tracker
            self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._woken.clear()
            try:
                wait = self._work()
                self._storage_failures = 0
            except Exception as error:  # the thread must go on after any error
                self._storage_failures += 1
                wait = min(backoff(self._storage_failures), _MOST_STORAGE_SECONDS)
                expected = isinstance(error, StorageError)
                message = "The function %r of on_open gets no events; trying again in %.1f s: %s"
                _logger.warning(message, self._callback.name, wait, error, exc_info=not expected)
            self._woken.wait(wait)
        self._place.release()
        if self._callback.at_end is not None:
            self._callback.at_end()

    def _work(self) -> float:
        """Call the function with some events, and return how many seconds to wait before the next time."""
        if not self._place.take():
            return _LOOK_SECONDS
        after = self._place.after
        page = self._feed.list_events(limit=self._at_once, after=after, first=self._callback.first)
        until = time.monotonic() + _FRESH_SECONDS
        for event in page.items:
            if not (self._call(event) and self._place.pass_to(event.cursor, handled=True)):
                return 0.0
            if self._stopping.is_set() or time.monotonic() > until:
                self._at_once = _EVENTS_AT_ONCE
                return 0.0
        if len(page.items) == self._at_once:
            self._at_once = min(2 * self._at_once, _MOST_EVENTS)
        if page.next is None or page.next == after:
            self._place.save()
            return _LOOK_SECONDS
        self._place.pass_to(page.next, handled=False)
        return 0.0

    def _call(self, event: Event) -> bool:
        """Call the function, and return whether it handled the event. If not, wait until it is to be tried again."""
        try:
            _check(self._callback.function(event))
        except BaseException:  # also `SystemExit`, which would end the thread without a word
            self._failures = self._failures + 1 if self._failed_id == event.id else 1
            self._failed_id, wait = event.id, backoff(self._failures)
            message = "The function %r of on_open failed for the event %s; it is called again in %.1f s."
            _logger.exception(message, self._callback.name, event.id, wait)
            self._place.save()
            self._stopping.wait(wait)
            return False
        self._failed_id = ""
        return True


def _check(returned: object) -> None:
    """Fail if a function has returned a coroutine, which has not run."""
    if inspect.iscoroutine(returned):
        returned.close()  # or Python warns of it as well
        raise TypeError("the function returned a coroutine; it must not be async")

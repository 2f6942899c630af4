"""`Callbacks`: the functions of a tracker that are called with events."""

import inspect
import logging
import os
import re
import time
from collections.abc import Callable, Sequence
from functools import partial

from mailtrack._errors import InvalidArgument, StorageUnavailable
from mailtrack._event import FIRSTS, Event, First
from mailtrack._events.calls import Callback, Calls
from mailtrack._forking import ForkSafeLock
from mailtrack._model import Open
from mailtrack._spool import PeriodicThread
from mailtrack._times import Clock
from mailtrack.storage._feed import Feed

_MOST_CHARACTERS = 128
_RENEW_SECONDS = 5.0  # a third of a lease
_NOT_IN_NAMES = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

_logger = logging.getLogger(__name__)


class Callbacks:
    """Functions that are called with events, each in a thread of its own. Thread-safe.

    Args:
        feed: the feed.
        clock: returns the current time.
    """

    def __init__(self, feed: Feed, clock: Clock) -> None:
        self._feed = feed
        self._clock = clock
        self._callbacks: dict[str, Callback] = {}
        self._starting = ForkSafeLock()
        self._process: int | None = None  # the one in which it is started
        self._threads: list[Calls] = []
        self._keeper: PeriodicThread | None = None

    def add(
        self,
        function: Callable[[Event], object],
        name: str,
        first: First,
        *,
        late: bool = False,
        at_end: Callable[[], object] | None = None,
    ) -> None:
        """Add a function, whose reader is added at the end of the feed if there is none of its name.

        Args:
            function: the function.
            name: the name of its reader.
            first: which events it is called with.
            late: whether it may be added while the others are called.
            at_end: called in the thread of the function, when that ends.

        Raises:
            InvalidArgument: an argument can't be used, the name is taken, or it is too late.
            StorageError: the storage can't be written.
        """
        _check(function, name, first)
        with self._starting:
            if self._process == os.getpid() and not late:
                raise InvalidArgument("function", "must be given to on_open before the tracker is started")
            if name in self._callbacks:
                raise InvalidArgument("name", "is that of another function of this tracker")
            try:
                self._feed.add_reader(name)
            except StorageUnavailable as error:
                _logger.warning("The function %r of on_open begins once the storage can be used: %s", name, error)
            self._callbacks[name] = callback = Callback(name, function, first, at_end)
            if self._process == os.getpid():
                self._start_one(callback)

    def start(self) -> None:
        """Start the threads of this process, also in a forked child of one that had started. Harmless if they run."""
        with self._starting:
            if self._process == os.getpid():
                return
            self._process, self._threads, self._keeper = os.getpid(), [], None
            for callback in self._callbacks.values():
                self._start_one(callback)

    def _start_one(self, callback: Callback) -> None:
        if self._keeper is None:
            renew = partial(_renew, self._threads)
            self._keeper = PeriodicThread("mailtrack-on-open-leases", renew, first_wait=_RENEW_SECONDS)
            self._keeper.start()
        calls = Calls(self._feed, callback, self._clock)
        calls.start()
        self._threads.append(calls)

    def wake(self, _: Sequence[Open]) -> None:
        """Look for events now."""
        if self._process == os.getpid():  # a fork may have left the locks of the parent's threads closed for ever
            for one in self._threads:
                one.wake()

    def end(self) -> None:
        """Let the threads end once the functions return."""
        if self._process == os.getpid():
            for one in self._threads:
                one.end()

    def stop(self, timeout: float) -> None:
        """Wait for the functions to return and the threads to end, for up to `timeout` seconds."""
        with self._starting:
            self.end()
            if self._process != os.getpid():
                return
            threads, keeper = self._threads, self._keeper
            self._threads, self._keeper, self._process = [], None, None
        deadline = time.monotonic() + timeout
        for one in threads:
            one.join(max(0.0, deadline - time.monotonic()))
        if keeper is not None:
            keeper.stop(max(0.0, deadline - time.monotonic()))


def _renew(threads: Sequence[Calls], *, last: bool) -> float:
    for one in () if last else threads:
        one.renew()
    return _RENEW_SECONDS


def _check(function: object, name: object, first: object) -> None:
    called = inspect.getattr_static(type(function), "__call__", None)  # of an object that is called
    if not callable(function) or inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called):
        raise InvalidArgument("function", "must be a function that is not async")
    if not isinstance(name, str) or not 1 <= len(name) <= _MOST_CHARACTERS or _NOT_IN_NAMES.search(name):
        raise InvalidArgument("name", f"must have 1 to {_MOST_CHARACTERS} characters, without control characters")
    if first not in FIRSTS:
        raise InvalidArgument("first", f"must be one of {', '.join(FIRSTS)}")

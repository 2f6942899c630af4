"""Follow the feed in a command: print what is new until the reader of the output, or the user, has had enough."""

import errno
import select
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from mailtrack._errors import StorageUnavailable
from mailtrack._event import Event
from mailtrack._paging import MAX_LIMIT
from mailtrack._tracker import Tracker
from mailtrack.cli._output import echo

_LOOK_SECONDS = 0.5


def follow(tracker: Tracker, pixel_id: str | None) -> Iterator[Sequence[Event]]:
    """Iterate over the events from now on, of one pixel or of all, without an end, some at a time.

    While the storage can't be reached, it waits, after a message on standard error.

    Raises:
        StorageError: the storage can't be used at the start, or fails in another way later.
        BrokenPipeError: standard output is a pipe whose reader has gone.
    """
    after, away = tracker.get_feed_end(), False
    while True:
        try:
            page = tracker.list_events(limit=MAX_LIMIT, after=after)
        except StorageUnavailable as error:
            if not away:
                echo(f"Waiting for the storage: {error}", err=True)
            away = True
            _wait()
            continue
        away = False
        found = [event for event in page.items if pixel_id is None or event.open.pixel_id == pixel_id]
        if found:
            yield found
        if page.next == after:
            _wait()
        after = page.next or after


@contextmanager
def until_stopped() -> Iterator[None]:
    """End what is done within by Ctrl-C or SIGTERM, quietly."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with suppress(KeyboardInterrupt):
            yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _wait() -> None:
    """Wait some time, but not for what is not read any more."""
    try:
        output = sys.stdout.fileno()
    except (AttributeError, OSError, ValueError):  # it is closed, or no file
        time.sleep(_LOOK_SECONDS)
        return
    poll = select.poll()
    poll.register(output, 0)  # only its errors
    if poll.poll(_LOOK_SECONDS * 1000):
        raise BrokenPipeError(errno.EPIPE, "The reader of the output has gone.")

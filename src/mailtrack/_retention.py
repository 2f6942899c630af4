"""`Purge`: opens that are deleted for their age, in short steps, while servers run."""

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import attrs

from mailtrack._errors import InvalidArgument, StorageUnavailable
from mailtrack._model import Pixel
from mailtrack._spool import oldest_hit
from mailtrack._times import to_utc
from mailtrack.storage._protocol import Storage

_PURGED_AT_ONCE = 1000  # in some 30 ms with SQLite
_MARGIN = timedelta(minutes=1)  # a hit may be a little older than the first one in its file


@attrs.frozen(kw_only=True)
class Purge:
    """Opens that can be purged. Making one reads and changes nothing.

    Attributes:
        before: opens whose time is before this one are purged. It is earlier than what was asked for where hits from
            then on lie in the spool: should one of them be stored already, it would be stored and counted once more.
    """

    before: datetime
    _storage: Storage = attrs.field(repr=False)
    _pixels: Callable[[], Iterable[Pixel]] = attrs.field(repr=False)

    def count(self) -> Iterator[tuple[Pixel, int]]:
        """Iterate over the pixels that have such opens, each with their number. Costs by the opens; blocks no writer.

        Raises:
            StorageError: the storage does not answer.
        """
        for pixel in self._pixels():
            if number := self._storage.count_opens(pixel.id, before=self.before):
                yield pixel, number

    def run(self) -> Iterator[int]:
        """Delete them, and yield after each thousand how many that were.

        Each step is a transaction of its own of some 30 ms, followed by a pause as long as the step, in which others
        can write. What was deleted stays deleted where an error or the caller ends the iteration early.

        Raises:
            StorageError: the storage can't be written.
        """
        for pixel in self._pixels():
            began = time.monotonic()
            while number := self._storage.purge_opens(pixel.id, before=self.before, limit=_PURGED_AT_ONCE):
                yield number
                time.sleep(time.monotonic() - began)
                began = time.monotonic()


def make_purge(
    storage: Storage, pixels: Callable[[], Iterable[Pixel]], *, before: datetime, spool: Path | None, now: datetime
) -> Purge:
    """Make a `Purge` of some pixels' opens.

    Args:
        storage: where the opens are.
        pixels: returns the pixels as of now, on each call.
        before: opens whose time is before this one are purged.
        spool: the spool's folder, `None` for none.
        now: the time now.

    Raises:
        InvalidArgument: `before` is no time with a time zone, or is in the future.
        StorageUnavailable: the spool can't be read.
    """
    until = to_utc(before, "before")
    if until > now:
        raise InvalidArgument("before", "must not be in the future")
    try:
        oldest = None if spool is None else oldest_hit(spool)
    except OSError as error:
        raise StorageUnavailable(f"The spool can't be read: {error.strerror}.") from error
    return Purge(before=until if oldest is None else min(until, oldest - _MARGIN), storage=storage, pixels=pixels)

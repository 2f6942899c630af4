"""`Purge`: deletes old opens in short steps, while servers run."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import attrs

from mailtrack._errors import InvalidArgument, StorageUnavailable
from mailtrack._ingest.pending import oldest_hit
from mailtrack._model import Pixel
from mailtrack._sweeping import in_steps
from mailtrack._times import to_utc
from mailtrack.storage._protocol import Storage

_PURGED_AT_ONCE = 1000
_MARGIN = timedelta(minutes=1)  # a hit may be slightly older than the first one in its file


@attrs.frozen(kw_only=True)
class Purge:
    """A plan to delete old opens. Making one reads and changes nothing.

    Attributes:
        before: opens whose time is before this one are deleted. It is earlier than requested if the spool holds older
            hits: one of them may be stored already, and would be stored and counted again after its deletion.
    """

    before: datetime
    _storage: Storage = attrs.field(repr=False)
    _pixels: Callable[[], Iterable[Pixel]] = attrs.field(repr=False)

    def count(self) -> Iterator[tuple[Pixel, int]]:
        """Iterate over the pixels that have such opens, each with their number. It reads them all, blocking no writer.

        Raises:
            StorageError: the storage does not answer.
        """
        for pixel in self._pixels():
            if number := self._storage.count_opens(pixel.id, before=self.before):
                yield pixel, number

    def run(self) -> Iterator[int]:
        """Delete the opens, and yield the number deleted in each step, 1,000 at most.

        Other writers wait for 100 ms at most, and have a pause after each step. At the end free space is given back, in
        steps that yield 0. Deleted opens stay deleted if an error or the caller ends the iteration early.

        Raises:
            StorageError: the storage can't be written.
        """
        for pixel in self._pixels():
            yield from in_steps(partial(self._storage.purge_opens, pixel.id, before=self.before, limit=_PURGED_AT_ONCE))
        for _ in in_steps(self._storage.sweep):
            yield 0


def make_purge(
    storage: Storage, pixels: Callable[[], Iterable[Pixel]], *, before: datetime, spool: Path | None, now: datetime
) -> Purge:
    """Make a plan to delete old opens of some pixels.

    Args:
        storage: the storage with the opens.
        pixels: returns the pixels as of now, on each call.
        before: opens whose time is before this one are deleted.
        spool: the spool's folder, `None` for none.
        now: the time now.

    Raises:
        InvalidArgument: `before` is naive, not a time, or in the future.
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

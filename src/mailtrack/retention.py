"""`Purge`: opens that are deleted for their age, in short steps, while servers run."""

import time
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import attrs

from mailtrack.errors import InvalidTime
from mailtrack.model import Pixel
from mailtrack.spool import oldest_hit
from mailtrack.storage.protocol import Storage
from mailtrack.times import Clock, to_utc

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
    _pixels: Iterable[Pixel] = attrs.field(repr=False)

    def count(self) -> Iterator[tuple[Pixel, int]]:
        """Iterate over the pixels that have such opens, each with their number. Costs by the opens; blocks no writer.

        Raises:
            StorageError: the storage does not answer.
        """
        for pixel in self._pixels:
            if number := self._storage.count_opens(pixel.id, before=self.before):
                yield pixel, number

    def run(self) -> Iterator[int]:
        """Delete them, and yield after each thousand how many that were.

        Each step is a transaction of its own of some 30 ms, followed by a pause as long as the step, in which others
        can write. What was deleted stays deleted where an error or the caller ends the iteration early.

        Raises:
            StorageError: the storage can't be written.
        """
        for pixel in self._pixels:
            began = time.monotonic()
            while number := self._storage.purge_opens(pixel.id, before=self.before, limit=_PURGED_AT_ONCE):
                yield number
                time.sleep(time.monotonic() - began)
                began = time.monotonic()


def check_before(before: datetime, clock: Clock) -> datetime:
    """Return a time as one up to which opens can be purged.

    Raises:
        InvalidTime: it has no time zone, or is in the future.
    """
    if before.tzinfo is None:
        raise InvalidTime("before needs a time zone, as in datetime.now(UTC).")
    before = to_utc(before)
    if before > clock():
        raise InvalidTime("before is in the future; opens can only be purged up to now.")
    return before


def before_spool(before: datetime, folder: Path | None) -> datetime:
    """Return a time, or an earlier one that is before all that lies in a spool's folder.

    Raises:
        OSError: the folder can't be read.
    """
    oldest = None if folder is None else oldest_hit(folder)
    return before if oldest is None else min(before, oldest - _MARGIN)

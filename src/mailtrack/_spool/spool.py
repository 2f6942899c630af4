"""`Spool`: how a process takes hits, so that they survive it."""

import enum
import errno
import logging
import math
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from os import PathLike
from pathlib import Path

from mailtrack import _forking as forking
from mailtrack._arguments import is_within, to_choice
from mailtrack._errors import InvalidArgument, StorageUnavailable
from mailtrack._spool.segment import Segment, SegmentSealed, is_left, segments

MAX_BYTES = 1024 * 1024 * 1024
"""How much a spool holds if not told otherwise: some five million hits."""

SEGMENT_BYTES = 8 * 1024 * 1024
SEGMENT_SECONDS = 30.0
_SEGMENTS_AT_LEAST = 4  # in the whole size, so that what is stored makes room while the rest waits
_COUNT_AGAIN_SECONDS = 0.1

_logger = logging.getLogger(__name__)


class Durability(enum.StrEnum):
    """When a hit is on disk, so that it survives a power cut. A killed process loses nothing either way."""

    EVERYSEC = "everysec"
    """At least each second."""

    ALWAYS = "always"
    """Before its image goes out; hits that arrive together are synced together."""


class SpoolFull(StorageUnavailable):
    """A hit is not taken: the spool is at its limit, or its disk does not take it."""


class SpoolClosed(StorageUnavailable):
    """A hit is not taken: this process does not use the spool yet, or any more."""


class Spool:
    """A folder of segments, to which any number of processes append, each to its own.

    Making one touches nothing. `open` starts using the folder in this process, and is called after a server has
    forked; a child of a process that has it open must open it anew. `append` and `sync` are thread-safe. What is in
    the folder is brought to the storage by a `Drainer`, in this process or another.

    Args:
        folder: where the segments lie, on a local disk. It is made where there is none.
        durability: when a hit is on disk.
        max_bytes: how much this process keeps in the folder before it refuses hits, with what dead processes had left
            there when it began.
        segment_bytes: a segment that has grown to this size is followed by a new one, which happens earlier in a small
            spool.
        segment_seconds: so is one that is older than this, and holds anything.

    Raises:
        InvalidArgument: there is no such durability, or a limit is no number of at least 0.
    """

    def __init__(
        self,
        folder: str | PathLike[str],
        *,
        durability: Durability | str = Durability.EVERYSEC,
        max_bytes: int = MAX_BYTES,
        segment_bytes: int = SEGMENT_BYTES,
        segment_seconds: float = SEGMENT_SECONDS,
    ) -> None:
        limits = {"max_bytes": max_bytes, "segment_bytes": segment_bytes, "segment_seconds": segment_seconds}
        for name, value in limits.items():
            if not is_within(value, 0, math.inf):
                raise InvalidArgument(name, "must be a number of at least 0")
        self.folder = Path(folder)
        self.durability = to_choice(durability, Durability, "durability")
        self.refused = 0
        self._max_bytes = max_bytes
        self._segment_bytes = min(segment_bytes, max_bytes // _SEGMENTS_AT_LEAST)
        self._segment_seconds = segment_seconds
        self._rotating = threading.Lock()
        self._active: Segment | None = None
        self._sealed: list[Segment] = []  # not closed yet
        self._left: dict[Path, int] = {}  # the sizes of all that are written no more and not stored yet
        self._left_bytes = 0
        self._others: set[Path] = set()  # those among them that dead processes had left
        self._count_again = 0.0
        forking.watch(self)

    def __repr__(self) -> str:
        return f"<Spool {self.folder.name}>"

    @property
    def is_open(self) -> bool:
        """Whether this process appends to the spool."""
        return self._active is not None

    def open(self) -> None:
        """Begin a segment of this process.

        Raises:
            OSError: the folder can't be used.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._rotating:
            if self._active is None:
                self._others = set(_left_behind(self.folder))
                self._left = _sizes(self._others)
                self._left_bytes = sum(self._left.values())
                self._active = Segment.create(self.folder)

    def append(self, line: bytes) -> None:
        """Take a hit as its line: when this returns, it survives the process, and with `always` a power cut.

        Raises:
            SpoolFull: it is not taken, for want of room; or, with `always`, it could not be brought to disk, and may
                become an open all the same.
            SpoolClosed: it is not taken, as the spool is not open.
        """
        try:
            segment, size = self._append(line)
            if self.durability is Durability.ALWAYS:
                segment.sync(size)
        except OSError as error:
            self.refused += 1
            raise SpoolFull(f"The spool does not take a hit: {error.strerror}.") from error
        if size >= self._segment_bytes:
            self._try_to_rotate(segment)

    def _append(self, line: bytes) -> tuple[Segment, int]:
        while True:
            segment = self._active
            if segment is None:
                raise SpoolClosed("The spool is not open.")
            if self._left_bytes + segment.size + len(line) > self._max_bytes:
                self._make_room(segment, len(line))
            try:
                return segment, segment.append(line)
            except SegmentSealed:
                self._rotate(segment)

    def _make_room(self, segment: Segment, size: int) -> None:
        now = time.monotonic()
        if now >= self._count_again:
            self._count_again = now + _COUNT_AGAIN_SECONDS
            self.waits()
        if self._left_bytes + segment.size + size > self._max_bytes:
            raise OSError(errno.EDQUOT, "it is at its limit")

    def sync(self) -> None:
        """Bring all that was appended to disk, and let go of segments that are written no more.

        Raises:
            OSError: the disk did not take it; a new segment is begun.
        """
        active = self._active
        if active is not None and active.size and active.age >= self._segment_seconds:
            self._try_to_rotate(active)
        failed: OSError | None = None
        with self._rotating:
            sealed = list(self._sealed)
            mine = [*sealed, *([self._active] if self._active else [])]
        for segment in mine:
            try:
                segment.sync()
            except OSError as error:
                failed = error
                self._try_to_rotate(segment)
        with self._rotating:  # no fork happens now: a child would hold a lock that nothing in it can give up
            for segment in sealed:  # as well on disk as they will ever be; whoever drains may remove them
                segment.close()
            self._sealed = [segment for segment in self._sealed if segment not in sealed]
        if failed is not None:
            raise failed

    def waits(self) -> bool:
        """Tell whether segments that this process has sealed still wait to be stored."""
        with self._rotating:
            for path in [path for path in self._left if not path.exists()]:
                self._left_bytes -= self._left.pop(path)
            return not self._left.keys() <= self._others

    def close(self) -> None:
        """Give up the segments of this process. What is not stored stays for whoever drains the folder."""
        with self._rotating:
            if self._active is not None:
                self._seal(self._active)
                self._active = None
        try:
            self.sync()
        except OSError as error:
            _logger.error("The spool's disk does not take what was written: %s.", error.strerror)

    def before_fork(self) -> None:
        """Wait until no segment is coming or going."""
        self._rotating.acquire()

    def after_fork(self, *, child: bool) -> None:
        """Let go, in a forked child, of segments that are the parent's: their locks must end with it alone."""
        if child:
            for segment in (*self._sealed, *([self._active] if self._active else [])):
                segment.abandon()
            self._active, self._sealed, self._left, self._left_bytes = None, [], {}, 0
        self._rotating.release()

    def _try_to_rotate(self, segment: Segment) -> None:
        try:
            self._rotate(segment)
        except OSError:  # a segment may as well grow on
            _logger.warning("The spool can't begin a new segment.", exc_info=True)

    def _rotate(self, segment: Segment) -> None:
        """Go on with a new segment, unless another thread has done so."""
        with self._rotating:
            if self._active is segment:
                new = Segment.create(self.folder)
                self._seal(segment)
                self._active = new

    def _seal(self, segment: Segment) -> None:
        """Needs the lock."""
        segment.seal()
        self._sealed.append(segment)
        self._left[segment.path] = segment.size
        self._left_bytes += segment.size


def _left_behind(folder: Path) -> Iterator[Path]:
    """Return the segments of dead processes."""
    for path in segments(folder):
        with suppress(OSError):  # it is stored meanwhile, or whoever drains tells of it
            if is_left(path):
                yield path


def _sizes(paths: Iterable[Path]) -> dict[Path, int]:
    found = {}
    for path in paths:
        with suppress(FileNotFoundError):  # it is stored meanwhile
            found[path] = path.stat().st_size
    return found

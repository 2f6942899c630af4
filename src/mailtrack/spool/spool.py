"""`Spool`: the append-only files that hold hits until the storage has them."""

import enum
import errno
import logging
import os
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

import attrs

from mailtrack.errors import StorageUnavailable
from mailtrack.model import Hit
from mailtrack.spool.records import UnreadableRecord, from_line, to_line
from mailtrack.spool.segment import SUFFIX, Segment, SegmentSealed

SET_ASIDE = "set-aside.lines"
"""The file in the spool's folder that keeps lines that can't be read, as they were."""

MAX_BYTES = 1024 * 1024 * 1024
"""How much a spool holds if not told otherwise: some five million hits."""

SEGMENT_BYTES = 8 * 1024 * 1024
SEGMENT_SECONDS = 30.0
_READ_BYTES = 512 * 1024

_logger = logging.getLogger(__name__)


class Durability(enum.StrEnum):
    """When a hit is on disk, so that it survives a power cut. A killed process loses nothing either way."""

    EVERYSEC = "everysec"
    """At least each second."""

    ALWAYS = "always"
    """Before its image goes out; hits that arrive together are synced together."""


class SpoolFull(StorageUnavailable):
    """A hit is not taken: the spool is at its limit, or its disk does not take it."""


@attrs.frozen(kw_only=True)
class SpoolStatus:
    """What lies in a spool's folder.

    Attributes:
        segments: files that wait.
        bytes: their size.
        hits: lines in them; a segment that is still written to may hold some that are stored already.
        set_aside: lines that could not be read.
    """

    segments: int
    bytes: int
    hits: int
    set_aside: int


@attrs.frozen
class Batch:
    """Hits from one segment, to be stored and then acknowledged."""

    segment: Segment
    end: int
    hits: list[Hit]


class Spool:
    """A folder of segments, to which any number of processes append, each to its own.

    Making one touches nothing. `open` starts using the folder in this process, and is called after a server has
    forked; a child of a process that has it open must open it anew. `append` is thread-safe; all else is for the one
    thread that drains.

    Args:
        folder: where the segments lie, on a local disk. It is made where there is none.
        durability: when a hit is on disk.
        max_bytes: how much this process keeps waiting before it refuses hits.
        segment_bytes: a segment that has grown to this size is followed by a new one.
        segment_seconds: so is one that is older than this, and holds anything.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        durability: Durability | str = Durability.EVERYSEC,
        max_bytes: int = MAX_BYTES,
        segment_bytes: int = SEGMENT_BYTES,
        segment_seconds: float = SEGMENT_SECONDS,
    ) -> None:
        self.folder = Path(folder)
        self.durability = Durability(durability)
        self.refused = 0
        self._max_bytes = max_bytes
        self._segment_bytes = segment_bytes
        self._segment_seconds = segment_seconds
        self._rotating = threading.Lock()
        self._active: Segment | None = None
        self._waiting: list[Segment] = []  # sealed, the oldest first
        self._waiting_bytes = 0
        _spools.add(self)

    def __repr__(self) -> str:
        return f"<Spool {self.folder.name}>"

    @property
    def is_open(self) -> bool:
        """Whether this process appends to the spool."""
        return self._active is not None

    def open(self) -> None:
        """Begin a segment of this process, and take over what dead processes left.

        Raises:
            OSError: the folder can't be used.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._rotating:
            if self._active is None:
                self._active = Segment.create(self.folder)
        self.recover()

    def append(self, hit: Hit) -> None:
        """Take a hit: when this returns, it survives the process, and with `always` a power cut.

        Raises:
            SpoolFull: it is not taken.
        """
        line = to_line(hit)
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
                raise OSError(errno.EBADF, "it is not open")
            if self._waiting_bytes + segment.size - segment.done + len(line) > self._max_bytes:
                raise OSError(errno.EDQUOT, "it is at its limit")
            try:
                return segment, segment.append(line)
            except SegmentSealed:
                self._rotate(segment)

    def sync(self) -> None:
        """Bring all that was appended to disk.

        Raises:
            OSError: the disk did not take it; a new segment is begun.
        """
        for segment in self._segments():
            try:
                segment.sync()
            except OSError:
                segment.seal()
                raise

    def recover(self) -> None:
        """Take over segments whose owner is gone."""
        mine = {segment.path for segment in self._segments()}
        found = [
            segment
            for path in sorted(self.folder.glob(f"*{SUFFIX}"))
            if path not in mine and (segment := Segment.adopt(path))
        ]
        for segment in found:
            _logger.info("Recovering %d bytes of hits from %s.", segment.size, segment.path.name)
        with self._rotating:
            self._waiting[:0] = found
            self._waiting_bytes += sum(segment.size for segment in found)

    def batches(self) -> Iterator[Batch]:
        """Return what waits, the oldest segments first, each batch from one segment. Acknowledge each in turn."""
        active = self._active
        if active is not None and active.size and active.age >= self._segment_seconds:
            self._try_to_rotate(active)
        for segment in self._segments():
            while data := segment.read(_READ_BYTES):
                yield Batch(segment, segment.done + len(data), self._parse(data))

    def acknowledge(self, batch: Batch) -> None:
        """Forget a batch that the storage has; a segment is removed with its last one."""
        batch.segment.done = batch.end
        self.tidy()

    def tidy(self) -> None:
        """Remove segments of which nothing is left."""
        with self._rotating:
            for segment in [found for found in self._waiting if found.done == found.size]:
                self._waiting.remove(segment)
                self._waiting_bytes -= segment.size
                segment.remove()

    def close(self) -> None:
        """Give up the segments of this process. What is not acknowledged stays for the next one."""
        segments = self._segments()
        with self._rotating:
            self._active, self._waiting, self._waiting_bytes = None, [], 0
        for segment in segments:
            segment.seal()
            if segment.done == segment.size:
                segment.remove()
            else:
                segment.close()

    def abandon(self) -> None:
        """Let go of all segments as they are, without waiting for anybody: for a forked child."""
        for segment in [*self._waiting, *([self._active] if self._active else [])]:
            segment.abandon()
        self._active, self._waiting, self._waiting_bytes = None, [], 0
        self._rotating = threading.Lock()

    def set_aside(self, line: bytes, reason: str) -> None:
        """Keep a line that can't become an open where an operator finds it.

        Raises:
            OSError: it can't be kept; it stays in its segment.
        """
        _logger.error("A line of the spool is set aside in %s: %s.", SET_ASIDE, reason)
        descriptor = os.open(self.folder / SET_ASIDE, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, line + b"\n")
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)

    def _parse(self, data: bytes) -> list[Hit]:
        hits = []
        for line in data[:-1].split(b"\n"):
            try:
                hits.append(from_line(line))
            except UnreadableRecord as error:
                self.set_aside(line, str(error))
        return hits

    def _segments(self) -> list[Segment]:
        """Return the segments of this process, the oldest first."""
        with self._rotating:
            return [*self._waiting, *([self._active] if self._active else [])]

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
                segment.seal()
                self._waiting.append(segment)
                self._waiting_bytes += segment.size
                self._active = new


def inspect(folder: Path) -> Iterator[bytes]:
    """Return the lines that wait in a spool's folder, whoever owns them, the oldest segment first."""
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            with path.open("rb") as file:
                yield from (line for line in file if line.endswith(b"\n"))
        except FileNotFoundError:
            continue  # stored meanwhile


def get_status(folder: Path) -> SpoolStatus:
    """Tell what lies in a spool's folder."""
    paths = list(folder.glob(f"*{SUFFIX}"))
    aside = folder / SET_ASIDE
    return SpoolStatus(
        segments=len(paths),
        bytes=sum(path.stat().st_size for path in paths if path.exists()),
        hits=sum(1 for _ in inspect(folder)),
        set_aside=aside.read_bytes().count(b"\n") if aside.exists() else 0,
    )


_spools: "weakref.WeakSet[Spool]" = weakref.WeakSet()


def _after_fork() -> None:
    """Let go, in a forked child, of segments that are the parent's: their locks must end with it alone."""
    for spool in list(_spools):
        spool.abandon()


os.register_at_fork(after_in_child=_after_fork)

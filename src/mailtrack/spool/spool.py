"""`Spool`: the append-only files that hold hits until the storage has them."""

import enum
import errno
import logging
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import attrs

from mailtrack.errors import StorageUnavailable
from mailtrack.model import Hit
from mailtrack.spool import aside
from mailtrack.spool.records import UnreadableRecord, from_line, to_line
from mailtrack.spool.segment import SUFFIX, Segment, SegmentSealed
from mailtrack.storage import forks

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


class SpoolClosed(StorageUnavailable):
    """A hit is not taken: this process does not use the spool yet, or any more."""


@attrs.frozen(kw_only=True)
class SpoolStatus:
    """What lies in a spool's folder.

    Attributes:
        segments: files that wait.
        bytes: their size.
        hits: lines in them; a segment that is still written to may hold some that are stored already.
        set_aside: lines that could not become an open.
    """

    segments: int
    bytes: int
    hits: int
    set_aside: int


@attrs.frozen
class Batch:
    """Hits from one segment, to be stored and then acknowledged.

    Attributes:
        segment: where they come from.
        end: where they end in it.
        hits: what can be stored.
        aside: lines that can't, each with the reason; more may be added.
    """

    segment: Segment
    end: int
    hits: list[Hit]
    aside: list[tuple[bytes, str]]


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
        self._unusable: set[Path] = set()
        forks.watch(self)

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
            SpoolFull: it is not taken, for want of room.
            SpoolClosed: it is not taken, as the spool is not open.
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
                raise SpoolClosed("The spool is not open.")
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
        failed: OSError | None = None
        for segment in self._segments():
            try:
                segment.sync()
            except OSError as error:
                failed = error
        if failed is not None:
            raise failed

    def recover(self) -> None:
        """Take over segments whose owner is gone. One that can't be used is passed over, and told of in the log."""
        with self._rotating:
            mine = {segment.path for segment in self._mine()}
            found = [path for path in sorted(self.folder.glob(f"*{SUFFIX}")) if path not in mine]
            adopted = [segment for path in found if (segment := self._adopt(path))]
            self._waiting[:0] = adopted
            self._waiting_bytes += sum(segment.size for segment in adopted)

    def batches(self) -> Iterator[Batch]:
        """Return what waits, the oldest segments first, each batch from one segment. Acknowledge each in turn.

        Raises:
            OSError: some segments can't be read; raised when all others are through.
        """
        active = self._active
        if active is not None and active.size and active.age >= self._segment_seconds:
            self._try_to_rotate(active)
        failed: OSError | None = None
        for segment in self._segments():
            try:
                while data := segment.read(_READ_BYTES):
                    yield _parse(segment, data)
            except OSError as error:
                failed = error
        self._tidy()
        if failed is not None:
            raise failed

    def acknowledge(self, batch: Batch) -> None:
        """Forget a batch that the storage has; a segment is removed with its last one.

        Raises:
            OSError: what it sets aside can't be kept, and it is not forgotten; or its segment can't be removed yet.
        """
        if batch.aside:
            aside.keep(self.folder, [line for line, _ in batch.aside])
            for _, reason in batch.aside:
                _logger.error("A line of the spool is set aside in %s: %s.", aside.FILE, reason)
        batch.segment.done = batch.end
        self._tidy()

    def close(self) -> bool:
        """Give up the segments of this process. What is not acknowledged stays for the next one.

        Returns:
            Whether nothing stays.
        """
        with self._rotating:
            segments = self._mine()
            self._active, self._waiting, self._waiting_bytes = None, [], 0
            left = [segment for segment in segments if not _close(segment)]
        return not left

    def abandon(self) -> None:
        """Let go of all segments as they are, as if the process had ended."""
        for segment in self._mine():
            segment.abandon()
        self._active, self._waiting, self._waiting_bytes = None, [], 0

    def before_fork(self) -> None:
        """Wait until no segment is coming or going."""
        self._rotating.acquire()

    def after_fork(self, *, child: bool) -> None:
        """Let go, in a forked child, of segments that are the parent's: their locks must end with it alone."""
        if child:
            self.abandon()
        self._rotating.release()

    def _mine(self) -> list[Segment]:
        """Return the segments of this process, the oldest first. Needs the lock."""
        return [*self._waiting, *([self._active] if self._active else [])]

    def _segments(self) -> list[Segment]:
        """Return the segments of this process, the oldest first."""
        with self._rotating:
            return self._mine()

    def _adopt(self, path: Path) -> Segment | None:
        try:
            segment = Segment.adopt(path)
        except OSError as error:
            if path not in self._unusable:
                self._unusable.add(path)
                _logger.error("%s in the spool can't be recovered: %s.", path.name, error.strerror)
            return None
        if segment is not None:
            _logger.info("Recovering %d bytes of hits from %s.", segment.size, path.name)
        return segment

    def _tidy(self) -> None:
        """Remove segments of which nothing is left."""
        with self._rotating:
            for segment in [found for found in self._waiting if found.done == found.size]:
                segment.remove()
                self._waiting.remove(segment)
                self._waiting_bytes -= segment.size

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


def _parse(segment: Segment, data: bytes) -> Batch:
    batch = Batch(segment, segment.done + len(data), [], [])
    for line in data.removesuffix(b"\n").split(b"\n"):
        try:
            batch.hits.append(from_line(line))
        except UnreadableRecord as error:
            batch.aside.append((line, str(error)))
    return batch


def _close(segment: Segment) -> bool:
    """Remove a segment of which nothing is left, or else close it; tell which."""
    segment.seal()
    try:
        if segment.done == segment.size:
            segment.remove()
            return True
        segment.sync()
    except OSError as error:
        _logger.error("%s in the spool is left as it is: %s.", segment.path.name, error.strerror)
    segment.close()
    return False


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
    sizes = []
    for path in folder.glob(f"*{SUFFIX}"):
        with suppress(FileNotFoundError):  # stored meanwhile
            sizes.append(path.stat().st_size)
    return SpoolStatus(
        segments=len(sizes),
        bytes=sum(sizes),
        hits=sum(1 for _ in inspect(folder)),
        set_aside=aside.count(folder),
    )

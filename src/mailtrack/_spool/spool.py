"""`Spool`: appends lines to files, so that they survive the process."""

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
from mailtrack._spool.segment import Segment, SegmentSealed, is_unlocked, segments

MAX_BYTES = 1024 * 1024 * 1024
"""Default size limit of a spool, in bytes: some five million opens."""

SEGMENT_BYTES = 8 * 1024 * 1024
SEGMENT_SECONDS = 30.0
_SEGMENTS_AT_LEAST = 4  # within the size limit, so that stored segments make room while others wait
_COUNT_AGAIN_SECONDS = 0.1
_ROTATE = "rotate"  # a file whose time says when a rotation was last requested

_logger = logging.getLogger(__name__)


class Durability(enum.StrEnum):
    """When a line is synced to disk, which protects it from a power cut. A killed process loses nothing either way."""

    EVERYSEC = "everysec"
    """At least once a second."""

    ALWAYS = "always"
    """Before the image is served. Lines that arrive together share one sync."""


class SpoolFull(StorageUnavailable):
    """The spool refuses an open: it is at its size limit, or its disk can't be written."""


class SpoolClosed(StorageUnavailable):
    """The spool refuses an open: it is not open in this process."""


class Spool:
    """A folder of append-only files that keeps opens until they are stored. Many processes can share it.

    Making one touches no file. `Tracker.start` opens the spool in its process, after a server has forked. A forked
    child does not inherit an open spool, and opens it again. `append` and `sync` are thread-safe.

    Args:
        folder: a folder on a local disk. `open` creates it if it does not exist.
        durability: when an open is synced to disk.
        max_bytes: size from which this process refuses opens: that of its own segments that are not stored yet, and of
            those that dead processes had left when it opened the spool.
        segment_bytes: size at which a segment is followed by a new one; at most a quarter of `max_bytes`.
        segment_seconds: age at which a segment that is not empty is followed by a new one.

    Attributes:
        folder: the folder.
        refused: the number of opens that this process has refused.

    Raises:
        InvalidArgument: the durability does not exist, or a limit is not a number of at least 0.
    """

    folder: Path
    refused: int

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
        self.refused = 0
        self._syncs_each = to_choice(durability, Durability, "durability") is Durability.ALWAYS
        self._max_bytes = max_bytes
        self._segment_bytes = min(segment_bytes, max_bytes // _SEGMENTS_AT_LEAST)
        self._segment_seconds = segment_seconds
        self._rotating = threading.Lock()
        self._active: Segment | None = None
        self._sealed: list[Segment] = []  # not closed yet
        self._left: dict[Path, int] = {}  # sizes of the segments that are sealed and not removed yet
        self._left_bytes = 0
        self._others: set[Path] = set()  # those among them that dead processes left
        self._count_again = 0.0
        self._requested = 0
        forking.watch(self)

    def __repr__(self) -> str:
        return f"<Spool {self.folder.name}>"

    @property
    def is_open(self) -> bool:
        """Whether this process appends to the spool."""
        return self._active is not None

    def open(self) -> None:
        """Create the folder and a segment of this process. Harmless if the spool is open.

        Raises:
            OSError: the folder can't be used.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._rotating:
            if self._active is None:
                self._others = set(_left_behind(self.folder))
                self._left = _sizes(self._others)
                self._left_bytes = sum(self._left.values())
                self._requested = _last_request(self.folder)
                self._active = Segment.create(self.folder)

    def append(self, line: bytes) -> None:
        """Append a line, with its line break. It then survives the process and, with `always`, a power cut.

        Raises:
            SpoolFull: there is no room for the line. Or, with `always`, it was written but not synced, so it may be
                stored all the same.
            StorageUnavailable: the spool is not open in this process.
        """
        try:
            while True:
                segment = self._active
                if segment is None:
                    raise SpoolClosed("The spool is not open.")
                if self._left_bytes + segment.size + len(line) > self._max_bytes:
                    self._make_room(segment, len(line))
                try:
                    size = segment.append(line)
                    break
                except SegmentSealed:
                    self._rotate(segment)
            if self._syncs_each:
                segment.sync(size)
        except OSError as error:
            self.refused += 1
            raise SpoolFull(f"The spool refuses an open: {error.strerror}.") from error
        if size >= self._segment_bytes:
            self._try_to_rotate(segment)

    def _make_room(self, segment: Segment, size: int) -> None:
        now = time.monotonic()
        if now >= self._count_again:
            self._count_again = now + _COUNT_AGAIN_SECONDS
            self.waits()
        if self._left_bytes + segment.size + size > self._max_bytes:
            raise OSError(errno.EDQUOT, "it is at its size limit")

    def sync(self) -> None:
        """Sync all lines to disk, and close sealed segments. Go on with a new one if that is due or requested.

        Raises:
            OSError: the sync failed. Lines go to a new segment from now on.
        """
        active = self._active
        requested = _last_request(self.folder)
        due = requested != self._requested
        self._requested = requested
        if active is not None and active.size and (due or active.age >= self._segment_seconds):
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
        with self._rotating:  # blocks forks: a child would inherit the locks of `close` and never release them
            for segment in sealed:  # synced as far as possible; the reader may remove them once they are unlocked
                segment.close()
            self._sealed = [segment for segment in self._sealed if segment not in sealed]
        if failed is not None:
            raise failed

    def waits(self) -> bool:
        """Return whether sealed segments of this process still wait to be stored."""
        with self._rotating:
            for path in [path for path in self._left if not path.exists()]:
                self._left_bytes -= self._left.pop(path)
            return not self._left.keys() <= self._others

    def close(self) -> None:
        """Close the segments of this process. Their lines wait in the folder for the process that drains it."""
        with self._rotating:
            if self._active is not None:
                self._seal(self._active)
                self._active = None
        try:
            self.sync()
        except OSError as error:
            _logger.error("The spool can't be synced to disk: %s.", error.strerror)

    def before_fork(self) -> None:
        """Wait until no segment is being created or closed."""
        self._rotating.acquire()

    def after_fork(self, *, child: bool) -> None:
        """Close the parent's segments in a forked child, so that their locks end with the parent."""
        if child:
            for segment in (*self._sealed, *([self._active] if self._active else [])):
                segment.abandon()
            self._active, self._sealed, self._left, self._left_bytes = None, [], {}, 0
        self._rotating.release()

    def _try_to_rotate(self, segment: Segment) -> None:
        try:
            self._rotate(segment)
        except OSError:  # the present segment grows on
            _logger.warning("The spool can't create a new segment.", exc_info=True)

    def _rotate(self, segment: Segment) -> None:
        """Continue with a new segment, unless another thread has replaced this one."""
        with self._rotating:
            if self._active is segment:
                new = Segment.create(self.folder)
                self._seal(segment)
                self._active = new

    def _seal(self, segment: Segment) -> None:
        """Seal a segment. The caller holds `_rotating`."""
        segment.seal()
        self._sealed.append(segment)
        self._left[segment.path] = segment.size
        self._left_bytes += segment.size


def request_rotation(folder: Path) -> None:
    """Have every process that uses a spool go on with a new segment within a second, so that the present ones end.

    Raises:
        OSError: the folder can't be written.
    """
    (folder / _ROTATE).touch(mode=0o600)


def _last_request(folder: Path) -> int:
    try:
        return (folder / _ROTATE).stat().st_mtime_ns
    except OSError:
        return 0


def _left_behind(folder: Path) -> Iterator[Path]:
    """Return the segments of dead processes."""
    for path in segments(folder):
        with suppress(OSError):  # it was stored meanwhile, or the reader logs the error
            if is_unlocked(path):
                yield path


def _sizes(paths: Iterable[Path]) -> dict[Path, int]:
    found = {}
    for path in paths:
        with suppress(FileNotFoundError):  # it was stored meanwhile
            found[path] = path.stat().st_size
    return found

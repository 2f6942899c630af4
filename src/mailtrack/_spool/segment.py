"""One file of the spool: append-only, written by one process, which holds a lock on it as long as it may write."""

import errno
import fcntl
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from mailtrack._errors import MailtrackError
from mailtrack._spool.system import load_write

SUFFIX = ".spool"

_sync_data = getattr(os, "fdatasync", os.fsync)  # macOS has only the latter


def _load_and_write(descriptor: int, data: bytes) -> int:
    global write
    write = load_write()
    return write(descriptor, data)


write: Callable[[int, bytes], int] = _load_and_write
"""Writes to a file, and returns how many bytes were written."""


class SegmentSealed(MailtrackError):
    """A segment takes no more; go on with the next one."""


class Segment:
    """An open, locked file of records, for the process that writes it. Thread-safe.

    The lock (`flock`) is held as long as the segment is open, and ends with the process, however that ends.

    Attributes:
        path: the file.
        size: bytes that are whole records.
        sealed: whether it takes no more.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.size = 0
        self.sealed = False
        self._born = time.monotonic()
        self._descriptor = descriptor
        self._synced = 0
        self._unsyncable = False
        self._appending = threading.Lock()
        self._syncing = threading.Lock()

    def __repr__(self) -> str:
        return f"<Segment {self.path.name} {self.size}>"

    @classmethod
    def create(cls, folder: Path) -> Self:
        """Make a new, empty segment.

        Raises:
            OSError: it can't be made.
        """
        while True:
            path = folder / f"{time.time_ns():019d}-{os.getpid()}-{os.urandom(4).hex()}{SUFFIX}"
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                if try_lock(descriptor) and is_at(descriptor, path):
                    _sync_folder(folder)
                    return cls(path, descriptor)
            except BaseException:
                os.close(descriptor)
                path.unlink(missing_ok=True)
                raise
            os.close(descriptor)  # whoever drains took it for left behind before it was locked, and removes it

    def append(self, line: bytes) -> int:
        """Append a record, wholly or not at all, and return the size of the segment behind it.

        Raises:
            SegmentSealed: it takes no more.
            OSError: it could not be written. Where not even that could be undone, the segment is sealed.
        """
        with self._appending:
            if self.sealed:
                raise SegmentSealed
            try:
                written = write(self._descriptor, line)
                if written != len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError:
                self._undo()
                raise
            self.size += written
            return self.size

    @property
    def age(self) -> float:
        """How long it has been open, in seconds."""
        return time.monotonic() - self._born

    def seal(self) -> None:
        """Let nothing more be appended."""
        with self._appending:
            self.sealed = True

    def sync(self, size: int | None = None) -> None:
        """Return when the first `size` bytes (all by now, if not given) are on disk. One call serves all that wait.

        Raises:
            OSError: the disk did not take them. The segment is sealed then.
        """
        size = self.size if size is None else size
        with self._syncing:
            if self._synced >= size:
                return
            # The system forgets what it could not write: a second try would succeed, and mean nothing.
            if self._unsyncable:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            if self._descriptor >= 0:  # a closed segment was synced before
                reached = self.size
                try:
                    _sync_data(self._descriptor)
                except OSError:
                    self._unsyncable = self.sealed = True
                    raise
                self._synced = reached

    def close(self) -> None:
        """Close the file and give up the lock, once."""
        with self._appending, self._syncing:
            self.abandon()

    def abandon(self) -> None:
        """Close the file without waiting for anybody: for a forked child, whose threads are gone."""
        self.sealed = True
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _undo(self) -> None:
        try:
            os.ftruncate(self._descriptor, self.size)
        except OSError:
            self.sealed = True


def segments(folder: Path) -> list[Path]:
    """Return the segments in a spool's folder, the oldest first."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def is_left(path: Path) -> bool:
    """Tell whether a segment has no owner any more."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return try_lock(descriptor)
    finally:
        os.close(descriptor)


def try_lock(descriptor: int) -> bool:
    """Lock an open file for this process alone; tell whether that worked, or somebody else has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_at(descriptor: int, path: Path) -> bool:
    """Tell whether an open file is still the one at that path."""
    try:
        return os.fstat(descriptor).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

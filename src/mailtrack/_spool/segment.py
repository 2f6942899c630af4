"""`Segment`: one file of the spool, append-only, locked by the one process that writes it."""

import errno
import fcntl
import os
import threading
import time
from pathlib import Path
from typing import Self

from mailtrack._errors import MailtrackError
from mailtrack._spool.system import load_write

SUFFIX = ".spool"

_sync_data = getattr(os, "fdatasync", os.fsync)  # macOS has only the latter


class SegmentSealed(MailtrackError):
    """A segment is sealed. Append to the next one."""


class Segment:
    """An open, locked file of lines, for the process that writes it. Thread-safe.

    The lock (`flock`) is held while the segment is open. It ends with the process, even if that is killed.

    Attributes:
        path: the file.
        size: bytes in whole lines.
        sealed: whether appending is over.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.size = 0
        self.sealed = False
        self._born = time.monotonic()
        self._descriptor = descriptor
        self._write = load_write()
        self._synced = 0
        self._unsyncable = False
        self._appending = threading.Lock()
        self._syncing = threading.Lock()

    def __repr__(self) -> str:
        return f"<Segment {self.path.name} {self.size}>"

    @classmethod
    def create(cls, folder: Path) -> Self:
        """Create an empty segment.

        Raises:
            OSError: the file can't be created.
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
            os.close(descriptor)  # a reader took it for abandoned before it was locked, and removes it

    def append(self, line: bytes) -> int:
        """Append a line, all or nothing, and return the size of the segment with it.

        Raises:
            SegmentSealed: the segment is sealed.
            OSError: the line can't be written. If a partial line can't be removed either, the segment is sealed.
        """
        with self._appending:
            if self.sealed:
                raise SegmentSealed
            try:
                written = self._write(self._descriptor, line)
                if written != len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError:
                self._undo()
                raise
            self.size += written
            return self.size

    @property
    def age(self) -> float:
        """Seconds since it was created."""
        return time.monotonic() - self._born

    def seal(self) -> None:
        """End appending."""
        with self._appending:
            self.sealed = True

    def sync(self, size: int | None = None) -> None:
        """Sync the first `size` bytes (default: all) to disk. Threads that call it at once share one system call.

        Raises:
            OSError: the sync failed. The segment is sealed then.
        """
        size = self.size if size is None else size
        with self._syncing:
            if self._synced >= size:
                return
            # After a failed sync the system drops the dirty pages: a second sync would succeed without them.
            if self._unsyncable:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            if self._descriptor >= 0:  # a segment is synced before it is closed
                reached = self.size
                try:
                    _sync_data(self._descriptor)
                except OSError:
                    self._unsyncable = self.sealed = True
                    raise
                self._synced = reached

    def close(self) -> None:
        """Close the file, which releases the lock. Harmless if it is closed."""
        with self._appending, self._syncing:
            self.abandon()

    def abandon(self) -> None:
        """Close the file without taking locks: for a forked child, in which no thread would release them."""
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


def is_unlocked(path: Path) -> bool:
    """Return whether no process holds the lock of a segment, or of a folder."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return try_lock(descriptor)
    finally:
        os.close(descriptor)


def try_lock(descriptor: int) -> bool:
    """Take the exclusive lock of an open file without waiting; return whether it was free."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_at(descriptor: int, path: Path) -> bool:
    """Return whether an open file is still the one at a path."""
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

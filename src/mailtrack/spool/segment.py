"""One file of the spool: append-only, owned by one process through a lock, gone when all in it is stored."""

import errno
import fcntl
import os
import threading
import time
from pathlib import Path
from typing import Self

from mailtrack.errors import MailtrackError

SUFFIX = ".spool"


class SegmentSealed(MailtrackError):
    """A segment takes no more; go on with the next one."""


class Segment:
    """An open, locked file of records.

    The lock (`flock`) is held as long as the segment is open, and ends with the process, however that ends. Appending
    is thread-safe; reading is for one thread.

    Attributes:
        path: the file.
        size: bytes that are whole records.
        done: bytes whose records need not be read again.
        sealed: whether it takes no more.
    """

    def __init__(self, path: Path, descriptor: int, size: int) -> None:
        self.path = path
        self.size = size
        self._born = time.monotonic()
        self.done = 0
        self.sealed = False
        self._descriptor = descriptor
        self._synced = 0  # what another process wrote may not be on disk either
        self._unsyncable = False
        self._appending = threading.Lock()
        self._syncing = threading.Lock()

    def __repr__(self) -> str:
        return f"<Segment {self.path.name} {self.done}/{self.size}>"

    @classmethod
    def create(cls, folder: Path) -> Self:
        """Make a new, empty segment.

        Raises:
            OSError: it can't be made.
        """
        while True:
            path = folder / f"{time.time_ns():019d}-{os.getpid()}-{os.urandom(4).hex()}{SUFFIX}"
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                if _lock(descriptor, path):
                    _sync_folder(folder)
                    return cls(path, descriptor, 0)
            except BaseException:
                os.close(descriptor)
                path.unlink(missing_ok=True)
                raise
            os.close(descriptor)  # another process took it for left behind before it was locked, and removes it

    @classmethod
    def adopt(cls, path: Path) -> Self | None:
        """Take over a segment whose owner is gone; `None` where it lives, or somebody else was faster.

        A last line without its end was being written when the owner died: it is not part of the segment.
        """
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            size = whole_lines(descriptor) if _lock(descriptor, path) else None
        except BaseException:
            os.close(descriptor)
            raise
        if size is None:
            os.close(descriptor)
            return None
        segment = cls(path, descriptor, size)
        segment.sealed = True
        return segment

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
                written = os.write(self._descriptor, line)
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
            # A closed segment was removed, because the storage has all of it, or synced before.
            if self._descriptor >= 0:
                reached = self.size
                try:
                    os.fdatasync(self._descriptor)
                except OSError:
                    self._unsyncable = self.sealed = True
                    raise
                self._synced = reached

    def read(self, limit: int) -> bytes:
        """Return up to about `limit` bytes of whole records that are not done, empty where there are none.

        Raises:
            OSError: the file can't be read.
        """
        left = self.size - self.done
        if not left:
            return b""  # it may be removed already
        wanted = min(left, limit)
        data = os.pread(self._descriptor, wanted, self.done)
        if len(data) < wanted:
            raise OSError(errno.EIO, "the file was cut")
        if end := data.rfind(b"\n") + 1:
            return data[:end]
        if wanted == left:
            return data  # not even the last line has its end: it was damaged
        return self.read(limit * 2)  # one record is longer than the limit: a foreign one, as ours are short

    def close(self) -> None:
        """Close the file and give up the lock, once. What is not done stays for the next owner."""
        with self._appending, self._syncing:
            self.abandon()

    def abandon(self) -> None:
        """Close the file without waiting for anybody: for a forked child, whose threads are gone."""
        self.sealed = True
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def remove(self) -> None:
        """Delete the file, then close it."""
        self.path.unlink(missing_ok=True)
        self.close()

    def _undo(self) -> None:
        try:
            os.ftruncate(self._descriptor, self.size)
        except OSError:
            self.sealed = True


def _lock(descriptor: int, path: Path) -> bool:
    """Lock a file; tell whether that worked, and it is still there."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.fstat(descriptor).st_ino == path.stat().st_ino
    except (BlockingIOError, FileNotFoundError):
        return False


def whole_lines(descriptor: int) -> int:
    """Return how many bytes of a file are lines with an end."""
    end = os.fstat(descriptor).st_size
    while end:
        start = max(0, end - 65_536)
        found = os.pread(descriptor, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

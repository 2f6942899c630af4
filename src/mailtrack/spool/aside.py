"""Lines that can't become an open, kept as they were where an operator finds them.

None is lost; one is there twice where its process ended before the rest of its segment was stored.
"""

import errno
import fcntl
import os
from collections.abc import Sequence
from pathlib import Path

from mailtrack.spool.segment import whole_lines

FILE = "set-aside.lines"
"""The file in the spool's folder. All processes append to it."""


def keep(folder: Path, lines: Sequence[bytes]) -> None:
    """Add lines, given without their line breaks: all, or none.

    A segment that changes its owner is read again from its start, so a line may come here twice.

    Raises:
        OSError: they can't be kept.
    """
    data = b"".join(line + b"\n" for line in lines)
    descriptor = os.open(folder / FILE, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        size = whole_lines(descriptor)
        os.ftruncate(descriptor, size)  # half a line is there where that failed before
        try:
            if os.write(descriptor, data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fdatasync(descriptor)
        except OSError:
            os.ftruncate(descriptor, size)
            raise
    finally:
        os.close(descriptor)


def count(folder: Path) -> int:
    """Return how many lines are kept in a spool's folder."""
    try:
        return (folder / FILE).read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0

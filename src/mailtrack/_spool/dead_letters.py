"""Lines that can't become an open, kept as they were where an operator finds them.

None is lost, and none is there twice.
"""

import errno
import fcntl
import os
from collections.abc import Sequence
from pathlib import Path

FILE = "set-aside.lines"
"""The file in the spool's folder. All processes append to it."""


def keep(folder: Path, lines: Sequence[bytes]) -> None:
    """Add lines, given without their line breaks: all, or none.

    A segment that changes its owner is read again from its start, so lines that are there already are passed over.

    Raises:
        OSError: they can't be kept.
    """
    with open(folder / FILE, "ab+", buffering=0, opener=_private) as file:  # Path.open has no opener
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        present = file.read()
        size = present.rfind(b"\n") + 1  # half a line is there where adding one failed before
        known = set(present[:size].split(b"\n")[:-1])
        data = b"".join(line + b"\n" for line in dict.fromkeys(lines) if line not in known)
        file.truncate(size)
        try:
            if file.write(data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(file.fileno())
        except OSError:
            file.truncate(size)
            raise


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def count(folder: Path) -> int:
    """Return how many lines are kept in a spool's folder."""
    try:
        return (folder / FILE).read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0

"""Dead letters: lines that could not be stored, kept unchanged in a file of the spool's folder.

No line is lost, and none is in the file twice.
"""

import errno
import fcntl
import os
from collections.abc import Sequence
from pathlib import Path

FILE = "set-aside.lines"
"""The name of the file. All processes append to it."""


def keep(folder: Path, lines: Sequence[bytes]) -> None:
    """Add lines, without their line breaks, to the dead letters of a spool: all or none.

    Lines that are already there are skipped: a new leader reads segments again from their start.

    Raises:
        OSError: the file can't be written.
    """
    with open(folder / FILE, "ab+", buffering=0, opener=_open_private) as file:  # Path.open has no opener
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        present = file.read()
        size = present.rfind(b"\n") + 1  # a write that failed may have left a partial line
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


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def count(folder: Path) -> int:
    """Return the number of dead letters in a spool's folder."""
    try:
        return (folder / FILE).read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0

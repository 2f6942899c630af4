"""Dead letters: lines that could not be stored, kept unchanged in a file of the spool's folder.

No line is lost, and none is in the file twice.
"""

import errno
import fcntl
import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from mailtrack._spool.segment import is_at

FILE = "set-aside.lines"
"""The name of the file. All processes append to it."""


def keep(folder: Path, lines: Sequence[bytes]) -> None:
    """Add lines, without their line breaks, to the dead letters of a spool: all or none.

    Lines that are already there are skipped: a new leader reads segments again from their start.

    Raises:
        OSError: the file can't be written.
    """
    with _locked(folder) as file:
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


def read(folder: Path) -> list[bytes]:
    """Return the dead letters of a spool, without their line breaks.

    Raises:
        OSError: the file can't be read.
    """
    try:
        return (folder / FILE).read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []


def drop(folder: Path, lines: Collection[bytes]) -> None:
    """Remove lines from the dead letters of a spool: the file is replaced by one without them.

    Raises:
        OSError: the file can't be written; it is as it was.
    """
    dropped = set(lines)
    with _locked(folder) as file:
        kept = [line for line in file.read().split(b"\n")[:-1] if line not in dropped]
        draft = folder / f"{FILE}.new"
        draft.unlink(missing_ok=True)
        try:
            with open(draft, "xb", opener=_open_private) as new:
                new.write(b"".join(line + b"\n" for line in kept))
                new.flush()
                os.fsync(new.fileno())
            draft.replace(folder / FILE)
        except OSError:
            draft.unlink(missing_ok=True)
            raise


@contextmanager
def _locked(folder: Path) -> Iterator[FileIO]:
    """Yield the file, open for reading from its start and for appending, locked against all other processes."""
    path = folder / FILE
    while True:
        with open(path, "ab+", buffering=0, opener=_open_private) as file:  # Path.open has no opener
            fcntl.flock(file, fcntl.LOCK_EX)
            if is_at(file.fileno(), path):  # else it was replaced before it was locked
                file.seek(0)
                yield file
                return


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def count(folder: Path) -> int:
    """Return the number of dead letters in a spool's folder."""
    try:
        return (folder / FILE).read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0

"""The write-ahead log beside a database file: its place, the application id in it, and the file that it belongs to.

The format is that of https://sqlite.org/fileformat2.html#walformat.
"""

import fcntl
import os
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from mailtrack._errors import StorageUnavailable
from mailtrack.storage._sqlite.identity import Identity, identify

_HEADER = struct.Struct(">8I")  # magic, format, page size, checkpoint, salt (2), checksum (2)
_FRAME = struct.Struct(">6I")  # page, pages in the database after a commit (else 0), salt (2), checksum (2)
_LOCK = struct.Struct("hhqqi4x")  # `struct flock`: type, whence, start, length, process
_MAGIC = {0x377F0682: "<", 0x377F0683: ">"}  # and the byte order of what is summed
_ID = slice(68, 72)  # the application id within the first page


def wal_of(path: Path) -> Path:
    """Return the place of a database file's WAL, present or not. Symbolic links are followed, as SQLite does."""
    return Path(f"{os.path.realpath(path)}-wal")


def has_content(path: Path) -> bool:
    """Return whether a database file has a WAL with anything in it."""
    try:
        return wal_of(path).stat().st_size > 0
    except OSError:
        return False


def read_application_id(path: Path) -> int | None:
    """Return the application id in the WAL's first committed copy of the first page, `None` if there is none.

    Only complete transactions count, as for SQLite: frames up to the first whose salt or checksum is wrong.

    Args:
        path: the database file. It must be as long as some number of the WAL's pages, so that the two can be a pair.
    """
    try:
        with wal_of(path).open("rb") as wal:
            found = None
            for page, commits, data in _frames(wal, path.stat().st_size):
                if page == 1:
                    found = int.from_bytes(data[_ID])
                if commits and found is not None:
                    return found
    except OSError:
        pass
    return None


def beside(path: Path) -> dict[Path, Identity | None]:
    """Return which files are the WAL of a database file and that WAL's index."""
    return {place: identify(place) for place in (Path(f"{os.path.realpath(path)}-shm"), wal_of(path))}


def claim(path: Path, file: Identity) -> int | None:
    """Mark the WAL of a database file as that file's, for as long as the descriptor that is returned is open.

    SQLite finds a WAL by its name alone. So a process that comes late, when the file was replaced twice, would take the
    WAL of the file in between for that of the newest. The mark is a lock on the byte that has the number of the file:
    SQLite has no locks on the WAL. It is that of an open file description, which ends with the process, and which other
    descriptors do not disturb; where the system has none (fcntl(2): only Linux has), nothing is marked.
    """
    if not hasattr(fcntl, "F_OFD_SETLK"):
        return None
    try:
        descriptor = os.open(wal_of(path), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    with suppress(OSError):  # a file system without locks
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _LOCK.pack(fcntl.F_RDLCK, os.SEEK_SET, file[1], 1, 0))
    return descriptor


def check_claims(path: Path, file: Identity) -> None:
    """Make sure that no process uses the WAL in the place of a file's as that of another file.

    Raises:
        StorageUnavailable: one does. It can't be taken away from it, as only it can move the content where it belongs.
    """
    if not hasattr(fcntl, "F_OFD_GETLK"):
        return
    with suppress(OSError), wal_of(path).open("rb") as wal:  # there is none
        for start, length in ((0, file[1]), (file[1] + 1, 0)):  # 0: to the end
            asked = _LOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, start, length, 0)
            kind, *_ = _LOCK.unpack(fcntl.fcntl(wal, fcntl.F_OFD_GETLK, asked))
            if kind != fcntl.F_UNLCK:
                raise StorageUnavailable(f"{path} was replaced, and another process still uses the former file's WAL.")


def take_away(path: Path, former: sqlite3.Connection, files: dict[Path, Identity | None]) -> None:
    """Part a WAL and its index from the database file that is in the place of theirs now.

    SQLite goes by the names and would take them for the new file's. All that is in the WAL goes into the file that it
    belongs to, wherever that is now, so that nothing is lost with it.

    Args:
        path: the place of both files.
        former: an open connection to the file that was there before. While there is one, nothing else can be taken for
            its WAL.
        files: the WAL and its index, as `beside` returned them when that was opened.

    Raises:
        StorageUnavailable: other processes still use the WAL.
        OSError: it can't be removed.
        sqlite3.Error: it can't be moved into its file.
    """
    folder = os.open(wal_of(path).parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)  # other processes do the same, and the next one finds it done
        former.execute("PRAGMA busy_timeout = 0")
        busy, _, _ = former.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise StorageUnavailable(f"{path} was replaced, and other processes still use the former file's WAL.")
        for place, file in beside(path).items():  # a link may lead to another folder now
            if file is not None and file == files.get(place):
                place.unlink()
    finally:
        os.close(folder)


def _frames(wal: BinaryIO, size: int) -> Iterator[tuple[int, int, bytes]]:
    header = wal.read(_HEADER.size)
    if len(header) < _HEADER.size:
        return
    magic, _, page_size, _, *salt_and_sums = _HEADER.unpack(header)
    salt, sums = salt_and_sums[:2], tuple(salt_and_sums[2:])
    if magic not in _MAGIC or not 512 <= page_size <= 65536 or size % page_size:
        return
    order = _MAGIC[magic]
    if _sum(order, (0, 0), header[:24]) != sums:
        return
    while len(frame := wal.read(_FRAME.size + page_size)) == _FRAME.size + page_size:
        page, commits, *rest = _FRAME.unpack_from(frame)
        data = frame[_FRAME.size :]
        sums = _sum(order, _sum(order, sums, frame[:8]), data)
        if rest != [*salt, *sums]:
            return
        yield page, commits, data


def _sum(order: str, sums: tuple[int, ...], data: bytes) -> tuple[int, int]:
    first, second = sums
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for one, other in zip(words, words, strict=True):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + other + first) & 0xFFFFFFFF
    return first, second

"""Measure what waits in a spool, in little time however much it is, as a monitor asks for again and again."""

import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import attrs

from mailtrack._spool import dead_letters, progress
from mailtrack._spool.merging import order_of
from mailtrack._spool.segment import segments
from mailtrack._times import from_milliseconds

_READ_AT_MOST = 8 * 1024 * 1024  # some milliseconds; the lines behind it are estimated
_LINE_BYTES = 64 * 1024  # no line is longer, but foreign ones


@attrs.frozen(kw_only=True)
class Backlog:
    """The lines of a spool that are not stored.

    Attributes:
        lines: their number. Where they take more than 8 MiB, it is estimated from those in the first 8 MiB.
        bytes: their size.
        oldest: roughly the time of the oldest, `None` without any, or where it can't be read from the line.
        waited: how long the oldest line of the last stored batch had waited, in seconds; 0 while the folder is empty.
        dead_letters: number of lines that could not be stored, which are not among them.
    """

    lines: int
    bytes: int
    oldest: datetime | None
    waited: float
    dead_letters: int


def get_backlog(folder: Path) -> Backlog:
    """Measure the backlog of a spool's folder, of all processes. One that does not exist has none.

    Raises:
        OSError: the folder or a segment can't be read.
    """
    stored = progress.read(folder)
    size = read = lines = 0
    oldest: list[datetime] = []
    for path in segments(folder):
        with suppress(FileNotFoundError), path.open("rb", buffering=0) as file:  # it may be stored meanwhile
            whole = os.fstat(file.fileno()).st_size
            start = stored.positions.get(path.name, 0)
            start = start if start <= whole else 0  # it was truncated
            size += whole - start
            if start < whole:
                oldest += _time_of(os.pread(file.fileno(), _LINE_BYTES, start))
                data = os.pread(file.fileno(), min(whole - start, _READ_AT_MOST - read), start)
                read, lines = read + len(data), lines + data.count(b"\n")
    return Backlog(
        lines=round(lines * size / read) if read else 0,
        bytes=size,
        oldest=min(oldest, default=None),
        waited=stored.waited,
        dead_letters=dead_letters.count(folder),
    )


def _time_of(data: bytes) -> list[datetime]:
    """Return the time of the first line of some data, if it has one."""
    try:
        return [from_milliseconds(int(order_of(data)[:12], 16))]
    except (ValueError, OverflowError):
        return []

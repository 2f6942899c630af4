"""Look into a spool's folder, as its operator."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import attrs

from mailtrack._spool import dead_letters
from mailtrack._spool.segment import segments


@attrs.frozen(kw_only=True)
class SpoolStatus:
    """The contents of a spool's folder.

    Attributes:
        segments: number of files that wait.
        bytes: their size.
        lines: lines in them. A segment that is still written to may hold some that are stored already.
        dead_letters: lines that could not be stored.
    """

    segments: int
    bytes: int
    lines: int
    dead_letters: int


def inspect(folder: Path) -> Iterator[bytes]:
    """Iterate over the lines that wait in a spool's folder, of all processes, the oldest segment first."""
    for path in segments(folder):
        try:
            with path.open("rb") as file:
                yield from (line for line in file if line.endswith(b"\n"))
        except FileNotFoundError:
            continue  # stored meanwhile


def get_status(folder: Path) -> SpoolStatus:
    """Count the contents of a spool's folder."""
    sizes = []
    for path in segments(folder):
        with suppress(FileNotFoundError):  # stored meanwhile
            sizes.append(path.stat().st_size)
    return SpoolStatus(
        segments=len(sizes),
        bytes=sum(sizes),
        lines=sum(1 for _ in inspect(folder)),
        dead_letters=dead_letters.count(folder),
    )

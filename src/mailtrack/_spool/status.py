"""What an operator sees of a spool."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import attrs

from mailtrack._spool import dead_letters
from mailtrack._spool.segment import segments


@attrs.frozen(kw_only=True)
class SpoolStatus:
    """What lies in a spool's folder.

    Attributes:
        segments: files that wait.
        bytes: their size.
        hits: lines in them; a segment that is still written to may hold some that are stored already.
        set_aside: lines that could not become an open.
    """

    segments: int
    bytes: int
    hits: int
    set_aside: int


def inspect(folder: Path) -> Iterator[bytes]:
    """Return the lines that wait in a spool's folder, whoever owns them, the oldest segment first."""
    for path in segments(folder):
        try:
            with path.open("rb") as file:
                yield from (line for line in file if line.endswith(b"\n"))
        except FileNotFoundError:
            continue  # stored meanwhile


def get_status(folder: Path) -> SpoolStatus:
    """Tell what lies in a spool's folder."""
    sizes = []
    for path in segments(folder):
        with suppress(FileNotFoundError):  # stored meanwhile
            sizes.append(path.stat().st_size)
    return SpoolStatus(
        segments=len(sizes),
        bytes=sum(sizes),
        hits=sum(1 for _ in inspect(folder)),
        set_aside=dead_letters.count(folder),
    )

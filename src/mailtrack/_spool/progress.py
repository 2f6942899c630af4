"""Progress: a file in a spool's folder that says how much of each segment is stored, for processes that don't drain.

It is a hint. Draining does not depend on it: a process that takes over reads segments from their start, and a line that
comes again is stored once.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import attrs

FILE = "stored.positions"
"""The name of the file. The process that drains replaces it, and removes it where no segment is partly stored."""


@attrs.frozen
class Progress:
    """How far a spool is drained.

    Attributes:
        positions: the position behind the last stored line, in bytes, by the name of the segment.
        waited: how long the oldest line of the batch that was stored last had waited, in seconds.
    """

    positions: Mapping[str, int] = attrs.Factory(dict)
    waited: float = 0.0


def write(folder: Path, progress: Progress) -> None:
    """Replace the file, or remove it where no segment is partly stored.

    Raises:
        OSError: it can't be written; it is as it was.
    """
    path, draft = folder / FILE, folder / f"{FILE}.new"
    if not progress.positions:
        path.unlink(missing_ok=True)
        return
    lines = [f"{progress.waited:.3f}", *(f"{position} {name}" for name, position in progress.positions.items())]
    try:
        with open(draft, "w", encoding="utf-8", opener=_open_private) as file:
            file.write("\n".join(lines))
        draft.replace(path)
    except OSError:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise


def read(folder: Path) -> Progress:
    """Return what the file says; nothing is stored where there is none, or an unreadable one."""
    try:
        waited, *lines = (folder / FILE).read_text(encoding="utf-8").split("\n")
        pairs = [line.split(" ", 1) for line in lines]
        return Progress({name: int(position) for position, name in pairs}, float(waited))
    except (OSError, ValueError):
        return Progress()


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)

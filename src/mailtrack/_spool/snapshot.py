"""`Snapshot`: the lines of a spool at one moment, readable even if they are drained meanwhile."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from mailtrack._spool.segment import segments


class Snapshot:
    """The lines that were in a spool's folder when this was made. A context manager, for one thread.

    It holds the segments open, so that they can be read after their removal. It takes no locks and changes nothing.

    Args:
        folder: the spool's folder. One that does not exist is empty.

    Raises:
        OSError: the folder or a segment can't be read.
    """

    def __init__(self, folder: Path) -> None:
        self._files: list[tuple[int, int]] = []  # descriptor and size
        try:
            for path in _segments(folder):
                with suppress(FileNotFoundError):  # it was drained and removed just now
                    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                    self._files.append((descriptor, os.fstat(descriptor).st_size))
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"<Snapshot segments={len(self._files)}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the segments."""
        while self._files:
            os.close(self._files.pop()[0])

    def segments(self) -> list[Iterator[bytes]]:
        """Return for each segment an iterator over its lines, with their line breaks, to be used once.

        A last line without its line break is left out: it was being written, so its writer has not been answered.
        """
        return [_read(descriptor, size) for descriptor, size in self._files]


def _read(descriptor: int, size: int) -> Iterator[bytes]:
    with open(descriptor, "rb", closefd=False) as file:
        for line in file:
            size -= len(line)
            if size < 0 or not line.endswith(b"\n"):
                return
            yield line


def _segments(folder: Path) -> list[Path]:
    try:
        os.scandir(folder).close()  # `Path.glob` ignores a folder that can't be read
    except FileNotFoundError:
        return []
    return segments(folder)

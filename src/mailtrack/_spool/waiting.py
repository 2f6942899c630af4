"""`Waiting`: what lies in a spool's folder at one moment, read without touching it, even if it is drained meanwhile."""

import heapq
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from itertools import islice
from operator import attrgetter
from pathlib import Path
from types import TracebackType
from typing import Self

from mailtrack._model import Hit
from mailtrack._spool.lines import UnreadableRecord, from_line
from mailtrack._spool.segment import segments

_logger = logging.getLogger(__name__)


class Waiting:
    """The hits that were taken before this was made, and lay in the folder then; a context manager.

    The segments are held open, so that they can be read to where they reached when they are removed meanwhile. No lock
    is taken on them. It is for one thread.

    Args:
        folder: the spool's folder; one that does not exist holds nothing.

    Raises:
        OSError: the folder or a segment can't be read.
    """

    def __init__(self, folder: Path) -> None:
        self._files: list[tuple[int, int]] = []  # descriptor and size
        self._unreadable = 0
        try:
            for path in _segments(folder):
                with suppress(FileNotFoundError):  # it is stored, and was removed in this moment
                    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                    self._files.append((descriptor, os.fstat(descriptor).st_size))
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"<Waiting segments={len(self._files)}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the segments."""
        while self._files:
            os.close(self._files.pop()[0])

    def hits(self) -> Iterator[Hit]:
        """Iterate, once, over the hits, about in the order of their arrival, in bounded memory.

        Those that the storage has already are among them. Damaged lines, which the drainer sets aside,
        are passed over, and logged.
        """
        readers = [self._read(descriptor, size) for descriptor, size in self._files]
        yield from heapq.merge(*readers, key=attrgetter("id"))  # ids begin with the time
        if self._unreadable:
            _logger.warning("%d lines in the spool can't be read.", self._unreadable)

    def _read(self, descriptor: int, size: int) -> Iterator[Hit]:
        with open(descriptor, "rb", closefd=False) as file:
            for line in file:
                size -= len(line)
                if size < 0 or not line.endswith(b"\n"):
                    return  # what was being written was not answered
                try:
                    yield from_line(line)
                except UnreadableRecord:
                    self._unreadable += 1


def oldest_hit(folder: Path) -> datetime | None:
    """Return the time of about the oldest hit in a spool's folder, be it stored already or not; `None` without any.

    Raises:
        OSError: the folder or a segment can't be read.
    """
    found = []
    for path in _segments(folder):
        with suppress(FileNotFoundError), path.open("rb") as file:  # it may be stored, and removed, meanwhile
            found += [hit.at for hit in islice(_readable(file), 1)]
    return min(found, default=None)


def _segments(folder: Path) -> list[Path]:
    try:
        os.scandir(folder).close()  # a search for names passes over a folder that can't be read
    except FileNotFoundError:
        return []
    return segments(folder)


def _readable(lines: Iterable[bytes]) -> Iterator[Hit]:
    for line in lines:
        with suppress(UnreadableRecord):
            yield from_line(line)

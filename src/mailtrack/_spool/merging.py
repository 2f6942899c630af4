"""Merge the lines of several processes into their order of arrival, as far as their clocks agree."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import accumulate
from pathlib import Path

import attrs

_TAB = ord("\t")


def order_of(line: bytes) -> bytes:
    """Return the order key of a line, empty where it has none; see the docstring of the package."""
    return line[2:34] if len(line) > 34 and line[34] == _TAB == line[1] else b""


@attrs.frozen
class Queue:
    """Segments that one process wrote one after the other.

    Attributes:
        paths: the segments, the oldest first.
        begun: when the first one was begun, in nanoseconds since 1970; 0 if unknown.
    """

    paths: list[Path]
    begun: int

    @property
    def order(self) -> bytes:
        """A key that sorts before the order keys of all its lines."""
        return b"%012x" % (self.begun // 1_000_000)


Piece = tuple[Path, list[bytes]]
"""Whole lines of a segment, without their line breaks."""


@attrs.frozen
class Front:
    """The lines that were read from the front of a queue.

    Attributes:
        pieces: the lines, in their order.
        more: whether the queue holds more.
    """

    pieces: list[Piece]
    more: bool

    @cached_property
    def order(self) -> list[bytes]:
        """The order keys of the lines, never descending: a line behind a later one, of another thread, gets its key."""
        return list(accumulate((order_of(line) for _, lines in self.pieces for line in lines), max))

    def up_to(self, limit: bytes) -> Iterator[Piece]:
        """Return the lines whose order keys are at most a limit."""
        left = bisect_right(self.order, limit)
        for path, lines in self.pieces:
            if left > 0:
                yield path, lines[:left]
            left -= len(lines)


def make_queues(paths: Iterable[Path]) -> list[Queue]:
    """Group segments into queues, the oldest first. Files with foreign names form one queue."""
    by_writer: dict[str, Queue] = {}
    for path in sorted(paths):
        begun, _, rest = path.name.partition("-")
        writer = rest.partition("-")[0] if begun.isdecimal() else ""
        by_writer.setdefault(writer, Queue([], int(begun) if writer else 0)).paths.append(path)
    return sorted(by_writer.values(), key=lambda queue: queue.begun)


def come_before(fronts: Sequence[Front], queue: Queue, *, enough: bool) -> bool:
    """Return whether a queue need not be read now, because unread lines of the fronts come before it.

    Args:
        fronts: the lines that were read.
        queue: a queue that was begun later.
        enough: whether the batch is full; then it suffices that all lines of the fronts come before the queue.
    """
    if any(front.more and front.order[-1] < queue.order for front in fronts):
        return True
    return enough and all(front.order[-1] < queue.order for front in fronts if front.pieces)


def merge(fronts: Sequence[Front], until: bytes | None) -> list[Piece]:
    """Return the lines of all fronts that come before every line that is not read yet.

    At least one front is returned whole, so that reading advances even if clocks jump.

    Args:
        fronts: the lines that were read, the oldest queue first.
        until: a key that sorts before the lines of all queues that were not read, `None` if all were.
    """
    if until is None and len(fronts) == 1:
        return fronts[0].pieces
    limits = [front.order[-1] for front in fronts if front.more]
    limit = min([*limits, until] if until is not None else limits, default=None)
    if limit is None:
        return [piece for front in fronts for piece in front.pieces]
    taken = [piece for front in fronts for piece in front.up_to(limit)]
    return taken or next((front.pieces for front in fronts if front.pieces), [])

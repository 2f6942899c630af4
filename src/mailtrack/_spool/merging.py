"""Lines of several processes in their order of arrival, as far as that can be known."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import accumulate
from pathlib import Path

import attrs

from mailtrack._spool.lines import order_of


@attrs.frozen
class Queue:
    """Segments that one process wrote one after the other.

    Attributes:
        paths: the segments, the oldest first.
        begun: when the first one was begun, in nanoseconds since 1970; 0 where that can't be known.
    """

    paths: list[Path]
    begun: int

    @property
    def order(self) -> bytes:
        """What comes before all of its lines, to be compared with what `order_of` returns."""
        return b"%012x" % (self.begun // 1_000_000)


Piece = tuple[Path, list[bytes]]
"""Whole lines of a segment, without their ends."""


@attrs.frozen
class Front:
    """What was read from the front of a queue.

    Attributes:
        pieces: in their order.
        more: whether the queue holds more.
    """

    pieces: list[Piece]
    more: bool

    @cached_property
    def order(self) -> list[bytes]:
        """What the lines sort by. One that stands behind a later one, as of another thread, counts as that."""
        return list(accumulate((order_of(line) for _, lines in self.pieces for line in lines), max))

    def up_to(self, limit: bytes) -> Iterator[Piece]:
        """Return the lines that sort before a limit, or there."""
        left = bisect_right(self.order, limit)
        for path, lines in self.pieces:
            if left > 0:
                yield path, lines[:left]
            left -= len(lines)


def make_queues(paths: Iterable[Path]) -> list[Queue]:
    """Return the queues that segments make, the oldest first. Names that are not a `Segment`'s make one together."""
    by_writer: dict[str, Queue] = {}
    for path in sorted(paths):
        begun, _, rest = path.name.partition("-")
        writer = rest.partition("-")[0] if begun.isdecimal() else ""
        by_writer.setdefault(writer, Queue([], int(begun) if writer else 0)).paths.append(path)
    return sorted(by_writer.values(), key=lambda queue: queue.begun)


def come_before(fronts: Sequence[Front], queue: Queue, *, enough: bool) -> bool:
    """Return whether a queue needs no look now, as something of the fronts that is not read yet comes before it.

    Args:
        fronts: what was read.
        queue: one that was begun later.
        enough: whether what was read may be all for now; then it is enough that all of it comes before.
    """
    if any(front.more and front.order[-1] < queue.order for front in fronts):
        return True
    return enough and all(front.order[-1] < queue.order for front in fronts if front.pieces)


def merge(fronts: Sequence[Front], until: bytes | None) -> list[Piece]:
    """Return the lines of all fronts that come before whatever is not read yet.

    At least one front is returned as a whole, so that it goes on whatever clocks do.

    Args:
        fronts: what was read, the oldest first.
        until: what comes before all that was not looked at, `None` where that is nothing.
    """
    if until is None and len(fronts) == 1:
        return fronts[0].pieces
    limits = [front.order[-1] for front in fronts if front.more]
    limit = min([*limits, until] if until is not None else limits, default=None)
    if limit is None:
        return [piece for front in fronts for piece in front.pieces]
    taken = [piece for front in fronts for piece in front.up_to(limit)]
    return taken or next((front.pieces for front in fronts if front.pieces), [])

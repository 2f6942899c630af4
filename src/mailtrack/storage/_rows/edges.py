"""Edges: the times of a pixel's first and last open that count, found again where opens are judged again.

They are in the first and the last hour that has such opens, and mostly near the opens that are judged, where the former
ones were. Where they are not, as in an hour with a million opens, the log is read on a connection that sees one state,
while others write.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeAlias

Edge: TypeAlias = Callable[[Iterable[int]], int]
"""`min` for the first, `max` for the last."""


class TooFar(Exception):
    """An edge is not near the opens that are judged: others would wait while it is searched."""


class Edges(NamedTuple):
    """The first and the last open that count, apart from some opens and from purged ones, in one state of a pixel.

    Attributes:
        rejudged: how often opens of the pixel were judged again before that state.
        newest: the number of the newest open in that state.
        first: the time of the first.
        last: the time of the last.
    """

    rejudged: int
    newest: int
    first: int | None
    last: int | None


def edge_of(edge: Edge, times: Iterable[int | None]) -> int | None:
    """Return the first or the last of some times, `None` where there is none."""
    found = [at for at in times if at is not None]
    return edge(found) if found else None


def order_of(edge: Edge) -> str:
    """Return the order in which the first, or the last, comes first."""
    return "ASC" if edge is min else "DESC"

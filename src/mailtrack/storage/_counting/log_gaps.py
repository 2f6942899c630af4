"""Gaps in a pixel's log: the numbers of purged opens, as ranges.

Opens are numbered in order of arrival and purged by their time, so most, not always all, of the purged numbers are the
lowest. The ranges neither touch nor overlap: there are few, however many opens are purged.
"""

from collections.abc import Iterable
from typing import NamedTuple


class Gap(NamedTuple):
    """The numbers of purged opens, from the first to the last."""

    first: int
    last: int


def join_gaps(gaps: Iterable[Gap]) -> list[Gap]:
    """Return the same numbers in as few gaps as possible, in order."""
    joined: list[Gap] = []
    for gap in sorted(gaps):
        if joined and gap.first <= joined[-1].last + 1:
            joined[-1] = Gap(joined[-1].first, max(joined[-1].last, gap.last))
        else:
            joined.append(gap)
    return joined


def pass_over(gaps: Iterable[Gap], number: int, skip: int) -> int:
    """Return the number of the open that comes, downwards, behind the next `skip` opens; 0 where none does.

    Args:
        gaps: those that begin at the number or below, the highest first. No more of them are read than needed.
        number: where to begin.
        skip: how many opens to pass over.
    """
    for gap in gaps:
        above = max(number - gap.last, 0)
        if skip < above:
            break
        skip -= above
        number = gap.first - 1
    return max(number - skip, 0)

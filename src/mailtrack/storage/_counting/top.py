"""The top list: the recipients with the most opens that count."""

from collections.abc import Mapping
from heapq import nsmallest

TOP_COUNTS_FROM = 2
"""Opens that count from which a recipient may be in the top list: opening once is nothing special."""


def find_top(counted: Mapping[int, int], limit: int) -> dict[int, int]:
    """Return the recipients with the most opens that count, the most first, then in order of creation.

    Args:
        counted: the numbers of opens that count, by the recipient's number in order of creation.
        limit: the maximum number of recipients.
    """
    found = ((number, opens) for number, opens in counted.items() if opens >= TOP_COUNTS_FROM)
    return dict(nsmallest(limit, found, key=lambda item: (-item[1], item[0])))

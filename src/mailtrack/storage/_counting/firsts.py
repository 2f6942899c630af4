"""Firsts: which opens are the first of their recipients, and the first that count, as they are stored."""

from collections.abc import Iterable

from mailtrack._event import First

FIRST = 1
"""The bit of an open that was the first of its recipient when it was stored."""

FIRST_COUNTED = 2
"""The bit of an open that counted when it was stored, as the only one of its recipient."""

BITS: dict[First, int] = {"any": 0, "first": FIRST, "firstCounted": FIRST_COUNTED}
"""The bit that an open must have to be an event of each kind; 0 for none."""


def find_firsts(opens: Iterable[tuple[str | None, bool]], unopened: set[str], uncounted: set[str]) -> list[int]:
    """Return the bits of new opens.

    Args:
        opens: the recipient of each, and whether it counts, in the order in which they are stored.
        unopened: the recipients without an open, of those that exist. It is used up.
        uncounted: those without an open that counts, the same ones included. It is used up.
    """
    found = []
    for owner, counted in opens:
        bits = 0
        if owner in uncounted:  # of a recipient with an open that counts, no further one is a first
            if owner in unopened:
                unopened.remove(owner)
                bits = FIRST
            if counted:
                uncounted.remove(owner)
                bits |= FIRST_COUNTED
        found.append(bits)
    return found

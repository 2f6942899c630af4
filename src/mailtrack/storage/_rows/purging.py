"""`Place`: how far the search for opens to purge has come."""

from typing import NamedTuple


class Place(NamedTuple):
    """An open to purge.

    Attributes:
        pixel: its pixel.
        before: the time before which opens are purged, in milliseconds.
        number: its own.
        passed: how many opens with lower numbers, of the hours that begin before that time, are not to be purged.
    """

    pixel: int
    before: int
    number: int
    passed: int

"""Buckets for spans of time, wider for longer ones, so that few numbers describe the delays of many recipients."""

import math
from datetime import timedelta

_PER_DOUBLING = 8  # the ends of a bucket are 9 % apart, so its middle is within 4.5 % of all in it
_LINEAR = 0.125  # seconds; below, buckets are about equally wide, and as narrow as 5 % of a second
_LAST = 279  # some hundred years


def to_bucket(delay: timedelta) -> int:
    """Return the bucket of a span of time, 0 for less than a hundredth of a second and for negative ones."""
    seconds = max(delay.total_seconds(), 0.0)
    return min(int(math.log2(1 + seconds / _LINEAR) * _PER_DOUBLING), _LAST)


def from_bucket(bucket: int) -> timedelta:
    """Return the span of time in the middle of a bucket, within 5 % of all in it, or 0.05 seconds."""
    return timedelta(seconds=(2 ** ((bucket + 0.5) / _PER_DOUBLING) - 1) * _LINEAR)

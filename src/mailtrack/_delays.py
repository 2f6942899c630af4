"""Delays from mail to open: where their clock starts, and buckets, wider for longer ones, that describe many."""

import math
from datetime import datetime, timedelta
from typing import TypeVar

T = TypeVar("T", int, datetime)

_PER_DOUBLING = 8  # the ends of a bucket are 9 % apart, so its middle is within 4.5 % of all in it
_LINEAR = 0.125  # seconds; below, buckets are about equally wide, and as narrow as 5 % of a second
_LAST = 279  # some hundred years


def clock_start(made_at: T, sent_at: T | None, opened_at: T) -> T:
    """Return the time from which the delay of an open is measured.

    Args:
        made_at: when the recipient's token was made.
        sent_at: when the recipient's mail was sent, `None` where unknown. An open before it came through an earlier
            mail or a preview with the same token, so that its delay is measured from the making of the token.
        opened_at: when the hit arrived.
    """
    return made_at if sent_at is None or sent_at > opened_at else sent_at


def to_bucket(delay: timedelta) -> int:
    """Return the bucket of a span of time, 0 for less than a hundredth of a second and for negative ones."""
    return seconds_to_bucket(delay.total_seconds())


def seconds_to_bucket(seconds: float) -> int:
    """Return the bucket of a span of time in seconds."""
    return min(int(math.log2(1 + seconds / _LINEAR) * _PER_DOUBLING), _LAST) if seconds > 0 else 0


def from_bucket(bucket: int) -> timedelta:
    """Return the span of time in the middle of a bucket, within 5 % of all in it, or 0.05 seconds."""
    return timedelta(seconds=(2 ** ((bucket + 0.5) / _PER_DOUBLING) - 1) * _LINEAR)

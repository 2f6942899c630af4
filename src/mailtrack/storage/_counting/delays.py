"""Delay buckets: the numbers of recipients by the time from the mail to the first open."""

from collections import Counter
from functools import lru_cache

from mailtrack._counts import Count
from mailtrack._delays import clock_start, seconds_to_bucket
from mailtrack.storage._counting.spans import Spans


class Delays:
    """Changes of the numbers of recipients by bucket."""

    def __init__(self) -> None:
        self._counted: Counter[int] = Counter()
        self._raw: Counter[int] = Counter()

    def change(self, made_at: int, sent_at: int | None, before: Spans, after: Spans) -> None:
        """Move a recipient to the buckets of its present spans.

        Args:
            made_at: when its token was made, in milliseconds.
            sent_at: when its mail was sent, `None` where unknown.
            before: its former spans.
            after: its present spans.
        """
        if before.first != after.first:
            _move(self._raw, made_at, sent_at, before.first, after.first)
        if before.first_counted != after.first_counted:
            _move(self._counted, made_at, sent_at, before.first_counted, after.first_counted)

    @property
    def buckets(self) -> dict[int, Count]:
        """The changes by bucket, in order; negative where recipients have left it."""
        return {
            bucket: Count(self._counted[bucket], self._raw[bucket]) for bucket in sorted({*self._counted, *self._raw})
        }


def _move(numbers: Counter[int], made_at: int, sent_at: int | None, before: int | None, after: int | None) -> None:
    if before is not None:
        numbers[_to_bucket(made_at, sent_at, before)] -= 1
    if after is not None:
        numbers[_to_bucket(made_at, sent_at, after)] += 1


@lru_cache(maxsize=1)  # the first open of all is often the first that counts
def _to_bucket(made_at: int, sent_at: int | None, opened_at: int) -> int:
    return seconds_to_bucket((opened_at - clock_start(made_at, sent_at, opened_at)) / 1000)

"""What a batch of opens adds to the counts of its pixel."""

from collections import defaultdict
from collections.abc import Sequence

from mailtrack.model import Open, VerdictKind

_HOUR = 3_600_000

Span = tuple[int, int, int]
"""A number of opens, and the times of the first and the last, in milliseconds."""


class Tally:
    """Counts the opens of one pixel, given with their times in milliseconds.

    Attributes:
        pixel: the span of all, empty without any.
        recipients: the spans by recipient.
        hours: numbers of opens by the start of the hour and the kind of verdict.
    """

    def __init__(self, opens: Sequence[Open], times: Sequence[int]) -> None:
        self.recipients: dict[str, Span] = {}
        self.hours: defaultdict[tuple[int, VerdictKind], int] = defaultdict(int)
        for one, at in zip(opens, times, strict=True):
            self.hours[at - at % _HOUR, one.verdict.kind] += 1
            if one.recipient_id is not None:
                span = self.recipients.get(one.recipient_id)
                if span is None:
                    self.recipients[one.recipient_id] = (1, at, at)
                else:
                    self.recipients[one.recipient_id] = (span[0] + 1, min(span[1], at), max(span[2], at))
        self.pixel: list[Span] = [(len(times), min(times), max(times))] if times else []

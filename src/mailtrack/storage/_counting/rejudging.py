"""Rejudging: the changes of a pixel's counts when opens of it are judged again."""

from collections.abc import Sequence
from typing import NamedTuple

from mailtrack._columns import Opens
from mailtrack._model import Open
from mailtrack.storage._counting.spans import Span, join_spans
from mailtrack.storage._counting.tallies import Tally, subtract


class EdgedSpan(NamedTuple):
    """A span of opens that count, of which the first or the last may count no more.

    Attributes:
        span: the span, with the edges that it had, where they are lost.
        first_is_lost: whether the first has to be looked up anew.
        last_is_lost: whether the last has to be looked up anew.
    """

    span: Span
    first_is_lost: bool
    last_is_lost: bool


class Rejudging:
    """The changes of a pixel's counts.

    Args:
        before: the opens as they were.
        after: the same as they are now, in the same order.

    Attributes:
        prefetches: the changes of the numbers of prefetches of the recipients whose counts may change. Some of them may
            be deleted.
        hours: the changes of the numbers of opens by hour and kind.
        facets: the changes of the numbers of opens by facet and name.
        views: the change of the number of views.
        counted: the span of those that count now.
    """

    def __init__(self, before: Sequence[Open], after: Sequence[Open]) -> None:
        was, now = Tally(Opens.of(before)), Tally(Opens.of(after))
        self.prefetches = {
            recipient_id: spans.prefetches - was.recipients[recipient_id].prefetches
            for recipient_id, spans in now.recipients.items()
            if spans != was.recipients[recipient_id]
        }
        self.hours = subtract(now.hours, was.hours)
        self.facets = subtract(now.facets, was.facets)
        self.views = now.views - was.views
        self._was, self.counted = Span(*was.opens[:3]), Span(*now.opens[:3])

    def correct(self, stored: Span) -> EdgedSpan:
        """Return the new span of the pixel's opens that count, given the stored one."""
        joined = join_spans(stored, self.counted)
        return EdgedSpan(
            Span(stored.number + self.counted.number - self._was.number, joined.first, joined.last),
            first_is_lost=self._was.first == joined.first != self.counted.first,
            last_is_lost=self._was.last == joined.last != self.counted.last,
        )

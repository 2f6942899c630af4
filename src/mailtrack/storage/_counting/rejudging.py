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


def correct(stored: Span, was: Span, now: Span) -> EdgedSpan:
    """Return the new span of opens that count.

    Args:
        stored: the span as it was.
        was: of those of the opens that are judged again that counted.
        now: of those that count now.
    """
    joined = join_spans(stored, now)
    return EdgedSpan(
        Span(stored.number + now.number - was.number, joined.first, joined.last),
        first_is_lost=was.first == joined.first != now.first,
        last_is_lost=was.last == joined.last != now.last,
    )


class Rejudging:
    """The changes of a pixel's counts.

    Args:
        before: the opens as they were.
        after: the same as they are now, in the same order.

    Attributes:
        recipients: the former and the present spans of the recipients whose counts may change. Some of them may be
            deleted.
        hours: the changes of the numbers of opens by hour and kind.
        facets: the changes of the numbers of opens by facet and name.
        views: the change of the number of views.
        counted: the span of those that count now.
    """

    def __init__(self, before: Sequence[Open], after: Sequence[Open]) -> None:
        was, now = Tally(Opens.of(before)), Tally(Opens.of(after))
        self.recipients = {
            recipient_id: (was.recipients[recipient_id], spans)
            for recipient_id, spans in now.recipients.items()
            if spans != was.recipients[recipient_id]
        }
        self.hours = subtract(now.hours, was.hours)
        self.facets = subtract(now.facets, was.facets)
        self.views = now.views - was.views
        self._was, self.counted = Span(*was.opens[:3]), Span(*now.opens[:3])

    def correct(self, stored: Span) -> EdgedSpan:
        """Return the new span of the pixel's opens that count, given the stored one."""
        return correct(stored, self._was, self.counted)

"""Spans: a number of opens, with the times of the first and the last."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mailtrack._counts import NEVER_OPENED, NO_OPENS, OpenSpan, OpenSpans
from mailtrack._times import from_milliseconds


class Span(NamedTuple):
    """A number of opens, with the times of the first and the last in milliseconds, `None` without any."""

    number: int
    first: int | None
    last: int | None


NO_SPAN = Span(0, None, None)


class Spans(NamedTuple):
    """The span of the opens that count, and that of all."""

    counted: Span
    raw: Span


NO_SPANS = Spans(NO_SPAN, NO_SPAN)


def make_span(times: Sequence[int]) -> Span:
    """Return the span of opens at these times."""
    return Span(len(times), min(times), max(times)) if times else NO_SPAN


def join_spans(one: Span, other: Span) -> Span:
    """Return the span of the opens of both."""
    if one.first is None or one.last is None:
        return other
    if other.first is None or other.last is None:
        return one
    # Written out: this is done for each recipient, and `min` and `max` take three times as long.
    return Span(
        one.number + other.number,
        one.first if one.first < other.first else other.first,
        one.last if one.last > other.last else other.last,
    )


def join_both(one: Spans, other: Spans) -> Spans:
    """Return the spans of the opens of both."""
    return Spans(join_spans(one.counted, other.counted), join_spans(one.raw, other.raw))


def spans_by_recipient(opens: Iterable[tuple[str | None, int]]) -> dict[str, Span]:
    """Return the spans of opens by recipient, given as pairs of recipient and time. Opens without one are left out."""
    found: dict[str, Span] = {}
    for recipient_id, at in opens:
        if recipient_id is not None:
            new, before = Span(1, at, at), found.get(recipient_id)
            found[recipient_id] = new if before is None else join_spans(before, new)
    return found


def to_open_span(number: int, first: int | None, last: int | None) -> OpenSpan:
    """Return a span as a value of the model."""
    if first is None or last is None:
        return NEVER_OPENED
    return OpenSpan(number=number, first=from_milliseconds(first), last=from_milliseconds(last))


def to_open_spans(spans: Spans) -> OpenSpans:
    """Return the spans of a pixel or a recipient as a value of the model."""
    if spans.raw.first is None:
        return NO_OPENS
    return OpenSpans(counted=to_open_span(*spans.counted), raw=to_open_span(*spans.raw))

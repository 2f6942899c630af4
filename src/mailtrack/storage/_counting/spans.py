"""Spans: numbers of opens, with the times of the first and the last."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

from mailtrack._counts import NEVER_OPENED, NO_OPENS, OpenSpan, OpenSpans
from mailtrack._slots import maker_of
from mailtrack._times import from_all_milliseconds, from_milliseconds


class Span(NamedTuple):
    """A number of opens, with the times of the first and the last in milliseconds, `None` without any."""

    number: int
    first: int | None
    last: int | None


NO_SPAN = Span(0, None, None)


class Spans(NamedTuple):
    """The opens of a pixel or a recipient: the span of those that count, then the span of all.

    Plain fields in one value, not two spans, because some are made for each open. The number of prefetches is that of
    a recipient; for pixels it is not counted.
    """

    counted: int
    first_counted: int | None
    last_counted: int | None
    raw: int
    first: int | None
    last: int | None
    prefetches: int = 0

    @property
    def prefetched(self) -> bool:
        """Whether a recipient with these opens is in the state `prefetched`."""
        return not self.counted and self.prefetches > 0


NO_SPANS = Spans(*NO_SPAN, *NO_SPAN)


def make_span(times: Sequence[int]) -> Span:
    """Return the span of opens at these times."""
    return Span(len(times), min(times), max(times)) if times else NO_SPAN


def join_spans(one: Span, other: Span) -> Span:
    """Return the span of the opens of both."""
    first, last = _edges(one.first, one.last, other.first, other.last)
    return Span(one.number + other.number, first, last)


def open_spans(at: int, *, counted: bool, prefetch: bool) -> Spans:
    """Return the spans of one open at a time in milliseconds."""
    fields = (1, at, at, 1, at, at, int(prefetch)) if counted else (0, None, None, 1, at, at, int(prefetch))
    return tuple.__new__(Spans, fields)  # in half the time of `Spans(*fields)`


def join_both(one: Spans, other: Spans) -> Spans:
    """Return the spans of the opens of both."""
    if not one.raw:
        return other
    if not other.raw:
        return one
    first_counted, last_counted = _edges(one.first_counted, one.last_counted, other.first_counted, other.last_counted)
    first, last = _edges(one.first, one.last, other.first, other.last)
    counted, raw, prefetches = one.counted + other.counted, one.raw + other.raw, one.prefetches + other.prefetches
    return Spans(counted, first_counted, last_counted, raw, first, last, prefetches)


def _edges(
    first: int | None, last: int | None, other_first: int | None, other_last: int | None
) -> tuple[int | None, int | None]:
    if first is None or last is None:
        return other_first, other_last
    if other_first is None or other_last is None:
        return first, last
    # Written out: this is done for each open, and `min` and `max` take three times as long.
    return (first if first < other_first else other_first, last if last > other_last else other_last)


def spans_by_recipient(opens: Iterable[tuple[int | None, int]]) -> dict[int, Span]:
    """Return the spans of opens by recipient, given as pairs of recipient and time. Opens without one are left out."""
    times: defaultdict[int, list[int]] = defaultdict(list)
    for recipient, at in opens:
        if recipient is not None:
            times[recipient].append(at)
    return {recipient: make_span(some) for recipient, some in times.items()}


Column: TypeAlias = Sequence[Any]
"""What many rows have in one column."""


def to_open_spans(*spans: int | None) -> OpenSpans:
    """Return the opens of a pixel or a recipient as a value of the model, given the first six fields of its `Spans`."""
    return to_all_open_spans(*([field] for field in spans))[0]


def to_all_open_spans(
    counted: Column, first_counted: Column, last_counted: Column, raw: Column, first: Column, last: Column
) -> list[OpenSpans]:
    """Return the opens of many pixels or recipients, given the first six fields of their `Spans` in columns."""
    if not any(raw):
        return [NO_OPENS] * len(raw)
    wholes = _to_open_spans(raw, first, last)
    parts = [
        whole if part == of else _to_open_span(*part)
        for whole, part, of in zip(
            wholes,
            zip(counted, first_counted, last_counted, strict=True),
            zip(raw, first, last, strict=True),
            strict=True,
        )
    ]
    return _make_both(len(wholes), (parts, wholes))


def _to_open_spans(number: Column, first: Column, last: Column) -> list[OpenSpan]:
    if None in first or None in last:
        return [_to_open_span(*span) for span in zip(number, first, last, strict=True)]
    begins = from_all_milliseconds(first)
    ends = [
        begin if at == since else from_milliseconds(at) for begin, since, at in zip(begins, first, last, strict=True)
    ]
    return _make_each(len(begins), (number, begins, ends))


def _to_open_span(number: int, first: int | None, last: int | None) -> OpenSpan:
    if first is None or last is None:
        return NEVER_OPENED
    return OpenSpan(number=number, first=from_milliseconds(first), last=from_milliseconds(last))


_make_each = maker_of(OpenSpan)
_make_both = maker_of(OpenSpans)

"""The results of a storage as plain tuples, which the state machine compares with the expected ones."""

from datetime import datetime

from mailtrack._counts import Count, OpenSpan
from mailtrack._figures import DayCount, Figures
from mailtrack._model import Pixel, Recipient, VerdictKind

Span = tuple[int, datetime | None, datetime | None]


def both_spans(owner: Pixel | Recipient) -> tuple[Span, Span]:
    """Return the span of all opens, and that of those that count."""
    return _span(owner.opens.raw), _span(owner.opens.counted)


def _span(span: OpenSpan) -> Span:
    return span.number, span.first, span.last


def views(pixel: Pixel) -> tuple[int, int]:
    """Return the number of views, and of those that count."""
    return pixel.views.raw, pixel.views.counted


def opened(pixel: Pixel) -> tuple[int, int]:
    """Return the number of recipients with any open, and with one that counts."""
    return pixel.opened.raw, pixel.opened.counted


def hours(figures: Figures) -> list[tuple[datetime, str, int, int]]:
    """Return the hours with the kind of verdict, all opens, and those that count."""
    return [(one.hour, one.kind.value, one.opens.raw, one.opens.counted) for one in figures.hours]


def days(found: list[DayCount]) -> list[tuple[datetime, int, int]]:
    """Return the days with all opens, and those that count."""
    return [(one.day, one.opens.raw, one.opens.counted) for one in found]


def totals(found: dict[VerdictKind, Count]) -> dict[str, tuple[int, int]]:
    """Return the kinds with all opens, and those that counted."""
    return {kind.value: (number.raw, number.counted) for kind, number in found.items()}


def facets(figures: Figures) -> list[tuple[str, str, int, int]]:
    """Return the facets and names with all opens, and those that count."""
    return [(one.facet.value, one.name, one.opens.raw, one.opens.counted) for one in figures.facets]


def delays(figures: Figures) -> list[tuple[int, int, int]]:
    """Return the buckets with the recipients by their first open, and by the first that counts."""
    return [(one.bucket, one.recipients.raw, one.recipients.counted) for one in figures.delays]


def top(figures: Figures) -> list[tuple[str, int]]:
    """Return the recipients with the most opens that count, with their number."""
    return [(one.id, one.opens.counted.number) for one in figures.top]

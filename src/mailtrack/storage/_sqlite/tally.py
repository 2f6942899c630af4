"""What opens add to the counts of their pixel."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import timedelta

from mailtrack._delays import to_bucket
from mailtrack._model import REPEAT, Client, Facet, Open, Verdict

_HOUR = 3_600_000

Span = tuple[int, int | None, int | None]
"""A number of opens, and the times of the first and the last in milliseconds, `None` without any."""

Count = tuple[int, int]
"""A number of opens, and of those among them that count."""


NO_OPENS: Span = (0, None, None)


def to_span(times: Sequence[int]) -> Span:
    """Return the span of opens at these times."""
    return (len(times), min(times), max(times)) if times else NO_OPENS


def join_spans(one: Span, other: Span) -> Span:
    """Return the span of the opens of both."""
    number, first, last = one
    other_number, other_first, other_last = other
    if first is None or last is None:
        return other
    if other_first is None or other_last is None:
        return one
    # Written out: this is done for each open, and `min` and `max` take three times as long.
    return (
        number + other_number,
        first if first < other_first else other_first,
        last if last > other_last else other_last,
    )


class Tally:
    """Counts opens of one pixel, given with their times in milliseconds.

    Attributes:
        opens: the span of all.
        counted: the span of those that count.
        views: how many are no repeats.
        recipients: the span of all by recipient.
        counted_recipients: the span of those that count by recipient.
        hours: counts by the start of the hour and the kind of verdict.
        facets: counts by facet and name.
    """

    def __init__(self, opens: Sequence[Open], times: Sequence[int]) -> None:
        self.recipients: dict[str, Span] = {}
        self.counted_recipients: dict[str, Span] = {}
        # Verdicts and clients are few objects, so what is alike is found by their identity.
        alike: dict[tuple[int, int, int, bool, bool], list[Open]] = {}
        for one, at in zip(opens, times, strict=True):
            key = (at - at % _HOUR, id(one.verdict), id(one.client), one.counted, REPEAT in one.signals)
            if found := alike.get(key):
                found.append(one)
            else:
                alike[key] = [one]
            if one.recipient_id is not None:
                _add(self.recipients, one.recipient_id, at)
                if one.counted:
                    _add(self.counted_recipients, one.recipient_id, at)
        self.opens = to_span(times)
        self.counted = to_span([at for one, at in zip(opens, times, strict=True) if one.counted])
        self.views: Count = (0, 0)
        self.hours: defaultdict[tuple[int, str], Count] = defaultdict(lambda: (0, 0))
        self.facets: defaultdict[tuple[str, str], Count] = defaultdict(lambda: (0, 0))
        for (hour, _, _, counted, is_repeat), group in alike.items():
            verdict, client = group[0].verdict, group[0].client
            count = _count(len(group), counted=counted)
            if not is_repeat:
                self.views = _sum(self.views, count)
            self.hours[hour, verdict.kind.value] = _sum(self.hours[hour, verdict.kind.value], count)
            for name in to_facets(verdict, client):
                self.facets[name] = _sum(self.facets[name], count)


def _add(spans: dict[str, Span], recipient: str, at: int) -> None:
    before = spans.get(recipient)
    spans[recipient] = (1, at, at) if before is None else join_spans(before, (1, at, at))


def _count(number: int, *, counted: bool) -> Count:
    return (number, number if counted else 0)


def _sum(one: Count, other: Count) -> Count:
    return (one[0] + other[0], one[1] + other[1])


def to_facets(verdict: Verdict, client: Client) -> list[tuple[str, str]]:
    """Return the facets under which an open is counted, each with its name."""
    found = [(Facet.CLIENT.value, client.name), (Facet.OS.value, client.os), (Facet.DEVICE.value, client.device)]
    return [(Facet.VENDOR.value, verdict.vendor), *found] if verdict.vendor is not None else found


class Delays:
    """How the numbers of recipients by the delay of their first open change."""

    def __init__(self) -> None:
        self._recipients: Counter[int] = Counter()
        self._counted: Counter[int] = Counter()

    def change(self, made_at: int, before: int | None, after: int | None, *, counted: bool) -> None:
        """Let the first open of a recipient, or the first that counts, be at another time, or be none.

        All times are in milliseconds; the token was made at `made_at`.
        """
        counts = self._counted if counted else self._recipients
        for first, number in ((before, -1), (after, 1)):
            if first is not None:
                counts[to_bucket(timedelta(milliseconds=first - made_at))] += number

    @property
    def rows(self) -> list[tuple[int, int, int]]:
        """What changes: bucket, number of recipients, number of those whose open counts."""
        buckets = sorted({*self._recipients, *self._counted})
        return [(bucket, self._recipients[bucket], self._counted[bucket]) for bucket in buckets]

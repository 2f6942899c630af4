"""Tallies: the counts of new opens, to be added to those of their pixel."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeVar

from mailtrack._columns import Opens
from mailtrack._counts import Count
from mailtrack._figures import Facet
from mailtrack._model import REPEAT, Client, Verdict, VerdictKind
from mailtrack.storage._counting.spans import Spans, join_both, make_span, open_spans

HOUR = 3_600_000
"""Milliseconds in an hour."""

DAY = 24 * HOUR
"""Milliseconds in a day."""

_PREFETCH = VerdictKind.PREFETCH

K = TypeVar("K")


class HourKey(NamedTuple):
    """The start of an hour in milliseconds, and a kind of verdict."""

    hour: int
    kind: str


class FacetKey(NamedTuple):
    """A facet, and a value that opens share in it."""

    facet: str
    name: str


class Tally:
    """The counts of some opens of one pixel.

    Args:
        opens: the opens.

    Attributes:
        opens: the spans of all.
        recipients: the spans by recipient.
        views: the number of opens that are no repeats.
        hours: the numbers of opens by hour and kind.
        facets: the numbers of opens by facet and name.
    """

    def __init__(self, opens: Opens) -> None:
        times, findings = opens.times, opens.findings
        counted = make_span([at for at, finding in zip(times, findings, strict=True) if finding.counted])
        self.opens = Spans(*counted, *make_span(times))
        self.recipients = recipients = dict[str, Spans]()
        for owner, at, finding in zip(opens.recipients, times, findings, strict=True):
            if owner is not None:
                new = open_spans(at, counted=finding.counted, prefetch=finding.verdict.kind is _PREFETCH)
                before = recipients.get(owner)
                recipients[owner] = new if before is None else join_both(before, new)
        self.views = Count()
        self.hours: defaultdict[HourKey, Count] = defaultdict(Count)
        self.facets: defaultdict[FacetKey, Count] = defaultdict(Count)
        for (hour, finding), number in Counter(zip([at - at % HOUR for at in times], findings, strict=True)).items():
            self.hours[HourKey(hour, finding.verdict.kind.value)] += Count(number if finding.counted else 0, number)
        for finding, number in Counter(findings).items():
            count = Count(number if finding.counted else 0, number)
            if REPEAT not in finding.signals:
                self.views += count
            for key in _to_facets(finding.verdict, finding.client):
                self.facets[key] += count


def _to_facets(verdict: Verdict, client: Client) -> Iterator[FacetKey]:
    if verdict.vendor is not None:
        yield FacetKey(Facet.VENDOR.value, verdict.vendor)
    yield FacetKey(Facet.CLIENT.value, client.name)
    yield FacetKey(Facet.OS.value, client.os)
    yield FacetKey(Facet.DEVICE.value, client.device)


def subtract(now: Mapping[K, Count], before: Mapping[K, Count]) -> dict[K, Count]:
    """Return by how much each number is higher, or lower, now than before; only where it differs."""
    nothing = Count()
    changes = {key: now.get(key, nothing) - before.get(key, nothing) for key in {**before, **now}}
    return {key: change for key, change in changes.items() if change != nothing}

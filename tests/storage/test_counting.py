"""Counting beside the backends: each function against the plainest way to say the same."""

import inspect
import pkgutil
from collections import Counter
from datetime import timedelta
from importlib import import_module
from itertools import pairwise

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtrack import Client, Count, OpenSpan, OpenSpans, Verdict
from mailtrack._columns import Opens
from mailtrack._delays import to_bucket
from mailtrack._times import from_milliseconds, to_milliseconds
from mailtrack.storage import Facet
from mailtrack.storage import _counting as counting
from mailtrack.storage._counting.delays import Delays
from mailtrack.storage._counting.log_gaps import Gap, join_gaps, pass_over
from mailtrack.storage._counting.openers import Openers
from mailtrack.storage._counting.rejudging import Rejudging
from mailtrack.storage._counting.spans import (
    NO_SPAN,
    NO_SPANS,
    Span,
    Spans,
    join_both,
    join_spans,
    make_span,
    spans_by_recipient,
    to_all_open_spans,
    to_open_spans,
)
from mailtrack.storage._counting.tallies import HOUR, FacetKey, HourKey, Tally, subtract
from mailtrack.storage._counting.top import find_top
from mailtrack.testing import make_open, make_pixel, make_recipients
from mailtrack.testing._factories import NOON

TIMES = st.lists(st.integers(-(10**6), 10**6), max_size=6)
NOON_MS = to_milliseconds(NOON)
ONCE = Span(1, NOON_MS, NOON_MS)
PIXEL = make_pixel()
ANN, BOB = make_recipients(PIXEL, ["ann@example.org", "bob@example.org"])


def _spans(counted: Span = NO_SPAN, raw: Span = NO_SPAN) -> Spans:
    return Spans(*counted, *raw)


PROXY, BOT = Verdict(kind="proxy", vendor="Google"), Verdict(kind="bot")
OUTLOOK = Client(name="Outlook", version="16", os="Windows", device="desktop")


def test_nothing_of_it_needs_a_database() -> None:
    for module in pkgutil.iter_modules(counting.__path__, f"{counting.__name__}."):
        assert "sqlite" not in inspect.getsource(import_module(module.name)).lower()


class TestSpans:
    @given(TIMES, TIMES)
    def test_a_joined_span_is_that_of_all_times(self, some: list[int], others: list[int]) -> None:
        joined = join_spans(make_span(some), make_span(others))
        assert joined == make_span(some + others)
        times = some + others
        assert joined == (len(times), min(times, default=None), max(times, default=None))

    def test_counted_and_raw_are_joined_each_with_its_own(self) -> None:
        spans = _spans(raw=ONCE)
        assert join_both(spans, _spans(ONCE, ONCE)) == _spans(ONCE, Span(2, NOON_MS, NOON_MS))
        assert join_both(NO_SPANS, spans) == join_both(spans, NO_SPANS) == spans

    @given(st.lists(st.tuples(st.sampled_from([None, "a", "b"]), st.integers(-9, 9))))
    def test_recipients_have_the_span_of_their_own_opens(self, opens: list[tuple[str | None, int]]) -> None:
        found = spans_by_recipient(opens)
        assert found == {
            one: make_span([at for owner, at in opens if owner == one]) for one, _ in opens if one is not None
        }

    def test_as_values_of_the_model_they_have_times(self) -> None:
        span = OpenSpan(number=2, first=NOON, last=NOON + timedelta(milliseconds=5))
        assert to_open_spans(*_spans(raw=Span(2, NOON_MS, NOON_MS + 5))[:6]) == OpenSpans(raw=span)
        assert to_open_spans(*NO_SPANS[:6]) == OpenSpans()

    def test_many_become_values_of_the_model_as_each_does(self) -> None:
        once, twice = Span(1, NOON_MS, NOON_MS), Span(2, NOON_MS - 1, NOON_MS)
        some = [_spans(once, once), _spans(once, twice), _spans(NO_SPAN, twice), _spans(twice, twice)]
        for given_spans in (some, [*some, NO_SPANS], [NO_SPANS] * 2):
            columns = zip(*(one[:6] for one in given_spans), strict=True)
            assert to_all_open_spans(*columns) == [to_open_spans(*one[:6]) for one in given_spans]
        first = OpenSpan(number=1, first=NOON, last=NOON)
        both = OpenSpan(number=2, first=NOON - timedelta(milliseconds=1), last=NOON)
        assert to_all_open_spans(*zip(*(one[:6] for one in some), strict=True)) == [
            OpenSpans(counted=first, raw=first),
            OpenSpans(counted=first, raw=both),
            OpenSpans(raw=both),
            OpenSpans(counted=both, raw=both),
        ]


class TestTally:
    def test_each_number_is_counted_and_raw(self) -> None:
        opens = [
            make_open(PIXEL, ANN, verdict=PROXY, client=OUTLOOK),
            make_open(PIXEL, ANN, at=NOON + timedelta(minutes=59), signals=["repeat"], counted=False),
            make_open(PIXEL, BOB, at=NOON + timedelta(hours=1), verdict=BOT, counted=False),
            make_open(PIXEL, verdict=PROXY, client=OUTLOOK),
        ]
        tally = Tally(Opens.of(opens))
        assert tally.opens == _spans(Span(2, NOON_MS, NOON_MS), Span(4, NOON_MS, NOON_MS + HOUR))
        assert tally.recipients == {
            ANN.id: _spans(ONCE, Span(2, NOON_MS, NOON_MS + 59 * 60_000)),
            BOB.id: _spans(NO_SPAN, Span(1, NOON_MS + HOUR, NOON_MS + HOUR)),
        }
        assert tally.views == Count(2, 3)
        assert tally.hours == {
            HourKey(NOON_MS, "proxy"): Count(2, 2),
            HourKey(NOON_MS, "unknown"): Count(0, 1),
            HourKey(NOON_MS + HOUR, "bot"): Count(0, 1),
        }
        assert tally.facets == {
            FacetKey(Facet.VENDOR, "Google"): Count(2, 2),
            FacetKey(Facet.CLIENT, "Outlook"): Count(2, 2),
            FacetKey(Facet.OS, "Windows"): Count(2, 2),
            FacetKey(Facet.DEVICE, "desktop"): Count(2, 2),
            **{FacetKey(facet, "unknown"): Count(0, 2) for facet in (Facet.CLIENT, Facet.OS, Facet.DEVICE)},
        }

    def test_without_opens_it_is_empty(self) -> None:
        tally = Tally(Opens.of([]))
        assert (tally.opens, tally.views, tally.recipients, tally.hours) == (NO_SPANS, Count(), {}, {})

    def test_an_hour_before_1970_begins_before_its_opens(self) -> None:
        opens = [make_open(PIXEL, at=from_milliseconds(-1))]
        assert list(Tally(Opens.of(opens)).hours) == [HourKey(-HOUR, "unknown")]

    def test_what_differs_is_left_by_subtraction(self) -> None:
        now, before = {"a": Count(1, 2), "b": Count(3, 3), "c": Count(0, 1)}, {"a": Count(1, 2), "b": Count(4, 4)}
        assert subtract(now, before) == {"b": Count(-1, -1), "c": Count(0, 1)}
        assert subtract(before, now) == {"b": Count(1, 1), "c": Count(0, -1)}


class TestDelays:
    def test_a_recipient_moves_from_bucket_to_bucket(self) -> None:
        delays = Delays()
        delays.change(
            0, None, _spans(NO_SPAN, Span(1, 60_000, 60_000)), _spans(Span(1, 1_000, 1_000), Span(2, 1_000, 60_000))
        )
        minute, second = to_bucket(timedelta(minutes=1)), to_bucket(timedelta(seconds=1))
        assert delays.buckets == {second: Count(1, 1), minute: Count(0, -1)}
        assert list(delays.buckets) == [second, minute]

    def test_a_later_open_moves_no_recipient(self) -> None:
        delays = Delays()
        delays.change(0, None, _spans(ONCE, ONCE), _spans(Span(2, NOON_MS, NOON_MS + 1), Span(2, NOON_MS, NOON_MS + 1)))
        assert delays.buckets == {}

    def test_an_open_before_the_token_has_no_delay(self) -> None:
        delays = Delays()
        delays.change(5_000, None, NO_SPANS, _spans(NO_SPAN, Span(1, 0, 0)))
        assert delays.buckets == {0: Count(0, 1)}


class TestOpeners:
    @given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=5))
    def test_they_are_those_with_any_open_however_their_opens_changed(self, steps: list[tuple[int, int]]) -> None:
        openers, before = Openers(), NO_SPANS
        for counted, more in steps:
            after = _spans(make_span([7] * counted), make_span([7] * (counted + more)))
            openers.change(0, None, before, after)
            before = after
        assert openers.opened == Count(before.counted > 0, before.raw > 0)
        left = [count for count in openers.delays.buckets.values() if count != Count()]
        assert sum(left, Count()) == openers.opened

    @pytest.mark.parametrize("sent_at", [None, 4_000, 60_000, 60_001])
    def test_the_clock_starts_when_the_mail_was_sent_if_that_was_not_after_the_open(self, sent_at: int | None) -> None:
        delays = Delays()
        delays.change(1_000, sent_at, NO_SPANS, _spans(raw=Span(1, 60_000, 60_000)))
        seconds = {None: 59, 4_000: 56, 60_000: 0, 60_001: 59}[sent_at]
        assert delays.buckets == {to_bucket(timedelta(seconds=seconds)): Count(0, 1)}

    @pytest.mark.parametrize(
        ("before", "after", "change"),
        [((0, 0), (0, 1), 1), ((0, 2), (1, 2), -1), ((1, 1), (1, 2), 0), ((0, 1), (0, 0), -1)],
    )
    def test_prefetched_are_those_with_prefetches_and_no_open_that_counts(
        self, before: tuple[int, int], after: tuple[int, int], change: int
    ) -> None:
        openers = Openers()
        openers.change(0, None, *(NO_SPANS._replace(counted=one, prefetches=two) for one, two in (before, after)))
        assert openers.prefetched == change


class TestTop:
    @given(st.dictionaries(st.integers(1, 20), st.integers(0, 5)), st.integers(1, 9))
    def test_it_is_the_start_of_the_sorted_list(self, counted: dict[int, int], limit: int) -> None:
        often = [number for number, opens in sorted(counted.items()) if opens >= 2]
        expected = sorted(often, key=lambda number: -counted[number])[:limit]
        assert list(find_top(counted, limit).items()) == [(number, counted[number]) for number in expected]


class TestGaps:
    numbers = st.sets(st.integers(1, 40))

    @given(numbers, numbers)
    def test_they_have_all_numbers_and_neither_touch_nor_overlap(self, some: set[int], others: set[int]) -> None:
        gaps = join_gaps(Gap(number, number) for number in some)
        gaps = join_gaps([*gaps, *(Gap(number, number) for number in others)])
        assert [number for gap in gaps for number in range(gap.first, gap.last + 1)] == sorted(some | others)
        assert all(one.last + 1 < other.first for one, other in pairwise(gaps))

    def test_a_gap_within_another_adds_nothing(self) -> None:
        assert join_gaps([Gap(1, 9), Gap(3, 4)]) == [Gap(1, 9)]

    @given(numbers, st.integers(0, 40), st.integers(0, 50))
    def test_opens_are_passed_over_and_gaps_are_not(self, purged: set[int], number: int, skip: int) -> None:
        gaps = [gap for gap in reversed(join_gaps(Gap(one, one) for one in purged)) if gap.first <= number]
        place = pass_over(gaps, number, skip)
        kept = [one for one in range(number, 0, -1) if one not in purged]
        assert [one for one in range(place, 0, -1) if one not in purged] == kept[skip:]


class TestRejudging:
    def test_only_what_differs_changes(self) -> None:
        before = [make_open(PIXEL, ANN), make_open(PIXEL, BOB, verdict=PROXY, client=OUTLOOK, signals=["repeat"])]
        after = [make_open(PIXEL, ANN, verdict=BOT, counted=False), before[1]]
        changes = Rejudging(before, after)
        assert [*changes.recipients] == [ANN.id]
        assert changes.views == Count(-1, 0)
        assert changes.hours == {HourKey(NOON_MS, "unknown"): Count(-1, -1), HourKey(NOON_MS, "bot"): Count(0, 1)}
        assert changes.facets == {
            FacetKey(facet, "unknown"): Count(-1, 0) for facet in (Facet.CLIENT, Facet.OS, Facet.DEVICE)
        }

    @pytest.mark.parametrize("places", [[], [0], [2], [0, 2]])
    @pytest.mark.parametrize("now", [[], [0], [2], [0, 2]])
    def test_an_edge_is_lost_where_its_open_counts_no_more(self, places: list[int], now: list[int]) -> None:
        """One open at 1 counts; of those at 0 and 2 count some before, and others now."""
        opens = {at: make_open(PIXEL, at=from_milliseconds(at)) for at in (0, 2)}
        before, after = ([self._weigh(one, at in some) for at, one in opens.items()] for some in (places, now))
        found = Rejudging(before, after).correct(make_span([1, *places]))
        expected = make_span([1, *now])
        assert found.span.number == expected.number
        assert found.first_is_lost or found.span.first == expected.first
        assert found.last_is_lost or found.span.last == expected.last
        assert found.first_is_lost == (0 in places and 0 not in now)
        assert found.last_is_lost == (2 in places and 2 not in now)

    @staticmethod
    def _weigh(one, counted: bool):
        return attrs.evolve(one, counted=counted)


def test_a_counter_of_buckets_says_the_same_as_delays() -> None:
    """Many recipients at once, each with a delay of its own."""
    firsts = [n * n * 1000 for n in range(30)]
    delays = Delays()
    for first in firsts:
        delays.change(0, None, NO_SPANS, _spans(Span(1, first, first), Span(1, first, first)))
    expected = Counter(to_bucket(timedelta(milliseconds=first)) for first in firsts)
    assert delays.buckets == {bucket: Count(number, number) for bucket, number in sorted(expected.items())}

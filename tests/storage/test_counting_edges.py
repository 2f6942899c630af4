"""The counting beside the backends at its edges: gaps in a log, moves between delay buckets."""

from datetime import timedelta

import pytest

from mailtrack._counts import Count
from mailtrack._delays import to_bucket
from mailtrack.storage._counting.delays import Delays
from mailtrack.storage._counting.log_gaps import Gap, pass_over
from mailtrack.storage._counting.spans import NO_SPANS, Spans

MADE_AT = 1_762_430_400_000


@pytest.mark.parametrize("number", range(9))
@pytest.mark.parametrize("skip", range(6))
@pytest.mark.parametrize("gaps", [[], [Gap(3, 5)], [Gap(5, 5), Gap(2, 3)], [Gap(1, 1)]], ids=str)
def test_passing_over_equals_a_walk_down_the_log(gaps: list[Gap], number: int, skip: int) -> None:
    log = [at for at in range(number, 0, -1) if not any(gap.first <= at <= gap.last for gap in gaps)]
    found = pass_over([gap for gap in gaps if gap.first <= number], number, skip)
    assert [at for at in log if at <= found] == log[skip:]
    assert not any(gap.first <= found <= gap.last for gap in gaps) or skip == 0


def spans(first: int | None, counted: int | None) -> Spans:
    """Return the spans of a recipient by the seconds from the making of its token to its first opens."""
    raw, own = (None if after is None else MADE_AT + after * 1000 for after in (first, counted))
    return Spans(int(own is not None), own, own, int(raw is not None), raw, raw)


@pytest.mark.parametrize("before", [(None, None), (60, None), (60, 60), (3600, 7200)])
@pytest.mark.parametrize("after", [(None, None), (60, None), (60, 60), (60, 3600), (3600, 7200)])
def test_a_recipient_moves_from_the_bucket_that_it_was_in_to_the_one_that_it_is_in(
    before: tuple[int | None, int | None], after: tuple[int | None, int | None]
) -> None:
    delays = Delays()
    delays.change(MADE_AT, None, NO_SPANS, spans(*before))
    delays.change(MADE_AT, None, spans(*before), spans(*after))
    left = {bucket: count for bucket, count in delays.buckets.items() if count != Count()}
    raw, counted = (None if seconds is None else to_bucket(timedelta(seconds=seconds)) for seconds in after)
    buckets = {raw, counted} - {None}
    assert left == {bucket: Count(counted=int(bucket == counted), raw=int(bucket == raw)) for bucket in buckets}

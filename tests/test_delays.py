"""Buckets of spans of time: narrow enough for a median, few enough to be kept."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtrack._delays import from_bucket, to_bucket

HUNDRED_YEARS = timedelta(days=36_525)

delays = st.timedeltas(timedelta(0), HUNDRED_YEARS) | st.timedeltas(timedelta(0), timedelta(seconds=20))


@given(delays)
def test_the_middle_of_a_bucket_is_within_5_percent_or_a_twentieth_of_a_second_of_all_in_it(delay: timedelta) -> None:
    distance = abs(from_bucket(to_bucket(delay)) - delay)
    assert distance <= max(0.05 * delay, timedelta(seconds=0.05))


@given(delays, delays)
def test_buckets_are_in_the_order_of_the_spans(one: timedelta, other: timedelta) -> None:
    assert to_bucket(min(one, other)) <= to_bucket(max(one, other))


@pytest.mark.parametrize("bucket", range(to_bucket(HUNDRED_YEARS) + 1))
def test_the_middle_of_a_bucket_is_in_it(bucket: int) -> None:
    assert to_bucket(from_bucket(bucket)) == bucket


@given(st.timedeltas(timedelta.min, timedelta(seconds=0.01)))
def test_what_took_no_time_or_less_is_in_the_first_bucket(delay: timedelta) -> None:
    assert to_bucket(delay) == 0


@given(st.timedeltas(HUNDRED_YEARS))
def test_what_takes_longer_than_anything_is_in_one_of_a_few_hundred_buckets(delay: timedelta) -> None:
    assert to_bucket(HUNDRED_YEARS) <= to_bucket(delay) < 300
    assert from_bucket(to_bucket(delay)) > timedelta(days=30_000)

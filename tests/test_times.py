"""Times are converted to UTC, milliseconds and text; the clock for tests stands still."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from mailtrack import _times as times
from mailtrack.testing import FakeClock
from mailtrack.testing._factories import NOON


class TestToUtc:
    def test_a_time_elsewhere_becomes_utc(self) -> None:
        tokyo = timezone(timedelta(hours=9))
        found = times.to_utc(datetime(2025, 11, 6, 21, tzinfo=tokyo))
        assert (found, found.tzinfo) == (NOON, UTC)

    def test_what_is_shorter_than_a_millisecond_is_cut_off(self) -> None:
        assert times.to_utc(NOON.replace(microsecond=1999)) == NOON.replace(microsecond=1000)

    def test_a_naive_time_is_refused(self) -> None:
        with pytest.raises(ValueError, match="time zone"):
            times.to_utc(datetime(2025, 11, 6, 12))


class TestNow:
    def test_it_is_utc_in_whole_milliseconds(self) -> None:
        found = times.now()
        assert (found.tzinfo, found.microsecond % 1000) == (UTC, 0)


class TestMilliseconds:
    @pytest.mark.parametrize("values", [[], [0, -1, 1_762_430_400_001, 0]])
    def test_many_become_the_times_that_each_becomes(self, values: list[int]) -> None:
        assert times.from_all_milliseconds(values) == [times.from_milliseconds(one) for one in values]

    @pytest.mark.parametrize(
        ("time", "milliseconds"),
        [
            (datetime(1970, 1, 1, tzinfo=UTC), 0),
            (datetime(1969, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC), -1),
            (datetime(2025, 11, 6, 12, 0, 0, 1000, tzinfo=UTC), 1_762_430_400_001),
        ],
    )
    def test_they_count_from_1970(self, time: datetime, milliseconds: int) -> None:
        assert times.to_milliseconds(time) == milliseconds
        assert times.from_milliseconds(milliseconds) == time


class TestText:
    @pytest.mark.parametrize(
        ("time", "text"),
        [
            (NOON, "2025-11-06T12:00:00.000Z"),
            (NOON.replace(microsecond=7000), "2025-11-06T12:00:00.007Z"),
            (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00.000Z"),
        ],
    )
    def test_it_is_iso_8601_with_milliseconds_and_z(self, time: datetime, text: str) -> None:
        assert times.to_text(time) == text


class TestFakeClock:
    def test_it_stands_still(self) -> None:
        clock = FakeClock(NOON)
        assert (clock(), clock()) == (NOON, NOON)

    def test_it_can_be_set(self) -> None:
        clock = FakeClock(NOON)
        clock.set(NOON - timedelta(days=1))
        assert clock() == NOON - timedelta(days=1)

    def test_it_can_go_on(self) -> None:
        clock = FakeClock(NOON)
        assert clock.advance(hours=1, seconds=0.5) == clock() == NOON + timedelta(hours=1, milliseconds=500)

    def test_it_refuses_a_naive_time(self) -> None:
        with pytest.raises(ValueError, match="time zone"):
            FakeClock(datetime(2025, 11, 6, 12))

"""Any time converts to UTC, milliseconds and text, and back, in the same order."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtrack import InvalidArgument
from mailtrack import _times as times

zones = st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(
    lambda offset: timezone(timedelta(minutes=offset // timedelta(minutes=1)))
)
moments = st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30), timezones=zones)
utc_moments = moments.map(times.to_utc)


class TestUtc:
    """A time in UTC is the same moment, less what is shorter than a millisecond."""

    @given(moments)
    def test_it_is_the_same_moment(self, moment: datetime) -> None:
        assert timedelta() <= moment - times.to_utc(moment) < timedelta(milliseconds=1)

    @given(moments)
    def test_it_is_in_utc(self, moment: datetime) -> None:
        assert times.to_utc(moment).tzinfo is UTC

    @given(utc_moments)
    def test_converting_again_changes_nothing(self, moment: datetime) -> None:
        assert times.to_utc(moment) == moment


class TestMilliseconds:
    """Milliseconds since 1970 and times of the model are one to one, in the same order."""

    @given(utc_moments)
    def test_a_time_is_read_back(self, moment: datetime) -> None:
        assert times.from_milliseconds(times.to_milliseconds(moment)) == moment

    @given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
    def test_a_number_is_read_back(self, number: int) -> None:
        assert times.to_milliseconds(times.from_milliseconds(number)) == number

    @given(utc_moments, utc_moments)
    def test_the_order_is_kept(self, one: datetime, other: datetime) -> None:
        assert (one < other) == (times.to_milliseconds(one) < times.to_milliseconds(other))


class TestText:
    """Any ISO 8601 parser reads a text back as the same time, and texts sort like times."""

    @given(utc_moments)
    def test_it_is_read_back(self, moment: datetime) -> None:
        assert datetime.fromisoformat(times.to_text(moment)) == moment

    @given(utc_moments)
    def test_it_is_the_text_of_its_milliseconds(self, moment: datetime) -> None:
        assert times.milliseconds_to_text(times.to_milliseconds(moment)) == times.to_text(moment)

    @given(utc_moments)
    def test_it_has_one_form(self, moment: datetime) -> None:
        text = times.to_text(moment)
        assert (len(text), text[10], text[19], text[23:]) == (24, "T", ".", "Z")

    @given(utc_moments, utc_moments)
    def test_the_order_is_kept(self, one: datetime, other: datetime) -> None:
        assert (one < other) == (times.to_text(one) < times.to_text(other))


class TestFromText:
    """A text is read if it is a time with an offset from UTC, and nothing else is."""

    @given(moments)
    def test_every_time_with_an_offset_is_read(self, moment: datetime) -> None:
        assert times.from_text(moment.isoformat(), "at") == times.to_utc(moment)
        assert times.from_text(times.to_text(times.to_utc(moment)), "at") == times.to_utc(moment)

    @given(st.text() | st.datetimes().map(str) | st.dates().map(str) | st.integers() | st.none())
    def test_anything_else_is_refused(self, value: object) -> None:
        with pytest.raises(InvalidArgument, match="at must be a time with its offset from UTC"):
            times.from_text(value, "at")

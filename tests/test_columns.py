"""Hits and opens in columns are sequences like lists of them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import TypeAlias, TypeVar

import attrs
import pytest

from mailtrack import Client, Hit, Open, Verdict, VerdictKind
from mailtrack._columns import Hits, Hours, Opens
from mailtrack._counts import Count
from mailtrack._figures import HourCount
from mailtrack.testing import make_hit, make_open, make_pixel, make_recipients
from mailtrack.testing._factories import NOON

T = TypeVar("T", Hit, Open, HourCount)
PIXEL = make_pixel()
(ANN,) = make_recipients(PIXEL, ["ann@example.org"])
HITS = [
    make_hit(PIXEL, token=ANN.token),
    attrs.evolve(make_hit("a1b2c3d4"), ip=None, user_agent="x", referer="https://example.org/", signals=("range",)),
    make_hit(PIXEL, at=NOON + timedelta(milliseconds=1)),
]
OPENS = [
    make_open(PIXEL, ANN, verdict=Verdict(kind="proxy", vendor="Google"), client=Client(name="Gmail")),
    attrs.evolve(make_open(PIXEL, signals=["repeat"], counted=False), age=1.5, networks=("office",)),
    make_open(make_pixel(), ANN).as_erased(),
]
HOURS = [
    HourCount(hour=NOON - timedelta(days=300_000), kind=VerdictKind.BOT, opens=Count(0, 2)),
    HourCount(hour=NOON, kind=VerdictKind.BOT, opens=Count(0, 1)),
    HourCount(hour=NOON, kind=VerdictKind.HUMAN, opens=Count(2, 3)),
]

Columns: TypeAlias = Hits | Opens | Hours


def _without_values(columns: Columns) -> Columns:
    """Return the same columns, as if they had been made of no values."""
    return attrs.evolve(columns, values=None)


@pytest.mark.parametrize("made", [True, False], ids=["of values", "of columns"])
@pytest.mark.parametrize(("kind", "values"), [(Hits, HITS), (Opens, OPENS), (Hours, HOURS)])
class TestColumns:
    @pytest.fixture
    def columns(self, kind: type[Columns], values: Sequence[T], made: bool) -> Columns:
        columns = kind.of(values)
        return columns if made else _without_values(columns)

    def test_they_have_the_same_values(self, columns: Columns, values: Sequence[T]) -> None:
        assert list(columns) == values
        assert [columns[place] for place in range(len(columns))] == values
        assert columns[-1] == values[-1]

    def test_they_equal_a_sequence_with_the_same_values(self, columns: Columns, values: Sequence[T]) -> None:
        assert columns == values == columns
        assert columns != values[1:]
        assert columns != "abc"
        assert columns != 3

    def test_a_slice_of_them_is_one_of_the_values(self, columns: Columns, values: Sequence[T]) -> None:
        assert (columns[1:], columns[:1], columns[::-1]) == (values[1:], values[:1], values[::-1])

    def test_a_place_beyond_the_end_is_an_error(self, columns: Columns) -> None:
        with pytest.raises(IndexError):
            columns[3]

    def test_columns_stay_as_they_are(self, columns: Columns, kind: type[Columns]) -> None:
        assert kind.of(columns) is columns

    def test_none_are_an_empty_list(self, columns: Columns, kind: type[Columns]) -> None:
        assert kind.of([]) == columns.take([]) == []


def test_hours_of_rows_have_their_numbers() -> None:
    rows = [(round(one.hour.timestamp() * 1000), one.kind.value, one.opens.counted, one.opens.raw) for one in HOURS]
    assert Hours.of_rows(rows) == HOURS
    assert Hours.of_rows([]) == []


def test_values_that_were_given_are_returned_as_they_are() -> None:
    assert all(one is given for one, given in zip(Opens.of(OPENS), OPENS, strict=True))


def test_times_of_hits_are_in_utc_and_whole_milliseconds() -> None:
    at = datetime(2026, 1, 1, 12, 0, 0, 1_999, timezone(timedelta(hours=1)))
    hits = _without_values(Hits.of([make_hit(PIXEL, at=at)]))
    assert hits[0].at == datetime(2026, 1, 1, 11, 0, 0, 1_000, UTC)


def test_opens_alike_share_one_finding() -> None:
    one, other, different = Opens.of([OPENS[0], attrs.evolve(OPENS[0], id="x"), OPENS[1]]).findings
    assert one is other is not different


@pytest.mark.parametrize("made", [True, False])
def test_parts_are_joined_one_behind_the_other(made: bool) -> None:
    parts = [Opens.of(OPENS[:1]), Opens.of(OPENS[1:])]
    parts = parts if made else [_without_values(parts[0]), parts[1]]
    assert Opens.join(parts) == OPENS
    assert Opens.join(parts[:1]) is parts[0]


def test_some_are_erased_and_the_others_stay() -> None:
    assert Opens.of(OPENS).as_erased({1}) == [OPENS[0], OPENS[1].as_erased(), OPENS[2]]

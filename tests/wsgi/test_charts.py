"""Charts as numbers, and times and numbers in words."""

from datetime import UTC, datetime, timedelta

import pytest

from mailtrack import Count, Open
from mailtrack_wsgi._html import filters
from mailtrack_wsgi._html.charts import HEIGHT, chart_of_days, chart_of_report

NOON = datetime(2025, 11, 6, 12, 34, 56, tzinfo=UTC)


@pytest.fixture
def chart(tracker, pixel, storage):
    """Makes the chart of opens, given as times after noon and whether each counts, as it is at a time after noon."""

    def make(*opens, now=timedelta(days=365 * 300)):
        storage.add_opens(
            [
                Open(id=f"{number:032x}", pixel_id=pixel.id, opened_at=NOON + after, counted=counted)
                for number, (after, counted) in enumerate(opens)
            ]
        )
        return chart_of_report(tracker.report(pixel.id), now=NOON + now)

    return make


def test_a_pixel_without_opens_has_no_chart(chart):
    assert chart() is None


@pytest.mark.parametrize(
    ("span", "unit", "bars"),
    [
        (timedelta(0), "hour", 12),
        (timedelta(hours=74), "hour", 75),
        (timedelta(hours=75), "3 hours", 26),
        (timedelta(days=10), "6 hours", 41),
        (timedelta(days=60), "day", 61),
        (timedelta(days=365), "week", 53),
        (timedelta(days=3650), "year", 12),
        (timedelta(days=365 * 200), "year", 75),
    ],
)
def test_the_unit_suits_the_time_that_opens_span(chart, span, unit, bars):
    made = chart((timedelta(0), True), (span, True))
    assert (made.unit, len(made.bars)) == (unit, bars)
    assert made.opens.raw == (1 if span > timedelta(days=364 * 75) else 2)


@pytest.mark.parametrize("hours", [743, 744, 745, 2000])
def test_the_chart_has_each_open_where_more_hours_have_opens_than_a_report_lists(chart, hours):
    made = chart(*[(timedelta(hours=place), place % 2 == 0) for place in range(hours)])
    assert made.opens.raw == hours
    assert made.bars[0].opens.raw > 0


def test_people_stand_on_the_line_and_machines_hang_from_it(chart):
    made = chart(*[(timedelta(0), True)] * 3, (timedelta(hours=1), False), (timedelta(hours=2), True))
    first, second, third, *rest = made.bars
    assert (first.opens, second.opens) == (Count(3, 3), Count(0, 1))
    assert (first.top, first.height_above, made.base) == (0, 750, 750)
    assert (second.height_above, second.height_below) == (0, HEIGHT - 750)
    assert (third.top, third.height_above) == (500, 250)
    assert all((bar.height_above, bar.height_below) == (0, 0) for bar in rest)
    assert (made.peak, made.peak_below, made.opens) == (3, 1, Count(4, 5))


@pytest.mark.parametrize(
    ("now", "first", "last"),
    [
        (timedelta(0), "6 Nov 2025, 01:00", "6 Nov 2025, 12:00"),
        (timedelta(hours=3), "6 Nov 2025, 04:00", "6 Nov 2025, 15:00"),
        (timedelta(days=9), "6 Nov 2025, 12:00", "6 Nov 2025, 23:00"),
        (timedelta(hours=-2), "6 Nov 2025, 01:00", "6 Nov 2025, 12:00"),  # the clock was put back
    ],
)
def test_a_chart_with_few_bars_shows_no_hour_of_the_future(chart, now, first, last):
    made = chart((timedelta(0), True), now=now)
    assert (len(made.bars), made.bars[0].label, made.bars[-1].label) == (12, first, last)
    assert [bar.label for bar in made.bars if bar.opens.counted] == ["6 Nov 2025, 12:00"]


def test_the_last_bar_of_a_chart_is_that_of_the_last_open_however_long_ago_it_was(chart):
    made = chart((timedelta(0), True), (timedelta(hours=20), False), now=timedelta(days=3))
    assert (len(made.bars), made.bars[-1].label) == (21, "7 Nov 2025, 08:00")


def test_one_among_many_can_be_seen():
    days = {NOON.replace(hour=0, minute=0, second=0): Count(1_000_000, 1_000_001)}
    made = chart_of_days(days, until=max(days), number=3)
    assert [bar.height_below for bar in made.bars] == [0, 0, HEIGHT // 100]


def test_days_without_opens_have_their_places():
    made = chart_of_days({}, until=NOON, number=14)
    assert (len(made.bars), made.opens.counted, made.bars[0].label, made.bars[-1].label) == (
        14,
        0,
        "24 Oct 2025",
        "6 Nov 2025",
    )


@pytest.mark.parametrize(
    ("after", "shown"),
    [
        (timedelta(seconds=-90), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(hours=3, minutes=59), "3 hours ago"),
        (timedelta(days=29), "29 days ago"),
        (timedelta(days=61), "2 months ago"),
        (timedelta(days=800), "2 years ago"),
    ],
)
def test_how_long_ago_is_told_in_words(after, shown):
    assert filters.relative_time(NOON, NOON + after) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (timedelta(0), "under a second"),
        (timedelta(seconds=40), "40 seconds"),
        (timedelta(hours=50), "2 days"),
    ],
)
def test_how_long_something_took_is_told_in_words(value, shown):
    assert filters.duration(value) == shown


def test_a_link_leaves_out_what_is_not_chosen():
    assert filters.query({"page": 2, "kind": None, "search": ""}, figures="raw") == "?page=2&figures=raw"
    assert filters.query({"page": 2}, page=None) == "?"

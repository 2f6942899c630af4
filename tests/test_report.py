"""Reports: made of what storages count, in any time zone."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from statistics import median_low
from zoneinfo import ZoneInfo

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtrack import (
    Count,
    InvalidPaging,
    InvalidTimeZone,
    OpenSpan,
    OpenSpans,
    Pixel,
    PixelNotFound,
    Recipient,
    Storage,
    Tracker,
    VerdictKind,
)
from mailtrack._columns import Hours
from mailtrack._delays import to_bucket
from mailtrack._times import find_zone
from mailtrack.report import MAX_HOURS, Delay, Named, Rate, Report, make_report, rate_of
from mailtrack.storage import DelayCount, Facet, FacetCount, Figures, HourCount
from mailtrack.testing import FakeClock, make_open, make_pixel, make_recipients
from mailtrack.testing._factories import NOON

HOUR = timedelta(hours=1)
PIXEL = make_pixel()

HUMAN, BOT = VerdictKind.HUMAN, VerdictKind.BOT

WEBKIT = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
"""The user agent of Apple Mail and of Apple's prefetcher: only the time distinguishes them."""


def _figures(
    *,
    pixel: Pixel = PIXEL,
    hours: Sequence[HourCount] = (),
    facets: Sequence[FacetCount] = (),
    delays: Sequence[DelayCount] = (),
    top: Sequence[Recipient] = (),
) -> Figures:
    return Figures(pixel=pixel, hours=tuple(hours), facets=tuple(facets), delays=tuple(delays), top=tuple(top))


def _report(figures: Figures, zone: str = "UTC") -> Report:
    return make_report(figures, zone=ZoneInfo(zone))


def _hours(*hours: datetime, opens: int = 1, counted: int = 1) -> list[HourCount]:
    return [HourCount(hour=hour, kind=HUMAN, opens=Count(counted, opens)) for hour in hours]


def _days(hours: Sequence[datetime], zone: str) -> list[tuple[str, int]]:
    return [(day.start.isoformat(), day.opens.raw) for day in _report(_figures(hours=_hours(*hours)), zone).days]


class TestRates:
    @pytest.mark.parametrize(
        ("recipients", "opened", "opened_raw", "rate"),
        [
            (0, 0, 0, (None, None)),
            (4, 0, 0, (0.0, 0.0)),
            (4, 1, 3, (0.25, 0.75)),
            (4, 4, 4, (1.0, 1.0)),
        ],
    )
    def test_they_are_shares_of_the_recipients_where_there_are_any(
        self, recipients: int, opened: int, opened_raw: int, rate: tuple[float | None, float | None]
    ) -> None:
        found = _report(_figures(pixel=attrs.evolve(PIXEL, recipients=recipients, opened=Count(opened, opened_raw))))
        assert (found.recipients, found.opened) == (recipients, Count(opened, opened_raw))
        assert (found.rate.counted, found.rate.raw) == rate

    def test_of_100_with_40_on_apple_and_30_of_the_others_that_opened_the_true_rate_is_from_30_to_70_percent(
        self, tracker: Tracker, thunderbird: str
    ) -> None:
        pixel = tracker.create_pixel("Spring launch")
        recipients = tracker.generate_tokens(pixel, [f"r{number}@example.org" for number in range(100)])
        for number, one in enumerate(recipients[:70]):
            agent = "Mozilla/5.0" if number < 40 else thunderbird
            tracker.record(pixel, token=one.token, ip=f"192.0.2.{number}", user_agent=agent)
        found = tracker.report(pixel)
        assert (found.opened, found.not_opened, found.prefetched) == (Count(30, 70), 70, 40)
        assert found.rate == Rate(counted=0.3, raw=0.7, measurable=0.5, lower=0.3, upper=0.7)

    @pytest.mark.parametrize(
        ("recipients", "opened", "prefetched", "measurable", "bounds"),
        [
            (0, 0, 0, None, (None, None)),
            (4, 0, 4, None, (0.0, 1.0)),
            (4, 1, 3, 1.0, (0.25, 1.0)),
            (4, 1, 0, 0.25, (0.25, 0.25)),
            (4, 4, 0, 1.0, (1.0, 1.0)),
        ],
    )
    def test_what_can_be_measured_and_the_bounds_are_known_where_there_is_a_recipient_to_take_a_share_of(
        self,
        recipients: int,
        opened: int,
        prefetched: int,
        measurable: float | None,
        bounds: tuple[float | None, float | None],
    ) -> None:
        counts = {"recipients": recipients, "opened": Count(opened, opened + prefetched), "prefetched": prefetched}
        rate = _report(_figures(pixel=attrs.evolve(PIXEL, **counts))).rate
        assert (rate.measurable, (rate.lower, rate.upper)) == (measurable, bounds)

    @given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
    def test_every_rate_but_the_raw_one_lies_between_the_bounds(self, opened: int, prefetched: int, rest: int) -> None:
        counts = {"recipients": opened + prefetched + rest, "opened": Count(opened, opened), "prefetched": prefetched}
        rate = rate_of(attrs.evolve(PIXEL, **counts))
        for share in (rate.counted, rate.measurable):
            if share is not None and rate.lower is not None and rate.upper is not None:
                assert rate.lower <= share <= rate.upper

    def test_who_has_not_opened_has_no_open_that_counts(self) -> None:
        found = _report(_figures(pixel=attrs.evolve(PIXEL, recipients=10, opened=Count(3, 8))))
        assert found.not_opened == 7

    def test_fetches_and_views_are_those_of_the_pixel(self) -> None:
        spans = OpenSpans(counted=OpenSpan(number=5), raw=OpenSpan(number=9))
        pixel = attrs.evolve(PIXEL, opens=spans, views=Count(4, 6))
        found = _report(_figures(pixel=pixel))
        assert (found.fetches, found.views) == (Count(5, 9), Count(4, 6))


class TestDelays:
    @staticmethod
    def _of(delays: Sequence[timedelta], counted: Sequence[timedelta]) -> Figures:
        buckets = [[to_bucket(delay) for delay in some] for some in (delays, counted)]
        return _figures(
            delays=[
                DelayCount(bucket=bucket, recipients=Count(buckets[1].count(bucket), buckets[0].count(bucket)))
                for bucket in sorted({*buckets[0], *buckets[1]})
            ]
        )

    spans = st.lists(
        st.timedeltas(timedelta(0), timedelta(days=400)) | st.timedeltas(timedelta(0), timedelta(seconds=9))
    )

    @given(spans, spans)
    def test_the_median_is_within_5_percent_or_a_twentieth_of_a_second(
        self, delays: list[timedelta], counted: list[timedelta]
    ) -> None:
        found = _report(self._of(delays, counted)).delay
        for median, exact in ((found.raw, delays), (found.counted, counted)):
            if not exact:
                assert median is None
            else:
                assert median is not None
                allowed = max(0.05 * median_low(exact), timedelta(seconds=0.05))
                assert abs(median - median_low(exact)) <= allowed

    @given(spans, spans)
    def test_ranges_lose_no_recipient(self, delays: list[timedelta], counted: list[timedelta]) -> None:
        found = _report(self._of(delays, counted)).delays
        assert sum((one.recipients for one in found), Count()) == Count(len(counted), len(delays))

    def test_ranges_are_in_order_whether_empty_or_not(self) -> None:
        ends = [one.within for one in _report(_figures()).delays]
        assert ends[-1] is None
        assert ends[:-1] == sorted(set(ends[:-1]))

    @pytest.mark.parametrize(
        ("delay", "within"),
        [
            (timedelta(0), timedelta(minutes=1)),
            (timedelta(seconds=50), timedelta(minutes=1)),
            (timedelta(seconds=70), timedelta(minutes=5)),
            (timedelta(hours=2), timedelta(hours=3)),
            (timedelta(days=5), timedelta(days=7)),
            (timedelta(days=40), None),
        ],
    )
    def test_a_recipient_is_in_the_first_range_whose_end_was_not_reached(
        self, delay: timedelta, within: timedelta | None
    ) -> None:
        found = _report(self._of([delay], [])).delays
        assert [one.within for one in found if one.recipients == Count(0, 1)] == [within]
        assert sum((one.recipients for one in found), Count()) == Count(0, 1)

    def test_without_opens_there_is_no_median(self) -> None:
        assert _report(_figures()).delay == Delay(None, None)


class TestPeriods:
    def test_opens_of_all_kinds_in_an_hour_are_added_up(self) -> None:
        hours = [
            HourCount(hour=NOON, kind=BOT, opens=Count(0, 4)),
            HourCount(hour=NOON, kind=HUMAN, opens=Count(2, 3)),
            HourCount(hour=NOON + 5 * HOUR, kind=HUMAN, opens=Count(1, 1)),
        ]
        found = _report(_figures(hours=hours))
        assert [(one.start, one.opens) for one in found.hours] == [(NOON, Count(2, 7)), (NOON + 5 * HOUR, Count(1, 1))]
        assert [one.opens for one in found.days] == [Count(3, 8)]

    def test_a_day_begins_at_midnight_of_the_zone(self) -> None:
        evening = datetime(2025, 11, 6, 22, tzinfo=UTC)
        hours = [evening, evening + HOUR]
        assert _days(hours, "UTC") == [("2025-11-06T00:00:00+00:00", 2)]
        assert _days(hours, "Europe/Berlin") == [("2025-11-06T00:00:00+01:00", 1), ("2025-11-07T00:00:00+01:00", 1)]
        assert _days(hours, "America/New_York") == [("2025-11-06T00:00:00-05:00", 2)]
        assert _days(hours, "Asia/Kolkata") == [("2025-11-07T00:00:00+05:30", 2)]

    def test_where_a_zone_is_half_an_hour_off_an_hour_belongs_to_the_day_in_which_it_begins(self) -> None:
        hours = [datetime(2025, 11, 6, hour, tzinfo=UTC) for hour in (18, 19)]
        assert _days(hours, "Asia/Kolkata") == [("2025-11-06T00:00:00+05:30", 1), ("2025-11-07T00:00:00+05:30", 1)]
        found = _report(_figures(hours=_hours(*hours)), "Asia/Kolkata").hours
        assert [one.start.isoformat() for one in found] == ["2025-11-06T23:30:00+05:30", "2025-11-07T00:30:00+05:30"]

    @pytest.mark.parametrize(
        ("zone", "month", "day", "length"),
        [
            ("Europe/Berlin", 3, 30, 23),
            ("Europe/Berlin", 10, 26, 25),
            ("America/New_York", 3, 9, 23),
            ("America/New_York", 11, 2, 25),
            ("Asia/Kolkata", 3, 30, 24),
            ("America/Havana", 11, 2, 25),  # the hour that comes twice begins at midnight
            ("Asia/Beirut", 3, 30, 23),  # there is no midnight
        ],
    )
    def test_the_day_of_a_change_has_all_its_hours(self, zone: str, month: int, day: int, length: int) -> None:
        start = datetime(2025, month, day, tzinfo=UTC) - 24 * HOUR
        report = _report(_figures(hours=_hours(*(start + number * HOUR for number in range(72)))), zone)
        found = {one.start.date().isoformat(): one.opens.raw for one in report.days}
        assert found[f"2025-{month:02}-{day:02}"] == length
        assert sum(found.values()) == len(report.hours) == 72

    def test_the_hour_that_comes_twice_is_two_hours(self) -> None:
        start = datetime(2025, 10, 26, tzinfo=UTC)
        report = _report(_figures(hours=_hours(start, start + HOUR, start + 2 * HOUR)), "Europe/Berlin")
        assert [(one.start.isoformat(), one.opens.raw) for one in report.hours] == [
            ("2025-10-26T02:00:00+02:00", 1),
            ("2025-10-26T02:00:00+01:00", 1),
            ("2025-10-26T03:00:00+01:00", 1),
        ]

    def test_the_hour_that_is_left_out_is_none(self) -> None:
        start = datetime(2025, 3, 30, tzinfo=UTC)
        report = _report(_figures(hours=_hours(start, start + HOUR)), "Europe/Berlin")
        assert [one.start.isoformat() for one in report.hours] == [
            "2025-03-30T01:00:00+01:00",
            "2025-03-30T03:00:00+02:00",
        ]

    @given(
        hours=st.dictionaries(st.integers(0, 20_000), st.tuples(st.integers(1, 9), st.integers(0, 9)), max_size=50),
        zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]),
    )
    def test_hours_days_and_hours_of_the_day_have_all_opens_once(
        self, hours: dict[int, tuple[int, int]], zone: str
    ) -> None:
        counts = [
            HourCount(hour=datetime(2024, 1, 1, tzinfo=UTC) + number * HOUR, kind=HUMAN, opens=Count(counted, opens))
            for number, (opens, counted) in sorted(hours.items())
        ]
        report = _report(_figures(hours=counts), zone)
        everything = sum((one.opens for one in counts), Count())
        for parts in ([one.opens for one in report.hours], [one.opens for one in report.days], report.hours_of_day):
            assert sum(parts, Count()) == everything
        for periods in (report.hours, report.days):
            starts = [one.start.astimezone(UTC) for one in periods]
            assert starts == sorted(set(starts))

    def test_hours_of_the_day_are_24(self) -> None:
        found = _report(_figures(hours=_hours(NOON, NOON + 24 * HOUR, opens=3, counted=2)), "Europe/Berlin")
        assert found.hours_of_day == (*[Count()] * 13, Count(4, 6), *[Count()] * 10)
        assert _report(_figures()).hours_of_day == (Count(),) * 24

    def test_hours_are_the_last_ones_that_had_opens_and_days_are_all(self) -> None:
        every = [NOON + 2 * place * HOUR for place in range(MAX_HOURS + 3)]
        found = _report(_figures(hours=_hours(*every)))
        assert [one.start for one in found.hours] == every[3:]
        assert sum(one.opens.raw for one in found.days) == sum(one.raw for one in found.hours_of_day) == len(every)


class TestBreakdowns:
    def test_verdicts_come_the_most_frequent_first_then_by_name(self) -> None:
        numbers = {VerdictKind.BOT: 3, VerdictKind.HUMAN: 5, VerdictKind.PROXY: 3, VerdictKind.SCANNER: 9}
        hours = [
            HourCount(hour=NOON + hour * HOUR, kind=kind, opens=Count(number // 2, number))
            for hour in range(2)
            for kind, number in sorted(numbers.items())
        ]
        assert _report(_figures(hours=hours)).verdicts == (
            Named("scanner", Count(8, 18)),
            Named("human", Count(4, 10)),
            Named("bot", Count(2, 6)),
            Named("proxy", Count(2, 6)),
        )

    def test_facets_go_to_their_places_in_the_order_given(self) -> None:
        facets = [
            FacetCount(facet=facet, name=name, opens=Count(1, opens))
            for facet in (Facet.DEVICE, Facet.VENDOR, Facet.OS, Facet.CLIENT)
            for name, opens in ((f"much {facet}", 2), (f"little {facet}", 1))
        ]
        found = _report(_figures(facets=facets))
        assert [
            [one.name for one in some] for some in (found.vendors, found.clients, found.systems, found.devices)
        ] == [[f"{often} {facet}" for often in ("much", "little")] for facet in ("vendor", "client", "os", "device")]
        assert found.vendors[0].opens == Count(1, 2)


class TestReport:
    """What `Tracker.report` makes of a storage."""

    @pytest.fixture
    def pixel(self, tracker: Tracker) -> Pixel:
        return tracker.create_pixel("Spring launch")

    def test_it_makes_no_object_for_each_hour_and_kind(
        self, memory: Storage, tracker: Tracker, pixel: Pixel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        memory.add_opens([make_open(pixel, at=NOON + hour * HOUR) for hour in (0, 0, 1)])  # a year has 50,000 of them
        monkeypatch.setattr(Hours, "_make", None)
        assert [one.opens.raw for one in tracker.report(pixel).hours] == [2, 1]

    def test_it_reports_a_pixel_without_anything(self, tracker: Tracker, pixel: Pixel) -> None:
        found = tracker.report(pixel.short_id.upper())
        assert (found.pixel, found.time_zone, found.recipients, found.not_opened) == (pixel, "UTC", 0, 0)
        assert (found.opened, found.fetches, found.views) == (Count(), Count(), Count())
        assert (found.rate, found.delay) == (Rate(None, None, None, None, None), Delay(None, None))
        assert (found.hours, found.days, found.verdicts, found.vendors, found.clients, found.top) == ((),) * 6

    @pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+12"])
    def test_it_is_in_the_zone_asked_for(self, tracker: Tracker, pixel: Pixel, zone: str) -> None:
        tracker.record(pixel.id)
        found = tracker.report(pixel.id, time_zone=zone)
        assert found.time_zone == zone
        assert found.hours[0].start == NOON
        assert found.hours[0].start.utcoffset() == NOON.astimezone(ZoneInfo(zone)).utcoffset()

    @pytest.mark.parametrize(
        "zone",
        [
            *("", " ", ".", "..", "/", "../etc/passwd", "/etc/passwd", "Europe", "Europe/", "Europe/Berlin/x"),
            *("Nowhere/City", "x" * 10_240, "x/" * 5_120, "UTC\0", "\0", "\ud800", "UTC\n", "zone.tab", "__init__.py"),
        ],
        ids=lambda zone: ascii(zone[:16]),
    )
    def test_a_zone_that_is_none_is_refused(self, tracker: Tracker, pixel: Pixel, zone: str) -> None:
        with pytest.raises(InvalidTimeZone):
            tracker.report(pixel.id, time_zone=zone)

    @given(zone=st.text() | st.text("./\\:azEurope-+0\0 ~"))
    def test_whatever_is_given_as_a_zone_is_one_or_refused(self, zone: str) -> None:
        with suppress(InvalidTimeZone):
            assert str(find_zone(zone)) == zone

    def test_an_unknown_pixel_is_not_found(self, tracker: Tracker) -> None:
        with pytest.raises(PixelNotFound):
            tracker.report(make_pixel().id)

    @pytest.mark.parametrize("top", [0, -1, 101])
    def test_top_is_1_to_100(self, tracker: Tracker, pixel: Pixel, top: int) -> None:
        with pytest.raises(InvalidPaging, match="top"):
            tracker.report(pixel.id, top=top)

    def test_top_limits_recipients_and_names(self, memory: Storage, tracker: Tracker, pixel: Pixel) -> None:
        recipients = memory.add_recipients(pixel.id, make_recipients(pixel, [f"r{n}@example.org" for n in range(5)]))
        memory.add_opens([make_open(pixel, one) for one in recipients for _ in range(2)])
        assert [one.email for one in tracker.report(pixel.id, top=2).top] == ["r0@example.org", "r1@example.org"]
        assert len(tracker.report(pixel.id).top) == 5


class TestWhoHasOpened:
    """A recipient has opened when an open of theirs counts, and not before."""

    @pytest.fixture
    def pixel(self, tracker: Tracker) -> Pixel:
        return tracker.create_pixel("Spring launch")

    @pytest.fixture
    def ann(self, tracker: Tracker, pixel: Pixel) -> Recipient:
        return tracker.generate_tokens(pixel.id, ["ann@example.org"])[0]

    @pytest.fixture
    def fetch(self, tracker: Tracker, clock: FakeClock, pixel: Pixel, ann: Recipient) -> Callable[..., None]:
        """Lets a client fetch Ann's image some time later."""

        def fetch(user_agent: str, **later: float) -> None:
            clock.advance(**later)
            tracker.record(pixel.id, token=ann.token, ip="192.0.2.1", user_agent=user_agent)

        return fetch

    def test_a_recipient_whom_only_machines_have_looked_up_has_not(
        self, tracker: Tracker, pixel: Pixel, ann: Recipient, robot: str, fetch: Callable[..., None]
    ) -> None:
        fetch(WEBKIT, seconds=2)
        fetch(robot, hours=1)
        (first, last) = reversed(list(tracker.iter_opens(pixel.id)))
        assert (first.verdict.kind, first.verdict.certainty) == (VerdictKind.PREFETCH, "probable")
        assert (last.verdict.kind, first.counted, last.counted) == (VerdictKind.BOT, False, False)
        report = tracker.report(pixel.id)
        assert (report.opened, report.not_opened, report.rate) == (Count(0, 1), 1, Rate(0.0, 1.0, None, 0.0, 1.0))
        assert report.delay.counted is None
        assert [one.id for one in tracker.iter_recipients(pixel.id, opened=False)] == [ann.id]

    def test_a_later_open_by_a_person_clears_it(
        self,
        tracker: Tracker,
        pixel: Pixel,
        ann: Recipient,
        clock: FakeClock,
        thunderbird: str,
        fetch: Callable[..., None],
    ) -> None:
        fetch(WEBKIT, seconds=2)
        fetch(thunderbird, hours=1)
        opened_at = clock()
        report = tracker.report(pixel.id)
        assert (report.opened, report.not_opened, report.rate) == (Count(1, 1), 0, Rate(1.0, 1.0, 1.0, 1.0, 1.0))
        assert report.fetches == report.views == Count(1, 2)
        (found,) = tracker.iter_recipients(pixel.id, opened=True)
        assert (found.id, found.opens.raw.number) == (ann.id, 2)
        assert found.opens.counted == OpenSpan(number=1, first=opened_at, last=opened_at)
        assert report.pixel.opens.counted == found.opens.counted
        assert report.delay.counted == pytest.approx(opened_at - NOON, rel=0.05)
        assert report.delay.raw == pytest.approx(timedelta(seconds=2), rel=0.05)

    def test_a_repeat_within_seconds_is_a_fetch_and_no_view(
        self, tracker: Tracker, pixel: Pixel, thunderbird: str, fetch: Callable[..., None]
    ) -> None:
        fetch(thunderbird, hours=1)
        fetch(thunderbird, seconds=2)
        fetch(thunderbird, hours=1)
        report = tracker.report(pixel.id)
        assert (report.fetches, report.views) == (Count(3, 3), Count(2, 2))

    def test_one_who_is_deleted_is_among_the_opens_but_not_among_the_recipients(
        self, tracker: Tracker, pixel: Pixel, ann: Recipient, thunderbird: str, fetch: Callable[..., None]
    ) -> None:
        fetch(thunderbird, hours=1)
        tracker.delete_recipient(ann.id)
        report = tracker.report(pixel.id)
        assert (report.fetches, report.recipients, report.opened) == (Count(1, 1), 0, Count())
        assert sum((one.recipients for one in report.delays), Count()) == Count()

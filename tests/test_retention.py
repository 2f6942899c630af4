"""Purging opens: what goes and what stays, with a clock that stands still."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mailtrack import InvalidArgument, PixelNotFound, Spool, Storage, StorageUnavailable, Tracker, VerdictKind
from mailtrack import _retention as retention
from mailtrack import _sweeping as sweeping
from mailtrack._ingest.drain import drain as drain_spool
from mailtrack._spool import Reader
from mailtrack.storage._memory import MemoryStorage
from mailtrack.storage._sqlite import SQLiteStorage
from mailtrack.testing import FakeClock, make_hit
from mailtrack.testing._factories import NOON, to_line
from mailtrack.verdicts import Judge

DAY = timedelta(days=1)


@pytest.fixture(params=["memory", "sqlite"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    with MemoryStorage() if request.param == "memory" else SQLiteStorage(tmp_path / "mail.db") as storage:
        yield storage


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON + 100 * DAY)


@pytest.fixture
def tracker(storage: Storage, clock: FakeClock) -> Tracker:
    return Tracker(storage, clock=clock)


def _open(tracker: Tracker, *days: int, number: int = 1) -> str:
    """Make a pixel that was opened some days after noon, and return its id."""
    pixel = tracker.create_pixel("Spring launch")
    tracker.store([make_hit(pixel, at=NOON + day * DAY) for day in days for _ in range(number)])
    return pixel.id


def _days(tracker: Tracker, pixel: str) -> list[int]:
    return [(one.opened_at - NOON).days for one in tracker.iter_opens(pixel)]


class TestPurge:
    def test_it_deletes_what_is_older_in_all_pixels_and_returns_how_many_that_were(self, tracker: Tracker) -> None:
        pixels = [_open(tracker, 1, 5, 2), _open(tracker, 3, 1), _open(tracker), _open(tracker, 9)]
        assert tracker.purge(before=NOON + 3 * DAY) == 3
        assert [_days(tracker, pixel) for pixel in pixels] == [[5], [3], [], [9]]

    def test_it_deletes_those_of_one_pixel_by_either_id(self, tracker: Tracker) -> None:
        pixels = [_open(tracker, 1, 5), _open(tracker, 1, 5), _open(tracker, 1, 5)]
        assert tracker.purge(before=NOON + 3 * DAY, pixel=pixels[0]) == 1
        assert tracker.purge(before=NOON + 3 * DAY, pixel=pixels[2][:8].upper()) == 1
        assert [_days(tracker, pixel) for pixel in pixels] == [[5], [5, 1], [5]]

    def test_a_pixel_that_does_not_exist_is_not_found(self, tracker: Tracker) -> None:
        with pytest.raises(PixelNotFound):
            tracker.purge(before=NOON, pixel="00000000")

    def test_the_time_may_be_of_any_zone(self, tracker: Tracker) -> None:
        pixel = _open(tracker, 1, 2)
        noon_elsewhere = (NOON + 2 * DAY).astimezone(timezone(timedelta(hours=-7)))
        assert tracker.purge(before=noon_elsewhere) == 1
        assert _days(tracker, pixel) == [2]

    @pytest.mark.parametrize("before", [datetime(2030, 1, 1), date(2000, 1, 1), "2000-01-01", 0, None], ids=str)
    def test_what_is_no_time_with_a_zone_is_refused(self, tracker: Tracker, before: Any) -> None:
        pixel = _open(tracker, 1)
        with pytest.raises(InvalidArgument, match=r"^before "):
            tracker.purge(before=before)
        assert _days(tracker, pixel) == [1]

    @pytest.mark.parametrize("before", ["90d", timedelta(days=90), NOON.date(), None])
    def test_what_is_no_time_is_refused_by_name(self, tracker: Tracker, before: Any) -> None:
        with pytest.raises(InvalidArgument, match=r"^before must be a datetime"):
            tracker.purge(before=before)

    def test_a_time_in_the_future_is_refused(self, tracker: Tracker, clock: FakeClock) -> None:
        pixel = _open(tracker, 1)
        with pytest.raises(InvalidArgument, match="future"):
            tracker.purge(before=clock() + timedelta(milliseconds=1))
        assert _days(tracker, pixel) == [1]
        assert tracker.purge(before=clock()) == 1

    def test_the_time_now_is_not_in_the_future(self, storage: Storage) -> None:
        assert Tracker(storage).purge(before=datetime.now(UTC)) == 0

    def test_the_earliest_time_of_all_deletes_nothing(self, tracker: Tracker) -> None:
        pixel = _open(tracker, 1)
        assert tracker.purge(before=datetime.min.replace(tzinfo=UTC)) == 0
        assert _days(tracker, pixel) == [1]

    def test_the_report_stays_as_it_was(self, tracker: Tracker) -> None:
        pixel = tracker.create_pixel("Spring launch")
        recipients = tracker.generate_tokens(pixel.id, [f"r{n}@example.org" for n in range(9)])
        tracker.store([make_hit(pixel, token=recipients[n % 9].token, at=NOON + n * DAY) for n in range(30)])
        before = tracker.report(pixel.id)
        assert tracker.purge(before=NOON + 20 * DAY) == 20
        after = tracker.report(pixel.id)
        assert (after.fetches, after.opened, after.days, after.hours_of_day, after.clients, after.top) == (
            before.fetches, before.opened, before.days, before.hours_of_day, before.clients, before.top,
        )  # fmt: skip

    def test_what_was_purged_is_not_judged_again(self, storage: Storage, clock: FakeClock) -> None:
        tracker = Tracker(storage, clock=clock, judge=Judge(counted=list(VerdictKind)))
        pixel = _open(tracker, *range(10))
        before = tracker.get_pixel(pixel)
        tracker.purge(before=NOON + 4 * DAY)
        strict = Tracker(storage, clock=clock, judge=Judge(counted=[]))
        (done,) = strict.rejudge(pixel)
        found = tracker.get_pixel(pixel)
        assert (done.opens, found.opens.raw, found.opens.counted.number) == (6, before.opens.raw, 4)
        assert (found.opens.counted.first, found.opens.counted.last) == (NOON, NOON + 3 * DAY)


class TestPauses:
    def test_each_step_is_followed_by_a_pause_as_long_as_it_took(
        self, storage: Storage, tracker: Tracker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _open(tracker, 1, 2, 3)
        purge_opens, seconds = storage.purge_opens, [0.0]
        pauses: list[float] = []

        def purge_slowly(pixel_id: str, *, before: datetime, limit: int) -> int:
            seconds[0] += 0.25
            return purge_opens(pixel_id, before=before, limit=limit)

        def pause(length: float) -> None:
            pauses.append(length)
            seconds[0] += length

        monkeypatch.setattr(storage, "purge_opens", purge_slowly)
        monkeypatch.setattr(sweeping, "time", SimpleNamespace(monotonic=lambda: seconds[0], sleep=pause))
        monkeypatch.setattr(retention, "_PURGED_AT_ONCE", 2)
        assert list(tracker.plan_purge(before=NOON + 9 * DAY).run()) == [2, 1]
        assert pauses == [0.25, 0.25]


class TestPlan:
    def test_it_counts_by_pixel_and_deletes_nothing(self, tracker: Tracker) -> None:
        pixels = [_open(tracker, 1, 5, 2), _open(tracker, 9), _open(tracker, 1)]
        plan = tracker.plan_purge(before=NOON + 3 * DAY)
        assert [(pixel.id, number) for pixel, number in plan.count()] == [(pixels[2], 1), (pixels[0], 2)]
        assert [_days(tracker, pixel) for pixel in pixels] == [[2, 5, 1], [9], [1]]

    def test_it_deletes_in_steps_that_stay_done_where_it_ends_early(self, tracker: Tracker) -> None:
        pixel = _open(tracker, 1, 2, 3, number=500)
        steps = tracker.plan_purge(before=NOON + 9 * DAY).run()
        deleted = next(steps)
        assert 0 < deleted <= 1000
        steps.close()
        assert _days(tracker, pixel) == [*[3] * 500, *[2] * 500, *[1] * 500][:-deleted]
        assert sum(tracker.plan_purge(before=NOON + 9 * DAY).run()) == 1500 - deleted


class TestSpool:
    @pytest.fixture
    def spool(self, tmp_path: Path) -> Spool:
        return Spool(tmp_path / "mail.spool")

    @pytest.fixture
    def tracker(self, storage: Storage, clock: FakeClock, spool: Spool) -> Tracker:
        return Tracker(storage, clock=clock, spool=spool)

    @pytest.fixture
    def reader(self, spool: Spool) -> Iterator[Reader]:
        reader = Reader(spool.folder)
        yield reader
        reader.release()

    def test_an_open_that_a_killed_server_would_store_once_more_is_not_purged(
        self, tracker: Tracker, spool: Spool, reader: Reader, clock: FakeClock
    ) -> None:
        pixel = _open(tracker, 1)
        hits = [make_hit(tracker.get_pixel(pixel), at=NOON + day * DAY) for day in (3, 4)]
        tracker.store(hits)
        spool.open()  # stored, but still in the spool, as after a kill
        for hit in hits:
            spool.append(to_line(hit))
        spool.close()
        plan = tracker.plan_purge(before=clock())
        assert NOON + 2 * DAY < plan.before < NOON + 3 * DAY
        assert sum(plan.run()) == 1
        assert reader.lead()
        drain_spool(reader, tracker.store)
        assert tracker.get_pixel(pixel).opens.raw.number == 3
        assert tracker.purge(before=clock()) == 2
        assert _days(tracker, pixel) == []

    def test_hits_that_wait_are_stored_later_and_belong_to_the_next_purge(
        self, tracker: Tracker, spool: Spool, reader: Reader, clock: FakeClock
    ) -> None:
        pixel = _open(tracker, 1, 6)
        spool.open()
        spool.append(to_line(make_hit(tracker.get_pixel(pixel), at=NOON + 5 * DAY)))
        spool.close()
        assert tracker.purge(before=clock()) == 1
        assert reader.lead()
        drain_spool(reader, tracker.store)
        assert _days(tracker, pixel) == [5, 6]
        assert tracker.purge(before=clock()) == 2

    @pytest.mark.parametrize("opened", [False, True], ids=["no folder", "nothing in it"])
    def test_a_spool_that_holds_nothing_keeps_nothing_back(
        self, tracker: Tracker, spool: Spool, clock: FakeClock, opened: bool
    ) -> None:
        pixel = _open(tracker, 1)
        if opened:
            spool.open()
        assert tracker.purge(before=clock()) == 1
        assert _days(tracker, pixel) == []
        spool.close()

    def test_a_spool_that_cannot_be_read_is_an_error_and_nothing_is_purged(
        self, tracker: Tracker, spool: Spool, clock: FakeClock
    ) -> None:
        pixel = _open(tracker, 1)
        spool.folder.write_bytes(b"no folder")
        with pytest.raises(StorageUnavailable, match="spool"):
            tracker.purge(before=clock())
        assert _days(tracker, pixel) == [1]

"""`serve --keep`: deletes old opens by itself, and stops where the clock may have jumped."""

import logging
import threading
from datetime import timedelta

import pytest

from mailtrack import StorageUnavailable, Tracker
from mailtrack.cli._server import retention
from mailtrack.cli._server.retention import Retention
from mailtrack.storage._memory import MemoryStorage
from mailtrack.testing import FakeClock, make_hit
from mailtrack.testing._factories import NOON

DAY = timedelta(days=1)
SECONDS = 30


@pytest.fixture
def clock():
    return FakeClock(NOON)


@pytest.fixture
def tracker(clock):
    with MemoryStorage() as storage:
        yield Tracker(storage, clock=clock)


@pytest.fixture
def fill(tracker):
    """Adds opens that are some days old."""

    def fill(*ages, number=1):
        pixel = tracker.create_pixel("Spring launch")
        tracker.store([make_hit(pixel, at=NOON - age * DAY) for age in ages for _ in range(number)])
        return pixel.id

    return fill


def ages(tracker, pixel):
    return [(NOON - one.opened_at).days for one in tracker.iter_opens(pixel)]


def test_it_deletes_what_is_older_and_keeps_all_counts(tracker, fill):
    pixels = [fill(40, 20, 31), fill(5), fill(30)]
    assert Retention(tracker, 30 * DAY).purge() == 2
    assert [ages(tracker, pixel) for pixel in pixels] == [[20], [5], [30]]
    assert tracker.get_pixel(pixels[0]).opens.raw.number == 3


def test_it_deletes_more_as_time_goes_on(tracker, fill, clock):
    pixel = fill(*range(30))
    deleted = []
    for _ in range(3):
        clock.advance(days=2)
        deleted.append(Retention(tracker, 30 * DAY).purge())
    assert (deleted, len(ages(tracker, pixel))) == ([1, 2, 2], 25)


def test_it_stops_before_it_deletes_more_than_half_of_many(tracker, fill, clock, caplog):
    pixel = fill(1, 2, number=1000)
    kept = Retention(tracker, 30 * DAY)
    clock.advance(days=365)
    with caplog.at_level(logging.ERROR):
        assert kept.purge() == 0
    assert ["--keep stops: 2,000 opens of 2,000 would be deleted at once" in one.message for one in caplog.records] == [
        True
    ]
    clock.set(NOON)
    tracker.store([make_hit(pixel, at=NOON - 50 * DAY)])
    assert kept._work(last=False) > 0
    assert len(ages(tracker, pixel)) == 2001


@pytest.mark.parametrize(("old", "deleted"), [(1000, 1000), (1001, 0)])
def test_few_may_go_whatever_their_share_is(tracker, fill, old, deleted):
    fill(40, number=old)
    assert Retention(tracker, 30 * DAY).purge() == deleted


def test_half_of_many_may_go(tracker, fill):
    fill(40, 10, number=1500)
    assert Retention(tracker, 30 * DAY).purge() == 1500


def test_it_tries_again_after_an_error(tracker, fill, monkeypatch, caplog):
    pixel = fill(40, 10)
    found = Retention(tracker, 30 * DAY)
    with monkeypatch.context() as patched, caplog.at_level(logging.WARNING):
        patched.setattr(tracker._storage, "count_opens", lambda *_, **__: _fail())
        found._work(last=False)
    assert [one.message for one in caplog.records] == [
        "Deleting old opens failed; trying again in an hour: the disk is full"
    ]
    found._work(last=False)
    assert ages(tracker, pixel) == [10]


def _fail():
    raise StorageUnavailable("the disk is full")


def test_the_thread_purges_and_ends_between_two_steps(tracker, fill, monkeypatch):
    pixel = fill(40, number=900)
    monkeypatch.setattr(retention, "_FIRST_SECONDS", 0.0)
    monkeypatch.setattr("mailtrack._retention._PURGED_AT_ONCE", 1)
    begun, go_on = threading.Event(), threading.Event()

    def pause(_):
        begun.set()
        assert go_on.wait(SECONDS)

    monkeypatch.setattr("mailtrack._sweeping.time.sleep", pause)
    running = Retention(tracker, 30 * DAY)
    running.start()
    assert begun.wait(SECONDS)
    running.stop(0)
    go_on.set()
    running._thread.stop(SECONDS)
    assert 890 < len(ages(tracker, pixel)) < 900

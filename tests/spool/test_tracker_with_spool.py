"""`Tracker` with a spool: it is used from `start` to `stop`, and opens reach the log either way."""

import threading

import pytest

from mailtrack import Pixel, StorageUnavailable, Tracker
from mailtrack.spool import Spool, SpoolFull, drain, get_status
from mailtrack.testing.contract.helpers import all_opens

SECONDS = 30


@pytest.fixture
def spool(make_spool) -> Spool:
    return make_spool(opened=False)


@pytest.fixture
def tracker(storage, spool):
    tracker = Tracker(storage, spool=spool)
    yield tracker
    tracker.stop(timeout=SECONDS)


@pytest.fixture
def pixel(tracker: Tracker) -> Pixel:
    return tracker.create_pixel("Spring launch")


@pytest.fixture
def opens(storage, pixel):
    """Tells the opens in the log, the last arrived first."""
    return lambda: all_opens(storage, pixel)


class TestRecording:
    def test_before_start_it_stores_at_once(self, tracker, pixel, opens, folder) -> None:
        tracker.record(pixel.id)
        assert len(opens()) == 1
        assert not folder.exists()

    def test_after_start_it_goes_through_the_spool_into_the_log(self, tracker, pixel, opens, wait_until) -> None:
        tracker.start()
        hit = tracker.new_hit(pixel.id, ip="192.0.2.1", user_agent="Mozilla/5.0", referer="https://example.com/")
        tracker.record(hit)
        wait_until(opens)
        (found,) = opens()
        assert (found.id, found.opened_at, found.ip) == (hit.id, hit.at, hit.ip)
        assert (found.user_agent, found.referer) == (hit.user_agent, hit.referer)

    def test_after_start_it_does_not_wait_for_the_storage(self, tracker, pixel, folder, monkeypatch) -> None:
        monkeypatch.setattr(Tracker, "store", lambda *_: pytest.fail("it was stored at once"))
        tracker._spool.open()
        tracker.record(pixel.id)
        assert get_status(folder).hits == 1

    def test_after_stop_it_stores_at_once(self, tracker, pixel, opens) -> None:
        tracker.start()
        assert tracker.stop(timeout=SECONDS) is True
        tracker.record(pixel.id)
        assert len(opens()) == 1

    def test_a_full_spool_refuses(self, storage, pixel, make_spool) -> None:
        tracker = Tracker(storage, spool=make_spool(max_bytes=1))
        with pytest.raises(SpoolFull):
            tracker.record(pixel.id)

    def test_an_open_with_a_token_is_its_recipients(self, tracker, pixel, opens) -> None:
        (recipient,) = tracker.generate_tokens(pixel.id, ["ann@example.org"])
        tracker.start()
        tracker.record(pixel.id, token=recipient.token)
        tracker.stop(timeout=SECONDS)
        assert [(one.recipient_id, one.token) for one in opens()] == [(recipient.id, recipient.token)]


class TestStartingAndStopping:
    def test_starting_twice_changes_nothing(self, tracker, pixel, opens, files) -> None:
        tracker.start()
        threads, segments = threading.active_count(), files()
        tracker.start()
        assert (threading.active_count(), files()) == (threads, segments)
        tracker.record(pixel.id)
        assert tracker.stop(timeout=SECONDS) is True
        assert len(opens()) == 1

    def test_stopping_stores_what_waits_and_ends_the_threads(self, tracker, pixel, opens, folder) -> None:
        before = threading.active_count()
        tracker.start()
        for _ in range(100):
            tracker.record(pixel.id)
        assert tracker.stop(timeout=SECONDS) is True
        assert (len(opens()), threading.active_count(), list(folder.iterdir())) == (100, before, [])

    def test_it_can_be_started_again(self, tracker, pixel, opens) -> None:
        for _ in range(3):
            tracker.start()
            tracker.record(pixel.id)
            assert tracker.stop(timeout=SECONDS) is True
        assert len(opens()) == 3

    def test_stopping_what_was_not_started_is_harmless(self, tracker) -> None:
        assert tracker.stop() is True

    def test_without_a_spool_starting_and_stopping_do_nothing(self, storage) -> None:
        tracker = Tracker(storage)
        tracker.start()
        assert tracker.stop() is True

    def test_a_folder_that_can_not_be_used_is_an_error_and_opens_are_stored_at_once(
        self, tracker, pixel, opens, folder
    ) -> None:
        folder.write_bytes(b"")
        with pytest.raises(FileExistsError):
            tracker.start()
        tracker.record(pixel.id)
        assert len(opens()) == 1

    def test_stopping_while_the_storage_is_down_tells_so(self, tracker, pixel, folder, monkeypatch) -> None:
        def fail(_: object) -> None:
            raise StorageUnavailable("locked")

        monkeypatch.setattr(tracker, "store", fail)
        tracker.start()
        tracker.record(pixel.id)
        assert tracker.stop(timeout=SECONDS) is False
        assert get_status(folder).hits == 1

    def test_the_next_one_stores_what_is_left(self, storage, tracker, pixel, opens, make_spool, spool) -> None:
        spool.open()
        tracker.record(pixel.id)
        spool.close()
        following = Tracker(storage, spool=make_spool(opened=False))
        following.start()
        assert following.stop(timeout=SECONDS) is True
        assert len(opens()) == 1


class TestDeletionsMeanwhile:
    def test_of_a_deleted_recipient_only_the_bare_open_appears(self, tracker, spool, pixel, opens) -> None:
        (recipient,) = tracker.generate_tokens(pixel.id, ["ann@example.org"])
        spool.open()
        tracker.record(pixel.id, token=recipient.token)
        tracker.delete_recipient(recipient.id)
        drain(spool, tracker.store)
        assert [(one.recipient_id, one.token) for one in opens()] == [(None, None)]
        assert list(tracker.iter_recipients(pixel.id)) == []

    def test_hits_of_a_deleted_pixel_are_passed_over(self, tracker, spool, pixel, folder) -> None:
        spool.open()
        tracker.record(pixel.id)
        tracker.delete_pixel(pixel.id)
        drain(spool, tracker.store)
        spool.close()
        assert list(folder.iterdir()) == []

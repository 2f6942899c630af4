"""`Tracker` with a spool: it is used from `start` to `stop`, and opens reach the log either way."""

import os
import subprocess
import sys
import threading

import pytest

from mailtrack import Pixel, StorageUnavailable, Tracker
from mailtrack import _forking as forking
from mailtrack._ingest import recorder
from mailtrack._ingest.drain import drain
from mailtrack._ingest.recorder import Recorder
from mailtrack._spool import Reader, Spool, SpoolFull, get_status
from mailtrack._spool import owner as spool_owner
from mailtrack._spool.segment import Segment
from mailtrack.testing._contract.forks import in_child
from mailtrack.testing._contract.helpers import all_opens, at_once

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
    """Returns the opens in the log, most recent arrival first."""
    return lambda: all_opens(storage, pixel)


def left_in(folder) -> list[str]:
    """Return what is in the folder of a spool, but for the note whose it is."""
    return [path.name for path in folder.iterdir() if path.name != spool_owner.FILE]


class TestRecording:
    def test_before_start_it_stores_at_once(self, tracker, pixel, opens, folder) -> None:
        tracker.record(pixel.id)
        assert len(opens()) == 1
        assert not folder.exists()

    def test_after_start_it_goes_through_the_spool_into_the_log(self, tracker, pixel, opens, wait_until) -> None:
        tracker.start()
        tracker.record(pixel.id, ip="192.0.2.1", user_agent="Mozilla/5.0", referer="https://example.com/")
        wait_until(opens)
        (found,) = opens()
        assert (found.ip, found.user_agent, found.referer) == ("192.0.2.1", "Mozilla/5.0", "https://example.com/")

    @pytest.mark.parametrize("started", [False, True])
    def test_a_new_open_is_reported_once_it_is_stored_and_a_fault_there_costs_none(
        self, tracker, pixel, opens, started
    ) -> None:
        reported = []

        def report(new) -> None:
            assert {one.id for one in new} <= {one.id for one in opens()}
            reported.extend(new)
            raise RuntimeError("a fault of the adapter")

        tracker._report_opens(report)
        if started:
            tracker.start()
        for _ in range(3):
            tracker.record(pixel.id)
        assert tracker.stop(timeout=SECONDS)
        assert sorted(one.id for one in reported) == sorted(one.id for one in opens())
        assert len(reported) == 3

    @pytest.mark.parametrize("started", [False, True])
    def test_it_arrives_when_it_was_recorded(self, storage, spool, clock, pixel, opens, started) -> None:
        tracker = Tracker(storage, spool=spool, clock=clock)
        if started:
            tracker.start()
        at = clock()
        tracker.record(pixel.id)
        clock.advance(hours=1)
        assert tracker.stop(timeout=SECONDS) is True
        assert [one.opened_at for one in opens()] == [at]

    @pytest.mark.parametrize("started", [False, True])
    def test_what_strangers_say_is_cleaned(self, tracker, pixel, opens, started) -> None:
        if started:
            tracker.start()
        said = {"token": "secret\n", "ip": "::ffff:192.0.2.1", "user_agent": "a\tb\nc\ud800", "referer": "x" * 600}
        tracker.record(pixel.short_id.upper(), **said)
        assert tracker.stop(timeout=SECONDS) is True
        (found,) = opens()
        assert (found.token, found.ip, found.user_agent, found.referer) == (
            None,
            "192.0.2.1",
            "a\ufffdb\ufffdc\ufffd",
            "x" * 512,
        )

    def test_what_can_not_be_a_pixel_is_passed_over(self, tracker, spool) -> None:
        tracker.start()
        for name in ("", "../../etc", "a1b2c3d", "\ud800" * 8):
            tracker.record(name)
        assert spool.folder.exists()
        assert get_status(spool.folder).lines == 0

    def test_after_start_it_does_not_wait_for_the_storage(self, tracker, pixel, folder, monkeypatch) -> None:
        monkeypatch.setattr(Recorder, "store", lambda *_: pytest.fail("it was stored at once"))
        tracker._recorder._spool.open()
        tracker.record(pixel.id)
        assert get_status(folder).lines == 1

    def test_with_a_spool_no_hit_is_made(self, tracker, pixel, spool, waiting, monkeypatch) -> None:
        spool.open()
        monkeypatch.setattr(recorder, "Hit", lambda **_: pytest.fail("a hit was made"))
        tracker.record(pixel.id, user_agent="Mail/1")
        assert [hit.user_agent for hit in waiting()] == ["Mail/1"]

    def test_without_a_spool_no_line_is_made(self, storage, monkeypatch) -> None:
        monkeypatch.setattr(recorder, "make_line", lambda *_: pytest.fail("a line was made"))
        tracker = Tracker(storage)
        pixel = tracker.create_pixel("Spring launch")
        tracker.record(pixel, user_agent="Mail/1")
        assert [one.user_agent for one in tracker.iter_opens(pixel)] == ["Mail/1"]

    @pytest.mark.parametrize("started", [False, True])
    def test_both_ways_make_the_same_open(self, storage, spool, clock, started) -> None:
        tracker = Tracker(storage, spool=spool, clock=clock)
        pixel = tracker.create_pixel("Spring launch")
        (ann,) = tracker.generate_tokens(pixel, ["ann@example.org"])
        if started:
            tracker.start()
        parts = {"token": ann.token, "ip": "192.0.2.1", "user_agent": "Grüße", "referer": "-", "signals": ["range"]}
        tracker.record(pixel, **parts)
        assert tracker.stop(timeout=SECONDS) is True
        (found,) = tracker.iter_opens(pixel)
        assert {**parts, "signals": ("range",)} == {name: getattr(found, name) for name in parts}
        assert (found.opened_at, found.recipient_id, len(found.id)) == (clock(), ann.id, 32)

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
        assert (len(opens()), threading.active_count(), left_in(folder)) == (100, before, [])

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

    def test_starting_from_many_threads_at_once_starts_one_worker(self, tracker, pixel, opens, files) -> None:
        before = threading.active_count()
        at_once([tracker.start] * 8)
        assert (threading.active_count() - before, len(files())) == (4, 1)
        tracker.record(pixel.id)
        assert tracker.stop(timeout=SECONDS) is True
        assert (len(opens()), threading.active_count()) == (1, before)

    def test_stopping_from_many_threads_at_once_stores_all(self, tracker, pixel, opens) -> None:
        tracker.start()
        tracker.record(pixel.id)
        assert all(at_once([lambda: tracker.stop(timeout=SECONDS)] * 4))
        assert len(opens()) == 1

    def test_a_folder_that_can_not_be_used_is_an_error_and_opens_are_stored_at_once(
        self, tracker, pixel, opens, folder
    ) -> None:
        folder.write_bytes(b"")
        with pytest.raises(FileExistsError):
            tracker.start()
        tracker.record(pixel.id)
        assert len(opens()) == 1

    def test_one_that_could_not_be_started_can_be_stopped(self, tracker, folder) -> None:
        folder.write_bytes(b"")
        with pytest.raises(FileExistsError):
            tracker.start()
        assert tracker.stop() is True

    @pytest.mark.parametrize(("owner", "name"), [(Segment, "create"), (Reader, "lead")], ids=["segment", "lead"])
    def test_one_that_could_not_be_started_can_be_started_later(
        self, tracker, pixel, opens, folder, monkeypatch, owner, name
    ) -> None:
        def fail(*_: object) -> None:
            raise OSError(24, "Too many open files")

        before = threading.active_count()
        with monkeypatch.context() as context:
            context.setattr(owner, name, fail)
            with pytest.raises(OSError, match="open files"):
                tracker.start()
        assert threading.active_count() == before + 1  # webhooks are served all the same
        tracker.record(pixel.id)
        assert len(opens()) == 1
        tracker.start()
        tracker.record(pixel.id)
        assert tracker.stop(timeout=SECONDS) is True
        assert (len(opens()), left_in(folder)) == (2, [])

    def test_stopping_while_the_storage_is_down_returns_false(self, tracker, pixel, folder, monkeypatch) -> None:
        def fail(_: object) -> None:
            raise StorageUnavailable("locked")

        monkeypatch.setattr(tracker._recorder, "keep", fail)
        tracker.start()
        tracker.record(pixel.id)
        assert tracker.stop(timeout=SECONDS) is False
        assert get_status(folder).lines == 1

    def test_starting_again_after_that_stores_all(self, tracker, pixel, opens, folder, monkeypatch) -> None:
        def fail(_: object) -> None:
            raise StorageUnavailable("locked")

        with monkeypatch.context() as context:
            context.setattr(tracker._recorder, "keep", fail)
            tracker.start()
            tracker.record(pixel.id)
            assert tracker.stop(timeout=SECONDS) is False
        tracker.start()
        tracker.record(pixel.id)
        assert tracker.stop(timeout=SECONDS) is True
        assert (len(opens()), left_in(folder)) == (2, [])

    def test_starting_again_while_the_storage_still_hangs_stores_all_when_it_answers(
        self, tracker, pixel, opens, folder, monkeypatch
    ) -> None:
        hanging, answer, store = threading.Event(), threading.Event(), tracker.store

        def hang(hits) -> int:
            hanging.set()
            assert answer.wait(SECONDS)
            return store(hits)

        with monkeypatch.context() as context:
            context.setattr(tracker._recorder, "keep", hang)
            tracker.start()
            tracker.record(pixel.id)
            assert hanging.wait(SECONDS)
            assert tracker.stop(timeout=0.01) is False
        tracker.start()
        tracker.record(pixel.id)
        answer.set()
        assert tracker.stop(timeout=SECONDS) is True
        assert (len(opens()), left_in(folder)) == (2, [])

    def test_the_next_one_stores_what_is_left(self, storage, tracker, pixel, opens, make_spool, spool) -> None:
        spool.open()
        tracker.record(pixel.id)
        spool.close()
        following = Tracker(storage, spool=make_spool(opened=False))
        following.start()
        assert following.stop(timeout=SECONDS) is True
        assert len(opens()) == 1


class TestLoading:
    """`start` loads all modules that opens need, so that the first image does not wait for them."""

    SCRIPT = """
import sys, threading
from mailtrack import Spool, Tracker, open_storage

url, folder = sys.argv[1:]
with open_storage(url) as storage:
    tracker = Tracker(storage, spool=Spool(folder))
    pixel = tracker.create_pixel("Spring launch")
    recipient, = tracker.generate_tokens(pixel, ["ann@example.org"])
    tracker.start()
    before = set(sys.modules)
    tracker.record(
        pixel,
        token=recipient.token,
        ip="2001:db8::1",
        user_agent="Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Thunderbird/128.3.1",
        signals=["range"],
    )
    recorded = set(sys.modules)
    assert tracker.stop(timeout=30)
    assert tracker.get_pixel(pixel).opens.raw.number == 1
    print(*sorted(recorded - before), "|", *sorted(set(sys.modules) - recorded))
"""

    @pytest.mark.parametrize("url", ["memory://", "sqlite:///mail.db"])
    def test_neither_recording_nor_storing_the_first_open_loads_a_module(self, tmp_path, url) -> None:
        # What measures the coverage loads modules of its own.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
        command = [sys.executable, "-c", self.SCRIPT, url, "mail.spool"]
        ran = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path, env=environment)
        assert ran.stdout == "|\n"


class TestManyProcesses:
    """Here as many trackers, each with a spool on the same folder."""

    @pytest.fixture
    def other(self, storage, make_spool):
        other = Tracker(storage, spool=make_spool(opened=False))
        yield other
        other.stop(timeout=SECONDS)

    def test_one_stores_what_another_takes(self, tracker, other, pixel, opens, monkeypatch, wait_until) -> None:
        monkeypatch.setattr(other._recorder, "keep", lambda *_: pytest.fail("the other one does not drain"))
        tracker.start()
        other.start()
        other.record(pixel.id)
        wait_until(opens)

    def test_stopping_waits_for_the_one_that_stores(self, tracker, other, pixel, opens, monkeypatch) -> None:
        monkeypatch.setattr(other._recorder, "keep", lambda *_: pytest.fail("the other one does not drain"))
        tracker.start()
        other.start()
        for _ in range(20):
            other.record(pixel.id)
        assert other.stop(timeout=SECONDS) is True
        assert len(opens()) == 20

    def test_stopping_shows_where_the_one_that_stores_can_not(self, tracker, other, pixel, monkeypatch, folder) -> None:
        def fail(_: object) -> None:
            raise StorageUnavailable("locked")

        monkeypatch.setattr(tracker._recorder, "keep", fail)
        tracker.start()
        other.start()
        other.record(pixel.id)
        assert other.stop(timeout=0.3) is False
        assert get_status(folder).lines == 1

    def test_stopping_goes_on_itself_when_the_one_that_stored_is_gone(
        self, other, pixel, opens, make_reader, folder, wait_until
    ) -> None:
        folder.mkdir()
        gone = make_reader()  # it leads, and never stores anything
        other.start()
        other.record(pixel.id)
        told = []
        thread = threading.Thread(target=lambda: told.append(other.stop(timeout=SECONDS)))
        thread.start()
        wait_until(lambda: not other._recorder._spool.is_open)
        gone.release()
        thread.join(SECONDS)
        assert (told, len(opens())) == ([True], 1)

    def test_all_that_stop_at_once_store_all(self, tracker, other, pixel, opens, folder) -> None:
        for count in range(1, 6):
            for one in (tracker, other):
                one.start()
                one.record(pixel.id)
            assert at_once([lambda one=one: one.stop(timeout=SECONDS) for one in (tracker, other)]) == [True, True]
            assert (len(opens()), left_in(folder)) == (2 * count, [])


class TestForking:
    def test_a_child_starts_for_itself(self, tracker, pixel, opens) -> None:
        tracker.start()
        tracker.record(pixel.id)

        def task() -> None:
            assert threading.active_count() == 1
            tracker.start()
            assert threading.active_count() == 5
            assert tracker.stop(timeout=SECONDS) is True

        assert in_child(task) == ""
        assert tracker.stop(timeout=SECONDS) is True
        assert len(opens()) == 1

    def test_stopping_in_a_child_what_was_not_started_there_is_harmless(self, tracker, pixel, opens) -> None:
        tracker.start()

        def task() -> None:
            assert tracker.stop(timeout=SECONDS) is True

        assert in_child(task) == ""
        tracker.record(pixel.id)
        assert tracker.stop(timeout=SECONDS) is True
        assert len(opens()) == 1

    @pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning")
    def test_forking_while_another_thread_starts_and_stops_comes_to_an_end(self, tracker) -> None:
        def task() -> None:
            enough = threading.Event()

            def come_and_go() -> None:
                while not enough.is_set():
                    tracker.start()
                    tracker.stop(timeout=SECONDS)

            thread = threading.Thread(target=come_and_go, daemon=True)
            thread.start()
            assert [in_child(lambda: None) for _ in range(30)] == [""] * 30
            enough.set()
            thread.join(SECONDS)
            assert not thread.is_alive()

        assert in_child(task) == ""  # which ends a child that hangs

    def test_what_a_start_needs_is_taken_after_the_lock_of_the_start(self, tracker, monkeypatch) -> None:
        order = []
        for kind in (forking.ForkSafeLock, Spool, Reader):
            before = kind.before_fork
            monkeypatch.setattr(kind, "before_fork", lambda one, before=before: (order.append(type(one)), before(one)))
        tracker.start()
        if (child := os.fork()) == 0:
            os._exit(0)
        os.waitpid(child, 0)
        last_lock = len(order) - 1 - order[::-1].index(forking.ForkSafeLock)
        assert last_lock < min(order.index(Spool), order.index(Reader))


class TestDeletionsMeanwhile:
    def test_of_a_deleted_recipient_only_the_bare_open_appears(self, tracker, spool, make_reader, pixel, opens) -> None:
        (recipient,) = tracker.generate_tokens(pixel.id, ["ann@example.org"])
        spool.open()
        tracker.record(pixel.id, token=recipient.token)
        tracker.delete_recipient(recipient.id)
        drain(make_reader(), tracker.store)
        assert [(one.recipient_id, one.token) for one in opens()] == [(None, None)]
        assert list(tracker.iter_recipients(pixel.id)) == []

    def test_hits_of_a_deleted_pixel_are_passed_over(self, tracker, spool, make_reader, pixel, folder) -> None:
        spool.open()
        tracker.record(pixel.id)
        tracker.delete_pixel(pixel.id)
        spool.close()
        drain(make_reader(), tracker.store)
        assert left_in(folder) == []

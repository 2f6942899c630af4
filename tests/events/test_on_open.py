"""`Tracker.on_open`: functions that are called with events behind the storing of opens, at least once."""

import asyncio
import logging
import threading
from functools import partial
from typing import Any

import pytest

from mailtrack import Event, InvalidArgument, StorageUnavailable, Tracker
from mailtrack._events import calls


class Async:
    async def __call__(self, event: Event) -> None: ...


@pytest.fixture(autouse=True)
def no_backoff(monkeypatch) -> list[int]:
    """Makes failed calls come again at once; the list has the failures in a row that were waited for."""
    waits: list[int] = []

    def note(failures: int) -> float:
        waits.append(failures)
        return 0.0

    monkeypatch.setattr(calls, "backoff", note)
    return waits


class TestCalling:
    def test_each_open_that_is_stored_from_now_on_calls_the_function_in_order(
        self, tracker, heard, started, open_by, wait_until
    ) -> None:
        open_by("before@example.org")
        tracker.on_open(heard, name="crm")
        open_by("ann@example.org", "bob@example.org")
        started()
        open_by("carl@example.org")
        wait_until(lambda: len(heard.emails) == 3)
        assert heard.emails == ["ann@example.org", "bob@example.org", "carl@example.org"]
        assert [event.first_counted for event in heard.events] == [True] * 3

    def test_it_runs_in_a_thread_of_its_own_and_recording_does_not_wait_for_it(
        self, tracker, heard, started, open_by, wait_until
    ) -> None:
        tracker.on_open(heard, name="crm")
        heard.may_go_on.clear()
        started()
        open_by("ann@example.org", "bob@example.org")
        assert heard.entered.wait(20)
        open_by("carl@example.org")
        assert heard.emails == []
        heard.may_go_on.set()
        wait_until(lambda: len(heard.emails) == 3)
        assert heard.threads == {"mailtrack-on-open-crm"}

    @pytest.mark.parametrize(("first", "numbers"), [("any", [1, 2, 3, 4]), ("first", [1, 4]), ("firstCounted", [2, 4])])
    def test_first_chooses_the_events(
        self, tracker, pixel, heard, started, robot, thunderbird, wait_until, first, numbers
    ) -> None:
        ann, bob = tracker.generate_tokens(pixel, ["ann@example.org", "bob@example.org"])
        tracker.on_open(heard, name="crm", first=first)
        last = []
        tracker.on_open(last.append, name="last", first="any")
        started()
        for recipient, program in [(ann, robot), (ann, thunderbird), (ann, thunderbird), (bob, thunderbird)]:
            tracker.record(pixel.id, token=recipient.token, user_agent=program)
        wait_until(lambda: len(last) == 4 and len(heard.events) == len(numbers))
        assert [event.id for event in heard.events] == [last[number - 1].id for number in numbers]

    def test_without_an_earlier_start_it_goes_on_where_the_function_of_that_name_was(
        self, tracker, memory, clock, heard, open_by, wait_until
    ) -> None:
        tracker.on_open(heard, name="crm")
        tracker.start()
        open_by("ann@example.org")
        wait_until(lambda: heard.emails)
        tracker.stop()
        open_by("bob@example.org")
        assert heard.emails == ["ann@example.org"]
        later = Tracker(memory, clock=clock)
        later.on_open(heard, name="crm")
        later.start()
        wait_until(lambda: len(heard.emails) == 2)
        later.stop()
        assert heard.emails == ["ann@example.org", "bob@example.org"]

    def test_a_tracker_can_be_started_and_stopped_again_and_again(self, tracker, heard, open_by, wait_until) -> None:
        tracker.on_open(heard, name="crm")
        tracker.stop()
        for number in range(3):
            tracker.start()
            tracker.start()
            open_by(f"person{number}@example.org")
            wait_until(lambda number=number: len(heard.emails) == number + 1)
            tracker.stop()
            tracker.stop()
        assert len(set(heard.emails)) == len(heard.emails) == 3

    def test_an_event_that_is_gone_by_its_turn_is_left_out_and_an_erased_person_too(
        self, tracker, heard, started, open_by, wait_until, monkeypatch
    ) -> None:
        monkeypatch.setattr(calls, "_FRESH_SECONDS", 0.0)
        tracker.on_open(heard, name="crm")
        heard.may_go_on.clear()
        started()
        open_by("ann@example.org")
        assert heard.entered.wait(20)
        open_by("bob@example.org", "carl@example.org")
        tracker.erase("bob@example.org")
        heard.may_go_on.set()
        wait_until(lambda: len(heard.emails) == 3)
        assert heard.emails == ["ann@example.org", "", "carl@example.org"]

    def test_a_fast_function_gets_larger_pages_and_a_slow_one_small_ones(
        self, tracker, memory, heard, started, open_by, wait_until, monkeypatch
    ) -> None:
        monkeypatch.setattr(calls, "_EVENTS_AT_ONCE", 2)
        monkeypatch.setattr(calls, "_MOST_EVENTS", 5)
        limits, list_events = [], memory.list_events

        def note(*, limit, **given):
            page = list_events(limit=limit, **given)
            limits.extend([limit] if page.items else [])
            return page

        monkeypatch.setattr(memory, "list_events", note)
        tracker.on_open(heard, name="crm")
        open_by(*(f"person{number}@example.org" for number in range(16)))
        started()
        wait_until(lambda: len(heard.emails) == 16)
        assert limits == [2, 4, 5, 5]
        monkeypatch.setattr(calls, "_FRESH_SECONDS", -1.0)
        open_by("ann@example.org", "bob@example.org")
        wait_until(lambda: len(heard.emails) == 18)
        assert limits == [2, 4, 5, 5, 5, 2]
        assert heard.emails[-2:] == ["ann@example.org", "bob@example.org"]


class TestFaults:
    @pytest.mark.parametrize("fault", [RuntimeError("the CRM is away"), SystemExit(3)])
    def test_a_function_that_raises_is_called_again_with_the_same_event_and_logged(
        self, tracker, heard, started, open_by, wait_until, caplog, no_backoff, fault
    ) -> None:
        tracker.on_open(heard, name="crm")
        heard.faults = [fault] * 3
        started()
        open_by("ann@example.org", "bob@example.org")
        wait_until(lambda: len(heard.emails) == 2)
        assert heard.emails == ["ann@example.org", "bob@example.org"]
        assert no_backoff == [1, 2, 3]
        records = [one for one in caplog.records if one.levelno == logging.ERROR]
        assert len(records) == 3
        assert all(one.exc_info and one.exc_info[1] is fault for one in records)
        assert all(heard.events[0].id in one.getMessage() and "'crm'" in one.getMessage() for one in records)
        assert "ann@example.org" not in caplog.text

    def test_a_coroutine_that_a_function_returns_is_a_failure_since_it_does_not_run(
        self, tracker, heard, started, open_by, wait_until, caplog
    ) -> None:
        tracker.on_open(lambda event: heard(event) or (Async()(event) if len(heard.emails) < 3 else None), name="crm")
        started()
        open_by("ann@example.org", "bob@example.org")
        wait_until(lambda: len(heard.emails) == 4)
        assert heard.emails == ["ann@example.org"] * 3 + ["bob@example.org"]
        assert "must not be async" in caplog.text

    def test_the_count_of_failures_is_of_one_event(
        self, tracker, heard, started, open_by, wait_until, no_backoff
    ) -> None:
        tracker.on_open(heard, name="crm")
        started()
        for email in ("ann@example.org", "bob@example.org"):
            heard.faults = [RuntimeError()] * 2
            open_by(email)
            wait_until(lambda email=email: email in heard.emails)
        assert no_backoff == [1, 2, 1, 2]

    def test_a_function_that_fails_or_hangs_stops_no_other(self, tracker, heard, started, open_by, wait_until) -> None:
        hangs = threading.Event()

        def fail(_: Event) -> None:
            raise RuntimeError

        tracker.on_open(fail, name="fails")
        tracker.on_open(lambda _: hangs.wait(20), name="hangs")
        tracker.on_open(heard, name="crm")
        started()
        open_by(*(f"person{number}@example.org" for number in range(50)))
        wait_until(lambda: len(heard.emails) == 50)
        hangs.set()

    def test_stop_does_not_wait_for_a_backoff(self, tracker, heard, open_by, monkeypatch) -> None:
        monkeypatch.setattr(calls, "backoff", lambda _: 300.0)
        tracker.on_open(heard, name="crm")
        heard.faults = [RuntimeError()]
        tracker.start()
        open_by("ann@example.org")
        assert heard.entered.wait(20)
        assert tracker.stop(timeout=20)
        assert not [one for one in threading.enumerate() if one.name.startswith("mailtrack-on-open")]

    def test_stop_leaves_a_function_that_hangs_and_what_it_was_at_comes_again(
        self, tracker, memory, clock, heard, open_by, wait_until
    ) -> None:
        tracker.on_open(heard, name="crm")
        heard.may_go_on.clear()
        tracker.start()
        open_by("ann@example.org")
        assert heard.entered.wait(20)
        tracker.stop(timeout=0.05)
        other, again = Tracker(memory, clock=clock), []
        other.on_open(again.append, name="crm")
        other.start()
        clock.advance(seconds=60)
        wait_until(lambda: again)
        other.stop()
        heard.may_go_on.set()
        wait_until(lambda: not [one for one in threading.enumerate() if one.name.startswith("mailtrack-on-open")])

    def test_a_function_may_stop_its_tracker(self, tracker, open_by, wait_until) -> None:
        stopped = []
        tracker.on_open(lambda _: stopped.append(tracker.stop(timeout=20)), name="crm")
        tracker.start()
        open_by("ann@example.org")
        wait_until(lambda: stopped)
        wait_until(lambda: not [one for one in threading.enumerate() if one.name.startswith("mailtrack-on-open")])

    def test_a_storage_that_is_away_for_a_while_costs_no_event(
        self, tracker, memory, heard, started, open_by, wait_until, caplog, monkeypatch
    ) -> None:
        tracker.on_open(heard, name="crm")
        list_events, away = memory.list_events, ["the storage is away", "the storage is away"]

        def fail(**arguments: Any) -> Any:
            if away:
                raise StorageUnavailable(away.pop())
            return list_events(**arguments)

        monkeypatch.setattr(memory, "list_events", fail)
        started()
        open_by("ann@example.org")
        wait_until(lambda: heard.emails == ["ann@example.org"])
        assert caplog.text.count("the storage is away") == 2
        assert "Traceback" not in caplog.text

    def test_a_name_begins_later_if_the_storage_is_away_when_it_is_given(
        self, tracker, memory, heard, started, open_by, wait_until, monkeypatch
    ) -> None:
        with monkeypatch.context() as patch:

            def fail(name: str) -> None:
                raise StorageUnavailable(f"{name} is away")

            patch.setattr(memory, "add_reader", fail)
            tracker.on_open(heard, name="crm")
        started()
        wait_until(lambda: memory.take_reader("crm", "me", now=tracker.now(), until=tracker.now()) is None)
        open_by("ann@example.org")
        wait_until(lambda: heard.emails == ["ann@example.org"])


class TestOneAtATime:
    def test_of_two_trackers_one_calls_its_function_and_the_other_goes_on_once_it_stops(
        self, tracker, memory, clock, heard, open_by, wait_until
    ) -> None:
        tracker.on_open(heard, name="crm")
        tracker.start()
        open_by("ann@example.org")
        wait_until(lambda: len(heard.emails) == 1)
        other, by_other = Tracker(memory, clock=clock), []
        other.on_open(by_other.append, name="crm")
        other.start()
        open_by("bob@example.org")
        wait_until(lambda: len(heard.emails) == 2)
        tracker.stop()
        open_by("carl@example.org")
        wait_until(lambda: by_other)
        other.stop()
        assert heard.emails == ["ann@example.org", "bob@example.org"]
        assert [event.recipient.email for event in by_other] == ["carl@example.org"]

    def test_a_lease_is_kept_while_a_slow_function_runs(
        self, tracker, memory, clock, heard, open_by, wait_until, monkeypatch
    ) -> None:
        monkeypatch.setattr("mailtrack._events.callbacks._RENEW_SECONDS", 0.01)
        tracker.on_open(heard, name="crm")
        heard.may_go_on.clear()
        tracker.start()
        open_by("ann@example.org")
        assert heard.entered.wait(20)
        taken = memory.take_reader
        renewed = threading.Event()

        def take(*arguments: Any, **times: Any) -> Any:
            renewed.set()
            return taken(*arguments, **times)

        monkeypatch.setattr(memory, "take_reader", take)
        for _ in range(5):
            clock.advance(seconds=10)
            renewed.clear()
            assert renewed.wait(20)
            wait_until(lambda: taken("crm", "another", now=clock(), until=clock()) is None)
        heard.may_go_on.set()
        wait_until(lambda: heard.emails)
        tracker.stop()

    def test_one_whose_lease_has_expired_goes_on_only_where_the_other_is(
        self, tracker, memory, clock, heard, started, open_by, wait_until, caplog
    ) -> None:
        tracker.on_open(heard, name="crm")
        heard.may_go_on.clear()
        started()
        open_by("ann@example.org", "bob@example.org")
        assert heard.entered.wait(20)
        clock.advance(seconds=60)
        assert memory.take_reader("crm", "other", now=clock(), until=clock()) is not None
        assert memory.move_reader("crm", "other", memory.get_feed_end(), until=clock())
        heard.may_go_on.set()
        open_by("carl@example.org")
        wait_until(lambda: "carl@example.org" in heard.emails)
        assert heard.emails == ["ann@example.org", "carl@example.org"]
        assert "goes on in another process" in caplog.text


class TestArguments:
    @pytest.mark.parametrize("name", ["", "x" * 129, "a\nb", "\0", "\ud800", None, 1, b"crm"])
    def test_a_bad_name_is_refused(self, tracker, name: Any) -> None:
        with pytest.raises(InvalidArgument, match="name must have 1 to 128 characters"):
            tracker.on_open(print, name=name)

    @pytest.mark.parametrize("name", ["x", "x" * 128, "Ünïcode 日本", "' OR 1=1 --"])
    def test_a_good_name_is_taken(self, tracker, name: str) -> None:
        tracker.on_open(print, name=name)

    @pytest.mark.parametrize("function", [None, "print", 1, asyncio.sleep, partial(asyncio.sleep, 1), Async()])
    def test_what_can_not_be_called_or_is_async_is_refused(self, tracker, function: Any) -> None:
        with pytest.raises(InvalidArgument, match="function must be a function that is not async"):
            tracker.on_open(function, name="crm")

    @pytest.mark.parametrize("first", [None, "", "second", True, ["any"]])
    def test_an_unknown_choice_is_refused(self, tracker, first: Any) -> None:
        with pytest.raises(InvalidArgument, match="first must be one of any, first, firstCounted"):
            tracker.on_open(print, name="crm", first=first)

    def test_two_functions_of_one_name_are_refused(self, tracker) -> None:
        tracker.on_open(print, name="crm")
        with pytest.raises(InvalidArgument, match="name is that of another function"):
            tracker.on_open(repr, name="crm")

    def test_after_start_it_is_too_late_and_after_stop_it_is_not(self, tracker) -> None:
        tracker.start()
        with pytest.raises(InvalidArgument, match="before the tracker is started"):
            tracker.on_open(print, name="crm")
        tracker.stop()
        tracker.on_open(print, name="crm")

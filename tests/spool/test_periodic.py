"""A thread that does one thing again and again."""

import os
import sys
import threading

import pytest

from mailtrack._spool.periodic import PeriodicThread

SECONDS = 30


def test_it_works_again_and_again_and_one_last_time() -> None:
    calls, enough = [], threading.Event()

    def work(*, last: bool) -> float:
        calls.append(last)
        if len(calls) == 3:
            enough.set()
        return 1000 if len(calls) == 3 else 0

    repeater = PeriodicThread("mailtrack-test", work, first_wait=0)
    repeater.start()
    assert enough.wait(SECONDS)
    assert repeater.stop(SECONDS) is True
    assert calls == [False, False, False, True]


def test_stopping_shows_where_the_work_takes_longer() -> None:
    begun, may_end = threading.Event(), threading.Event()

    def work(*, last: bool) -> float:  # noqa: ARG001  # that is its form
        begun.set()
        assert may_end.wait(SECONDS)
        return 0

    repeater = PeriodicThread("mailtrack-test", work, first_wait=0)
    repeater.start()
    assert begun.wait(SECONDS)
    assert repeater.stop(0.01) is False
    may_end.set()
    assert repeater.stop(SECONDS) is True


@pytest.mark.skipif(sys.platform != "linux", reason="threads have a niceness on Linux only")
def test_the_system_prefers_other_threads_to_a_nice_one() -> None:
    found: list[int] = []

    def work(*, last: bool) -> float:  # noqa: ARG001  # that is its form
        found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        return 0

    mine = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    repeater = PeriodicThread("mailtrack-test", work, first_wait=0, niceness=3)
    repeater.start()
    assert repeater.stop(SECONDS) is True
    assert found[-1] == min(mine + 3, 19)
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == mine

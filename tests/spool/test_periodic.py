"""A thread that does one thing again and again."""

import threading

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

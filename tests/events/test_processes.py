"""`Tracker.on_open` in processes of their own, on one SQLite file: killed, in pairs, forked and stopped."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mailtrack import Pixel, Spool, Tracker, open_storage
from mailtrack.testing import make_hit

WORKER = Path(__file__).with_name("worker.py")


class Workers:
    """The processes that handle events, and what they have handled."""

    def __init__(self, folder: Path, tracker: Tracker) -> None:
        self._folder = folder
        self._tracker = tracker
        self._processes: list[subprocess.Popen[bytes]] = []
        self.advance(0)

    def start(self, name: str, *options: str) -> subprocess.Popen[bytes]:
        arguments = [sys.executable, WORKER, self._folder / "mailtrack.db", self._folder, name, *options]
        process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"started\n"
        return process

    def advance(self, seconds: int) -> None:
        """Set the clocks of all processes so far ahead."""
        (self._folder / "new").write_text(str(seconds))
        (self._folder / "new").replace(self._folder / "ahead")

    def slow_down(self, *, slow: bool) -> None:
        (self._folder / "slow").touch() if slow else (self._folder / "slow").unlink()

    @property
    def handled(self) -> list[tuple[str, str]]:
        """What was handled so far: the name of the process and the event's id."""
        file = self._folder / "handled"
        lines = file.read_text().splitlines() if file.exists() else []
        return [(name, event) for name, _, event in (line.partition(" ") for line in lines)]

    @property
    def stored(self) -> list[str]:
        return [event.id for event in self._tracker.iter_events()]

    def close(self) -> None:
        for process in self._processes:
            with process:
                process.kill()


@pytest.fixture
def tracker(tmp_path: Path, new_database: Callable[[Path], Path]) -> Iterator[Tracker]:
    with open_storage(f"sqlite:///{new_database(tmp_path / 'mailtrack.db')}") as storage:
        yield Tracker(storage)


@pytest.fixture
def workers(tmp_path: Path, tracker: Tracker) -> Iterator[Workers]:
    tracker.on_open(print, name="crm")  # begins now, before any of them has started
    found = Workers(tmp_path, tracker)
    yield found
    found.close()


@pytest.fixture
def store(tracker: Tracker, pixel: Pixel) -> Callable[[int], None]:
    """Stores so many opens."""
    return lambda number: [tracker.store([make_hit(pixel, at=tracker.now())]) for _ in range(number)] and None


def test_each_event_is_handled_though_the_process_is_killed_at_one_after_another(workers, store, wait_until) -> None:
    store(100)
    workers.slow_down(slow=True)
    for number in range(5):
        process, before = workers.start(f"worker{number}"), len(workers.handled)
        wait_until(lambda before=before: len(workers.handled) > before + 4)
        process.kill()
        process.wait()
        workers.advance(60 * (number + 1))
    workers.slow_down(slow=False)
    workers.start("last")
    wait_until(lambda: {event for _, event in workers.handled} == set(workers.stored))
    events = [event for _, event in workers.handled]
    assert list(dict.fromkeys(events)) == workers.stored  # in order, and none is passed over
    assert len(events) <= 100 + 5 * 10  # those of 0.1 seconds come again


def test_of_two_processes_one_handles_all_and_the_other_takes_over_when_it_is_killed(
    workers, store, wait_until
) -> None:
    first = workers.start("first")
    store(1)
    wait_until(lambda: len(workers.handled) == 1)
    workers.start("second")
    store(30)
    wait_until(lambda: len(workers.handled) == 31)
    assert {name for name, _ in workers.handled} == {"first"}
    first.kill()
    first.wait()
    store(5)
    workers.advance(60)
    wait_until(lambda: {event for _, event in workers.handled} == set(workers.stored))
    assert [event for name, event in workers.handled if name == "second"][-5:] == workers.stored[-5:]


def test_one_that_stops_lets_the_other_go_on_at_once_and_no_event_comes_twice(workers, store, wait_until) -> None:
    first = workers.start("first")
    store(1)
    wait_until(lambda: len(workers.handled) == 1)
    workers.start("second")
    workers.slow_down(slow=True)
    store(20)
    wait_until(lambda: len(workers.handled) > 3)
    first.stdin.close()  # it stops its tracker, amidst the events
    assert first.wait(20) == 0
    wait_until(lambda: {event for _, event in workers.handled} == set(workers.stored))
    assert [event for _, event in workers.handled] == workers.stored
    assert {name for name, _ in workers.handled} == {"first", "second"}


def test_a_function_given_before_a_fork_is_called_in_the_child_that_starts(workers, store, wait_until) -> None:
    workers.start("parent", "fork")
    store(10)
    wait_until(lambda: len(workers.handled) == 10)
    assert [event for _, event in workers.handled] == workers.stored


def test_events_of_opens_that_stop_has_stored_come_at_the_next_start(tmp_path, tracker, pixel, wait_until) -> None:
    heard: list[str] = []

    def follow() -> Tracker:
        found = Tracker(tracker._storage, spool=Spool(tmp_path / "spool"))
        found.on_open(lambda event: heard.append(event.id), name="crm", first="any")
        found.start()
        return found

    for _ in range(5):
        stopped = follow()
        for _ in range(20):
            stopped.record(pixel.id)
        assert stopped.stop(timeout=20)
    last = follow()
    wait_until(lambda: len(heard) == 100)
    last.stop()
    assert heard == [event.id for event in tracker.iter_events()]

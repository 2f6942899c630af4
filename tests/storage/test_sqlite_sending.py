"""Marking mails as sent in an SQLite file: in short steps, between which others write."""

import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from mailtrack import Pixel, PixelNotFound, Recipient
from mailtrack.storage._sqlite import SQLiteStorage, sending, sweeping
from mailtrack.testing import make_open, make_pixel, make_recipients
from mailtrack.testing._contract.forks import in_child, needs_fork
from mailtrack.testing._contract.full_scan import assert_scan
from mailtrack.testing._contract.helpers import all_recipients
from mailtrack.testing._contract.sending import SendingContract
from mailtrack.testing._factories import NOON

PEOPLE = 20


@pytest.fixture(autouse=True)
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step marks three recipients only, as on a very slow disk."""
    monkeypatch.setattr(sweeping, "_WORK_SECONDS", (0.0, 0.0))
    monkeypatch.setattr(sweeping, "_WANTED_SECONDS", 0.0)
    monkeypatch.setattr(sending, "_AT_ONCE", 3)
    monkeypatch.setattr(sending, "_LOOKED_UP_AT_ONCE", 7)


@pytest.fixture
def storage(path: Path):
    with SQLiteStorage(path) as storage:
        yield storage


def _full(storage: SQLiteStorage) -> tuple[Pixel, list[Recipient]]:
    pixel = make_pixel()
    storage.add_pixel(pixel)
    people = storage.add_recipients(pixel.id, make_recipients(pixel, [f"r{n}@example.org" for n in range(PEOPLE)]))
    storage.add_opens([make_open(pixel, one, at=NOON + timedelta(hours=n)) for n, one in enumerate(people[::2])])
    return pixel, people


class TestSlowSteps(SendingContract):
    """The suite, with many steps for each call."""

    test_twenty_thousand_ids_are_marked_at_once = None


def _before_each_step(monkeypatch: pytest.MonkeyPatch, act: Callable[[int], object]) -> None:
    """Call a function with the number of each step before it begins."""
    step, numbers = SQLiteStorage._step, count()

    @contextmanager
    def step_after_act(storage: SQLiteStorage) -> Iterator[tuple[sqlite3.Connection, float]]:
        act(next(numbers))
        with step(storage) as given:
            yield given

    monkeypatch.setattr(SQLiteStorage, "_step", step_after_act)


def test_another_connection_can_write_between_two_steps(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with SQLiteStorage(path) as storage, closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as other:
        pixel, _ = _full(storage)
        _before_each_step(monkeypatch, lambda n: other.execute("INSERT INTO settings VALUES (?, '')", [f"step {n}"]))
        assert storage.mark_sent(pixel.id, None, at=NOON) == PEOPLE
        assert other.execute("SELECT count(*) FROM settings WHERE name LIKE 'step %'").fetchone() == (7,)


def test_recipients_that_come_meanwhile_are_not_marked_and_those_that_go_are_passed_over(
    storage: SQLiteStorage, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixel, people = _full(storage)

    def change(step: int) -> None:
        if step == 1:
            with SQLiteStorage(path) as other:
                other.delete_recipient(people[0].id)
                other.delete_recipient(people[-1].id)
                other.add_recipients(pixel.id, make_recipients(pixel, ["late@example.org"]))

    _before_each_step(monkeypatch, change)
    assert storage.mark_sent(pixel.id, None, at=NOON) == PEOPLE - 1
    sent = [one.sent_at for one in all_recipients(storage, pixel)]
    assert sent == [NOON] * (PEOPLE - 2) + [None]
    assert_scan(storage, storage.get_pixel(pixel.id))


def test_a_pixel_that_is_deleted_meanwhile_is_an_error(
    storage: SQLiteStorage, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixel, _ = _full(storage)
    find = sending.find

    def find_before_another_deletes(*arguments):
        found = find(*arguments)
        with SQLiteStorage(path) as other:
            other.delete_pixel(pixel.id)
        return found

    monkeypatch.setattr(sending, "find", find_before_another_deletes)
    with pytest.raises(PixelNotFound):
        storage.mark_sent(pixel.id, None, at=NOON)


@needs_fork
@pytest.mark.parametrize("given", ["all", "ids"])
@pytest.mark.parametrize("steps", [0, 1, 5])
def test_a_kill_leaves_whole_steps_and_the_same_call_marks_the_rest(path: Path, steps: int, given: str) -> None:
    with SQLiteStorage(path) as storage:
        pixel, people = _full(storage)
    ids = None if given == "all" else [one.id for one in people]

    def mark_some() -> None:
        mark, left = sending.mark, steps

        def mark_or_die(*arguments):
            nonlocal left
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1
            return mark(*arguments)

        sending.mark = mark_or_die
        SQLiteStorage(path).mark_sent(pixel.id, ids, at=NOON)

    assert in_child(mark_some) == f"the child ended with status {signal.SIGKILL}"
    with SQLiteStorage(path) as storage:
        sent = [one.sent_at for one in all_recipients(storage, pixel)]
        assert sent == [NOON] * (3 * steps) + [None] * (PEOPLE - 3 * steps)
        assert_scan(storage, storage.get_pixel(pixel.id))
        assert storage.mark_sent(pixel.id, ids, at=NOON) == PEOPLE
        assert {one.sent_at for one in all_recipients(storage, pixel)} == {NOON}
        assert_scan(storage, storage.get_pixel(pixel.id))

"""Faults in the middle of things: what is stored is what was before or what was asked for, never between."""

import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from mailtrack import Pixel, Recipient, StorageError, StorageUnavailable, Tracker
from mailtrack.storage._sqlite import SQLiteStorage, connections
from mailtrack.testing import make_image, make_open, make_pixel, make_recipients
from mailtrack.testing._contract.forks import in_child
from mailtrack.testing._contract.helpers import all_events, all_opens, all_recipients
from mailtrack.testing._factories import NOON

MOST_STEPS = 5000  # a ladder that needs more never ends


class Scene:
    """A pixel with recipients and opens, and what is going to be done to it."""

    def __init__(self, storage: SQLiteStorage) -> None:
        self.storage = storage
        self.pixel = make_pixel(image="a.png")
        storage.add_pixel(self.pixel, make_image())
        self.recipients = make_recipients(self.pixel, [f"r{n}@example.org" for n in range(5)])
        storage.add_recipients(self.pixel.id, self.recipients)
        storage.add_opens([make_open(self.pixel, one) for one in self.recipients])
        self.new_pixel = make_pixel(image="b.png")
        self.new_recipients = make_recipients(self.pixel, [f"r{n}@example.org" for n in range(3, 12)])
        self.new_opens = [make_open(self.pixel, one) for one in self.recipients[::2]]

    def act(self, name: str) -> None:
        {
            "add_pixel": lambda: self.storage.add_pixel(self.new_pixel, make_image()),
            "add_recipients": lambda: self.storage.add_recipients(self.pixel.id, self.new_recipients),
            "add_opens": lambda: self.storage.add_opens(self.new_opens),
            "delete_recipient": lambda: self.storage.delete_recipient(self.recipients[1].id),
            "delete_pixel": lambda: self.storage.delete_pixel(self.pixel.id),
            "purge_opens": lambda: self.storage.purge_opens(self.pixel.id, before=NOON + timedelta(days=1), limit=3),
        }[name]()

    def state(self) -> object:
        images = [self._image(pixel) for pixel in (self.pixel, self.new_pixel)]
        return (
            self.storage.list_pixels(limit=10),
            all_recipients(self.storage, self.pixel),
            all_opens(self.storage, self.pixel),
            [(one.open.id, one.first, one.first_counted, one.recipient) for one in all_events(self.storage)],
            self._figures(),
            images,
        )

    def _figures(self) -> object:
        try:
            return self.storage.get_figures(self.pixel.id, top=9)
        except LookupError:
            return None

    def _image(self, pixel: Pixel) -> object:
        try:
            return self.storage.get_image(pixel.id)
        except LookupError:
            return None


ACTIONS = ["add_pixel", "add_recipients", "add_opens", "delete_recipient", "delete_pixel", "purge_opens"]


def _climb(scene: Scene, action: str, arm: Callable[[int], None], disarm: Callable[[], None]) -> int:
    """Let an action fail at its first step, its second, ..., until it passes; return how often it failed."""
    before = scene.state()
    for step in count(1):
        assert step < MOST_STEPS
        arm(step)
        try:
            scene.act(action)
        except StorageError:
            disarm()
            assert scene.state() == before
        else:
            disarm()
            assert scene.state() != before
            return step - 1
    raise AssertionError


class TestLadders:
    @pytest.mark.parametrize("action", ACTIONS)
    def test_whichever_statement_fails_the_state_is_the_one_before(self, storage, spies, action: str) -> None:
        def arm(step: int) -> None:
            spies.fail_statement = step

        def disarm() -> None:
            spies.fail_statement = 0

        assert _climb(Scene(storage), action, arm, disarm) >= 3  # BEGIN, at least one more, COMMIT

    @pytest.mark.parametrize("action", ACTIONS)
    def test_wherever_sqlite_is_interrupted_the_state_is_the_one_before(self, storage, spies, action: str) -> None:
        def disarm() -> None:
            for spy in spies.made:
                with suppress(sqlite3.ProgrammingError):  # it is closed
                    spy.set_progress_handler(None, 0)

        assert _climb(Scene(storage), action, lambda step: spies.made[-1].interrupt_after(step), disarm) >= 2

    @pytest.mark.parametrize("action", ACTIONS)
    def test_what_failed_once_works_when_it_is_tried_again(self, storage, spies, action: str) -> None:
        scene = Scene(storage)
        before = scene.state()
        spies.fail_statement = 2
        with pytest.raises(StorageUnavailable):
            scene.act(action)
        scene.act(action)
        assert scene.state() != before

    def test_reading_fails_in_our_own_words(self, storage, spies) -> None:
        storage.ping()
        spies.fail_statement = 1
        with pytest.raises(StorageUnavailable, match="disk I/O error"):
            storage.list_pixels(limit=1)

    def test_a_deletion_that_was_committed_is_no_error_when_cleaning_up_fails(self, storage, spies) -> None:
        scene = Scene(storage)
        spies.kill_at = ""
        (spy,) = spies.made

        def refuse(action: int, name: str | None, *_: object) -> int:
            return sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_PRAGMA and name == "wal_checkpoint" else 0

        spy.set_authorizer(refuse)
        scene.act("delete_pixel")
        assert storage.list_pixels(limit=1).items == ()


class TestKills:
    def _recipients(self, path: Path, arm: Callable[[], None]) -> tuple[str, list[Recipient]]:
        """Kill a process while it adds 10,000 recipients, and return how it ended and what is there."""
        with SQLiteStorage(path) as storage:
            pixel = Tracker(storage).create_pixel("Spring launch")

        def task() -> None:
            with SQLiteStorage(path) as storage:
                storage.ping()
                arm()
                Tracker(storage).generate_tokens(pixel.id, [f"r{n}@example.org" for n in range(10_000)])

        told = in_child(task)
        with SQLiteStorage(path) as storage:
            found = all_recipients(storage, pixel)
            assert storage.get_pixel(pixel.id).recipients == len(found)
            return told, found

    @pytest.mark.parametrize("steps", [1, 10, 100, 500])
    def test_ten_thousand_tokens_killed_on_their_way_are_none(self, path: Path, spies, steps: int) -> None:
        told, found = self._recipients(path, lambda: spies.made[-1].kill_after(steps))
        assert (told, len(found)) == ("the child ended with status 9", 0)

    @pytest.mark.parametrize(("moment", "expected"), [("before", 0), ("after", 10_000)])
    def test_ten_thousand_tokens_killed_around_their_commit_are_none_or_all(
        self, path: Path, spies, moment: str, expected: int
    ) -> None:
        def arm() -> None:
            spies.kill_at = f"{moment} COMMIT"

        told, found = self._recipients(path, arm)
        assert (told, len(found)) == ("the child ended with status 9", expected)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


class TestLocks:
    @pytest.fixture(autouse=True)
    def _impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(connections, "BUSY_TIMEOUT", 0.01)

    def test_a_write_to_a_locked_file_is_to_be_tried_again(self, storage, path: Path) -> None:
        with _locked(path), pytest.raises(StorageUnavailable) as caught:
            storage.add_pixel(make_pixel())
        assert caught.value.retry_after > 0

    def test_reading_a_locked_file_goes_on(self, storage, path: Path) -> None:
        pixel = make_pixel()
        storage.add_pixel(pixel)
        with _locked(path):
            assert storage.get_pixel(pixel.id) == pixel

    def test_writing_goes_on_when_the_lock_is_gone(self, storage, path: Path) -> None:
        pixel = make_pixel()
        with _locked(path), pytest.raises(StorageUnavailable):
            storage.add_pixel(pixel)
        storage.add_pixel(pixel)
        assert storage.get_pixel(pixel.id) == pixel

    def test_a_deletion_does_not_fail_for_a_reader_that_needs_the_old_state(self, storage, path: Path) -> None:
        scene = Scene(storage)
        with closing(sqlite3.connect(path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM pixels").fetchone()
            scene.act("delete_pixel")
            reader.execute("ROLLBACK")
        assert storage.list_pixels(limit=1).items == ()


class TestFullDisks:
    def test_a_full_database_is_to_be_tried_again_and_nothing_is_half_stored(self, storage, spies) -> None:
        scene = Scene(storage)
        (spy,) = spies.made
        before = scene.state()
        self._limit(spy, 2)
        with pytest.raises(StorageUnavailable, match="full"):
            self._fill(scene)
        assert scene.state() == before

    def test_it_works_again_by_itself_when_there_is_room(self, storage, spies) -> None:
        scene = Scene(storage)
        (spy,) = spies.made
        self._limit(spy, 2)
        with pytest.raises(StorageUnavailable):
            self._fill(scene)
        self._limit(spy, 10_000)
        self._fill(scene)
        assert storage.get_pixel(scene.pixel.id).opens.raw.number == 5005

    def test_a_file_that_may_not_grow_is_to_be_tried_again_and_nothing_is_half_stored(self, storage) -> None:
        scene = Scene(storage)
        before = scene.state()

        def task() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
            with pytest.raises(StorageUnavailable):
                self._fill(scene)
            assert scene.state() == before
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            self._fill(scene)

        assert in_child(task) == ""
        assert storage.get_pixel(scene.pixel.id).opens.raw.number == 5005

    @staticmethod
    def _limit(spy: sqlite3.Connection, further_pages: int) -> None:
        (pages,) = spy.execute("PRAGMA page_count").fetchone()
        spy.execute(f"PRAGMA max_page_count = {pages + further_pages}").fetchone()

    @staticmethod
    def _fill(scene: Scene) -> None:
        scene.storage.add_opens([make_open(scene.pixel, scene.recipients[n % 5]) for n in range(5000)])

"""Sweeping in an SQLite file: in many steps, by any process, and to the last byte."""

import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import attrs
import pytest

from mailtrack import Pixel, Recipient
from mailtrack.storage._sqlite import SQLiteStorage, purging, sweeping
from mailtrack.testing import make_image, make_open, make_pixel, make_recipients
from mailtrack.testing._contract.deletion import DeletionContract
from mailtrack.testing._contract.forks import in_child, needs_fork
from mailtrack.testing._contract.helpers import all_opens, all_recipients
from mailtrack.testing._contract.pixels import PixelsContract
from mailtrack.testing._contract.purging import PurgingContract
from mailtrack.testing._contract.threads import ThreadsContract
from mailtrack.testing._factories import NOON

MOST_STEPS = 2000


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step deletes one row only, as on a very slow disk."""
    monkeypatch.setattr(sweeping, "_WORK_SECONDS", (0.0, 0.0))
    monkeypatch.setattr(sweeping, "_WANTED_SECONDS", 0.0)


@pytest.mark.usefixtures("slow")
class TestSlowSteps(DeletionContract, PixelsContract, PurgingContract, ThreadsContract):
    """The suite, with each deletion unfinished."""

    @pytest.fixture
    def storage(self, path: Path):
        with SQLiteStorage(path) as storage:
            yield storage


def _full(storage: SQLiteStorage, recipients: int = 30, opens: int = 60) -> tuple[Pixel, list[Recipient]]:
    pixel = make_pixel(image="a.png")
    storage.add_pixel(pixel, make_image(b"what a picture" * 100))
    people = make_recipients(pixel, [f"reader-{n:05}-end@example.org" for n in range(recipients)])
    storage.add_recipients(pixel.id, people)
    storage.add_opens(
        [
            attrs.evolve(make_open(pixel, people[n % recipients], at=NOON), user_agent=f"Agent-{n:05}-end")
            for n in range(opens)
        ]
    )
    return pixel, people


def _rows(path: Path) -> dict[str, int]:
    """Return the numbers of rows of things that pixels own, by table, where there are any."""
    with closing(sqlite3.connect(path)) as db:
        tables = [table for table, _ in sweeping._owned(db)]
        found = {
            table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in [*tables, "deleted_pixels"]
        }
    return {table: number for table, number in found.items() if number}


def _sweep_all(storage: SQLiteStorage) -> int:
    steps = 0
    while storage.sweep():
        steps += 1
        assert steps < MOST_STEPS
    return steps


class TestTables:
    @pytest.mark.usefixtures("storage")
    def test_every_table_with_a_pixel_has_a_key_that_begins_with_it(self, path: Path) -> None:
        with closing(sqlite3.connect(path)) as db:
            named = db.execute(
                "SELECT t.name FROM sqlite_master t, pragma_table_info(t.name) c"
                " WHERE t.type = 'table' AND c.name = 'pixel' AND t.name NOT IN ('pixels', 'deleted_pixels')"
            ).fetchall()
            owned = [table for table, _ in sweeping._owned(db)]
        assert sorted(owned) == sorted(name for (name,) in named)
        assert owned[0] == "recipients"

    def test_a_small_pixel_is_gone_with_its_deletion(self, storage, path: Path) -> None:
        pixel, _ = _full(storage)
        assert set(_rows(path)) >= {"recipients", "opens", "images", "hours", "facets"}
        storage.delete_pixel(pixel.id)
        assert _rows(path) == {}
        assert storage.sweep() == 0

    @pytest.mark.usefixtures("slow")
    def test_a_large_one_is_gone_once_it_is_swept(self, path: Path) -> None:
        with SQLiteStorage(path) as storage:
            pixel, _ = _full(storage)
            before = _rows(path)
            storage.delete_pixel(pixel.id)
            assert _rows(path) == {**before, "recipients": before["recipients"] - 1, "deleted_pixels": 1}
            assert _sweep_all(storage) > before["recipients"] + before["opens"]
        assert _rows(path) == {}

    @pytest.mark.usefixtures("slow")
    def test_the_recipients_of_all_deleted_pixels_are_swept_before_all_else(self, path: Path) -> None:
        with SQLiteStorage(path) as storage:
            first, second = _full(storage)[0], _full(storage)[0]
            storage.delete_pixel(first.id)
            for _ in range(40):
                storage.sweep()
            storage.delete_pixel(second.id)
            before = _rows(path)
            for _ in range(before["recipients"]):
                storage.sweep()
            assert _rows(path) == {table: number for table, number in before.items() if table != "recipients"}

    def test_foreign_keys_are_enforced_after_a_deletion(self, storage, spies) -> None:
        pixel, _ = _full(storage)
        storage.delete_pixel(pixel.id)
        storage.ping()
        assert spies.made[-1].execute("PRAGMA foreign_keys").fetchone() == (1,)


class TestErasure:
    @pytest.mark.usefixtures("slow")
    def test_once_the_recipients_are_swept_no_byte_of_them_is_left(self, path: Path) -> None:
        with SQLiteStorage(path) as storage:
            pixel, _ = _full(storage)
            storage.delete_pixel(pixel.id)
            while "recipients" in _rows(path):
                assert b"-end@example.org" in _bytes(path)
                storage.sweep()
            storage.sweep()
            content = _bytes(path)
            assert b"-end@example.org" not in content
            assert b"tok_" not in content
            assert b"Agent-" in content

    @pytest.mark.usefixtures("slow")
    def test_once_all_is_swept_no_byte_of_it_is_left(self, path: Path) -> None:
        with SQLiteStorage(path) as storage:
            pixel, _ = _full(storage)
            storage.delete_pixel(pixel.id)
            _sweep_all(storage)
            content = _bytes(path)
        assert [text for text in (b"-end@example.org", b"tok_", b"Agent-", b"a picture") if text in content] == []

    def test_a_reader_that_holds_it_up_keeps_no_writer_waiting_and_once_it_ends_the_next_sweep_does_it(
        self, path: Path
    ) -> None:
        with SQLiteStorage(path) as storage, closing(sqlite3.connect(path, isolation_level=None)) as reader:
            pixel, _ = _full(storage)
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM recipients").fetchone()
            storage.delete_pixel(pixel.id)
            assert b"-end@example.org" in _bytes(path)
            storage.add_pixel(make_pixel())
            reader.execute("COMMIT")
            assert storage.sweep() == 0
            assert b"-end@example.org" not in _bytes(path)


def _bytes(path: Path) -> bytes:
    return b"".join(one.read_bytes() for one in path.parent.iterdir())


class TestCopies:
    @pytest.mark.usefixtures("slow")
    def test_a_copy_has_no_row_of_deleted_pixels_that_are_not_swept_yet(self, path: Path, tmp_path: Path) -> None:
        copy = tmp_path / "copy.db"
        copy.touch()
        with SQLiteStorage(path) as storage:
            pixel, _ = _full(storage)
            storage.delete_pixel(pixel.id)
            storage.copy_to(copy).close()
        assert "recipients" in _rows(path)
        assert _rows(copy) == {}
        assert b"reader-" not in copy.read_bytes()


class TestOtherProcesses:
    @needs_fork
    @pytest.mark.usefixtures("slow")
    @pytest.mark.parametrize("steps", [0, 1, 29, 30, 31, 60, 95, 120])
    def test_what_a_killed_process_leaves_is_invisible_and_swept_by_another(self, path: Path, steps: int) -> None:
        with SQLiteStorage(path) as storage:
            pixel, _ = _full(storage)
            other, people = _full(storage)
            before = all_opens(storage, other)

        def delete() -> None:
            storage = SQLiteStorage(path)
            storage.delete_pixel(pixel.id)
            for _ in range(steps):
                storage.sweep()
            os.kill(os.getpid(), signal.SIGKILL)

        assert in_child(delete) == f"the child ended with status {signal.SIGKILL}"
        with SQLiteStorage(path) as storage:
            assert [one.id for one in storage.list_pixels(limit=9).items] == [other.id]
            assert (all_opens(storage, pixel), all_recipients(storage, pixel)) == ([], [])
            assert _sweep_all(storage) > 0
            assert (all_opens(storage, other), len(all_recipients(storage, other))) == (before, len(people))
            storage.delete_pixel(other.id)
            _sweep_all(storage)
        assert _rows(path) == {}

    @needs_fork
    @pytest.mark.usefixtures("slow")
    @pytest.mark.parametrize("moment", ["before COMMIT", "after COMMIT"])
    def test_a_kill_at_the_deletion_itself_leaves_all_or_nothing_to_be_seen(
        self, path: Path, spies, moment: str
    ) -> None:
        with SQLiteStorage(path) as storage:
            pixel, people = _full(storage)

        def delete() -> None:
            storage = SQLiteStorage(path)
            spies.kill_at = moment
            storage.delete_pixel(pixel.id)

        assert in_child(delete) == f"the child ended with status {signal.SIGKILL}"
        with SQLiteStorage(path) as storage:
            left = len(all_recipients(storage, pixel)), len(all_opens(storage, pixel))
            assert left == ((len(people), 60) if moment == "before COMMIT" else (0, 0))
            assert (_sweep_all(storage) > 0) == (moment == "after COMMIT")

    @pytest.mark.usefixtures("slow")
    def test_another_connection_can_write_after_each_step(self, path: Path) -> None:
        with SQLiteStorage(path) as storage, closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as other:
            pixel, _ = _full(storage)
            storage.delete_pixel(pixel.id)
            written = steps = 0
            while storage.sweep():
                steps += 1
                other.execute("BEGIN IMMEDIATE")
                written += other.execute("INSERT INTO settings VALUES (?, '')", [f"step {steps}"]).rowcount
                other.execute("COMMIT")
        assert written == steps > 100

    @pytest.mark.usefixtures("slow")
    def test_a_page_is_whole_though_the_pixel_is_deleted_and_half_swept_while_it_is_read(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pass_over = purging.pass_over
        with SQLiteStorage(path) as storage, SQLiteStorage(path) as other:
            pixel, _ = _full(storage)

            def pass_over_late(*args):
                other.delete_pixel(pixel.id)
                while _rows(path)["opens"] > 30:
                    other.sweep()
                return pass_over(*args)

            monkeypatch.setattr(purging, "pass_over", pass_over_late)
            assert len(storage.list_opens(pixel.id, limit=100, skip=1).items) == 59
            assert storage.list_opens(pixel.id, limit=100).items == ()

    def test_a_purge_is_no_error_where_another_process_deletes_the_pixel_meanwhile(
        self, storage, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pixel, _ = _full(storage)
        find, other = purging.find, SQLiteStorage(path)

        def find_late(*args):
            found = find(*args)
            if found:
                other.delete_pixel(pixel.id)
            return found

        monkeypatch.setattr(purging, "find", find_late)
        with other:
            assert storage.purge_opens(pixel.id, before=NOON.replace(year=2100), limit=1000) == 0


class TestSpace:
    def test_a_new_file_gives_free_pages_back(self, path: Path) -> None:
        with SQLiteStorage(path) as storage:
            pixel, _ = _full(storage, recipients=3000, opens=12_000)
            storage.delete_pixel(pixel.id)
            _sweep_all(storage)
        with closing(sqlite3.connect(path)) as db:
            (free,), (pages,) = (db.execute(f"PRAGMA {name}").fetchone() for name in ("freelist_count", "page_count"))
        assert 0 < free <= sweeping.KEPT_FREE < 4 * (pages - free) + sweeping.KEPT_FREE
        assert path.stat().st_size == pages * 4096 < 2_000_000

    @pytest.mark.usefixtures("slow")
    def test_it_takes_many_short_steps(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sweeping, "KEPT_FREE", 0)
        with SQLiteStorage(path) as storage:
            pixel = make_pixel(image="a.png")
            storage.add_pixel(pixel, make_image(b"what a picture" * 20_000))
            storage.delete_pixel(pixel.id)
            assert _sweep_all(storage) > 60
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("PRAGMA freelist_count").fetchone() == (0,)

    def test_an_older_file_keeps_its_free_pages_for_later_rows(self, path: Path) -> None:
        with SQLiteStorage(path) as storage:
            pixel, _ = _full(storage)
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode = DELETE")
            db.execute("PRAGMA auto_vacuum = NONE")
            db.execute("VACUUM")
        with SQLiteStorage(path) as storage:
            storage.add_pixel(make_pixel(), make_image(b"what a picture" * 200_000))
            (newest,) = storage.list_pixels(limit=1).items
            storage.delete_pixel(newest.id)
            _sweep_all(storage)  # it ends, and a slow machine leaves some of the deletion to it
            assert len(all_opens(storage, pixel)) == 60

    def test_a_copy_gives_free_pages_back_whatever_its_original_does(self, path: Path, tmp_path: Path) -> None:
        SQLiteStorage(path).close()
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode = DELETE")
            db.execute("PRAGMA auto_vacuum = NONE")
            db.execute("VACUUM")
        copy = tmp_path / "copy.db"
        copy.touch()
        with SQLiteStorage(path) as storage:
            storage.copy_to(copy).close()
        modes = []
        for file in (path, copy):
            with closing(sqlite3.connect(file)) as db:
                modes += db.execute("PRAGMA auto_vacuum").fetchone()
        assert modes == [0, 2]

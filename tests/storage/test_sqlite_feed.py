"""The feed of a SQLite file: between processes, after a copy, and in bounded steps."""

import shutil
import subprocess
import sys
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from mailtrack import Open, Page
from mailtrack._times import to_milliseconds
from mailtrack.storage import _cursors as cursors
from mailtrack.storage._sqlite import SQLiteStorage, feed, feed_rows
from mailtrack.testing import make_open, make_pixel, make_recipient
from mailtrack.testing._contract.helpers import add_pixel, add_recipients, all_events
from mailtrack.testing._factories import NOON

WRITERS = 3
ROUNDS = 20

WRITE = f"""
import sys
from mailtrack.storage._sqlite import SQLiteStorage
from mailtrack.testing import make_open
with SQLiteStorage(sys.argv[1]) as storage:
    pixels = [storage.get_pixel(key) for key in sys.argv[2:]]
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range({ROUNDS}):
        print(*(one.id for one in storage.add_opens([make_open(pixel) for pixel in pixels for _ in range(3)])))
"""
"""Adds opens to the pixels with some ids, and prints their ids."""

READ = """
import sys
from mailtrack.storage._sqlite import SQLiteStorage
with SQLiteStorage(sys.argv[1]) as storage:
    print("ready", flush=True)
    after, found = None, []
    while len(found) < int(sys.argv[2]):
        page = storage.list_events(limit=int(sys.argv[3]), after=after)
        after = page.next
        found += [one.open.id for one in page.items]
    print(*found)
"""
"""Reads so many events, page by page, and prints the ids of their opens."""


def test_processes_read_each_event_once_while_others_write(path: Path) -> None:
    with SQLiteStorage(path) as storage, ExitStack() as stack:
        pixels = [add_pixel(storage).id for _ in range(WRITERS)]

        def start(script: str, *given: object) -> subprocess.Popen[str]:
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", script, path, *map(str, given)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            stack.callback(process.kill)
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            return process

        writers = [start(WRITE, pixels[mine], pixels[0]) for mine in range(1, WRITERS)]
        writers.append(start(WRITE, pixels[0]))
        total = ROUNDS * 3 * (2 * WRITERS - 1)
        readers = [start(READ, total, limit) for limit in (2, 1000)]
        for process in writers:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        written = [process.communicate(timeout=60)[0].split() for process in writers]
        read = [process.communicate(timeout=60)[0].split() for process in readers]
        assert sorted(read[0]) == sorted(one for some in written for one in some)
        assert len(read[0]) == total
        assert read == [[one.open.id for one in all_events(storage)]] * 2


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    """The number of opens, and of rows of the feed, after which a page ends."""
    monkeypatch.setattr(feed, "SEARCHED_AT_ONCE", 5)
    return 5


def test_a_page_ends_early_where_few_events_are_wanted(storage: SQLiteStorage, few: int) -> None:
    pixel = add_pixel(storage)
    (ann,) = add_recipients(storage, pixel, 1)
    opens = [make_open(pixel, ann if n == 11 else None) for n in range(17)]
    storage.add_opens(opens[:9])
    for one in opens[9:]:
        storage.add_opens([one])
    after, sizes, found = None, [], []
    while True:
        page = storage.list_events(limit=1000, after=after, first="firstCounted")
        sizes.append(len(page.items))
        found += [one.open.id for one in page.items]
        if page.next == after:
            break
        after = page.next
    assert found == [opens[11].id]
    assert sizes[0] == 0
    assert len(sizes) == -(-len(opens) // few) + 1
    assert len(storage.list_events(limit=3, after=None).items) == 3


def test_a_page_passes_over_a_bounded_number_of_rows_of_deleted_pixels(storage: SQLiteStorage, few: int) -> None:
    pixel, other = add_pixel(storage), add_pixel(storage)
    for n in range(23):
        storage.add_opens([make_open(other if n in (0, 22) else pixel)])
    first, *_, last = all_events(storage)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("mailtrack.storage._sqlite.sweeping.sweep", lambda *_: (0, False))
        storage.delete_pixel(pixel.id)
    assert [one.cursor for one in all_events(storage)] == [first.cursor, last.cursor]
    pages, after = 0, first.cursor
    while not (page := storage.list_events(limit=9, after=after)).items:
        assert page.next is not None
        pages, after = pages + 1, page.next
    assert pages == 22 // few
    assert [one.cursor for one in page.items] == [last.cursor]


def test_a_copy_has_the_feed_and_its_readers_and_goes_on_with_new_places(
    storage: SQLiteStorage, tmp_path: Path
) -> None:
    pixel = add_pixel(storage)
    (ann,) = add_recipients(storage, pixel, 1)
    storage.add_opens([make_open(pixel, ann), make_open(pixel)])
    storage.add_reader("crm")
    storage.add_opens([make_open(pixel, ann)])
    last = all_events(storage)[-1].cursor
    storage.purge_opens(pixel.id, before=NOON + timedelta(days=1), limit=9)
    storage.add_opens([make_open(pixel, at=NOON + timedelta(days=2))])
    (tmp_path / "copy.db").touch()
    with storage.copy_to(tmp_path / "copy.db") as copy:
        assert all_events(copy) == all_events(storage)
        copy.purge_opens(pixel.id, before=NOON + timedelta(days=3), limit=9)
        copy.add_opens(given := [make_open(pixel)])
        (new,) = all_events(copy, after=last)
        assert new.open.id == given[0].id
        after = copy.take_reader("crm", "a", now=NOON, until=NOON)
        assert all_events(copy, after=after) == [new]


def test_a_file_that_is_put_back_goes_on_behind_all_places_that_it_gave(
    storage: SQLiteStorage, path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pixel = add_pixel(storage)
    storage.add_opens([make_open(pixel)])
    storage.close()
    given: list[str] = []
    for number in range(3):  # restored three times, with other events each time
        shutil.copy(path, copy := tmp_path / f"restored{number}.db")
        with SQLiteStorage(copy) as restored:
            for after in given:
                assert restored.list_events(limit=9, after=after) == Page(items=(), next=after)
            added = [restored.add_opens([make_open(pixel)])[0] for _ in range(2)]
            for after in given:
                assert [one.open for one in all_events(restored, after=after)] == added
            given += [one.cursor for one in all_events(restored)]
    assert caplog.records == []


def test_a_clock_that_goes_back_changes_no_order(storage: SQLiteStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    pixel = add_pixel(storage)
    times = iter([2000, 1000, 1000, 3000])
    monkeypatch.setattr(feed_rows, "now_in_microseconds", lambda: next(times))
    opens = [storage.add_opens([make_open(pixel)])[0] for _ in range(4)]
    events = all_events(storage, limit=1)
    assert [one.open for one in events] == opens
    assert [one.cursor.partition("-")[0] for one in events] == ["2000", "2001", "2002", "3000"]


def test_the_rows_of_a_call_follow_each_other_whatever_its_pixels_and_times(
    storage: SQLiteStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = [add_pixel(storage) for _ in range(3)]
    times = iter([2000, 1000])
    monkeypatch.setattr(feed_rows, "now_in_microseconds", lambda: next(times))

    def add(*minutes: int) -> list[Open]:
        together = zip([*pixels, make_pixel()], minutes, strict=False)  # the last pixel does not exist
        return list(
            storage.add_opens([make_open(pixel, at=NOON + timedelta(minutes=minute)) for pixel, minute in together])
        )

    opens = [*add(3, 5, 4, 9), *add(1, 2, 7, 9)]
    events = all_events(storage, limit=1)
    assert [one.open for one in events] == opens
    places = [cursors.to_pair(one.cursor)[0] for one in events]
    assert places == [2000, 2001, 2002, 2003, 2004, 2005]
    with storage._connections.reading() as db:
        newest = [at for (at,) in db.execute("SELECT newest FROM feed ORDER BY place")]
    assert newest == [to_milliseconds(NOON + timedelta(minutes=minute)) for minute in (3, 5, 5, 5, 5, 7)]
    assert storage.add_opens(opens) == []  # all are there already, so nothing is put into the feed
    assert all_events(storage) == events


def test_a_cursor_that_lies_ahead_of_the_clock_is_logged_once(
    storage: SQLiteStorage, caplog: pytest.LogCaptureFixture
) -> None:
    storage.add_opens([make_open(add_pixel(storage))])
    place, number = cursors.to_pair(storage.get_feed_end())
    after = cursors.from_pair(place + 3600 * 10**6, number)
    for _ in range(3):
        assert storage.list_events(limit=9, after=after) == Page(items=(), next=after)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert f"The cursor {after} lies ahead" in record.getMessage()


def test_a_batch_of_many_pixels_is_read_in_few_statements(storage: SQLiteStorage, spies) -> None:
    pixels = [add_pixel(storage) for _ in range(40)]
    people = [storage.add_recipients(pixel.id, [make_recipient(pixel)])[0] for pixel in pixels]
    storage.add_opens([make_open(pixel, one) for pixel, one in zip(pixels, people, strict=True)])
    storage.delete_recipient(people[3].id)
    statements: list[str] = []
    for spy in spies.made:
        spy.set_trace_callback(statements.append)
    events = storage.list_events(limit=1000).items
    assert {one.pixel.id for one in events} == {pixel.id for pixel in pixels}
    assert [one.recipient for one in events].count(None) == 1
    assert len(statements) < 15


def test_a_pixel_without_rows_left_leaves_none_in_the_feed(storage: SQLiteStorage) -> None:
    pixel = make_pixel()
    storage.add_pixel(pixel)
    for n in range(30):
        storage.add_opens([make_open(pixel, at=NOON + timedelta(minutes=n % 7)) for _ in range(1 + n % 3)])
    with storage._connections.reading() as db:
        for minute in (3, 5, 7):
            while storage.purge_opens(pixel.id, before=NOON + timedelta(minutes=minute), limit=7):
                pass
            left = "SELECT count(*) FROM feed f WHERE NOT EXISTS (SELECT 1 FROM opens o WHERE o.pixel = f.pixel"
            left += " AND o.number BETWEEN f.first AND f.last)"
            assert db.execute(left).fetchone() == (0,)
            assert db.execute("SELECT count(*) FROM opens").fetchone()[0] == len(all_events(storage))
        assert db.execute("SELECT count(*) FROM feed").fetchone() == (0,)
        storage.add_opens([make_open(pixel)])
        storage.delete_pixel(pixel.id)
        while storage.sweep():
            pass
        assert db.execute("SELECT count(*) FROM feed").fetchone() == (0,)


def test_nothing_of_an_erased_person_is_read_before_her_opens_are_overwritten(storage: SQLiteStorage) -> None:
    pixel = add_pixel(storage)
    ann, bob = add_recipients(storage, pixel, 2)
    opens = [make_open(pixel, one) for one in (ann, bob, ann)]
    storage.add_opens(opens)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("mailtrack.storage._sqlite.erasure.overwrite", lambda *_: (0, False))
        storage.erase(ann.email)
    with storage._connections.reading() as db:
        assert db.execute("SELECT count(*) FROM opens WHERE recipient > 0").fetchone() == (3,)
    for _ in range(2):
        events = all_events(storage)
        assert [one.recipient and one.recipient.id for one in events] == [None, bob.id, None]
        assert [events[place].open for place in (0, 2)] == [opens[place].as_erased() for place in (0, 2)]
        assert storage.get_events([one.cursor for one in events]) == {one.cursor: one for one in events}
        while storage.sweep():
            pass

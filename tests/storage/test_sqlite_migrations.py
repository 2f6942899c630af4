"""A file that was written with earlier tables is brought up to date, wholly or not at all."""

import itertools
import logging
import os
import shutil
import signal
import sqlite3
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import sqlite_utils

from mailtrack import Erased, Open, Pixel, Recipient, Storage, StorageError, StorageUnavailable
from mailtrack._times import to_milliseconds
from mailtrack.storage import Figures
from mailtrack.storage._sqlite import SQLiteStorage, compacting, ours, preparing, schema, sweeping
from mailtrack.testing import make_api_key, make_open, make_pixel, make_recipients
from mailtrack.testing._contract.forks import in_child, needs_fork
from mailtrack.testing._contract.full_scan import assert_scan
from mailtrack.testing._contract.helpers import all_events, all_opens, all_recipients, at_once
from mailtrack.testing._factories import NOON

FIRST = "m001_pixels_recipients_opens"
SECOND = "m002_judged_opens"
KEYS = "m004_api_keys"
CASE = "m005_addresses_without_case"
SETTINGS = "m006_settings"
PURGED = "m007_purged_opens"
STATES = "m008_sent_times_and_states"
COMPACT = "m009_compact_opens"
DELETED = "m010_deleted_pixels"
REFERENCES = "m011_references_and_archived_pixels"
ALL = [FIRST, SECOND, "m003_found_opens_and_pixels", KEYS, CASE, SETTINGS, PURGED, STATES, COMPACT, DELETED]
ALL += [REFERENCES, "m012_erasure", "m013_top_recipients", "m014_rejudged_pixels"]
ALL += ["m015_orders_of_pixels", "m016_totals", "m017_feed", "m018_webhooks", "m019_id"]

PIXELS = [make_pixel("Spring launch"), make_pixel("Nobody opened it"), make_pixel("No recipients")]
RECIPIENTS = make_recipients(PIXELS[0], [f"r{n}@example.org" for n in range(130)])
OTHERS = make_recipients(PIXELS[1], ["ann@example.org"])
GONE = make_recipients(PIXELS[0], ["gone@example.org"])[0]


def _opens() -> list[Open]:
    """Return opens such as there were before anything judged them."""
    found = [make_open(PIXELS[0], RECIPIENTS[3], at=NOON - timedelta(hours=1))]  # before its token was made
    for place, recipient in enumerate(RECIPIENTS[:125]):
        for number in range(place % 4):
            found.append(make_open(PIXELS[0], recipient, at=NOON + timedelta(minutes=17 * place, days=-number % 3)))
    found += [make_open(PIXELS[0], GONE), make_open(PIXELS[0]), make_open(PIXELS[2], at=NOON + timedelta(days=9))]
    return found


OPENS = _opens()


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def _insert(db: sqlite3.Connection, table: str, **row: Any) -> None:
    db.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", list(row.values()))


def _span(opens: list[Open]) -> dict[str, int | None]:
    times = [to_milliseconds(one.opened_at) for one in opens]
    return {
        "opens": len(times),
        "first_opened_at": min(times, default=None),
        "last_opened_at": max(times, default=None),
    }


def _write_recipients(db: sqlite3.Connection, pixel: int, recipients: list[Recipient], opens: list[Open]) -> None:
    for number, one in enumerate(recipients, 1):
        own = [it for it in opens if it.recipient_id == one.id]
        _insert(
            db, "recipients", pixel=pixel, number=number, id=one.id, email=one.email, token=one.token,
            created_at=to_milliseconds(one.created_at), **_span(own),
        )  # fmt: skip


def _write_opens(db: sqlite3.Connection, pixel: int, opens: list[Open]) -> None:
    for number, one in enumerate(opens, 1):
        _insert(
            db, "opens", pixel=pixel, number=number, id=one.id, recipient=one.recipient_id,
            opened_at=to_milliseconds(one.opened_at), ip=one.ip, user_agent=one.user_agent, referer=one.referer,
            verdict="unknown", vendor=None, reasons="[]", certainty=None, rules_version=0,
        )  # fmt: skip
    hours = [to_milliseconds(one.opened_at) // 3_600_000 * 3_600_000 for one in opens]
    for hour in set(hours):
        _insert(db, "hours", pixel=pixel, hour=hour, verdict="unknown", opens=hours.count(hour))


def _write_pixel(db: sqlite3.Connection, number: int, pixel: Pixel, recipients: list[Recipient]) -> None:
    opens = [one for one in OPENS if one.pixel_id == pixel.id]
    _insert(
        db, "pixels", pixel=number, id=pixel.id, short_id=pixel.short_id, name=pixel.name,
        created_at=to_milliseconds(pixel.created_at), recipients=len(recipients), last_recipient=len(recipients),
        **_span(opens),
    )  # fmt: skip
    _write_recipients(db, number, recipients, opens)
    _write_opens(db, number, opens)


@pytest.fixture
def old(path: Path) -> Path:
    """A file of the first tables alone, with all that there was in them."""
    with closing(_connect(path)) as connection:
        connection.execute(f"PRAGMA application_id = {ours.APPLICATION_ID}")
        db = sqlite_utils.Database(connection, recursive_triggers=False, execute_plugins=False)
        schema.migrations.apply(db, stop_before=SECOND)
        connection.execute("PRAGMA journal_mode = WAL")
        for number, (pixel, recipients) in enumerate(zip(PIXELS, (RECIPIENTS, OTHERS, []), strict=True), 1):
            _write_pixel(connection, number, pixel, recipients)
    return path


@pytest.fixture
def new(tmp_path: Path) -> Iterator[Storage]:
    """A new file to which the same was added."""
    with SQLiteStorage(tmp_path / "new.db") as storage:
        for pixel, recipients in zip(PIXELS, (RECIPIENTS, OTHERS, []), strict=True):
            storage.add_pixel(pixel)
            storage.add_recipients(pixel.id, recipients)
        storage.add_opens(OPENS)
        yield storage


def _figures(storage: Storage) -> list[Figures]:
    return [storage.get_figures(pixel.id, top=100) for pixel in PIXELS]


def _tables(path: Path) -> set[tuple[str, str, str, str]]:
    """Return what is in a file, as it is written there, blanks and quotes around names apart."""
    with closing(_connect(path)) as db:
        found = db.execute("SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_master").fetchall()
    return {(kind, name, table, "".join(sql.replace('"', "").split())) for kind, name, table, sql in found}


def _contents(path: Path) -> list[str]:
    """Return all that is in a file as SQL."""
    with closing(_connect(path)) as db:
        return list(db.iterdump())


def _write_many(path: Path, opens: int) -> None:
    """Write a file of the tables before opens were compact, with a pixel that has so many."""
    with closing(_connect(path)) as connection:
        connection.execute(f"PRAGMA application_id = {ours.APPLICATION_ID}")
        db = sqlite_utils.Database(connection, recursive_triggers=False, execute_plugins=False)
        schema.migrations.apply(db, stop_before=COMPACT)
        _insert(connection, "pixels", id="p", short_id="p", name="", created_at=0, opens=opens)
        connection.execute(
            "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?)"
            " INSERT INTO opens (pixel, number, id, opened_at, user_agent, referer, verdict, reasons, rules_version)"
            " SELECT 1, n, printf('%012x%020x', n, n), n, 'agent ' || (n % 50), '', 'unknown', '[]', 0 FROM n",
            (opens,),
        )


def _assert_moved(path: Path, new: Storage) -> None:
    """Bring a file up to date, and compare what is in it with a new one to which the same was added."""
    with SQLiteStorage(path) as storage:
        assert _figures(storage) == _figures(new)
        for pixel in PIXELS:
            assert all_recipients(storage, pixel) == all_recipients(new, pixel)
            assert all_opens(storage, pixel) == all_opens(new, pixel)
        assert storage.count_by_kind() == new.count_by_kind()


def _applied(path: Path) -> list[str]:
    with closing(_connect(path)) as db:
        return [name for (name,) in db.execute("SELECT name FROM _sqlite_migrations ORDER BY rowid")]


def _count(path: Path, source: str, what: str = "count(*)") -> Any:
    with closing(_connect(path)) as db:
        return db.execute(f"SELECT {what} FROM {source}").fetchone()[0]


def _pages(path: Path) -> int:
    return int(_count(path, "pragma_page_count", "page_count"))


_EARLIER_CHANGES = f"""
    PRAGMA foreign_keys = ON;
    UPDATE opens SET verdict = 'bot', user_agent = 'changed' WHERE pixel = 1 AND number % 5 = 0;
    DELETE FROM opens WHERE pixel = 1 AND number BETWEEN 43 AND 51;
    DELETE FROM recipients WHERE pixel = 1 AND id = '{RECIPIENTS[7].id}';
    INSERT INTO opens (pixel, number, id, recipient, opened_at, user_agent, referer, verdict, reasons, rules_version)
        SELECT pixel, opens + 1, '0199f0000000000000000000000000aa', '{RECIPIENTS[9].id}', 1795000000000, 'new', '',
            'human', '[]', 1 FROM pixels WHERE pixel = 1;
    UPDATE pixels SET opens = opens + 1 WHERE pixel = 1;
    UPDATE opens SET user_agent = 'changed again' WHERE pixel = 1 AND number > 180;
    DELETE FROM pixels WHERE pixel = 3
"""
"""What an earlier version does to a file: judges again, purges, deletes a recipient and a pixel, adds an open."""


def _copy_some(path: Path, *, steps: int) -> None:
    """Begin to bring a file up to date in a process that is killed after some steps of 50 opens have been copied."""

    def migrate() -> None:
        compacting._AT_ONCE = 50
        left, copy = itertools.count(), compacting._copy

        def copy_or_die(db: sqlite3.Connection, pixel: int) -> int:
            if next(left) == steps:
                os.kill(os.getpid(), signal.SIGKILL)
            return copy(db, pixel)

        compacting._copy = copy_or_die
        SQLiteStorage(path)

    assert in_child(migrate) == f"the child ended with status {signal.SIGKILL}"


class TestEarlierFiles:
    def test_one_of_the_first_tables_has_the_figures_that_its_opens_would_have_now(
        self, old: Path, new: Storage
    ) -> None:
        with SQLiteStorage(old) as storage:
            assert _figures(storage) == _figures(new)

    def test_all_that_was_in_it_is_there(self, old: Path, new: Storage) -> None:
        with SQLiteStorage(old) as storage:
            assert storage.list_pixels(limit=9) == new.list_pixels(limit=9)
            for pixel in PIXELS:
                assert all_recipients(storage, pixel) == all_recipients(new, pixel)
                assert all_opens(storage, pixel) == all_opens(new, pixel)

    def test_its_opens_are_no_events_but_they_are_the_first_ones(self, old: Path) -> None:
        opened, not_opened = RECIPIENTS[3], RECIPIENTS[128]
        with SQLiteStorage(old) as storage:
            assert (all_events(storage), storage.find_feed_place(since=NOON)) == ([], None)
            storage.add_opens([make_open(PIXELS[0], one) for one in (opened, not_opened, opened, not_opened)])
            events = all_events(storage)
            assert [one.first for one in events] == [one.first_counted for one in events] == [False, True, False, False]
            storage.purge_opens(PIXELS[0].id, before=NOON + timedelta(days=9), limit=1000)
            assert all_events(storage) == []
            assert storage.find_feed_place(since=NOON) is None

    def test_it_goes_on_like_a_new_one(self, old: Path, new: Storage) -> None:
        further = [make_open(PIXELS[0], one, at=NOON + timedelta(hours=2)) for one in RECIPIENTS[::3]]
        with SQLiteStorage(old) as storage:
            for each in (storage, new):
                each.add_opens(further)
                each.delete_recipient(RECIPIENTS[3].id)
            assert _figures(storage) == _figures(new)

    @pytest.mark.parametrize("pixel", PIXELS, ids=lambda pixel: pixel.name)
    def test_its_figures_equal_a_full_scan(self, old: Path, pixel: Pixel) -> None:
        with SQLiteStorage(old) as storage:
            assert_scan(storage, pixel)

    def test_an_empty_one_is_brought_up_to_date(self, path: Path) -> None:
        with closing(_connect(path)) as connection:
            connection.execute(f"PRAGMA application_id = {ours.APPLICATION_ID}")
            db = sqlite_utils.Database(connection, recursive_triggers=False, execute_plugins=False)
            schema.migrations.apply(db, stop_before=SECOND)
        with SQLiteStorage(path) as storage:
            assert storage.list_pixels(limit=9).items == ()

    def test_one_without_keys_keeps_all_that_was_in_it_and_takes_keys(self, old: Path, new: Storage) -> None:
        with closing(_connect(old)) as connection:
            db = sqlite_utils.Database(connection, recursive_triggers=False, execute_plugins=False)
            schema.migrations.apply(db, stop_before=KEYS)
        assert _applied(old) == ALL[: ALL.index(KEYS)]
        key = make_api_key("Nightly export")
        with SQLiteStorage(old) as storage:
            assert storage.list_keys() == []
            storage.add_key(key)
            assert _figures(storage) == _figures(new)
        with SQLiteStorage(old) as storage:
            assert storage.list_keys() == [key]

    def test_one_without_settings_keeps_all_that_was_in_it_and_takes_settings(self, old: Path, new: Storage) -> None:
        with closing(_connect(old)) as connection:
            db = sqlite_utils.Database(connection, recursive_triggers=False, execute_plugins=False)
            schema.migrations.apply(db, stop_before=SETTINGS)
        with SQLiteStorage(old) as storage:
            assert storage.get_setting("base_url") is None
            storage.set_setting("base_url", "https://mail.example.com")
            assert _figures(storage) == _figures(new)
        with SQLiteStorage(old) as storage:
            assert storage.get_setting("base_url") == "https://mail.example.com"

    def test_addresses_that_differ_in_case_stay_two_recipients_and_are_found_by_the_older(self, old: Path) -> None:
        pixel = PIXELS[1]
        twins = make_recipients(pixel, ["Ann@example.org", "ANN@example.org"])
        with closing(_connect(old)) as connection:
            connection.execute("DELETE FROM recipients WHERE pixel = 2")
            _write_recipients(connection, 2, [OTHERS[0], *twins], [])
            connection.execute("UPDATE pixels SET recipients = 3, last_recipient = 3 WHERE pixel = 2")
        with SQLiteStorage(old) as storage:
            assert [one.id for one in all_recipients(storage, pixel)] == [one.id for one in (OTHERS[0], *twins)]
            (found,) = storage.add_recipients(pixel.id, make_recipients(pixel, ["aNN@example.org"]))
            assert found.id == OTHERS[0].id
            storage.delete_recipient(OTHERS[0].id)
            (found,) = storage.add_recipients(pixel.id, make_recipients(pixel, ["ANN@example.org"]))
            assert found.id == twins[0].id
            assert storage.get_pixel(pixel.id).recipients == 2

    def test_in_one_from_before_there_was_purging_opens_can_be_purged(self, old: Path, new: Storage) -> None:
        with closing(_connect(old)) as connection:
            db = sqlite_utils.Database(connection, recursive_triggers=False, execute_plugins=False)
            schema.migrations.apply(db, stop_before=PURGED)
        assert _applied(old) == ALL[: ALL.index(PURGED)]
        with SQLiteStorage(old) as storage:
            assert _figures(storage) == _figures(new)
            for each in (storage, new):
                assert each.purge_opens(PIXELS[0].id, before=NOON, limit=1000) > 0
            assert _figures(storage) == _figures(new)
            assert all_opens(storage, PIXELS[0]) == all_opens(new, PIXELS[0])

    def test_one_from_before_there_were_states_has_those_that_its_opens_show(self, old: Path) -> None:
        with closing(_connect(old)) as connection:
            db = sqlite_utils.Database(connection, recursive_triggers=False, execute_plugins=False)
            schema.migrations.apply(db, stop_before=STATES)
        assert _applied(old) == ALL[: ALL.index(STATES)]
        pixel = PIXELS[0]
        kinds = {
            RECIPIENTS[1].id: "prefetch",
            RECIPIENTS[2].id: "scanner",
            RECIPIENTS[3].id: "prefetch",
            GONE.id: "prefetch",
        }
        with closing(_connect(old)) as connection:
            for recipient_id, kind in kinds.items():
                connection.execute("UPDATE opens SET verdict = ? WHERE recipient = ?", (kind, recipient_id))
            for recipient in RECIPIENTS[1:3]:
                connection.execute("UPDATE opens SET counted = 0 WHERE recipient = ?", (recipient.id,))
                connection.execute("UPDATE recipients SET counted = 0 WHERE id = ?", (recipient.id,))
        with SQLiteStorage(old) as storage:
            found = all_recipients(storage, pixel)
            assert [one.state.value for one in found[:5]] == ["none", "prefetched", "scanned", "opened", "none"]
            assert [one.prefetches for one in found[:5]] == [0, 1, 0, 4, 0]
            assert [storage.get_pixel(one.id).prefetched for one in PIXELS] == [1, 0, 0]
            assert {one.sent_at for one in found} == {None}
            assert {one.networks for one in all_opens(storage, pixel)} == {()}

    def test_in_one_from_before_there_were_sent_times_mails_are_marked_as_sent(self, old: Path, new: Storage) -> None:
        with SQLiteStorage(old) as storage:
            for each in (storage, new):
                assert each.mark_sent(PIXELS[0].id, None, at=NOON + timedelta(hours=3)) == len(RECIPIENTS)
            assert _figures(storage) == _figures(new)

    def test_the_tables_are_those_of_a_new_file_once_the_former_one_is_swept(self, old: Path, tmp_path: Path) -> None:
        with SQLiteStorage(old) as storage:
            while storage.sweep():
                pass
        SQLiteStorage(tmp_path / "new.db").close()
        new = tmp_path / "new.db"
        assert _tables(old) == _tables(new)
        assert _applied(old) == _applied(new) == ALL
        assert _count(old, "settings", "group_concat(name)") == _count(new, "settings", "group_concat(name)") == "id"

    @pytest.mark.parametrize("at_once", [1, 1024])
    def test_who_is_erased_before_the_former_opens_are_swept_is_in_no_byte_then(
        self, old: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
    ) -> None:
        monkeypatch.setattr(sweeping, "_MAX_ROWS", at_once)
        monkeypatch.setattr(sweeping, "_WORK_SECONDS", (0.0, 0.0))
        own = _count(old, f"opens WHERE recipient = '{RECIPIENTS[3].id}'")
        with closing(_connect(old)) as db:
            db.execute("UPDATE opens SET user_agent = 'Agent-3-end' WHERE recipient = ?", [RECIPIENTS[3].id])
        with SQLiteStorage(old) as storage:
            former = _count(old, "former_opens")
            assert storage.erase(RECIPIENTS[3].email) == Erased(recipients=1, opens=own)
            assert _count(old, "former_opens") == former - own > 0 < own
            while _count(old, "erasing"):
                storage.sweep()
            content = b"".join(one.read_bytes() for one in old.parent.iterdir())
            assert RECIPIENTS[3].id.encode() not in content
            assert b"Agent-3-end" not in content
            assert _count(old, "former_opens") == former - own

    def test_it_keeps_its_size_and_reuses_the_space_and_a_backup_of_it_is_small_and_shrinks(
        self, tmp_path: Path
    ) -> None:
        path, backup = tmp_path / "old.db", tmp_path / "backup.db"
        _write_many(path, 5000)
        before = path.stat().st_size
        with SQLiteStorage(path) as storage:
            grown = _pages(path)
            while storage.sweep():
                pass
            assert _pages(path) == grown > 1.2 * before / 4096
            assert _count(path, "pragma_freelist_count", "freelist_count") > grown / 2
            backup.touch()
            storage.copy_to(backup).close()
            storage.add_opens([make_open(pixel) for pixel in storage.list_pixels(limit=1).items for _ in range(5000)])
            assert _pages(path) == grown
        assert _pages(backup) < grown / 2
        with SQLiteStorage(backup) as storage:
            storage.delete_pixel("p")
            while storage.sweep():
                pass
        assert _pages(backup) < grown / 10 + sweeping.KEPT_FREE

    def test_opening_it_again_changes_nothing(self, old: Path) -> None:
        SQLiteStorage(old).close()
        before = old.read_bytes()
        SQLiteStorage(old).close()
        assert old.read_bytes() == before

    def test_many_that_open_it_at_once_bring_it_up_to_date_once(self, old: Path) -> None:
        storages = at_once([lambda: SQLiteStorage(old)] * 4)
        found = [_figures(storage) for storage in storages]
        for storage in storages:
            storage.close()
        assert found == [found[0]] * 4
        assert _applied(old) == ALL


class TestInterruption:
    @pytest.fixture
    def failing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The second migration fails near its end, when most is written."""

        def fail(_: timedelta) -> int:
            raise ZeroDivisionError

        monkeypatch.setattr(schema, "to_bucket", fail)

    @pytest.mark.usefixtures("failing")
    def test_a_migration_that_fails_half_way_leaves_all_as_it_was(self, old: Path) -> None:
        before = _contents(old)
        with pytest.raises(ZeroDivisionError):
            SQLiteStorage(old)
        assert _contents(old) == before
        assert _applied(old) == [FIRST]

    def test_it_is_made_when_the_file_is_opened_again(
        self, old: Path, new: Storage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(schema, "to_bucket", None)
            with pytest.raises(TypeError):
                SQLiteStorage(old)
        with SQLiteStorage(old) as storage:
            assert _figures(storage) == _figures(new)

    def test_an_error_at_any_statement_leaves_all_that_earlier_versions_use(
        self, old: Path, new: Storage, spies: type[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(compacting, "_AT_ONCE", 100)
        before, copy = _contents(old), tmp_path / "copy.db"
        as_it_was = copying = 0
        for statement in range(1, 400, 3):
            shutil.copy(old, copy)
            spies.fail_statement = statement
            try:
                SQLiteStorage(copy).close()
            except (StorageError, sqlite3.Error):
                pass
            else:
                break
            finally:
                spies.fail_statement = 0
            if PURGED not in _applied(copy):
                assert _contents(copy) == before
                as_it_was += 1
            elif COMPACT not in _applied(copy):
                assert _applied(copy)[-1] == PURGED
                assert _count(copy, "opens WHERE user_agent IS NOT NULL") == len(OPENS)
                copying += 1
            _assert_moved(copy, new)
        assert as_it_was > 20
        assert copying > 20

    @needs_fork
    @pytest.mark.parametrize("moment", ["before", "after"])
    def test_a_process_that_is_killed_meanwhile_leaves_the_old_state_or_the_new(
        self, old: Path, new: Storage, spies: type[Any], moment: str
    ) -> None:
        before = _contents(old)

        def migrate() -> None:
            spies.kill_at = f"{moment} COMMIT"
            SQLiteStorage(old)

        assert in_child(migrate) == f"the child ended with status {signal.SIGKILL}"
        assert (_contents(old) == before) == (moment == "before")
        _assert_moved(old, new)
        assert _applied(old) == ALL

    @needs_fork
    @pytest.mark.parametrize("step", range(4))
    def test_a_process_that_is_killed_while_it_copies_opens_leaves_the_rest_to_the_next(
        self, old: Path, new: Storage, step: int
    ) -> None:
        _copy_some(old, steps=step)
        assert _applied(old)[-1] == PURGED
        assert _count(old, "opens") == len(OPENS)
        assert _count(old, "compact_opens") == step * 50
        _assert_moved(old, new)

    @needs_fork
    @pytest.mark.parametrize("steps", range(4))
    def test_what_an_earlier_version_changes_meanwhile_is_taken_over(
        self, old: Path, tmp_path: Path, steps: int
    ) -> None:
        straight = tmp_path / "straight.db"
        _copy_some(old, steps=0)  # makes the tables from which opens are copied
        shutil.copy(old, straight)
        _copy_some(old, steps=steps)
        for file in (straight, old):
            with closing(_connect(file)) as db:
                for statement in _EARLIER_CHANGES.split(";"):
                    db.execute(statement)
        _copy_some(old, steps=1)
        found = []
        for file in (straight, old):
            with SQLiteStorage(file) as storage:
                found.append([(all_recipients(storage, one), all_opens(storage, one)) for one in PIXELS[:2]])
                for table in ("agents", "judgements"):
                    assert _count(file, f"opens o JOIN {table} t USING (pixel, {table[:-1]})") == _count(file, "opens")
                    assert _count(file, f"{table} WHERE opens = 0") == 0
                    assert _count(file, "opens") == _count(file, table, "sum(opens)")
            assert _count(file, "sqlite_master WHERE type = 'trigger' OR name = 'changed_opens'") == 0
        assert found[0] == found[1]
        assert len(found[0][0][1]) == len([one for one in OPENS if one.pixel_id == PIXELS[0].id]) - 9 + 1

    @needs_fork
    def test_opens_that_an_earlier_version_deletes_meanwhile_are_in_no_byte_of_the_copies(self, old: Path) -> None:
        with closing(_connect(old)) as db:
            db.execute("UPDATE opens SET user_agent = 'Agent-' || number || '-end' WHERE pixel = 1")
        _copy_some(old, steps=3)
        assert _count(old, "compact_opens") == 150
        with closing(_connect(old)) as db:
            db.execute("PRAGMA secure_delete = ON")
            db.execute("DELETE FROM opens WHERE pixel = 1 AND number > 20")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        content = b"".join(one.read_bytes() for one in old.parent.iterdir())
        assert [n for n in range(1, 200) if b"Agent-%d-end" % n in content] == list(range(1, 21))
        with SQLiteStorage(old) as storage:
            assert len(all_opens(storage, PIXELS[0])) == 20

    def test_many_that_copy_the_opens_at_once_copy_each_once(
        self, old: Path, new: Storage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(compacting, "_AT_ONCE", 7)
        for storage in at_once([lambda: SQLiteStorage(old)] * 4):
            storage.close()
        _assert_moved(old, new)

    def test_it_needs_no_more_memory_for_more_opens(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(compacting, "_AT_ONCE", 500)

        def peak(opens: int) -> int:
            """Return the least of two, since threads that other tests have left allocate memory as well."""
            return min(measure(tmp_path / f"{opens} {name}.db", opens) for name in "ab")

        def measure(path: Path, opens: int) -> int:
            _write_many(path, opens)
            tracemalloc.start()
            try:
                SQLiteStorage(path).close()
                return tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
                with closing(_connect(path)) as db:
                    assert db.execute("SELECT count(*) FROM opens").fetchone() == (opens,)
                    assert db.execute("SELECT count(*), sum(opens) FROM agents").fetchone() == (50, opens)

        peak(500)  # what is loaded once
        peaks = peak(1000), peak(8000)
        assert peaks[1] < 1.3 * peaks[0]

    def test_others_can_write_between_two_steps(self, old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(compacting, "_AT_ONCE", 50)
        pauses: list[float] = []

        def write(seconds: float) -> None:
            pauses.append(seconds)
            with closing(sqlite3.connect(old, timeout=0, isolation_level=None)) as other:
                other.execute("INSERT OR REPLACE INTO settings VALUES ('written', 'meanwhile')")

        monkeypatch.setattr(compacting, "sleep", write)
        SQLiteStorage(old).close()
        assert len(pauses) > len(OPENS) / 50
        assert min(pauses) > 0

    def test_few_of_the_opens_that_come_meanwhile_are_left_to_the_last_step(
        self, old: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(compacting, "_AT_ONCE", 50)
        came: list[float] = []
        left: list[int] = []
        finish = compacting.finish

        def add_opens(seconds: float) -> None:
            if not came and _count(old, "compact_opens") == len(OPENS):
                came.append(seconds)
                columns = "opened_at, user_agent, referer, verdict, reasons, rules_version"
                with closing(_connect(old)) as db:
                    db.execute(
                        f"INSERT INTO opens (pixel, number, id, {columns})"
                        f" SELECT pixel, number + 1000, id || '+', {columns} FROM opens WHERE pixel = 1"
                    )

        def look_and_finish(db: sqlite3.Connection) -> None:
            left.append(db.execute("SELECT (SELECT count(*) FROM opens) - count(*) FROM compact_opens").fetchone()[0])
            finish(db)

        monkeypatch.setattr(compacting, "sleep", add_opens)
        monkeypatch.setattr(compacting, "finish", look_and_finish)
        SQLiteStorage(old).close()
        assert (len(came), left) == (1, [0])

    def test_the_progress_is_logged(
        self, old: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(compacting, "_AT_ONCE", 100)
        monkeypatch.setattr(compacting, "_REPORT_SECONDS", 0.0)
        SQLiteStorage(old).close()
        assert f"Migrating mail.db: 100 of {len(OPENS)} opens are done." in caplog.messages

    @pytest.mark.parametrize("step", ["_copy", "finish"])
    def test_a_process_that_starts_meanwhile_waits_however_long_it_takes_and_says_so(
        self, old: Path, new: Storage, monkeypatch: pytest.MonkeyPatch, step: str
    ) -> None:
        monkeypatch.setattr("mailtrack.storage._sqlite.connections.BUSY_TIMEOUT", 0.0)
        work, begun, waited = getattr(compacting, step), Event(), Event()

        def work_while_another_waits(*arguments: Any, **named: Any) -> Any:
            begun.set()
            assert waited.wait(30)
            return work(*arguments, **named)

        class Listener(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                if record.getMessage() == "mail.db is being migrated by another process; waiting for it.":
                    waited.set()

        def start_late() -> SQLiteStorage:
            assert begun.wait(30)
            return SQLiteStorage(old)

        listener = Listener()
        monkeypatch.setattr(compacting, step, work_while_another_waits)
        monkeypatch.setattr(preparing._logger, "handlers", [listener])
        for storage in at_once([lambda: SQLiteStorage(old), start_late]):
            storage.close()
        assert waited.is_set()
        _assert_moved(old, new)
        assert _applied(old) == ALL

    def test_a_file_that_is_locked_is_not_available_and_left_as_it_was(
        self, old: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("mailtrack.storage._sqlite.connections.BUSY_TIMEOUT", 0.05)
        before = _contents(old)
        with closing(_connect(old)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StorageUnavailable):
                SQLiteStorage(old)
        assert _contents(old) == before

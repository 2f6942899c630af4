"""Webhooks in an SQLite file: shared by processes, all or nothing where one is killed, and gone to the last byte."""

import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import attrs
import pytest
import sqlite_utils

from mailtrack import StorageError, WebhookNotFound
from mailtrack.storage._sqlite import SQLiteStorage, deliveries, schema, sweeping
from mailtrack.testing import WebhookContract, make_open, make_pixel, make_recipient
from mailtrack.testing._contract.forks import in_child, needs_fork
from mailtrack.testing._contract.webhook_helpers import MINUTE, add, change, deliver, fail, fill, read_all, take
from mailtrack.testing._factories import NOON, make_delivery, make_webhook
from mailtrack.webhooks import Delivery, DeliveryCount, DeliveryState, Webhook

PROCESSES = 4
TAKERS = """
import json, sys
from datetime import timedelta
from mailtrack.storage._sqlite import SQLiteStorage
from mailtrack.testing._contract.webhook_helpers import deliver, take
mine = []
with SQLiteStorage(sys.argv[1]) as storage:
    (webhook,) = storage.list_webhooks()
    print(flush=True)
    input()
    while some := take(storage, webhook, limit=10):
        mine += [one.id for one in some]
        storage.settle_deliveries(webhook.id, [deliver(one) for one in some])
print(json.dumps(mine))
"""
FILLERS = """
import json, sys
from mailtrack.storage._sqlite import SQLiteStorage
from mailtrack.testing._factories import make_delivery
won = []
with SQLiteStorage(sys.argv[1]) as storage:
    (webhook,) = storage.list_webhooks()
    print(flush=True)
    input()
    for number in range(30):
        given = [make_delivery(number)]
        after = "0" if number == 0 else str(number)
        if storage.fill_outbox(webhook.id, after=after, to=str(number + 1), deliveries=given):
            won.append(number)
print(json.dumps(won))
"""


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step deletes one row only, as on a very slow disk."""
    monkeypatch.setattr(sweeping, "_WORK_SECONDS", (0.0, 0.0))
    monkeypatch.setattr(sweeping, "_WANTED_SECONDS", 0.0)
    monkeypatch.setattr(deliveries, "_MAX_ROWS", 1)


@pytest.mark.usefixtures("slow")
class TestSlowSteps(WebhookContract):
    """The suite, with each deletion unfinished."""

    @pytest.fixture
    def storage(self, tmp_path: Path, new_database: Callable[[Path], Path]) -> Iterator[SQLiteStorage]:
        with SQLiteStorage(new_database(tmp_path / "mail.db")) as storage:
            yield storage


@pytest.fixture
def webhook(storage: SQLiteStorage) -> Webhook:
    return add(storage)


def _run_at_once(script: str, path: Path) -> list[list[object]]:
    """Run a script in several processes at the same moment, and return what each of them prints."""
    running = [
        subprocess.Popen([sys.executable, "-c", script, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(PROCESSES)
    ]
    try:
        for process in running:
            assert process.stdout is not None
            process.stdout.readline()
        for process in running:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        return [json.loads(process.communicate(timeout=60)[0]) for process in running]
    finally:
        for process in running:
            process.kill()
            process.communicate()


def _count(path: Path, table: str = "deliveries") -> int:
    with closing(sqlite3.connect(path)) as db:
        (number,) = db.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(number)


def _bytes(path: Path) -> bytes:
    return b"".join(one.read_bytes() for one in path.parent.iterdir())


class TestProcesses:
    def test_processes_share_an_outbox_without_a_double(self, storage, webhook: Webhook, path: Path) -> None:
        filled = fill(storage, webhook, *(make_delivery() for _ in range(120)))
        taken = [one for mine in _run_at_once(TAKERS, path) for one in mine]
        assert sorted(map(str, taken)) == sorted(one.id for one in filled)
        assert storage.count_deliveries() == {webhook.id: DeliveryCount()}
        assert len(read_all(storage, webhook, DeliveryState.DELIVERED)) == 120

    def test_of_several_processes_one_fills_each_part(self, storage, webhook: Webhook, path: Path) -> None:
        change(storage, webhook, after="0")
        won = [number for mine in _run_at_once(FILLERS, path) for number in mine]
        events = [int(one.event_id[4:], 16) for one in read_all(storage, webhook)]
        assert len(won) == len(set(map(str, won))) == len(events) == len(set(events))
        assert storage.get_webhook(webhook.id).after == str(len(won))

    def test_what_a_killed_process_has_taken_is_due_again_when_its_time_is_over(
        self, storage, webhook: Webhook
    ) -> None:
        filled = fill(storage, webhook, make_delivery(), make_delivery())
        code = "import os, signal, sys; " + TAKERS.replace("    input()\n", "").replace(
            "        storage.settle_deliveries(webhook.id, [deliver(one) for one in some])\n",
            "        os.kill(os.getpid(), signal.SIGKILL)\n",
        ).removeprefix("\nimport json, sys\n")
        ran = subprocess.run([sys.executable, "-c", code, storage.path], capture_output=True)
        assert ran.returncode == -signal.SIGKILL
        assert take(storage, webhook) == []
        assert take(storage, webhook, after=MINUTE) == filled


Change = Callable[[], object]


def _fill(storage: SQLiteStorage, webhook: Webhook, *given: Delivery) -> Change:
    after = storage.get_webhook(webhook.id).after
    return partial(storage.fill_outbox, webhook.id, after=after, to="9", deliveries=given)


def _settle(storage: SQLiteStorage, webhook: Webhook) -> Change:
    first, second, third = read_all(storage, webhook)
    retried = attrs.evolve(third, tries=1, next_try_at=NOON + MINUTE)
    return partial(storage.settle_deliveries, webhook.id, [deliver(first), fail(second), retried])


def _change(storage: SQLiteStorage, webhook: Webhook) -> Change:
    former = storage.get_webhook(webhook.id)
    return partial(storage.change_webhook, former, attrs.evolve(former, enabled=False))


PREPARE: dict[str, Callable[[SQLiteStorage, Webhook], Change]] = {
    "fill": lambda storage, webhook: _fill(storage, webhook, make_delivery(7), make_delivery(8, at=NOON - MINUTE)),
    "replay": lambda storage, webhook: _fill(storage, webhook, make_delivery(1), make_delivery(2)),
    "take": lambda storage, webhook: partial(take, storage, webhook),
    "settle": _settle,
    "change": _change,
    "delete": lambda storage, webhook: partial(storage.delete_webhook, webhook.id),
}


def _state(storage: SQLiteStorage, webhook: Webhook, path: Path) -> object:
    """Return all that can be read, and what can be taken."""
    with closing(sqlite3.connect(path)) as db:
        due = db.execute("SELECT number, due_at FROM deliveries ORDER BY number").fetchall()
    return storage.list_webhooks(), read_all(storage, webhook), storage.count_deliveries(), due


@needs_fork
@pytest.mark.parametrize("prepare", PREPARE.values(), ids=PREPARE.keys())
class TestKilledWriters:
    @pytest.fixture
    def webhook(self, storage: SQLiteStorage) -> Webhook:
        webhook = add(storage, replay_since=NOON)
        fill(storage, webhook, make_delivery(1), make_delivery(2), make_delivery(3, at=NOON - MINUTE))
        return webhook

    def test_before_its_commit_nothing_is_changed(self, storage, webhook: Webhook, path: Path, spies, prepare) -> None:
        before, change_it = _state(storage, webhook, path), prepare(storage, webhook)
        spies.kill_at = "before COMMIT"
        assert "status 9" in in_child(change_it)
        spies.kill_at = ""
        assert _state(storage, webhook, path) == before

    def test_after_its_commit_all_is_changed(self, storage, webhook: Webhook, path: Path, spies, prepare) -> None:
        before, change_it = _state(storage, webhook, path), prepare(storage, webhook)
        spies.kill_at = "after COMMIT"
        assert "status 9" in in_child(change_it)
        spies.kill_at = ""
        assert _state(storage, webhook, path) != before
        for stored in storage.list_webhooks():
            pending = read_all(storage, stored, DeliveryState.PENDING)
            assert storage.count_deliveries()[stored.id].pending == len(pending)

    def test_an_error_at_any_statement_leaves_all_as_it_was(
        self, storage, webhook: Webhook, path: Path, spies, prepare
    ) -> None:
        before, change_it = _state(storage, webhook, path), prepare(storage, webhook)
        for number in range(1, 100):
            spies.fail_statement = number
            try:
                change_it()
            except StorageError:
                assert _state(storage, webhook, path) == before
            else:
                break
            finally:
                spies.fail_statement = 0
        assert 2 < number < 99


class TestDeletion:
    def test_the_deliveries_of_a_webhook_with_few_are_gone_with_it(self, storage, webhook: Webhook, path: Path) -> None:
        fill(storage, webhook, *(make_delivery() for _ in range(30)))
        storage.delete_webhook(webhook.id)
        assert (_count(path), _count(path, "deleted_webhooks"), storage.sweep()) == (0, 0, 0)

    @pytest.mark.usefixtures("slow")
    def test_many_are_out_of_sight_at_once_and_gone_once_they_are_swept(
        self, storage, webhook: Webhook, path: Path
    ) -> None:
        other = add(storage)
        kept = fill(storage, other, make_delivery(), make_delivery())
        fill(storage, webhook, *(make_delivery() for _ in range(30)))
        storage.delete_webhook(webhook.id)
        assert (_count(path), _count(path, "deleted_webhooks")) == (31, 1)
        assert (read_all(storage, webhook), list(storage.count_deliveries())) == ([], [other.id])
        steps = 0
        while storage.sweep():
            steps += 1
        assert steps > 20
        assert (_count(path), _count(path, "deleted_webhooks"), read_all(storage, other)) == (2, 0, kept)

    @pytest.mark.usefixtures("slow")
    def test_a_webhook_never_has_the_deliveries_of_one_that_was_deleted(self, path: Path) -> None:
        with SQLiteStorage(path) as storage:
            former = add(storage)
            fill(storage, former, *(make_delivery() for _ in range(5)))
            storage.delete_webhook(former.id)
            webhook = add(storage, webhook_id=former.id)
            assert (read_all(storage, webhook), take(storage, webhook)) == ([], [])
            assert len(fill(storage, webhook, make_delivery())) == 1

    @pytest.mark.usefixtures("slow")
    def test_a_backup_has_no_delivery_of_a_deleted_webhook(self, storage, webhook: Webhook, path: Path) -> None:
        other = add(storage)
        fill(storage, webhook, *(make_delivery() for _ in range(5)))
        filled = fill(storage, other, make_delivery())
        storage.delete_webhook(webhook.id)
        file = path.with_name("copy.db")
        file.touch()
        with storage.copy_to(file) as copy:
            assert (copy.list_webhooks(), read_all(copy, other)) == (storage.list_webhooks(), filled)
        assert (_count(path), _count(file)) == (5, 1)

    def test_no_byte_of_its_url_and_secrets_is_left(self, path: Path) -> None:
        with SQLiteStorage(path) as storage:
            values = {"url": "https://hidden.example.com", "secret": "whsec_present", "former_secret": "whsec_former"}
            webhook = add(storage, **values)
            change(storage, webhook, secret="whsec_latest", former_secret="whsec_present")
            assert b"whsec_" in _bytes(path)
            storage.delete_webhook(webhook.id)
            for text in (b"whsec_", b"hidden.example.com"):
                assert text not in _bytes(path)

    @pytest.mark.usefixtures("slow")
    def test_old_deliveries_go_in_steps(self, storage, webhook: Webhook, spies) -> None:
        filled = fill(storage, webhook, *(make_delivery() for _ in range(25)))
        storage.settle_deliveries(webhook.id, [deliver(one) for one in filled])
        commits: list[str] = []
        for spy in spies.made:
            spy.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
        assert storage.delete_deliveries(before=NOON + MINUTE, limit=20) == 20
        assert len(commits) == 20
        assert len(read_all(storage, webhook)) == 5


class TestPrivacy:
    def test_a_delivery_holds_nothing_of_a_person(self, path: Path) -> None:
        with SQLiteStorage(path) as storage:
            pixel = make_pixel()
            storage.add_pixel(pixel)
            recipient = make_recipient(pixel, "ann@example.org")
            storage.add_recipients(pixel.id, [recipient])
            webhook = add(storage)
            storage.add_opens([make_open(pixel, recipient)])
            events = storage.list_events(limit=10, after=webhook.after)
            fill(
                storage,
                webhook,
                *(
                    Delivery(event_id=one.id, cursor=one.cursor, event_at=NOON, next_try_at=NOON)
                    for one in events.items
                ),
            )
            storage.erase("ann@example.org")
            while storage.sweep():
                pass
            content = _bytes(path)
            for text in ("ann@example.org", recipient.token, recipient.id, "192.0.2.1", "Mozilla"):
                assert text.encode() not in content
            assert len(read_all(storage, webhook)) == 1


class TestEarlierFiles:
    @pytest.mark.parametrize("name", ["m004_api_keys", "m010_deleted_pixels", "m018_webhooks"])
    def test_one_from_before_there_were_webhooks_takes_them(self, path: Path, name: str) -> None:
        SQLiteStorage(path).close()
        early = path.with_name("early.db")
        with closing(sqlite3.connect(path)) as db:
            (application_id,) = db.execute("PRAGMA application_id").fetchone()
        with closing(sqlite3.connect(early, isolation_level=None)) as db:
            db.execute(f"PRAGMA application_id = {application_id}")
            schema.migrations.apply(
                sqlite_utils.Database(db, recursive_triggers=False, execute_plugins=False), stop_before=name
            )
        with SQLiteStorage(early) as storage:
            assert (storage.list_webhooks(), storage.count_deliveries()) == ([], {})
            webhook = add(storage)
            filled = fill(storage, webhook, make_delivery())
        with SQLiteStorage(early) as storage:
            assert (storage.list_webhooks()[0].id, read_all(storage, webhook)) == (webhook.id, filled)

    def test_a_missing_webhook_is_no_error_of_the_database(self, storage) -> None:
        with pytest.raises(WebhookNotFound):
            storage.get_webhook(make_webhook().id)

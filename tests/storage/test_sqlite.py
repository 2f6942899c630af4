"""The SQLite storage keeps the contract, and its connections to itself."""

import os
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

import pytest
from hypothesis import settings

from mailtrack import Client, Storage, Verdict, VerdictKind, open_storage
from mailtrack.storage._sqlite import SQLiteStorage, connections, recipients
from mailtrack.testing import (
    BackupContract,
    ForkContract,
    LocalFileContract,
    SettingsContract,
    StorageContract,
    StorageMachine,
    WebhookContract,
    make_hit,
    make_open,
    make_pixel,
    make_recipient,
    make_recipients,
)
from mailtrack.testing._contract.forks import in_child
from mailtrack.testing._contract.helpers import at_once, make_judgement
from mailtrack.testing._factories import NOON


class TestSQLiteStorage(
    BackupContract, ForkContract, LocalFileContract, SettingsContract, WebhookContract, StorageContract
):
    @pytest.fixture
    def storage(self, tmp_path: Path, new_database: Callable[[Path], Path]) -> Iterator[SQLiteStorage]:
        with SQLiteStorage(new_database(tmp_path / "mail.db")) as storage:
            yield storage


class SQLiteMachine(StorageMachine):
    def open_storage(self) -> Storage:
        self.folder = TemporaryDirectory()
        return SQLiteStorage(Path(self.folder.name, "mail.db"))

    def teardown(self) -> None:
        super().teardown()
        self.folder.cleanup()


TestSQLiteMachine = SQLiteMachine.TestCase
TestSQLiteMachine.settings = settings(max_examples=25, stateful_step_count=25)


class TestUrls:
    @pytest.mark.parametrize("name", ["mail.db", "a b.db", "a#b?c=d%20.db", "é.db"])
    def test_a_relative_path_is_below_the_working_directory(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        monkeypatch.chdir(tmp_path)
        with open_storage(f"sqlite:///{name}") as storage:
            storage.ping()
            assert (tmp_path / name).is_file()

    def test_an_absolute_path_has_four_slashes(self, path: Path) -> None:
        with open_storage(f"sqlite:///{path}"):
            assert path.is_file()

    def test_what_one_storage_wrote_the_next_reads(self, path: Path) -> None:
        pixel = make_pixel()
        with SQLiteStorage(path) as first:
            first.add_pixel(pixel)
        with SQLiteStorage(path) as second:
            assert second.get_pixel(pixel.id) == pixel

    def test_two_storages_on_one_file_see_each_others_writes(self, path: Path) -> None:
        pixel = make_pixel()
        with SQLiteStorage(path) as first, SQLiteStorage(path) as second:
            first.add_pixel(pixel)
            assert second.get_pixel(pixel.id) == pixel


class TestConnections:
    def test_each_thread_has_a_connection_of_its_own(self, storage, spies) -> None:
        def use() -> None:
            pixel = make_pixel()
            storage.add_pixel(pixel)
            storage.get_pixel(pixel.id)

        at_once([use] * 8)
        assert len(spies.made) == 8
        assert [len(spy.users) for spy in spies.made] == [1] * 8

    def test_a_thread_keeps_its_connection(self, storage, spies) -> None:
        for _ in range(3):
            storage.ping()
        assert len(spies.made) == 1

    def test_a_threads_connection_is_closed_when_the_thread_ends(self, storage, spies) -> None:
        thread = Thread(target=storage.ping)
        thread.start()
        thread.join()
        (spy,) = spies.made
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            spy.total_changes  # noqa: B018  # reading it is what fails

    def test_closing_closes_the_connections_of_all_threads(self, storage, spies) -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(storage.ping).result()
            storage.ping()
            storage.close()
            for spy in spies.made:
                with pytest.raises(sqlite3.ProgrammingError, match="closed"):
                    spy.total_changes  # noqa: B018  # reading it is what fails

    def test_a_thread_goes_on_after_a_rest_that_another_thread_spent_reading(self, storage: SQLiteStorage) -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(storage.ping).result()
            with storage._connections.reading():
                storage._connections.rest()  # as at the end of a program
                pool.submit(storage.ping).result()

    def test_no_transaction_is_left_open_by_reading(self, storage, spies) -> None:
        pixel = make_pixel()
        storage.add_pixel(pixel)
        storage.add_recipients(pixel.id, make_recipients(pixel, [f"r{n}@example.org" for n in range(10)]))
        storage.add_opens([make_open(pixel) for _ in range(10)])
        storage.list_recipients(pixel.id, limit=2)
        storage.list_opens(pixel.id, limit=2)
        storage.list_pixels(limit=1)
        storage.resolve([make_hit(pixel)])
        (spy,) = spies.made
        busy, _, _ = spy.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        assert (busy, spy.in_transaction) == (0, False)

    @pytest.mark.parametrize(
        ("pragma", "value"),
        [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("secure_delete", 1), ("trusted_schema", 0)],
    )
    def test_a_connection_has_our_settings(self, storage, spies, pragma: str, value: object) -> None:
        storage.ping()
        assert spies.made[0].execute(f"PRAGMA {pragma}").fetchone() == (value,)

    def test_no_connection_maps_the_file_into_memory_whatever_sqlite_was_built_to_do(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        plain_connect = sqlite3.connect

        def connect_mapping(*args: Any, **kwargs: Any) -> sqlite3.Connection:
            connection = plain_connect(*args, **kwargs)
            connection.execute("PRAGMA mmap_size = 1048576")
            return connection

        SQLiteStorage(path).close()
        monkeypatch.setattr(sqlite3, "connect", connect_mapping)
        with closing(connections.connect(path)) as connection:
            assert connection.execute("PRAGMA mmap_size").fetchone() == (0,)


def _run_forking(code: str, path: Path) -> None:
    """Run code in a process of its own, with `storage`, `made` (its connections) and `fork`, which is that of C.

    Servers written in C fork so, without Python's preparations. In a process with other threads, a child could wait
    for ever for one that asked for the interpreter just then.
    """
    before = """
        import ctypes, os, sqlite3, sys
        from pathlib import Path
        from mailtrack.storage._sqlite import SQLiteStorage, wal

        path, made, connect = Path(sys.argv[1]), [], sqlite3.connect

        def connect_noting(*args, **kwargs):
            made.append(os.getpid())
            return connect(*args, **kwargs)

        sqlite3.connect = connect_noting
        storage = SQLiteStorage(path)
        storage.ping()
        made.clear()
        fork = ctypes.PyDLL(None).fork
    """
    script = textwrap.dedent(before) + textwrap.dedent(code)
    subprocess.run([sys.executable, "-c", script, path], check=True, timeout=60)


class TestForks:
    def test_a_child_uses_connections_of_its_own(self, storage, spies) -> None:
        storage.ping()

        def task() -> None:
            storage.ping()
            assert [spy.pid == os.getpid() for spy in spies.made] == [False, True]
            assert [{pid for pid, _ in spy.users} for spy in spies.made] == [{os.getppid()}, {os.getpid()}]

        assert in_child(task) == ""

    def test_the_parent_sees_what_its_child_wrote(self, storage) -> None:
        pixel = make_pixel()
        storage.ping()
        assert in_child(partial(storage.add_pixel, pixel)) == ""
        assert storage.get_pixel(pixel.id) == pixel

    def test_what_a_child_wrote_outlives_its_parents_closing(self, storage, path: Path) -> None:
        # A child that took its parent's locks for its own would write to a WAL that others remove underneath it.
        before, after = make_pixel(), make_pixel()
        storage.ping()
        go_on, done = os.pipe(), os.pipe()

        def task() -> None:
            storage.add_pixel(before)
            os.write(done[1], b".")
            os.read(go_on[0], 1)
            storage.add_pixel(after)

        child = os.fork()
        if child == 0:
            try:
                task()
                os._exit(0)
            finally:
                os._exit(1)
        os.read(done[0], 1)
        storage.close()
        code = "import sys; from mailtrack import open_storage; s = open_storage(sys.argv[1]); s.ping(); s.close()"
        subprocess.run([sys.executable, "-c", code, f"sqlite:///{path}"], check=True)
        os.write(go_on[1], b".")
        assert os.waitpid(child, 0)[1] == 0
        for end in (*go_on, *done):
            os.close(end)
        with SQLiteStorage(path) as again:
            assert again.list_pixels(limit=9).items == (after, before)

    def test_a_child_that_was_not_announced_uses_a_connection_of_its_own(self, path: Path) -> None:
        _run_forking(
            """
            child = fork()
            if child == 0:
                try:
                    storage.ping()
                    os._exit(0 if made == [os.getpid()] else 1)
                finally:
                    os._exit(2)
            assert os.waitpid(child, 0)[1] == 0
            storage.ping()
            assert made == []
            """,
            path,
        )

    def test_a_child_that_was_not_announced_does_not_keep_its_parents_claim_to_the_wal(self, path: Path) -> None:
        SQLiteStorage(path).close()
        with closing(sqlite3.connect(path)) as other:
            other.execute("SELECT * FROM pixels").fetchall()  # the WAL stays
            _run_forking(
                """
                (done, answer), (wait, go_on) = os.pipe(), os.pipe()
                child = fork()
                if child == 0:
                    try:
                        storage.ping()
                        storage._connections.rest()
                        os.write(answer, b".")
                        os.read(wait, 1)
                    finally:
                        os._exit(0)
                try:
                    assert os.read(done, 1) == b"."
                    storage.close()
                    wal.check_claims(path, (0, 1))  # of a file that came into the place
                finally:
                    os.write(go_on, b".")
                    assert os.waitpid(child, 0)[1] == 0
                """,
                path,
            )

    def test_a_parents_threads_go_on_after_a_fork(self, storage) -> None:
        pixel = make_pixel()
        storage.add_pixel(pixel)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(storage.ping).result()
        storage.ping()
        assert in_child(storage.ping) == ""
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(storage.get_pixel, pixel.id).result() == pixel


class TestCosts:
    def test_the_last_page_of_a_log_costs_what_the_first_does(self, storage, spies) -> None:
        pixel = make_pixel()
        storage.add_pixel(pixel)
        storage.add_opens([make_open(pixel) for _ in range(3000)])
        costs = [
            spies.made[0].count_instructions(partial(storage.list_opens, pixel.id, limit=50, skip=skip))
            for skip in (0, 2950)
        ]
        assert costs[1] <= 1.2 * costs[0]

    def test_a_page_behind_purged_opens_costs_what_the_first_does(self, storage, spies) -> None:
        pixel = make_pixel()
        storage.add_pixel(pixel)
        storage.add_opens([make_open(pixel, at=NOON + timedelta(hours=n // 1000 % 2)) for n in range(4000)])
        storage.purge_opens(pixel.id, before=NOON + timedelta(hours=1), limit=4000)
        costs = [
            spies.made[0].count_instructions(partial(storage.list_opens, pixel.id, limit=50, skip=skip))
            for skip in (0, 1950)
        ]
        assert costs[1] <= 1.2 * costs[0]

    def test_a_later_page_of_recipients_costs_what_the_first_does(self, storage, spies) -> None:
        pixel = make_pixel()
        storage.add_pixel(pixel)
        storage.add_recipients(pixel.id, make_recipients(pixel, [f"r{n}@example.org" for n in range(1100)]))
        cursor = storage.list_recipients(pixel.id, limit=1000).next
        costs = [
            spies.made[0].count_instructions(partial(storage.list_recipients, pixel.id, limit=50, cursor=place))
            for place in (None, cursor)
        ]
        assert costs[1] <= 1.2 * costs[0]

    @pytest.mark.parametrize("text", ["none", "r7@"])
    def test_a_search_for_a_part_of_an_address_costs_no_more_among_many(
        self, storage, spies, monkeypatch: pytest.MonkeyPatch, text: str
    ) -> None:
        monkeypatch.setattr(recipients, "SEARCHED_AT_ONCE", 100)

        def cost(number: int) -> int:
            pixel = make_pixel()
            storage.add_pixel(pixel)
            storage.add_recipients(pixel.id, make_recipients(pixel, [f"r{n}@example.org" for n in range(number)]))
            return spies.made[0].count_instructions(partial(storage.list_recipients, pixel.id, limit=9, search=text))

        assert cost(3000) <= 1.2 * cost(101)

    @pytest.mark.parametrize("by", ["kind", "recipient_id"])
    def test_opens_that_are_left_out_cost_nothing(self, storage, spies, by: str) -> None:
        pixel = make_pixel()
        storage.add_pixel(pixel)
        ann, bob = storage.add_recipients(pixel.id, make_recipients(pixel, ["ann@example.org", "bob@example.org"]))
        bot, human = Verdict(kind=VerdictKind.BOT), Verdict(kind=VerdictKind.HUMAN)
        wanted = {"kind": VerdictKind.BOT, "recipient_id": bob.id}[by]

        def cost() -> int:
            return spies.made[0].count_instructions(partial(storage.list_opens, pixel.id, limit=50, **{by: wanted}))

        storage.add_opens([make_open(pixel, bob, verdict=bot)])
        alone = cost()
        storage.add_opens([make_open(pixel, ann, verdict=human) for _ in range(1000)])
        assert cost() <= 1.2 * alone

    @pytest.mark.parametrize("what", ["resolve", "get_recipients", "get_figures", "add_opens", "delete_recipient"])
    def test_it_costs_no_more_among_many(self, storage, spies, what: str) -> None:
        def cost(others: int) -> int:
            pixel = make_pixel()
            storage.add_pixel(pixel)
            crowd = make_recipients(pixel, [f"r{n}@example.org" for n in range(others)])
            storage.add_recipients(pixel.id, crowd)
            storage.add_opens([make_open(pixel, one) for one in crowd])
            recipient = make_recipient(pixel)
            storage.add_recipients(pixel.id, [recipient])
            call = {
                "resolve": lambda: storage.resolve([make_hit(pixel, token=recipient.token)]),
                "get_recipients": lambda: storage.get_recipients([recipient.id]),
                "get_figures": lambda: storage.get_figures(pixel.id, top=1),
                "add_opens": lambda: storage.add_opens([make_open(pixel, recipient)]),
                "delete_recipient": lambda: storage.delete_recipient(recipient.id),
            }[what]
            return spies.made[0].count_instructions(call)

        assert cost(1000) <= 1.2 * cost(10)

    @pytest.mark.parametrize("what", ["opens", "recipients", "names"])
    def test_figures_cost_the_same_however_many_there_are(self, storage, spies, what: str) -> None:
        def cost(number: int) -> int:
            pixel = make_pixel()
            storage.add_pixel(pixel)
            crowd = make_recipients(pixel, [f"r{n}@example.org" for n in range(number if what == "recipients" else 20)])
            storage.add_recipients(pixel.id, crowd)
            names = range(number if what == "names" else 20)
            numbers = range(40 if what == "recipients" else number)
            storage.add_opens(
                [
                    make_open(pixel, crowd[n % len(crowd)], client=Client(name=f"client {names[n % len(names)]}"))
                    for n in numbers
                ]
            )
            return spies.made[0].count_instructions(partial(storage.get_figures, pixel.id, top=10))

        assert cost(3000) <= 1.2 * cost(100)

    def test_judging_some_opens_again_costs_no_more_among_many(self, storage, spies) -> None:
        def cost(others: int) -> int:
            pixel = make_pixel()
            storage.add_pixel(pixel)
            crowd = make_recipients(pixel, [f"r{n}@example.org" for n in range(others)])
            storage.add_recipients(pixel.id, crowd)
            days = [timedelta(days=day) for day in (-1, 1) * 5]  # before and after those that are judged
            storage.add_opens([make_open(pixel, one, at=NOON + day) for one in crowd for day in days])
            recipient = make_recipient(pixel)
            storage.add_recipients(pixel.id, [recipient])
            opens = [make_open(pixel, recipient, at=NOON + timedelta(minutes=n)) for n in range(200)]
            storage.add_opens(opens)
            judgements = [make_judgement(one, counted=False) for one in opens]
            return spies.made[0].count_instructions(partial(storage.rejudge, pixel.id, judgements))

        assert cost(1000) <= 1.2 * cost(10)

    def test_judging_some_opens_again_costs_no_more_among_many_of_the_same_recipient(self, storage, spies) -> None:
        def cost(number: int) -> int:
            pixel = make_pixel()
            storage.add_pixel(pixel)
            (recipient,) = storage.add_recipients(pixel.id, make_recipients(pixel, ["ann@example.org"]))
            opens = [make_open(pixel, recipient, at=NOON + timedelta(minutes=n)) for n in range(number)]
            storage.add_opens(opens)
            judgements = [make_judgement(one, counted=False) for one in opens[20:40]]
            return spies.made[0].count_instructions(partial(storage.rejudge, pixel.id, judgements))

        assert cost(3000) <= 1.2 * cost(60)

    def test_purging_some_opens_costs_no_more_among_many_gaps(self, storage, spies) -> None:
        def cost(gaps: int) -> int:
            pixel = make_pixel()
            storage.add_pixel(pixel)
            storage.add_opens([make_open(pixel, at=NOON + timedelta(hours=n % 2)) for n in range(2 * gaps)])
            purge = partial(storage.purge_opens, pixel.id, before=NOON + timedelta(minutes=1), limit=4000)
            while purge():
                pass
            storage.add_opens([make_open(pixel) for _ in range(10)])
            return spies.made[0].count_instructions(purge)

        assert cost(2000) <= 1.2 * cost(20)

    def test_deleting_a_recipient_of_the_top_list_costs_no_more_among_many(self, storage, spies) -> None:
        def cost(others: int) -> int:
            pixel = make_pixel()
            storage.add_pixel(pixel)
            crowd = make_recipients(pixel, [f"r{n}@example.org" for n in range(others)])
            storage.add_recipients(pixel.id, crowd)
            storage.add_opens([make_open(pixel, one) for one in crowd for _ in range(3)])
            assert storage.get_figures(pixel.id, top=10).top[0].id == crowd[0].id
            return spies.made[0].count_instructions(partial(storage.delete_recipient, crowd[0].id))

        assert cost(1000) <= 1.2 * cost(10)


_STORE_IMAGES = """
import sys, threading
from pathlib import Path
from mailtrack._images.memory import give_back, keep_large_blocks_apart
from mailtrack._model import Image
from mailtrack.storage._sqlite import SQLiteStorage
from mailtrack.testing import make_pixel

def held():
    give_back()
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) // 1024

keep_large_blocks_apart()
storage = SQLiteStorage(Path(sys.argv[1]))
barrier = threading.Barrier(7)

def store():
    storage.ping()
    for work in (lambda: None, lambda: storage.add_pixel(make_pixel(), image), lambda: None):
        barrier.wait()
        work()
        barrier.wait()

image = Image(media_type="image/png", data=bytes(4_000_000))
for _ in range(6):
    threading.Thread(target=store).start()
barrier.wait()
before = held()
barrier.wait()
barrier.wait()  # all store their images
barrier.wait()
print(held() - before)
barrier.wait()  # now their threads, and with them their connections, may end
barrier.wait()
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is measured as Linux shows it")
def test_connections_do_not_keep_the_images_that_they_have_stored_in_memory(new_database, tmp_path):
    command = [sys.executable, "-c", _STORE_IMAGES, str(new_database(tmp_path / "mail.db"))]
    grown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert int(grown) < 16  # MiB; six images have 24

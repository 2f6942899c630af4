"""What fails is reported as mailtrack's errors, without any secret, and heals by itself."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from mailtrack import InvalidSetting, StorageError, StorageUnavailable, open_storage
from mailtrack.storage._postgres import PostgresStorage, connections, urls
from mailtrack.testing import make_open, make_pixel
from mailtrack.testing._contract.helpers import add_pixel, all_opens


def _until_it_works(call: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 60
    while True:
        try:
            return call()
        except StorageUnavailable:
            if time.monotonic() > deadline:
                raise


class TestUrls:
    @pytest.mark.parametrize(
        "url",
        [
            "postgresql://mailtrack:hunter2@127.0.0.1:no/mail",
            "postgresql://mailtrack:hunter2@127.0.0.1/mail?unknown=1",
            "postgresql://mailtrack:hunter2@127.0.0.1/mail?schema=Upper",
            "postgresql://mailtrack:hunter2@127.0.0.1/mail?schema=pg_catalog",
            "postgresql://mailtrack:hunter2@[::1/mail",
            "postgresql://mailtrack:an@hunter2@127.0.0.1/mail",
            "postgresql://mailtrack:12/hunter2@127.0.0.1/mail",
            'postgresql://mailtrack:"hunter2@127.0.0.1/mail',
            "postgresql://mailtrack:hunter2<@127.0.0.1/mail",
            "postgresql://mailtrack:hunter2 @127.0.0.1/mail",
            "postgresql://mailtrack:hunter2\t@127.0.0.1/mail",
            "postgresql://mailtrack@127.0.0.1/mail?password=hunter2\n",
            "postgresql://mailtrack:hunter2\x00@127.0.0.1/mail",
        ],
    )
    def test_a_malformed_url_is_refused_without_showing_it(self, url: str) -> None:
        with pytest.raises(InvalidSetting) as raised:
            open_storage(url)
        assert "hunter2" not in str(raised.value)

    def test_both_schemes_are_known(self, url: str) -> None:
        with open_storage(url.replace("postgresql:", "postgres:")) as storage:
            storage.ping()

    def test_a_plus_is_no_blank_and_ipv6_is_shown_in_brackets(self) -> None:
        found = urls.parse("postgresql://ann@[::1]:5433/mail?password=a+b%20c&passfile=/a+b")
        assert (found.parameters["password"], found.parameters["passfile"]) == ("a+b c", "/a+b")
        assert found.shown == "postgresql://[::1]:5433/mail"

    def test_names_are_stored_whatever_encoding_it_says(self, url: str) -> None:
        with open_storage(f"{url}&client_encoding=latin1") as storage:
            storage.add_pixel(pixel := make_pixel("Spring → 春"))
            assert storage.get_pixel(pixel.id).name == pixel.name

    def test_no_error_and_no_repr_shows_the_password(self, url: str) -> None:
        with open_storage(url) as storage:
            assert "secret" not in repr(storage)
        with pytest.raises(StorageUnavailable) as raised:
            open_storage(url.replace(":secret@", ":hunter2@"))
        assert "hunter2" not in str(raised.value)

    def test_where_no_server_listens_opening_fails_at_once(self) -> None:
        with pytest.raises(StorageUnavailable, match="refused"):
            open_storage("postgresql://mailtrack@127.0.0.1:1/mail")

    def test_without_psycopg_the_error_names_the_extra(self) -> None:
        code = (
            "import sys; sys.modules['psycopg'] = None\n"
            "from mailtrack import InvalidSetting, open_storage\n"
            "try:\n    open_storage('postgresql://127.0.0.1/mail')\n"
            "except InvalidSetting as error:\n    print(error)"
        )
        ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        assert "mailtrack[postgres]" in ran.stdout


class TestServer:
    def test_terminated_backends_are_replaced(self, storage: PostgresStorage, server: Any) -> None:
        pixel = add_pixel(storage)
        with server.connect() as db:
            db.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'mailtrack'"
            )
        new = make_open(pixel)
        assert _until_it_works(lambda: storage.add_opens([new])) == [new]
        assert all_opens(storage, pixel) == [new]

    def test_a_restart_is_survived(self, storage: PostgresStorage, server: Any) -> None:
        pixel = add_pixel(storage)
        server.stop(signal.SIGQUIT)
        try:
            with pytest.raises(StorageUnavailable):
                storage.get_pixel(pixel.id)
        finally:
            server.start()
        assert _until_it_works(lambda: storage.get_pixel(pixel.id)) == pixel

    def test_a_server_that_does_not_answer_is_given_up(
        self, storage: PostgresStorage, server: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(connections, "_CHECK_SECONDS", 0.5)
        monkeypatch.setattr(connections, "_IDLE_SECONDS", 0.0)
        monkeypatch.setitem(connections._PARAMETERS, "connect_timeout", 2)
        pixel = add_pixel(storage)
        stopped = [*server.backends(), server.process.pid]
        for process in stopped:
            os.kill(process, signal.SIGSTOP)
        try:
            with pytest.raises(StorageUnavailable):
                storage.get_pixel(pixel.id)
        finally:
            for process in stopped:
                os.kill(process, signal.SIGCONT)
        assert _until_it_works(lambda: storage.get_pixel(pixel.id)) == pixel

    def test_an_answer_that_does_not_come_ends_the_call(self, storage: PostgresStorage) -> None:
        pixel = add_pixel(storage)
        with storage._connections.borrowed() as db:
            db.patience = 0.2
            with pytest.raises(psycopg.OperationalError):
                db.execute("SELECT pg_sleep(60)")
        assert storage.get_pixel(pixel.id) == pixel

    def test_too_many_connections_may_pass(self, url: str, server: Any) -> None:
        with server.connect() as db:
            db.execute("DROP ROLE IF EXISTS few")
            db.execute("CREATE ROLE few LOGIN PASSWORD 'secret' CONNECTION LIMIT 0")
        with pytest.raises(StorageUnavailable, match="too many connections"):
            PostgresStorage(url.replace("mailtrack:", "few:"))

    def test_a_read_only_server_can_be_read(self, url: str, server: Any) -> None:
        with PostgresStorage(url) as storage:
            pixel = add_pixel(storage)
        with server.connect() as db:
            db.execute("ALTER ROLE mailtrack SET default_transaction_read_only = on")
        try:
            with PostgresStorage(url) as storage:
                assert storage.get_pixel(pixel.id) == pixel
                with pytest.raises(StorageUnavailable, match="read-only"):
                    storage.add_opens([make_open(pixel)])
        finally:
            with server.connect() as db:
                db.execute("SET default_transaction_read_only = off")
                db.execute("ALTER ROLE mailtrack RESET default_transaction_read_only")

    def test_while_the_tables_are_away_calls_may_succeed_later(
        self, url: str, storage: PostgresStorage, server: Any
    ) -> None:
        pixel = add_pixel(storage)
        schema = url.partition("schema=")[2].partition("&")[0]
        for away, back in (
            (f"ALTER TABLE {schema}.opens RENAME TO away", f"ALTER TABLE {schema}.away RENAME TO opens"),
            (f"ALTER SCHEMA {schema} RENAME TO away", f"ALTER SCHEMA away RENAME TO {schema}"),
        ):
            with server.connect() as db:
                db.execute(away)
            try:
                with pytest.raises(StorageUnavailable):
                    storage.add_opens([make_open(pixel)])
            finally:
                with server.connect() as db:
                    db.execute(back)
            storage.add_opens([make_open(pixel)])

    @pytest.mark.parametrize("code", ["42501", "53100", "53200", "55P03", "57014", "57P01", "58030"])
    def test_faults_that_may_pass_are_said_to(self, storage: PostgresStorage, code: str) -> None:
        with pytest.raises(StorageUnavailable), storage._connections.borrowed() as db:
            db.execute(f"DO $$ BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = '{code}'; END $$")

    def test_other_faults_are_errors_without_values(self, storage: PostgresStorage) -> None:
        with pytest.raises(StorageError) as raised, storage._connections.borrowed() as db:
            db.execute("SELECT 1 / 0")
        assert not isinstance(raised.value, StorageUnavailable)
        assert str(raised.value) == "PostgreSQL: division by zero"


class TestTransactions:
    @pytest.mark.parametrize("code", ["40001", "40P01"])
    def test_one_that_met_others_is_repeated(self, storage: PostgresStorage, code: str) -> None:
        tries = []

        def work(db: connections.Connection) -> int:
            tries.append(1)
            if len(tries) < 3:
                db.execute(f"DO $$ BEGIN RAISE EXCEPTION 'met' USING ERRCODE = '{code}'; END $$")
            return len(tries)

        assert storage._connections.write(work) == 3

    def test_one_that_always_meets_others_may_pass_later(self, storage: PostgresStorage) -> None:
        with pytest.raises(StorageUnavailable):
            storage._connections.write(
                lambda db: db.execute("DO $$ BEGIN RAISE EXCEPTION 'met' USING ERRCODE = '40001'; END $$")
            )
        storage.ping()

    def test_a_lock_that_others_hold_for_long_ends_the_call(
        self, url: str, server: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(connections._SETTINGS, "lock_timeout", "200")
        with PostgresStorage(url) as storage, server.connect() as db, db.transaction():
            pixel = make_pixel()
            storage.add_pixel(pixel)
            db.execute("SELECT * FROM shared.pixels FOR UPDATE")
            with pytest.raises(StorageUnavailable, match="lock timeout"):
                storage.add_opens([make_open(pixel)])

"""Tables are made once, and nothing that is not ours is touched."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from mailtrack import DatabaseNotFound, StorageError, open_storage
from mailtrack.storage._postgres import PostgresStorage, migrating
from mailtrack.testing import make_open
from mailtrack.testing._contract.helpers import add_pixel, at_once
from mailtrack.testing._factories import make_webhook


def test_of_many_that_start_at_once_one_makes_the_tables(new_url: Callable[[], str]) -> None:
    url = new_url()
    storages = at_once([partial(PostgresStorage, url)] * 6)
    pixel = add_pixel(storages[0])
    for storage in storages:
        with storage:
            assert storage.get_pixel(pixel.id) == pixel


def test_without_tables_nothing_is_made_unless_asked_for(new_url: Callable[[], str], server: Any) -> None:
    url = new_url()
    with pytest.raises(DatabaseNotFound):
        open_storage(url, create=False)
    with server.connect() as db:
        found = db.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (url.partition("schema=")[2],))
        assert found.fetchone() is None


def test_a_role_needs_no_right_but_to_own_the_schema(new_url: Callable[[], str], server: Any) -> None:
    schema = new_url().partition("schema=")[2]
    with server.connect() as db:
        db.execute(f"CREATE ROLE owner_of_{schema} LOGIN PASSWORD 'secret'")
        db.execute(f"CREATE SCHEMA {schema} AUTHORIZATION owner_of_{schema}")
    with PostgresStorage(server.url(schema=schema).replace("//mailtrack:", f"//owner_of_{schema}:")) as storage:
        assert storage.get_pixel((pixel := add_pixel(storage)).id) == pixel


def test_tables_of_a_newer_version_are_refused_and_left(url: str, server: Any) -> None:
    with server.connect() as db:
        db.execute("INSERT INTO shared.migrations (name) VALUES ('9999_from_the_future')")
        try:
            with pytest.raises(StorageError, match="newer"):
                open_storage(url)
            ((number,),) = db.execute("SELECT count(*) FROM shared.migrations").fetchall()
            assert number == len(migrating.all_names()) + 1
        finally:
            db.execute("DELETE FROM shared.migrations WHERE name LIKE '9999%'")


def test_a_cursor_that_lies_ahead_of_all_transactions_is_logged_once(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with PostgresStorage(url) as storage:
        storage.add_opens([make_open(add_pixel(storage))])
        after = f"{10**17}.1.1"
        for _ in range(3):
            page = storage.list_events(limit=10, after=after)
            assert (page.items, page.next) == ((), after)
    (record,) = caplog.records
    assert f"The cursor {after} lies ahead" in record.getMessage()


def test_events_go_on_behind_the_others_in_a_server_with_lower_transactions(url: str, server: Any) -> None:
    with PostgresStorage(url) as storage, server.connect() as db:
        pixel = add_pixel(storage)
        former = storage.add_opens([make_open(pixel)])
        db.execute("UPDATE shared.feed SET place = place + 1000000000")  # as after a restore
        try:
            with PostgresStorage(url) as restored:
                (event,) = restored.list_events(limit=10).items
                assert [event.open] == former
                new = restored.add_opens([make_open(pixel)])
                later = f"{int(event.cursor.partition('.')[0]) + 500}.1.1"  # given after the state that was restored
                for after in (event.cursor, later):
                    page = restored.list_events(limit=10, after=after)
                    assert [one.open for one in page.items] == new
        finally:
            db.execute("UPDATE shared.feed_base SET base = 0")


@pytest.mark.parametrize("table", ["readers", "webhooks"])
def test_events_go_on_behind_what_readers_have_seen_where_none_is_left(url: str, server: Any, table: str) -> None:
    with PostgresStorage(url) as storage, server.connect() as db:
        storage.add_reader("crm")
        storage.add_webhook(make_webhook())
        db.execute(f"UPDATE shared.{table} SET after = '1000000000000.7.1'")  # of events that were purged since
        try:
            with PostgresStorage(url) as restored:
                new = restored.add_opens([make_open(add_pixel(restored))])
                page = restored.list_events(limit=10, after="1000000000000.7.1")
                assert [one.open for one in page.items] == new
        finally:
            db.execute("UPDATE shared.feed_base SET base = 0")

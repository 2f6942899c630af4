"""The doctor looks at a real PostgreSQL server, and judges what it finds."""

from collections.abc import Callable
from typing import Any

import pytest

from mailtrack.cli._doctor.finding import Finding, Outcome
from mailtrack.cli._doctor.postgres import check_postgres
from mailtrack.storage._postgres import PostgresStorage, inspection
from mailtrack.storage._postgres.inspection import Lag, inspect


@pytest.fixture
def outcomes(url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Finding]]:
    """Returns the findings, by check, of a sound server but for what is given."""
    sound = inspect(url)._replace(
        settings={"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on", "autovacuum": "on"}, dead=[]
    )

    def check(**changes: Any) -> dict[str, Finding]:
        changes["settings"] = sound.settings | changes.get("settings", {})
        monkeypatch.setattr("mailtrack.cli._doctor.postgres.inspect", lambda _: sound._replace(**changes))
        return {found.check: found for found in check_postgres(url)}

    return check


def test_a_sound_server_is_sound(outcomes: Callable[..., dict[str, Finding]]) -> None:
    found = outcomes()
    assert {one.outcome for one in found.values()} == {Outcome.OK}
    assert found["server"].found.startswith("PostgreSQL ")


@pytest.mark.parametrize(
    ("check", "changes", "outcome"),
    [
        ("server", {"version": 130_010}, Outcome.FAILED),
        ("server", {"is_standby": True}, Outcome.FAILED),
        ("durability", {"settings": {"fsync": "off"}}, Outcome.FAILED),
        ("durability", {"settings": {"synchronous_commit": "off"}}, Outcome.WARNING),
        ("connections", {"used": 95, "most": 97}, Outcome.WARNING),
        ("transactions", {"oldest": 61.0}, Outcome.WARNING),
        ("replicas", {"replicas": [Lag("second", 2**30)]}, Outcome.WARNING),
        ("replicas", {"replicas": [Lag("second", 0)]}, Outcome.OK),
        ("replicas", {"replicas": [Lag("second", None)]}, Outcome.OK),
        ("indexes", {"invalid": ["opens_by_id"]}, Outcome.FAILED),
        ("indexes", {"missing": ["opens_by_kind"]}, Outcome.FAILED),
        ("dead-rows", {"settings": {"autovacuum": "off"}}, Outcome.WARNING),
        ("dead-rows", {"dead": [("opens", 20_000)]}, Outcome.WARNING),
    ],
)
def test_each_fault_is_found(
    outcomes: Callable[..., dict[str, Finding]], check: str, changes: dict[str, Any], outcome: Outcome
) -> None:
    found = outcomes(**changes)
    assert found[check].outcome is outcome
    assert {one.outcome for name, one in found.items() if name != check} == {Outcome.OK}


def test_a_long_transaction_is_seen(server: Any, url: str) -> None:
    with server.connect() as db:
        db.execute("BEGIN")
        db.execute("SELECT 1")
        assert inspect(url).oldest > 0
        db.execute("ROLLBACK")


def test_dead_rows_and_unusable_indexes_of_our_tables_are_seen(
    server: Any, new_url: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "MANY_DEAD", 5)
    url = new_url()
    PostgresStorage(url).close()
    schema = url.rpartition("schema=")[2]
    with server.connect() as db:
        db.execute(f"SET search_path = {schema}")
        db.execute("CREATE TABLE busy AS SELECT generate_series(1, 100) AS number")
        db.execute("CREATE INDEX broken ON busy (number)")
        db.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'broken'::regclass")
        db.execute("DELETE FROM busy WHERE number > 10")
        db.execute("DROP INDEX opens_by_kind")
        db.execute("SELECT pg_stat_force_next_flush()")
        db.execute("SELECT 1")
        found = inspect(url)
        db.execute("UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'broken'::regclass")
    assert found.dead == [("busy", 90)]
    assert found.invalid == ["broken"]
    assert found.missing == ["opens_by_kind"]


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:s3cret@127.0.0.1:1/mail",
        "postgresql://ann:s3cret@127.0.0.1:1/mail?application_name=crm",
        "postgresql://ann:s3cret@127.0.0.1:x/mail",
    ],
)
def test_one_that_does_not_answer_is_a_failure_without_its_password(url: str) -> None:
    (found,) = check_postgres(url)
    assert found.outcome is Outcome.FAILED
    assert "s3cret" not in found.found

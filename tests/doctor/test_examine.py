"""A whole deployment: which checks there are, in order, with which settings."""

import sqlite3
from contextlib import closing

import pytest

from mailtrack import Tracker, open_storage
from mailtrack.cli._doctor.examine import examine
from mailtrack.cli._settings import Settings
from mailtrack_wsgi import create_app

INSIDE = [
    "sqlite", "database", "tables", "journal", "durability", "space", "integrity", "disk",
    "spool", "spool-disk", "permissions", "clock", "rules", "networks", "keys", "webhooks",
]  # fmt: skip
OUTSIDE = [
    "https", "reachable", "certificate", "cookies", "server-clock", "access", "tracker", "image", "length", "headers",
    "conditions", "cache",
]  # fmt: skip
PROBE = ["recording", "address", "forged-address"]


@pytest.fixture
def storage(tmp_path):
    with open_storage(f"sqlite:///{tmp_path}/mailtrack.db") as opened:
        yield opened


@pytest.fixture
def settings(tmp_path):
    return lambda **given: Settings(**{"database": f"sqlite:///{tmp_path}/mailtrack.db"} | given)


@pytest.mark.usefixtures("storage")
def test_without_a_url_only_the_inside_is_looked_at(settings, outcomes):
    found = outcomes(examine(settings()))
    assert list(found) == [*INSIDE, "reachable"]
    assert found["reachable"] == "skipped"


def test_with_both_an_open_is_followed(settings, storage, front, outcomes):
    front.app = create_app(Tracker(storage))
    found = outcomes(examine(settings(base_url=front.url)))
    assert list(found) == [*INSIDE, *OUTSIDE, *PROBE]
    assert "failed" not in found.values()


def test_keys_are_looked_for(settings, storage, outcomes):
    assert outcomes(examine(settings()))["keys"] == "warning"
    Tracker(storage).keys.create("Nightly export")
    assert outcomes(examine(settings()))["keys"] == "ok"


def test_without_a_database_no_open_is_followed(settings, front, outcomes, tmp_path):
    found = outcomes(examine(settings(base_url=front.url)))
    assert (found["database"], found["recording"]) == ("failed", "skipped")
    assert list(tmp_path.iterdir()) == []


def test_in_a_damaged_database_no_pixel_is_made(settings, storage, front, outcomes, tmp_path):
    front.app = create_app(Tracker(storage))
    storage.close()
    with (tmp_path / "mailtrack.db").open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 9 * 4096)
    found = outcomes(examine(settings(base_url=front.url)))
    assert (found["integrity"], found["tracker"], found["recording"]) == ("failed", "ok", "skipped")


def test_a_database_with_another_journal_stays_as_it_is(settings, storage, front, outcomes, tmp_path):
    front.app = create_app(Tracker(storage))
    storage.close()
    path = tmp_path / "mailtrack.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = DELETE")
    before = path.read_bytes()
    found = outcomes(examine(settings(base_url=front.url)))
    assert (found["journal"], found["tracker"], found["recording"]) == ("failed", "ok", "skipped")
    assert path.read_bytes() == before


def test_of_memory_only_the_outside_can_be_looked_at(settings, front, outcomes):
    found = outcomes(examine(settings(database="memory://", base_url=front.url)))
    assert (found["database"], found["spool"], found["recording"]) == ("skipped", "skipped", "skipped")


def test_a_storage_that_is_unknown_fails(settings, outcomes):
    assert outcomes(examine(settings(database="nowhere://")))["database"] == "failed"


@pytest.mark.usefixtures("storage")
def test_a_tracker_that_does_not_answer_gets_no_probe(settings, front, outcomes):
    front.send = lambda _: None
    found = outcomes(examine(settings(base_url=front.url)))
    assert (found["reachable"], found["recording"]) == ("failed", "skipped")


@pytest.mark.usefixtures("storage")
@pytest.mark.parametrize("given", [{"rules": "none.toml"}, {"networks": "office=none.txt"}])
def test_rules_that_can_not_be_read_fail(settings, outcomes, given, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert outcomes(examine(settings(**given)))["rules"] == "failed"

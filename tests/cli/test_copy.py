"""`mailtrack copy`: one storage into another, with what it reports."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mailtrack import Spool, Tracker, open_storage
from mailtrack.testing import make_open
from mailtrack.testing._factories import make_hit, to_line

FROM, TO = "sqlite:///mailtrack.db", "sqlite:///copy.db"


@pytest.fixture
def copied():
    with open_storage(TO) as storage:
        yield Tracker(storage)


def test_it_copies_and_says_how_much(run, tracker, pixel, recipient, copied):
    tracker.record(pixel.id, token=recipient.token, user_agent="Thunderbird/128.3")
    done = run("copy", FROM, TO)
    assert done.stdout == ""
    assert done.stderr == (
        "Copied 1 pixel, 1 recipient, 1 open into sqlite:///copy.db.\nThe figures of all pixels are equal.\n"
    )
    assert copied.report(pixel.id) == tracker.report(pixel.id)
    assert "Copied 0 pixels, 0 recipients, 0 opens into" in run("copy", FROM, TO).stderr


def test_a_server_takes_the_copy_over(run, tracker, recipient):
    key, text = tracker.keys.create("ours")
    run("copy", FROM, TO)
    assert key.id in run("--database", TO, "keys", "list").stdout
    assert recipient.id in run("--database", TO, "recipients", "find", recipient.email).stdout
    assert text not in run("--database", TO, "keys", "list").stdout


def test_what_is_left_out_is_reported(run, tracker, pixel):
    with open_storage(FROM) as storage:
        storage.add_opens([make_open(pixel) for _ in range(3)])
        storage.purge_opens(pixel.id, before=tracker.now(), limit=2)
    done = run("copy", FROM, TO)
    assert "Left out: 2 purged opens: the figures of FROM count them, those of TO don't.\n" in done.stderr


def test_hits_in_the_spool_are_mentioned(run, pixel):
    spool = Spool("mailtrack.db.spool")
    spool.open()
    spool.append(to_line(make_hit(pixel)))
    spool.close()
    done = run("copy", FROM, TO)
    assert done.stderr.startswith("Warning: 1 hit in the spool mailtrack.db.spool may not be stored in FROM yet")


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        ((FROM, "memory://"), 2, "TO must be a storage that is still there"),
        ((FROM, FROM), 2, "FROM and TO are the same storage"),
        ((FROM, FROM.replace("sqlite:///", "sqlite:///./")), 2, "FROM and TO are the same storage"),
        (("sqlite:///nowhere.db", TO), 1, "nowhere.db"),
        ((FROM, "elsewhere"), 2, "must be a URL"),
        ((FROM,), 2, "Missing argument"),
    ],
)
def test_what_can_not_be_copied_is_refused(run, pixel, arguments, code, reason):
    assert reason in run("copy", *arguments, exits=code).stderr
    assert pixel.id


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("nowhere", TO), "FROM: must be a URL"),
        ((FROM, "nowhere://x"), "TO: no installed storage"),
        ((FROM, "postgresql://a@127.0.0.1:x/mail"), "TO: must be a URL"),
    ],
)
@pytest.mark.usefixtures("pixel")
def test_a_url_that_is_none_is_named_by_its_argument(run, arguments, reason):
    error = run("copy", *arguments, exits=2).stderr
    assert reason in error
    assert "--database" not in error


def test_a_storage_that_is_no_copy_is_left_as_it_is(run, pixel, copied):
    other = copied.create_pixel("Other")
    assert "it is no copy of it" in run("copy", FROM, TO, exits=1).stderr
    assert [one.id for one in copied.list_pixels().items] == [other.id]
    assert pixel.id


def test_figures_that_differ_at_the_end_are_an_error(run, tracker, pixel):
    tracker.record(pixel.id, user_agent="Thunderbird/128.3")
    run("copy", FROM, TO)
    with closing(sqlite3.connect("mailtrack.db")) as db, db:
        db.execute("UPDATE pixels SET views = views + 1")
    done = run("copy", FROM, TO, exits=1)
    assert f"The figures of 1 pixel differ: {pixel.short_id}." in done.stderr
    assert "copy into an empty storage" in done.stderr


def test_on_a_terminal_there_is_a_bar(program, make_terminal, pixel):
    terminal = make_terminal(100)
    process = program("copy", FROM, TO, stdin=terminal.end, stdout=terminal.end, stderr=terminal.end)
    assert process.wait(60) == 0
    printed = terminal.read()
    assert "Copying" in printed
    assert "Copied 1 pixel, 0 recipients, 0 opens" in printed
    assert Path("copy.db").exists()
    assert pixel.id

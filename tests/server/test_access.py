"""Who may use the reference server, and on which addresses it listens without keys."""

import os
import signal
import threading
from pathlib import Path

import pytest

from mailtrack import Tracker, open_storage

EVERYWHERE = "0.0.0.0"
SECONDS = 2  # that a new or revoked key may take, in every worker


def bearer(text):
    return {"Authorization": f"Bearer {text}"}


def create_key(folder):
    """Store a key before a server starts there."""
    with open_storage(f"sqlite:///{folder}/mailtrack.db") as storage:
        return Tracker(storage).keys.create()


def status(running, headers=None):
    return running("GET", "/api/v1/pixels", headers=headers).status


def happens(condition, seconds=SECONDS):
    """Return whether something happens within some seconds."""
    pause = threading.Event()
    return any(condition() or pause.wait(0.05) for _ in range(seconds * 20))


def becomes(running, headers, expected):
    """Return whether a status is returned within the documented time, by any worker."""
    return happens(lambda: {status(running, headers) for _ in range(20)} == {expected})


def answers(running):
    try:
        return bool(status(running))
    except OSError:
        return False


@pytest.mark.parametrize("host", [EVERYWHERE, "0", "::"])
def test_without_keys_it_refuses_to_be_reached_by_others_and_says_what_to_do(fail, host):
    code, told = fail("--host", host)
    assert (code, len(told.splitlines())) == (1, 1)
    assert told.startswith(f"Error: Every client that reaches {host} could read and delete everything. ")
    assert "mailtrack keys create" in told
    assert "--allow-anonymous" in told


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_on_this_machine_it_needs_no_keys(start, host):
    running = start("--host", host)
    told = (running.folder / "stdout").read_text(encoding="utf-8")
    assert told.startswith(f"mailtrack serves http://{host}:{running.port}/ with sqlite:///mailtrack.db (Ctrl-C")


def test_it_can_be_told_to_let_everybody_in(start):
    assert status(start("--host", EVERYWHERE, "--allow-anonymous")) == 200


def test_it_can_be_told_so_by_the_environment(start):
    environment = {"MAILTRACK_HOST": EVERYWHERE, "MAILTRACK_ALLOW_ANONYMOUS": "1"}
    assert status(start(environment=environment)) == 200


@pytest.mark.parametrize("options", [[], ["--allow-anonymous"]], ids=["", "anonymous"])
def test_with_a_stored_key_it_listens_and_asks_for_it(start, tmp_path, options):
    _, text = create_key(tmp_path)
    running = start("--host", EVERYWHERE, *options)
    answer = running("GET", "/api/v1/pixels")
    assert (answer.status, answer.json) == (401, {"error": "A valid key is needed."})
    assert answer.headers.get_all("WWW-Authenticate") == ['Bearer realm="mailtrack"', 'Basic realm="mailtrack"']
    assert (status(running, bearer(text)), status(running, {"X-API-Key": text})) == (200, 200)
    told = (running.folder / "stdout").read_text(encoding="utf-8")
    assert told.endswith("/ with sqlite:///mailtrack.db, with API keys (Ctrl-C ends it)\n")
    assert (text in told, running.printed()) == (False, "")


def test_keys_that_are_made_and_revoked_while_it_runs_count_in_every_worker(start, tmp_path):
    first, first_text = create_key(tmp_path)
    running = start("--workers", 2)
    with running.stored() as tracker:
        second, second_text = tracker.keys.create()
        assert becomes(running, bearer(second_text), 200)
        tracker.keys.revoke(first.id)
        assert becomes(running, bearer(first_text), 401)
        assert status(running, bearer(second_text)) == 200
        tracker.keys.revoke(second.id)
        assert becomes(running, bearer(second_text), 401)
    assert {status(running, headers) for headers in ({}, bearer(""), bearer(first_text))} == {401}


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to find the workers")
def test_a_worker_that_replaces_a_killed_one_still_asks_for_a_key(start, tmp_path):
    key, text = create_key(tmp_path)
    running = start()
    with running.stored() as tracker:
        tracker.keys.revoke(key.id)
    assert becomes(running, bearer(text), 401)
    (worker,) = running.workers()
    os.kill(worker, signal.SIGKILL)
    assert happens(lambda: answers(running), seconds=30)
    assert (status(running), running.workers() == [worker]) == (401, False)


def test_without_keys_it_answers_to_the_names_of_this_machine_and_its_base_url(start):
    running = start("--trusted-proxies", 0, "--base-url", "https://mail.example.com/track")
    names = ["localhost", f"127.0.0.1:{running.port}", "[::1]", "mail.example.com", "evil.example.com"]
    assert [status(running, {"Host": name}) for name in names] == [200] * 4 + [400]


def test_with_keys_it_answers_to_any_name(start, tmp_path):
    _, text = create_key(tmp_path)
    running = start("--trusted-proxies", 0)
    assert status(running, {"Host": "evil.example.com"} | bearer(text)) == 200

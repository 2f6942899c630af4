"""The rate limit over the worker processes of real servers."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

REQUESTS = 200
CLIENT = {"X-Forwarded-For": "198.51.100.77"}
EMAILS = {"emails": ["ann@example.org"]}


def ask_at_once(running, path):
    """Send all requests at once, each over a connection of its own, and count the statuses."""
    barrier = threading.Barrier(REQUESTS)

    def ask(_):
        barrier.wait(30)
        return running("POST", path, json_body=EMAILS, headers=CLIENT).status

    with ThreadPoolExecutor(REQUESTS) as pool:
        return Counter(pool.map(ask, range(REQUESTS)))


def check(statuses):
    """Check that exactly 10 were granted. Requests refused by a busy server were neither granted nor counted."""
    assert (statuses[201], set(statuses) <= {201, 429, 503}) == (10, True), statuses


def test_it_is_exact_over_the_workers_of_the_reference_server_and_survives_a_restart(start):
    first = start("--workers", 2)
    path = f"/api/v1/pixels/{first.create_pixel()['id']}/generate-tokens"
    check(ask_at_once(first, path))
    first.stop()
    answer = start("--workers", 2)("POST", path, json_body=EMAILS, headers=CLIENT)
    assert (answer.status, answer.headers["RateLimit"].startswith('"generate-tokens";r=0;t=')) == (429, True)


def test_it_is_exact_over_the_workers_of_gunicorn_without_any_configuration(mounted):
    running = mounted("gunicorn")
    check(ask_at_once(running, f"/api/v1/pixels/{running.create_pixel()['id']}/generate-tokens"))


@pytest.mark.parametrize(("limit", "statuses"), [("2/hour", [201, 201, 429]), ("off", [201] * 12)])
def test_another_limit_can_be_set(start, limit, statuses):
    running = start("--token-limit", limit)
    path = f"/api/v1/pixels/{running.create_pixel()['id']}/generate-tokens"
    assert [running("POST", path, json_body=EMAILS, headers=CLIENT).status for _ in statuses] == statuses


@pytest.mark.parametrize("limit", ["10", "10/fortnight", "none", "0/hour"])
def test_an_unusable_limit_is_wrong_usage(fail, limit):
    code, told = fail("--token-limit", limit)
    assert (code, told.splitlines()[-1].startswith("Error: --token-limit: ")) == (2, True)


@pytest.mark.parametrize("url", ["redis://host:port", "sqlite://", "elsewhere"])
def test_an_unusable_place_to_count_is_wrong_usage(fail, url):
    code, told = fail("--rate-limit-storage", url)
    assert (code, told.splitlines()[-1].startswith("Error: --rate-limit-storage: ")) == (2, True)


def test_another_file_can_be_asked_for(start):
    running = start("--rate-limit-storage", "sqlite:///other")
    path = f"/api/v1/pixels/{running.create_pixel()['id']}/generate-tokens"
    assert running("POST", path, json_body=EMAILS, headers=CLIENT).status == 201
    assert (running.folder / "other").exists()
    assert not (running.folder / "mailtrack.db.limits").exists()

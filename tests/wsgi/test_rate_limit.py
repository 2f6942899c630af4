"""The limit of 10 requests for tokens in any 15 minutes, for each client."""

import re
import threading
import time
from collections import Counter

import pytest

MESSAGE = "Too many requests. Maximum 10 requests per 15 minutes"


@pytest.fixture
def ask(client, pixel):
    """Asks for tokens and returns the status."""

    def generate(address="192.0.2.1", client=client, **headers):
        return client.post(
            f"/api/v1/pixels/{pixel.id}/generate-tokens",
            json={"emails": ["ann@example.org"]},
            address=address,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )

    return generate


@pytest.fixture
def exhausted(ask):
    """The refusal of the eleventh request."""
    for _ in range(10):
        ask()
    return ask()


def test_ten_requests_are_granted_and_the_eleventh_is_not(ask):
    assert [ask().status for _ in range(12)] == [201] * 10 + [429] * 2


def test_a_refusal_has_the_documented_text(exhausted):
    assert (exhausted.status, exhausted.json) == (429, {"error": MESSAGE})


def test_a_refusal_tells_when_to_come_back(exhausted):
    assert exhausted.headers["Retry-After"].isdecimal()
    assert 1 <= int(exhausted.headers["Retry-After"]) <= 900


def test_a_refusal_tells_the_policy_and_what_is_left(exhausted):
    wait = exhausted.headers["Retry-After"]
    assert exhausted.headers["RateLimit-Policy"] == '"generate-tokens";q=10;w=900'
    assert exhausted.headers["RateLimit"] == f'"generate-tokens";r=0;t={wait}'


def test_an_answer_tells_how_many_requests_are_left(ask):
    left = [re.fullmatch(r'"generate-tokens";r=(\d+);t=\d+', ask().headers["RateLimit"])[1] for _ in range(10)]
    assert left == [str(number) for number in range(9, -1, -1)]


def test_an_answer_that_was_granted_does_not_tell_to_wait(ask):
    answer = ask()
    assert (answer.headers["RateLimit-Policy"], "Retry-After" in answer.headers) == (
        '"generate-tokens";q=10;w=900',
        False,
    )


@pytest.mark.usefixtures("exhausted")
def test_a_refused_request_stores_nothing(client, pixel, contents):
    before = contents()
    client.post(f"/api/v1/pixels/{pixel.id}/generate-tokens", json={"emails": ["bob@example.com"]})
    assert contents() == before


@pytest.mark.usefixtures("exhausted")
def test_another_client_has_an_allowance_of_its_own(ask):
    assert ask("192.0.2.2").status == 201


@pytest.mark.usefixtures("exhausted")
def test_an_unknown_client_has_an_allowance_of_its_own(ask):
    assert [ask("").status for _ in range(11)] == [201] * 10 + [429]


@pytest.mark.usefixtures("exhausted")
def test_the_limit_is_for_all_pixels_together(client, tracker):
    other = tracker.create_pixel("Autumn")
    answer = client.post(f"/api/v1/pixels/{other.id}/generate-tokens", json={"emails": ["ann@example.org"]})
    assert answer.status == 429


@pytest.mark.usefixtures("exhausted")
@pytest.mark.parametrize(
    "path",
    ["/api/v1/pixels/{0.id}/generate-tokens/csv", "/api/v1/pixels/{0.id}", "/tracker/{0.short_id}.png", "/logs/{0.id}"],
)
def test_nothing_else_is_limited(client, pixel, path):
    assert client.get(path.format(pixel)).status == 200


@pytest.mark.parametrize(
    ("key", "request_"),
    [
        pytest.param("{0.id}", {"data": b"no JSON", "content_type": "application/json"}, id="400 body"),
        pytest.param("{0.id}", {"json": {"emails": ["bad"]}}, id="400 address"),
        pytest.param("00000000", {"json": {"emails": ["ann@example.org"]}}, id="404"),
        pytest.param("{0.id}", {"json": {}, "without": ("CONTENT_LENGTH",)}, id="411"),
        pytest.param("{0.id}", {"json": {}, "environ": {"CONTENT_LENGTH": "9" * 12}}, id="413"),
        pytest.param("{0.id}", {"data": b"{}", "content_type": "text/plain"}, id="415"),
    ],
)
def test_a_request_counts_whatever_its_outcome(client, ask, pixel, key, request_):
    for _ in range(10):
        answer = client.post(f"/api/v1/pixels/{key.format(pixel)}/generate-tokens", **request_)
        assert 400 <= answer.status < 429
    assert ask().status == 429


def test_addresses_of_one_ipv6_network_are_one_client(ask):
    answers = [ask(f"2001:db8:0:1::{number:x}").status for number in range(1, 12)]
    assert answers == [201] * 10 + [429]


def test_addresses_of_different_ipv6_networks_are_different_clients(ask):
    assert [ask(f"2001:db8:0:{number:x}::1").status for number in range(1, 12)] == [201] * 11


def test_neighbours_in_ipv4_are_different_clients(ask):
    assert [ask(f"192.0.2.{number}").status for number in range(1, 12)] == [201] * 11


def test_ipv4_written_as_ipv6_is_the_same_client(ask):
    answers = [ask("192.0.2.1" if number % 2 else "::ffff:192.0.2.1").status for number in range(11)]
    assert answers == [201] * 10 + [429]


def test_a_rotated_forwarded_address_makes_no_new_client(ask):
    answers = [ask(X_Forwarded_For=f"203.0.113.{number}").status for number in range(11)]
    assert answers == [201] * 10 + [429]


def test_behind_a_proxy_what_the_client_claims_makes_no_new_client(make_client, ask):
    client = make_client(trusted_proxies=1)
    claims = [f"203.0.113.{number}, 198.51.100.1" for number in range(11)]
    assert [ask(client=client, X_Forwarded_For=claim).status for claim in claims] == [201] * 10 + [429]


def test_behind_a_proxy_each_client_has_an_allowance_of_its_own(make_client, ask):
    client = make_client(trusted_proxies=1)
    answers = [ask(client=client, X_Forwarded_For=f"203.0.113.{number}").status for number in range(11)]
    assert answers == [201] * 11


def test_of_200_parallel_requests_exactly_10_are_granted(ask):
    barrier = threading.Barrier(200)
    statuses = []

    def run():
        barrier.wait()
        statuses.append(ask().status)

    threads = [threading.Thread(target=run) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(statuses) == {201: 10, 429: 190}


@pytest.fixture
def seconds(monkeypatch, make_client, ask):
    """Makes a client with a clock of its own; sets that clock, and tells the status."""
    now = 1000.0
    monkeypatch.setattr(limiter, "SQLiteWindows", partial(SQLiteWindows, clock=lambda: now))
    client = make_client()


def test_a_request_is_granted_again_when_15_minutes_have_passed(ask, seconds):
    for _ in range(10):
        ask()
    seconds(899)
    before = ask().status
    seconds(901)
    assert (before, ask().status) == (429, 201)


def test_the_window_moves_with_each_request(ask, seconds):
    for number in range(10):
        seconds(number * 60)
        ask()
    seconds(901)
    assert [ask().status for _ in range(2)] == [201, 429]


def test_retry_after_is_when_a_request_is_granted_again(ask, seconds):
    for number in range(10):
        seconds(number * 60)
        ask()
    wait = int(ask().headers["Retry-After"])
    seconds(9 * 60 + wait + 1)
    assert (wait, ask().status) == (6 * 60, 201)

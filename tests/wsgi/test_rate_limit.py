"""The limit on requests for tokens, 10 in any 15 minutes unless set otherwise, for each client."""

import re
import threading
from collections import Counter
from functools import partial

import pytest

from mailtrack import InvalidSetting
from mailtrack_wsgi._rate_limit import limiter
from mailtrack_wsgi._rate_limit.sqlite import SQLiteWindows

MESSAGE = "Too many requests. Maximum 10 requests per 15 minutes"


@pytest.fixture
def ask(client, pixel):
    """Asks for tokens and returns the status."""

    def generate(address="192.0.2.1", client=client, key=None, **headers):
        return client.post(
            f"/api/v1/pixels/{pixel.id}/generate-tokens",
            json={"emails": ["ann@example.org"]},
            address=address,
            environ={} if key is None else {"mailtrack.key": key},
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


@pytest.mark.each_storage
def test_of_200_parallel_requests_exactly_10_are_granted(make_client, ask):
    client = make_client(max_slow=200)
    barrier = threading.Barrier(200)
    statuses = []

    def run():
        barrier.wait()
        statuses.append(ask(client=client).status)

    threads = [threading.Thread(target=run) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(statuses) == {201: 10, 429: 190}


@pytest.fixture
def timed(monkeypatch, make_client, ask):
    """Asks so many seconds after the start."""
    clock = [0.0]
    monkeypatch.setattr(limiter, "SQLiteWindows", partial(SQLiteWindows, clock=lambda: clock[0]))
    client = make_client()

    def at(seconds):
        clock[0] = 1000.0 + seconds
        return ask(client=client)

    return at


def test_a_request_is_granted_again_when_15_minutes_have_passed(timed):
    for _ in range(10):
        timed(0)
    assert [timed(899).status, timed(901).status] == [429, 201]


def test_the_window_moves_with_each_request(timed):
    for number in range(10):
        timed(number * 60)
    assert [timed(901).status for _ in range(2)] == [201, 429]


def test_retry_after_is_when_a_request_is_granted_again(timed):
    for number in range(10):
        timed(number * 60)
    wait = int(timed(9 * 60).headers["Retry-After"])
    assert (wait, timed(9 * 60 + wait + 1).status) == (6 * 60, 201)


def test_requests_with_a_key_are_counted_by_the_key(ask):
    answers = [ask(f"192.0.2.{number}", key="ours").status for number in range(11)]
    assert answers == [201] * 10 + [429]


@pytest.mark.usefixtures("exhausted")
def test_a_key_has_an_allowance_of_its_own_wherever_it_is_used(ask):
    assert [ask(key="ours").status, ask(key="theirs").status] == [201, 201]


def test_a_key_that_is_sent_is_the_client(make_client, ask):
    client = make_client(api_keys=["ours", "theirs"])
    answers = [ask(f"192.0.2.{number}", client, X_API_Key="ours").status for number in range(11)]
    assert (answers, ask(client=client, X_API_Key="theirs").status) == ([201] * 10 + [429], 201)


def test_a_key_that_looks_like_an_address_is_none(ask):
    for _ in range(10):
        ask(key="192.0.2.1")
    assert ask("192.0.2.1").status == 201


@pytest.mark.parametrize("storage", ["sqlite"], indirect=True)
class TestBesideADatabase:
    def test_all_applications_count_together(self, make_client, ask):
        clients = [make_client() for _ in range(4)]
        answers = [ask(client=clients[number % 4]).status for number in range(12)]
        assert answers == [201] * 10 + [429] * 2

    def test_the_counts_are_in_a_file_beside_the_database(self, ask, tmp_path):
        ask()
        assert (tmp_path / "mailtrack.db.limits").exists()

    def test_the_file_is_made_by_the_first_request(self, make_client, tmp_path):
        make_client()
        assert not (tmp_path / "mailtrack.db.limits").exists()

    def test_a_request_that_can_not_be_counted_is_refused_and_stores_nothing(self, client, ask, contents, tmp_path):
        (tmp_path / "mailtrack.db.limits").mkdir()
        before = contents()
        answer = ask()
        assert (answer.status, list(answer.json), answer.headers["Retry-After"]) == (503, ["error"], "1")
        assert (contents() == before, client.get("/readyz").status) == (True, 200)

    def test_memory_can_be_asked_for(self, make_client, ask, tmp_path):
        clients = [make_client(rate_limit_storage="memory://") for _ in range(2)]
        answers = [ask(client=client).status for client in clients for _ in range(11)]
        assert answers == ([201] * 10 + [429]) * 2
        assert not (tmp_path / "mailtrack.db.limits").exists()


def test_another_file_can_be_asked_for(make_client, ask, tmp_path):
    clients = [make_client(rate_limit_storage=f"sqlite:///{tmp_path}/other") for _ in range(2)]
    answers = [ask(client=client).status for client in clients for _ in range(6)]
    assert answers == [201] * 10 + [429] * 2
    assert (tmp_path / "other").exists()


def ask_twelve_times(ask, client):
    answers = [ask(client=client) for _ in range(12)]
    return Counter(answer.status for answer in answers), answers[-1]


class TestAnotherLimit:
    """`create_app(token_limit=...)`."""

    @pytest.mark.parametrize(
        ("limit", "granted", "text", "policy"),
        [
            ("3/minute", 3, "3 requests per minute", "q=3;w=60"),
            ("1 per 2 hours", 1, "1 request per 2 hours", "q=1;w=7200"),
            ("10/15minutes", 10, "10 requests per 15 minutes", "q=10;w=900"),
        ],
    )
    def test_text_and_headers_of_a_refusal_follow_it(self, make_client, ask, limit, granted, text, policy):
        statuses, last = ask_twelve_times(ask, make_client(token_limit=limit))
        assert statuses == {201: granted, 429: 12 - granted}
        assert last.json == {"error": f"Too many requests. Maximum {text}"}
        assert last.headers["RateLimit-Policy"] == f'"generate-tokens";{policy}'

    def test_none_switches_it_off(self, make_client, ask, tmp_path):
        statuses, last = ask_twelve_times(ask, make_client(token_limit=None))
        assert (statuses, [name for name, _ in last.headers if name.startswith("RateLimit")]) == ({201: 12}, [])
        assert list(tmp_path.glob("*.limits")) == []

    @pytest.mark.parametrize(("limit", "text"), [("2/hour", "2 requests per hour"), (None, "")])
    def test_the_reference_of_the_api_follows_it(self, make_client, limit, text):
        client = make_client(token_limit=limit)
        document, page = client.get("/api/v1/openapi.json").json, client.get("/docs").text
        operation = document["paths"]["/api/v1/pixels/{pixel}/generate-tokens"]["post"]
        assert ("429" in operation["responses"], "TooManyRequests" in document["components"]["responses"]) == (
            bool(limit),
            bool(limit),
        )
        assert ("RateLimit" in operation["responses"]["201"].get("headers", {})) == bool(limit)
        assert (f"A client may make {text}." in page, "429" in page) == (bool(limit), bool(limit))

    def test_the_recipients_page_follows_it(self, make_client, pixel):
        client = make_client(token_limit="1/hour")
        path, form = f"/pixels/{pixel.id}/recipients", {"emails": "ann@example.org"}
        first, second = client.post(path, data=form), client.post(path, data=form)
        assert (first.status, second.status) == (303, 429)
        assert "Recipients can be added 1 time per hour." in second.text
        assert [make_client(token_limit=None).post(path, data=form).status for _ in range(11)] == [303] * 11

    @pytest.mark.parametrize("storage", ["sqlite"], indirect=True)
    def test_each_limit_counts_for_itself_where_they_share_a_file(self, make_client, ask):
        many, few = make_client(token_limit="5/hour"), make_client(token_limit="1/second")
        assert [ask(client=client).status for client in (many, few, few, many)] == [201, 201, 429, 201]

    @pytest.mark.parametrize(
        "limit",
        [
            *("", "off", "10", "10/15", "0/minute", "-1/minute", "10/fortnight", "1/second;5/minute", "2000000/hour"),
            *("1/2years", "1/99999999999999999999years", 10, b"10/minute"),
        ],
    )
    def test_one_that_can_not_be_used_is_reported_when_the_application_is_made(self, make_client, limit):
        with pytest.raises(InvalidSetting, match="token_limit: must be a number of requests and a time"):
            make_client(token_limit=limit)


@pytest.mark.parametrize(
    "url", ["", "memory", "sqlite://", "sqlite:///", "sqlite:///a\0b", "mongodb://localhost", "redis://localhost:port"]
)
def test_an_unusable_place_to_count_is_told_when_the_application_is_made(make_client, url):
    with pytest.raises(InvalidSetting, match="rate_limit_storage"):
        make_client(rate_limit_storage=url)

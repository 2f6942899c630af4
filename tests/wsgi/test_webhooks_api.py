"""`/api/v1/webhooks`: to add, list, change, test, replay and delete webhooks."""

import http.server
import json
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

PATH = "/api/v1/webhooks"
URL = "https://crm.example.org/mailtrack?tenant=7"
SHOWN = {"id", "url", "first", "kinds", "pixels", "enabled", "disabledReason", "failingSince", "createdAt"}
UNKNOWN = "0" * 16

each_storage = pytest.mark.each_storage


@pytest.fixture
def hook(client):
    """A webhook, as it is shown once."""
    answer = client.post(PATH, json={"url": URL})
    assert answer.status == 201
    return answer.json


@pytest.fixture
def path(hook):
    return f"{PATH}/{hook['id']}"


@contextmanager
def receiving(status):
    """Run an endpoint that answers with a status, and yield its URL and the requests that it gets."""
    requests = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            requests.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/in", requests
        finally:
            server.shutdown()
            thread.join()


@each_storage
def test_a_webhook_is_added_and_its_secret_is_shown_this_once(client, tracker, hook, path):
    assert set(hook) == SHOWN | {"secret"}
    assert hook["secret"].startswith("whsec_")
    assert (hook["url"], hook["first"], hook["kinds"], hook["pixels"]) == (URL, "firstCounted", None, None)
    assert (hook["enabled"], hook["disabledReason"], hook["failingSince"]) == (True, None, None)
    shown = {name: value for name, value in hook.items() if name != "secret"}
    assert client.get(PATH).json == {"items": [shown], "next": None}
    assert client.get(path).json == shown
    assert tracker.webhooks.get(hook["id"]).secret == hook["secret"]


@each_storage
def test_its_filters_are_kept_with_the_ids_of_the_pixels(client, pixel):
    given = {"url": URL, "first": "any", "kinds": ["scanner", "human"], "pixels": [pixel.short_id.upper()]}
    answer = client.post(PATH, json=given)
    assert answer.status == 201
    assert answer.json["first"] == "any"
    assert sorted(answer.json["kinds"]) == ["human", "scanner"]
    assert answer.json["pixels"] == [pixel.id]


@pytest.fixture
def made(client):
    """The ids of five webhooks, the newest first."""
    ids = [client.post(PATH, json={"url": f"https://example.org/{number}"}).json["id"] for number in range(5)]
    return ids[::-1]


def test_the_list_is_newest_first(client, made):
    assert [one["id"] for one in client.get(PATH).json["items"]] == made


@pytest.mark.parametrize("limit", [1, 2, 5, 1000])
def test_the_list_comes_in_pages(client, made, limit):
    found, cursor = [], ""
    while cursor is not None:
        page = client.get(f"{PATH}?limit={limit}{cursor and f'&cursor={cursor}'}").json
        assert 0 < len(page["items"]) <= limit
        found += [one["id"] for one in page["items"]]
        cursor = page["next"]
    assert found == made


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=x",
        "cursor=",
        "cursor=x",
        "cursor=-1",
        "cursor=1&cursor=1",
        "cursor=1234567890123456789",
    ],
)
def test_a_page_of_the_list_that_can_not_be_is_refused(client, query):
    assert client.get(f"{PATH}?{query}").status == 400


BAD_SETTINGS = {
    "url of another type": {"url": 5},
    "url null": {"url": None},
    "url empty": {"url": ""},
    "url without a scheme": {"url": "crm.example.org/mailtrack"},
    "url of another scheme": {"url": "ftp://crm.example.org/"},
    "url without a host": {"url": "https:///mailtrack"},
    "loopback": {"url": "http://127.0.0.1/"},
    "loopback as a number": {"url": "http://2130706433/"},
    "loopback, IPv6": {"url": "http://[::1]/"},
    "IPv4 in IPv6": {"url": "http://[::ffff:10.0.0.1]/"},
    "link-local": {"url": "http://169.254.169.254/latest/meta-data"},
    "private": {"url": "https://192.168.1.1/"},
    "bad port": {"url": "https://crm.example.org:99999/"},
    "unknown first": {"url": URL, "first": "last"},
    "first of another type": {"url": URL, "first": ["any"]},
    "first null": {"url": URL, "first": None},
    "kinds as a text": {"url": URL, "kinds": "human"},
    "no kinds": {"url": URL, "kinds": []},
    "unknown kind": {"url": URL, "kinds": ["person"]},
    "kinds of another type": {"url": URL, "kinds": [["human"]]},
    "pixels as a text": {"url": URL, "pixels": "a1b2c3d4"},
    "no pixels": {"url": URL, "pixels": []},
    "unknown pixel": {"url": URL, "pixels": ["00000000"]},
    "too many pixels": {"url": URL, "pixels": ["00000000"] * 1001},
    "pixels of another type": {"url": URL, "pixels": [5]},
    "another key": {"url": URL, "kind": "human"},
    "a secret of one's own": {"url": URL, "secret": "whsec_AAAA"},
}
bad_settings = pytest.mark.parametrize("given", BAD_SETTINGS.values(), ids=BAD_SETTINGS)


@bad_settings
def test_what_can_not_be_added_is_refused_with_the_reason(client, given):
    answer = client.post(PATH, json=given)
    assert answer.status == 400
    assert len(answer.json["error"]) > 10
    assert client.get(PATH).json["items"] == []


def test_a_webhook_needs_a_url(client):
    assert client.post(PATH, json={"first": "any"}).json == {"error": "url is required."}


@bad_settings
def test_what_can_not_be_changed_is_refused_and_changes_nothing(client, path, given):
    before = client.get(path).json
    assert client("PATCH", path, json=given).status == 400
    assert client.get(path).json == before


@pytest.mark.parametrize("given", [{}, {"enabled": "no"}, {"enabled": None}, {"enabled": 1}, {"id": UNKNOWN}])
def test_other_changes_are_refused(client, path, given):
    before = client.get(path).json
    assert client("PATCH", path, json=given).status == 400
    assert client.get(path).json == before


@each_storage
def test_each_setting_can_be_changed(client, path, pixel):
    before = client.get(path).json
    changes = {
        "url": "https://example.org/new",
        "first": "any",
        "kinds": ["human"],
        "pixels": [pixel.id],
        "enabled": False,
    }
    for name, value in changes.items():
        assert client("PATCH", path, json={name: value}).json[name] == value
    assert client.get(path).json == before | changes
    both = client("PATCH", path, json={"kinds": None, "pixels": None, "enabled": True}).json
    assert (both["kinds"], both["pixels"], both["enabled"]) == (None, None, True)


@each_storage
def test_a_webhook_is_deleted(client, path):
    answer = client.delete(path)
    assert answer.json == {"success": True, "message": "Webhook deleted successfully"}
    assert client.get(path).json == {"error": "Webhook not found"}
    assert client.get(PATH).json["items"] == []


@each_storage
def test_the_secret_is_rotated_and_shown_this_once(client, tracker, hook, path):
    answer = client.post(f"{path}/rotate")
    assert (answer.status, set(answer.json)) == (200, SHOWN | {"secret"})
    assert answer.json["secret"] not in (hook["secret"], None)
    found = tracker.webhooks.get(hook["id"])
    assert (found.secret, found.former_secret) == (answer.json["secret"], hook["secret"])
    assert "secret" not in client.get(path).json


@pytest.mark.parametrize(
    ("method", "rest", "body"),
    [
        ("GET", "", None),
        ("PATCH", "", {"enabled": True}),
        ("DELETE", "", None),
        ("POST", "/rotate", None),
        ("POST", "/test", None),
        ("GET", "/deliveries", None),
        ("POST", "/replay", {"since": "2025-11-06T12:00:00Z"}),
    ],
)
@pytest.mark.parametrize("webhook", [UNKNOWN, "x", "0" * 300, "%00", "{0}"])
@each_storage
def test_an_unknown_webhook_is_not_found(client, hook, method, rest, body, webhook):
    answer = client(method, f"{PATH}/{webhook.format(hook['id'].upper() + 'a')}{rest}", json=body)
    assert (answer.status, answer.json) == (404, {"error": "Webhook not found"})


@pytest.mark.parametrize("query", ["state=sent", "state=", "limit=0", "limit=1001", "limit=x", "cursor=nonsense"])
@each_storage
def test_a_bad_query_of_deliveries_is_refused(client, path, query):
    assert client.get(f"{path}/deliveries?{query}").status == 400


@each_storage
def test_without_deliveries_the_list_is_empty(client, path):
    for query in ("", "?state=pending", "?state=delivered&limit=1", "?state=failed"):
        assert client.get(f"{path}/deliveries{query}").json == {"items": [], "next": None}


@each_storage
def test_a_replay_is_accepted(client, tracker, hook, path):
    since = tracker.now() - timedelta(hours=1)
    answer = client.post(f"{path}/replay", json={"since": since.isoformat()})
    assert (answer.status, answer.json) == (202, client.get(path).json)
    assert tracker.webhooks.get(hook["id"]).replay_since == since


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"since": None},
        {"since": 5},
        {"since": "yesterday"},
        {"since": "2025-11-06T12:00:00"},
        {"since": "9999-12-31T23:59:59-23:59"},
        {"since": "2125-11-06T12:00:00Z"},
        {"since": "2025-11-06T12:00:00Z", "until": "2025-11-06T13:00:00Z"},
    ],
)
def test_a_replay_since_no_time_or_a_future_one_is_refused(client, tracker, hook, path, given):
    assert client.post(f"{path}/replay", json=given).status == 400
    assert tracker.webhooks.get(hook["id"]).replay_since is None


@pytest.mark.parametrize(("status", "state"), [(204, "delivered"), (500, "failed"), (302, "failed")])
def test_a_test_sends_an_event_and_returns_what_became_of_it(make_client, status, state):
    client = make_client(webhook_allow=["127.0.0.0/8"], clock=lambda: datetime.now(UTC))
    with receiving(status) as (url, requests):
        hook = client.post(PATH, json={"url": url}).json
        answer = client.post(f"{PATH}/{hook['id']}/test")
    ((headers, body),) = requests
    assert answer.status == 200
    assert (answer.json["state"], answer.json["lastStatus"], answer.json["tries"]) == (state, status, 1)
    assert (answer.json["id"], answer.json["nextTryAt"]) == (None, None)
    assert (answer.json["error"] is None) is (state == "delivered")
    sent = {name.lower(): value for name, value in headers.items()}
    assert sent["webhook-id"] == answer.json["eventId"] == json.loads(body)["id"]
    assert client.get(f"{PATH}/{hook['id']}/deliveries").json["items"] == []


def test_a_test_of_an_endpoint_that_is_away_says_why(make_client):
    client = make_client(webhook_allow=["127.0.0.0/8"], clock=lambda: datetime.now(UTC))
    with receiving(204) as (url, _):
        pass
    hook = client.post(PATH, json={"url": url}).json
    answer = client.post(f"{PATH}/{hook['id']}/test")
    assert (answer.status, answer.json["state"], answer.json["lastStatus"]) == (200, "failed", None)
    assert answer.json["error"]


def test_an_address_that_is_not_public_is_taken_only_where_it_is_allowed(make_client):
    given = {"url": "http://127.0.0.1:9/"}
    assert make_client().post(PATH, json=given).status == 400
    assert make_client(webhook_allow=["127.0.0.0/8"]).post(PATH, json=given).status == 201


class Bare:
    """A storage of a third party, which has no webhooks."""

    def __init__(self, storage):
        self._storage = storage

    def __getattr__(self, name):
        if "webhook" in name or "deliver" in name or name == "fill_outbox":
            raise AttributeError(name)
        return getattr(self._storage, name)


@pytest.mark.parametrize(
    ("method", "rest", "body"),
    [
        ("GET", "", None),
        ("POST", "", {"url": URL}),
        ("GET", f"/{UNKNOWN}", None),
        ("PATCH", f"/{UNKNOWN}", {"enabled": True}),
        ("DELETE", f"/{UNKNOWN}", None),
        ("POST", f"/{UNKNOWN}/rotate", None),
        ("POST", f"/{UNKNOWN}/test", None),
        ("GET", f"/{UNKNOWN}/deliveries", None),
        ("POST", f"/{UNKNOWN}/replay", {"since": "2025-11-06T12:00:00Z"}),
    ],
)
def test_a_storage_without_webhooks_is_answered_so(make_client, storage, method, rest, body):
    client = make_client(storage=Bare(storage))
    answer = client(method, f"{PATH}{rest}", json=body)
    assert (answer.status, answer.json) == (501, {"error": "This storage does not support webhooks."})
    assert client.get("/").status == 200  # the dashboard does not need them
    assert client.get("/webhooks").status == 501


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded"])
def test_a_body_is_json(client, media_type):
    assert client.post(PATH, data=json.dumps({"url": URL}), content_type=media_type).status == 415

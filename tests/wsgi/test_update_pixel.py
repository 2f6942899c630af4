"""`PATCH /api/v1/pixels/<pixel>`, and the archive."""

import json

import pytest

pytestmark = pytest.mark.each_storage


@pytest.fixture
def patch(client, pixel):
    """Sends a body as JSON to the pixel's route."""

    def send(body, key=pixel.id, **more):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        options = {"data": data, "content_type": "application/json"} | more
        return client("PATCH", f"/api/v1/pixels/{key}", **options)

    return send


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({"name": "Autumn"}, {"name": "Autumn"}),
        ({"name": " Grüße \U0001f600 "}, {"name": "Grüße \U0001f600"}),
        ({"archived": True}, {"archived": True}),
        ({"note": "Two\r\nlines"}, {"note": "Two\nlines"}),
        (
            {"name": "Autumn", "archived": True, "note": "x" * 2000},
            {"name": "Autumn", "archived": True, "note": "x" * 2000},
        ),
    ],
    ids=str,
)
def test_what_is_given_is_changed_and_the_rest_stays(client, patch, pixel, change, shown):
    before = client.get(f"/api/v1/pixels/{pixel.id}").json
    answer = patch(change)
    assert (answer.status, answer.json) == (200, before | shown)
    assert client.get(f"/api/v1/pixels/{pixel.id}").json == answer.json


def test_a_new_pixel_is_not_archived_and_has_no_note(client):
    made = client.post("/api/v1/pixels", json={"name": "Spring"}).json
    assert (made["archived"], made["note"]) == (False, "")


def test_the_pixel_is_named_by_its_short_id_too(patch, pixel):
    assert patch({"name": "Autumn"}, key=pixel.short_id.upper()).json["id"] == pixel.id


def test_an_archived_pixel_is_listed_with_the_archived_ones_only_and_comes_back(client, patch, tracker, pixel):
    other = tracker.create_pixel("Autumn")

    def listed(query=""):
        return [one["id"] for one in client.get(f"/api/v1/pixels{query}").json["items"]]

    patch({"archived": True})
    assert (listed(), listed("?archived=false"), listed("?archived=true")) == ([other.id], [other.id], [pixel.id])
    patch({"archived": False})
    assert (listed(), listed("?archived=true")) == ([other.id, pixel.id], [])


@pytest.mark.parametrize("query", ["archived=", "archived=1", "archived=TRUE", "archived=true&archived=true"])
def test_archived_is_true_or_false(client, query):
    assert client.get(f"/api/v1/pixels?{query}").status == 400


def test_an_archived_pixel_goes_on_tracking(client, patch, pixel, recipient, opens):
    patch({"archived": True})
    client.get(f"/tracker/{pixel.short_id}.png?token={recipient.token}")
    assert [one.recipient_id for one in opens()] == [recipient.id]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"nmae": "Autumn"},
        {"name": "Autumn", "id": "x"},
        {"name": ""},
        {"name": " \t"},
        {"name": "a\nb"},
        {"name": "x" * 257},
        {"name": "\ud800"},
        {"name": None},
        {"name": 1},
        {"archived": None},
        {"archived": "true"},
        {"archived": 1},
        {"note": None},
        {"note": "x" * 2001},
        {"note": "a\0b"},
        {"name": "Autumn", "archived": "no"},
        {"name": "Autumn", "note": "\x1b"},
        [],
        b"{",
    ],
    ids=repr,
)
def test_anything_else_is_refused_and_changes_nothing(client, patch, pixel, body):
    before = client.get(f"/api/v1/pixels/{pixel.id}").json
    answer = patch(body)
    assert (answer.status, list(answer.json)) == (400, ["error"])
    assert client.get(f"/api/v1/pixels/{pixel.id}").json == before


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"key": "00000000"}, 404),
        ({"key": "x"}, 404),
        ({"content_type": "text/plain"}, 415),
        ({"content_type": "application/x-www-form-urlencoded"}, 415),
        ({"headers": {"Sec-Fetch-Site": "cross-site"}}, 403),
        ({"headers": {"Origin": "https://evil.example.com"}}, 403),
    ],
    ids=str,
)
def test_it_is_refused_where_the_request_is_no_good(client, patch, pixel, options, status):
    assert patch({"name": "Autumn"}, **options).status == status
    assert client.get(f"/api/v1/pixels/{pixel.id}").json["name"] == "Spring launch"


def test_the_body_may_begin_with_a_byte_order_mark(patch):
    assert patch(b'\xef\xbb\xbf{"name": "Autumn"}').json["name"] == "Autumn"

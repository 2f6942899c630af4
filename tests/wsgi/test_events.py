"""`GET /api/v1/events`: the feed of all pixels, as a program polls it."""

import pytest

from mailtrack.testing import make_hit

each_storage = pytest.mark.each_storage
EVENTS = "/api/v1/events"


@pytest.fixture
def filled(tracker, thunderbird, robot):
    """Two pixels, and the opens of Ann: a machine's, hers, hers again; and one without a recipient."""
    first, second = tracker.create_pixel("Spring"), tracker.create_pixel("Autumn")
    ann, *_ = tracker.generate_tokens(first, ["ann@example.org", "bob@example.org"])
    for program in (robot, thunderbird, thunderbird):
        tracker.record(first.id, token=ann.token, user_agent=program)
    tracker.record(second.id, user_agent=thunderbird)
    return ann


def follow(client, limit=2):
    """Returns all events, asked for page by page, and the cursor behind them."""
    items, query = [], ""
    while True:
        answer = client.get(f"{EVENTS}?limit={limit}{query}")
        assert (answer.status, list(answer.json)) == (200, ["items", "next"])
        if not answer.json["items"]:
            return items, answer.json["next"]
        items += answer.json["items"]
        query = f"&after={answer.json['next']}"


@each_storage
def test_an_event_has_the_documented_fields(client, tracker, filled):
    pixel = tracker.get_pixel(filled.pixel_id)
    (shown,) = client.get(f"/api/v1/pixels/{pixel.id}/opens?limit=1&kind=bot").json["items"]
    (event,) = client.get(f"{EVENTS}?limit=1").json["items"]
    assert event == {
        "id": f"evt_{shown['id']}",
        "type": "open",
        "timestamp": shown["openedAt"],
        "data": {
            "pixel": {"id": pixel.id, "name": "Spring"},
            "recipient": {"id": filled.id, "email": "ann@example.org", "ref": None, "data": None},
            "open": shown,
            "first": True,
            "firstCounted": False,
        },
    }


@each_storage
@pytest.mark.usefixtures("filled")
def test_events_come_oldest_first_over_all_pixels(client):
    events, _ = follow(client)
    data = [event["data"] for event in events]
    assert [one["pixel"]["name"] for one in data] == ["Spring", "Spring", "Spring", "Autumn"]
    assert [one["first"] for one in data] == [True, False, False, False]
    assert [one["firstCounted"] for one in data] == [False, True, False, False]
    assert [one["recipient"] and one["recipient"]["email"] for one in data] == ["ann@example.org"] * 3 + [None]
    assert len({event["id"] for event in events}) == 4


@each_storage
def test_next_is_always_a_cursor_from_which_later_events_are_found(client, tracker, filled, thunderbird):
    assert isinstance(client.get(EVENTS).json["next"], str)
    _, end = follow(client)
    assert client.get(f"{EVENTS}?after={end}").json == {"items": [], "next": end}
    tracker.record(filled.pixel_id, user_agent=thunderbird)
    assert len(client.get(f"{EVENTS}?after={end}").json["items"]) == 1


@each_storage
def test_an_empty_feed_has_a_cursor_too(client, tracker, pixel):
    answer = client.get(EVENTS).json
    assert answer["items"] == []
    tracker.record(pixel.id)
    assert len(client.get(f"{EVENTS}?after={answer['next']}").json["items"]) == 1


@each_storage
def test_a_deleted_recipient_is_null_and_a_purged_open_is_no_event(client, tracker, filled):
    tracker.delete_recipient(filled)
    events, _ = follow(client)
    assert [event["data"]["recipient"] for event in events] == [None] * 4
    assert [event["data"]["open"]["token"] for event in events] == [None] * 4
    tracker.purge(before=tracker.now())
    assert follow(client)[0] == []


BAD_CURSORS = ["", "x", "-1", "%00", "%ff", "9" * 5000, "1&after=1", "1.5e3"]


@each_storage
@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    "query",
    [*(f"after={cursor}" for cursor in BAD_CURSORS), "limit=0", "limit=1001", "limit=x", "limit=1&limit=2"],
    ids=lambda query: query[:12],
)
def test_bad_cursors_and_limits_are_refused(client, query):
    answer = client.get(f"{EVENTS}?{query}")
    assert (answer.status, list(answer.json)) == (400, ["error"])


def test_50_events_come_where_no_limit_is_given(client, tracker, pixel):
    tracker.store([make_hit(pixel, at=tracker.now()) for _ in range(60)])
    assert len(client.get(EVENTS).json["items"]) == 50
    assert len(client.get(f"{EVENTS}?limit=1000").json["items"]) == 60


def test_it_needs_a_key_like_the_rest(make_client):
    client = make_client(api_keys=["secret"])
    assert client.get(EVENTS).status == 401
    assert client.get(EVENTS, headers={"Authorization": "Bearer secret"}).status == 200


def test_only_get_is_allowed(client):
    answer = client.post(EVENTS, json={})
    assert (answer.status, sorted(answer.headers["Allow"].split(", "))) == (405, ["GET", "HEAD"])

"""The API's lists of pixels, recipients and opens, and one pixel by itself."""

import attrs
import pytest

from mailtrack.testing import make_hit

each_storage = pytest.mark.each_storage

COUNT = 60  # more than a page has by default


@pytest.fixture
def filled(tracker, thunderbird):
    """A pixel with as many recipients, of whom the first 55 opened once, one after another."""
    pixel = tracker.create_pixel("Spring")
    recipients = tracker.generate_tokens(pixel.id, [f"reader{number}@example.org" for number in range(COUNT)])
    hits = (make_hit(pixel, token=recipient.token, at=tracker.now()) for recipient in recipients[:55])
    tracker.store([attrs.evolve(hit, user_agent=thunderbird, referer="") for hit in hits])
    return pixel


@pytest.fixture
def crowd(tracker):
    return [tracker.create_pixel(f"#{number}") for number in range(COUNT)]


def walk(client, path, query=""):
    """All items of a list, asked for part by part."""
    items, cursor = [], ""
    while cursor is not None:
        answer = client.get(f"{path}?{query}{cursor and f'&cursor={cursor}'}")
        assert list(answer.json) == ["items", "next"]
        items += answer.json["items"]
        cursor = answer.json["next"]
    return items


@each_storage
def test_a_pixel_has_the_documented_fields(client, filled):
    answer = client.get(f"/api/v1/pixels/{filled.id}")
    assert answer.status == 200
    assert answer.json == {
        "id": filled.id,
        "name": "Spring",
        "createdAt": "2025-11-06T12:00:00.000Z",
        "imagePath": None,
        "archived": False,
        "note": "",
        "recipients": COUNT,
        "opens": answer.json["opens"],
        "counted": answer.json["opens"],
        "views": 55,
        "countedViews": 55,
        "opened": 55,
        "openedRaw": 55,
        "prefetched": 0,
        "trackingUrl": f"http://mail.example.com/track/tracker/{filled.short_id}.png",
        "logsUrl": f"http://mail.example.com/track/logs/{filled.short_id}",
    }


@each_storage
def test_a_pixel_has_the_span_of_its_opens(client, filled):
    opens = client.get(f"/api/v1/pixels/{filled.short_id}").json["opens"]
    assert opens == {"number": 55, "first": "2025-11-06T12:00:02.000Z", "last": "2025-11-06T12:00:56.000Z"}


@each_storage
@pytest.mark.parametrize("key", ["00000000", "00000000-0000-4000-8000-000000000000", "x"])
@pytest.mark.parametrize("what", ["", "/recipients", "/opens"])
def test_an_unknown_pixel_is_not_found(client, key, what):
    answer = client.get(f"/api/v1/pixels/{key}{what}")
    assert (answer.status, answer.json) == (404, {"error": "Pixel not found"})


@each_storage
def test_a_list_without_items_is_empty(client):
    assert client.get("/api/v1/pixels").json == {"items": [], "next": None}


@each_storage
def test_pixels_come_newest_first(client, crowd):
    names = [pixel["name"] for pixel in walk(client, "/api/v1/pixels", "limit=7")]
    assert names == [pixel.name for pixel in reversed(crowd)]


@each_storage
def test_a_pixel_in_the_list_is_the_pixel_by_itself(client, filled):
    assert client.get("/api/v1/pixels").json["items"] == [client.get(f"/api/v1/pixels/{filled.id}").json]


@each_storage
def test_pixels_are_found_by_a_part_of_their_name(client, crowd):
    names = [pixel["name"] for pixel in walk(client, "/api/v1/pixels", "limit=7&search=%235")]
    assert names == [pixel.name for pixel in reversed(crowd) if "#5" in pixel.name]


@each_storage
def test_a_recipient_by_itself_is_the_one_of_the_list_with_its_pixel(client, filled):
    (listed,) = client.get(f"/api/v1/pixels/{filled.id}/recipients?limit=1").json["items"]
    answer = client.get(f"/api/v1/recipients/{listed['id']}")
    assert (answer.status, answer.json) == (200, listed | {"pixelId": filled.id, "pixelName": "Spring"})


@each_storage
@pytest.mark.parametrize("key", ["0" * 24, "x"])
def test_an_unknown_recipient_is_not_found(client, key):
    answer = client.get(f"/api/v1/recipients/{key}")
    assert (answer.status, answer.json) == (404, {"error": "Recipient not found"})


@each_storage
def test_recipients_come_in_order_of_creation(client, filled):
    emails = [recipient["email"] for recipient in walk(client, f"/api/v1/pixels/{filled.id}/recipients", "limit=7")]
    assert emails == [f"reader{number}@example.org" for number in range(COUNT)]


@each_storage
def test_a_recipient_has_the_documented_fields(client, tracker, filled):
    stored = next(tracker.iter_recipients(filled.id))
    found = client.get(f"/api/v1/pixels/{filled.id}/recipients").json["items"][0]
    assert found == {
        "id": stored.id,
        "email": "reader0@example.org",
        "ref": None,
        "data": None,
        "token": stored.token,
        "trackingUrl": f"http://mail.example.com/track/tracker/{filled.short_id}.png?token={stored.token}",
        "createdAt": "2025-11-06T12:00:01.000Z",
        "sentAt": None,
        "state": "opened",
        "opens": found["counted"],
        "counted": {"number": 1, "first": "2025-11-06T12:00:02.000Z", "last": "2025-11-06T12:00:02.000Z"},
    }


@each_storage
@pytest.mark.parametrize(("opened", "numbers"), [("true", range(55)), ("false", range(55, COUNT))])
def test_recipients_can_be_asked_for_by_whether_they_opened(client, filled, opened, numbers):
    found = walk(client, f"/api/v1/pixels/{filled.id}/recipients", f"opened={opened}&limit=7")
    assert [recipient["email"] for recipient in found] == [f"reader{number}@example.org" for number in numbers]


@pytest.fixture
def states(tracker, pixel, thunderbird, robot):
    """Four recipients of the pixel, one in each state."""
    names = ("ann", "bob", "cem", "dee")
    recipients = tracker.generate_tokens(pixel.id, [f"{name}@example.org" for name in names])
    for one, user_agent in zip(recipients, (thunderbird, "Mozilla/5.0", robot), strict=False):
        tracker.record(pixel.id, token=one.token, user_agent=user_agent)
    return pixel


@each_storage
def test_a_recipient_has_a_state(client, states):
    found = walk(client, f"/api/v1/pixels/{states.id}/recipients", "limit=3")
    assert [one["state"] for one in found] == ["opened", "prefetched", "scanned", "none"]
    assert client.get(f"/api/v1/pixels/{states.id}").json["prefetched"] == 1


@each_storage
@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("state=opened", "ann"),
        ("state=prefetched", "bob"),
        ("state=scanned,none", "cem dee"),
        ("state=none,scanned,none", "cem dee"),
        ("state=scanned%2Cnone", "cem dee"),
        ("state=prefetched,opened&opened=false", "bob"),
        ("state=none&opened=true", ""),
    ],
)
def test_recipients_can_be_asked_for_by_their_states(client, states, query, names):
    found = walk(client, f"/api/v1/pixels/{states.id}/recipients", f"{query}&limit=1")
    assert " ".join(one["email"].partition("@")[0] for one in found) == names


@pytest.mark.parametrize("query", ["", "read", "Opened", "opened,", "opened, none", "opened&state=none", "%00", "%ff"])
def test_a_state_that_is_none_is_refused_with_the_possible_ones(client, states, query):
    for path in ("recipients", "generate-tokens/csv"):
        answer = client.get(f"/api/v1/pixels/{states.id}/{path}?state={query}")
        assert answer.status == 400
        if query not in ("opened&state=none", "%ff"):
            error = "state must be some of opened, prefetched, scanned, none, separated by commas."
            assert answer.json == {"error": error}


@each_storage
def test_a_recipient_who_never_opened_has_no_times(client, filled):
    found = client.get(f"/api/v1/pixels/{filled.id}/recipients?opened=false").json["items"][0]
    assert found["opens"] == found["counted"] == {"number": 0, "first": None, "last": None}


@each_storage
def test_opens_come_newest_first(client, filled):
    times = [found["openedAt"] for found in walk(client, f"/api/v1/pixels/{filled.id}/opens", "limit=7")]
    assert times == [f"2025-11-06T12:00:{second:02}.000Z" for second in range(56, 1, -1)]


@each_storage
def test_an_open_has_the_documented_fields(client, tracker, filled, thunderbird):
    recipient = list(tracker.iter_recipients(filled.id))[54]
    found = client.get(f"/api/v1/pixels/{filled.id}/opens").json["items"][0]
    assert found == {
        "id": found["id"],
        "recipientId": recipient.id,
        "token": recipient.token,
        "openedAt": "2025-11-06T12:00:56.000Z",
        "ip": "192.0.2.1",
        "userAgent": thunderbird,
        "referer": "",
        "verdict": found["verdict"] | {"kind": "human", "vendor": "Mozilla", "reasons": ["thunderbird"]},
        "client": {"name": "Thunderbird", "version": "128", "os": "Linux", "device": "desktop"},
        "counted": True,
    }


LISTS = pytest.mark.parametrize(
    "path", ["/api/v1/pixels", "/api/v1/pixels/{0.id}/recipients", "/api/v1/pixels/{0.id}/opens"]
)


@each_storage
@LISTS
@pytest.mark.usefixtures("crowd")
def test_a_list_has_50_items_where_no_limit_is_given(client, filled, path):
    answer = client.get(path.format(filled))
    assert (len(answer.json["items"]), answer.json["next"] is None) == (50, False)


@each_storage
@LISTS
@pytest.mark.usefixtures("crowd")
@pytest.mark.parametrize(("limit", "count"), [("1", 1), ("53", 53), ("053", 53)])
def test_a_list_has_as_many_items_as_asked_for(client, filled, path, limit, count):
    assert len(client.get(f"{path.format(filled)}?limit={limit}").json["items"]) == count


@each_storage
@LISTS
def test_a_list_takes_a_limit_of_1000(client, filled, path):
    answer = client.get(f"{path.format(filled)}?limit=1000")
    assert (answer.status, answer.json["next"]) == (200, None)


BAD = ["0", "-1", "1.5", "1_0", "１２", "1" * 5000, "", "x", "%00", "1e1"]


@LISTS
@pytest.mark.parametrize("limit", [*BAD, "1001"], ids=lambda limit: limit[:10] or "empty")
def test_a_bad_limit_is_refused(client, filled, path, limit):
    answer = client.get(f"{path.format(filled)}?limit={limit}")
    assert (answer.status, list(answer.json)) == (400, ["error"])


@each_storage
@LISTS
@pytest.mark.parametrize("cursor", [bad for bad in BAD if bad != "0"], ids=lambda cursor: cursor[:10] or "empty")
def test_a_bad_cursor_is_refused(client, filled, path, cursor):
    answer = client.get(f"{path.format(filled)}?cursor={cursor}")
    assert (answer.status, list(answer.json)) == (400, ["error"])


@LISTS
@pytest.mark.parametrize("query", ["limit=1&limit=1", "limit=1&limit=2", "cursor=1&cursor=1"])
def test_an_argument_given_twice_is_refused(client, filled, path, query):
    answer = client.get(f"{path.format(filled)}?{query}")
    assert (answer.status, list(answer.json)) == (400, ["error"])


@pytest.mark.parametrize("opened", ["", "True", "1", "yes", "true&opened=true"])
def test_opened_is_true_or_false(client, filled, opened):
    answer = client.get(f"/api/v1/pixels/{filled.id}/recipients?opened={opened}")
    assert (answer.status, list(answer.json)) == (400, ["error"])


@LISTS
def test_arguments_that_nobody_knows_are_passed_over(client, filled, path):
    assert client.get(f"{path.format(filled)}?order=desc&_=1").status == 200


@each_storage
@pytest.mark.usefixtures("crowd")
def test_a_list_goes_on_where_it_was_though_pixels_are_added(client, tracker):
    cursor = client.get("/api/v1/pixels?limit=10").json["next"]
    tracker.create_pixel("added meanwhile")
    names = [pixel["name"] for pixel in client.get(f"/api/v1/pixels?limit=2&cursor={cursor}").json["items"]]
    assert names == ["#49", "#48"]


@pytest.mark.parametrize("query", ["cursor=x", "cursor=", "cursor=1&cursor=2"])
def test_the_dashboard_refuses_a_bad_cursor_with_a_page(client, query):
    answer = client.get(f"/?{query}")
    assert (answer.status, answer.is_page) == (400, True)


@each_storage
def test_opens_can_be_asked_for_by_recipient_and_by_verdict(client, tracker, filled):
    (one,) = client.get(f"/api/v1/pixels/{filled.id}/recipients?limit=1").json["items"]
    tracker.record(filled, token=one["token"], user_agent="curl/8.0")
    path = f"/api/v1/pixels/{filled.id}/opens"
    mine = [open_["verdict"]["kind"] for open_ in client.get(f"{path}?recipient={one['id']}").json["items"]]
    assert mine == ["bot", "human"]
    assert len(walk(client, path, "kind=human&limit=7")) == 55
    assert len(walk(client, path, f"kind=human&recipient={one['id']}")) == 1
    assert [walk(client, path, f"recipient={unknown}") for unknown in ("0" * 24, "x", "")] == [[], [], []]


@each_storage
@pytest.mark.parametrize("query", ["kind=", "kind=people", "kind=human&kind=bot", "recipient=a&recipient=b"])
def test_another_kind_and_arguments_given_twice_are_refused(client, filled, query):
    assert client.get(f"/api/v1/pixels/{filled.id}/opens?{query}").status == 400

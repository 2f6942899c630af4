"""One person over all pixels: `GET /api/v1/recipients?email=`."""

import pytest

from mailtrack import NewRecipient, Tracker

pytestmark = pytest.mark.each_storage

ANN, BOB = "ann@example.org", "bob@example.org"


@pytest.fixture
def mails(tracker, pixel):
    """Three recipients of Ann's in two pixels, the newest first, among others."""
    found = tracker.generate_tokens(pixel, [NewRecipient("Ann@example.org", "1", {"n": 1}), BOB])[:1]
    found += tracker.generate_tokens(tracker.create_pixel("Autumn"), [BOB, ANN])[1:]
    found += tracker.generate_tokens(pixel, [NewRecipient(ANN, "2")])
    return found[::-1]


@pytest.fixture
def find(client):
    """Asks for the recipients with an address."""
    return lambda email, **more: client.get("/api/v1/recipients", query_string={"email": email, **more})


@pytest.mark.parametrize("email", [ANN, "ANN@Example.org"])
def test_a_person_is_found_in_all_pixels_the_newest_first(find, mails, email):
    answer = find(email)
    assert (answer.status, answer.json["next"]) == (200, None)
    assert [one["id"] for one in answer.json["items"]] == [one.id for one in mails]


def test_each_has_its_pixel_and_its_opens(client, find, tracker, mails, pixel):
    tracker.record(pixel, token=mails[0].token)
    first, second, third = find(ANN).json["items"]
    assert [one["pixelName"] for one in (first, second, third)] == ["Spring launch", "Autumn", "Spring launch"]
    assert first["pixelId"] == third["pixelId"] == pixel.id
    assert (first["opens"]["number"], second["opens"]["number"]) == (1, 0)
    assert (first["ref"], third["ref"], third["data"], third["email"]) == ("2", "1", {"n": 1}, "Ann@example.org")
    assert first == client.get(f"/api/v1/recipients/{mails[0].id}").json


def test_the_list_comes_in_pages(find, mails):
    first = find(ANN, limit=2).json
    rest = find(ANN, limit=2, cursor=first["next"]).json
    assert [one["id"] for one in first["items"] + rest["items"]] == [one.id for one in mails]
    assert rest["next"] is None


def test_archived_pixels_are_searched_and_deleted_ones_are_not(find, tracker, mails, pixel):
    tracker.update_pixel(pixel, archived=True)
    assert len(find(ANN).json["items"]) == 3
    tracker.delete_pixel(pixel)
    assert [one["id"] for one in find(ANN).json["items"]] == [mails[1].id]


@pytest.mark.usefixtures("mails")
def test_an_address_that_is_not_there_is_an_empty_list(find):
    assert find("cem@example.org").json == {"items": [], "next": None}


@pytest.mark.usefixtures("mails")
@pytest.mark.parametrize(
    "query",
    [
        "",
        "?email=",
        "?email=ann",
        "?email=ann@example.org&email=bob@example.org",
        "?email=%00@example.org",
        "?email=a@example.org%0d%0aBcc:b@example.org",
        "?email=ann@example.org&limit=0",
        "?email=ann@example.org&cursor=x",
    ],
)
def test_a_query_without_one_address_is_refused(client, query):
    answer = client.get(f"/api/v1/recipients{query}")
    assert (answer.status, list(answer.json)) == (400, ["error"])


@pytest.mark.usefixtures("mails")
def test_neither_the_answer_nor_the_log_repeats_the_address(find, caplog):
    caplog.set_level("INFO")
    assert "secret" not in (find("SECRET@b.c_m").text + caplog.text).lower()


def test_an_address_of_a_special_domain_is_found(find, storage):
    tracker = Tracker(storage, allow_special_domains=True)
    (one,) = tracker.generate_tokens(tracker.create_pixel("Intranet"), ["ann@intranet.local"])
    assert [found["id"] for found in find("ann@intranet.local").json["items"]] == [one.id]

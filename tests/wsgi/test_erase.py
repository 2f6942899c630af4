"""`POST /api/v1/erase`."""

import pytest

from mailtrack import NewRecipient

pytestmark = pytest.mark.each_storage

ANN, BOB = "ann@example.org", "bob@example.org"


@pytest.fixture
def mails(tracker, pixel, thunderbird):
    """Three recipients of Ann's in two pixels, each with an open, and one of Bob's."""
    found = tracker.generate_tokens(pixel, [NewRecipient(ANN, "1", {"n": 1}), NewRecipient("Ann@Example.org"), BOB])
    found += tracker.generate_tokens(tracker.create_pixel("Autumn"), [ANN])
    for one in found:
        tracker.record(one.pixel_id, token=one.token, ip="192.0.2.9", user_agent=thunderbird, referer="https://a.org/")
    return found


@pytest.fixture
def erase(client):
    """Asks for the erasure of an address."""
    return lambda email: client.post("/api/v1/erase", json={"email": email})


@pytest.mark.usefixtures("mails")
@pytest.mark.parametrize("email", [ANN, "ANN@EXAMPLE.ORG"])
def test_a_person_is_erased_in_all_pixels_and_again_there_is_nothing(client, erase, email):
    answer = erase(email)
    assert (answer.status, answer.json) == (200, {"success": True, "recipients": 3, "opens": 3})
    assert client.get("/api/v1/recipients", query_string={"email": ANN}).json["items"] == []
    assert erase(email).json == {"success": True, "recipients": 0, "opens": 0}


def test_the_figures_stay_and_recipients_and_opened_fall(client, erase, mails, pixel):
    before = client.get(f"/api/v1/pixels/{pixel.id}").json
    erase(ANN)
    after = client.get(f"/api/v1/pixels/{pixel.id}").json
    assert (before["recipients"], before["opened"], before["opens"]["number"]) == (3, 3, 3)
    assert after == before | {"recipients": 1, "opened": 1, "openedRaw": 1}
    assert client.get(f"/api/v1/recipients/{mails[2].id}").json["email"] == BOB


def test_her_opens_keep_nothing_of_her(client, erase, mails, pixel):
    erase(ANN)
    items = client.get(f"/api/v1/pixels/{pixel.id}/opens").json["items"]
    assert [one["recipientId"] for one in items] == [mails[2].id, None, None]
    assert [(one["ip"], one["token"], one["userAgent"], one["referer"]) for one in items[1:]] == [
        (None, None, "", "")
    ] * 2
    assert [one["verdict"]["kind"] for one in items] == ["human"] * 3


def test_a_hit_with_an_old_token_becomes_an_open_of_no_person(client, erase, mails, pixel, thunderbird):
    erase(ANN)
    client.get(f"/tracker/{pixel.short_id}.png?token={mails[0].token}", headers={"User-Agent": thunderbird})
    newest = client.get(f"/api/v1/pixels/{pixel.id}/opens").json["items"][0]
    assert (newest["recipientId"], newest["token"], newest["ip"], newest["userAgent"]) == (None, None, None, "")


def test_a_new_token_for_the_address_is_one_of_a_new_recipient(erase, tracker, mails, pixel):
    erase(ANN)
    (again,) = tracker.generate_tokens(pixel, [NewRecipient(ANN, "1")])
    assert again.id not in {one.id for one in mails}
    assert (again.data, again.opens.raw.number) == (None, 0)


@pytest.mark.usefixtures("mails")
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"email": None},
        {"email": ""},
        {"email": "ann"},
        {"email": [ANN]},
        {"email": "a\0@b.org"},
        {"emails": [ANN]},
        [],
    ],
    ids=str,
)
def test_a_body_without_one_address_is_refused(client, contents, body):
    before = contents()
    answer = client.post("/api/v1/erase", json=body)
    assert (answer.status, list(answer.json), contents()) == (400, ["error"], before)


@pytest.mark.usefixtures("mails")
@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"data": b"email=ann@example.org", "content_type": "application/x-www-form-urlencoded"}, 415),
        ({"json": {"email": ANN}, "headers": {"Sec-Fetch-Site": "cross-site"}}, 403),
        ({"json": {"email": ANN}, "headers": {"Origin": "null"}}, 403),
    ],
    ids=str,
)
def test_it_is_refused_where_the_request_is_no_good(client, contents, options, status):
    before = contents()
    assert (client.post("/api/v1/erase", **options).status, contents()) == (status, before)


@pytest.mark.usefixtures("mails")
def test_neither_the_answer_nor_the_log_has_the_address(erase, caplog):
    caplog.set_level("INFO")
    assert ANN not in erase(ANN).text + caplog.text

"""`POST /api/v1/pixels/<pixel>/generate-tokens`."""

import re

import pytest

pytestmark = pytest.mark.each_storage


@pytest.fixture
def generate(client, pixel):
    """Asks for tokens in the pixel."""
    return lambda emails, key=pixel.id: client.post(f"/api/v1/pixels/{key}/generate-tokens", json={"emails": emails})


def addresses(answer):
    return [token["email"] for token in answer.json["tokens"]]


def test_the_answer_has_exactly_the_documented_fields(generate, pixel):
    answer = generate(["user1@example.com", "user2@example.com"])
    tokens = answer.json["tokens"]
    assert answer.status == 201
    assert answer.json == {"success": True, "pixelId": pixel.id, "generated": 2, "tokens": tokens}
    assert [list(token) for token in tokens] == [["email", "token", "trackingUrl", "recipientId"]] * 2


def test_a_token_comes_with_its_tracking_url(generate, pixel):
    (token,) = generate(["user1@example.com"]).json["tokens"]
    assert re.fullmatch("tok_[0-9a-f]{32}", token["token"])
    assert token["trackingUrl"] == (
        f"http://mail.example.com/track/tracker/{pixel.short_id}.png?token={token['token']}"
    )


def test_the_tracking_url_leads_to_an_open_of_its_recipient(client, generate, opens):
    (token,) = generate(["user1@example.com"]).json["tokens"]
    client.get(token["trackingUrl"].removeprefix("http://mail.example.com/track"))
    assert [found.recipient_id for found in opens()] == [token["recipientId"]]


def test_a_recipient_id_is_24_hex_digits_that_begin_with_its_pixels(generate, pixel):
    (token,) = generate(["user1@example.com"]).json["tokens"]
    assert re.fullmatch(f"{pixel.short_id}[0-9a-f]{{16}}", token["recipientId"])


def test_there_is_one_token_for_each_distinct_address_in_order_of_first_appearance(generate):
    answer = generate(["b@example.org", "a@example.org", "b@example.org", "c@example.org", "a@example.org"])
    assert addresses(answer) == ["b@example.org", "a@example.org", "c@example.org"]
    assert answer.json["generated"] == 3


@pytest.mark.parametrize(
    ("emails", "canonical"),
    [
        pytest.param(["Ann@EXAMPLE.org", "Ann@example.ORG"], ["Ann@example.org"], id="domain in another case"),
        pytest.param(["Ann@example.org", "ann@example.org"], ["Ann@example.org"], id="local part"),
        pytest.param(["ann@xn--bcher-kva.example", "ann@bücher.example"], ["ann@bücher.example"], id="IDN"),
        pytest.param(["ann@BÜCHER.example"], ["ann@bücher.example"], id="IDN in upper case"),
        pytest.param(["Info@example.org"], ["Info@example.org"], id="role name as written"),
    ],
)
def test_addresses_are_compared_with_their_domain_in_one_form(generate, emails, canonical):
    assert addresses(generate(emails)) == canonical


def test_asking_again_returns_the_same_token(generate):
    assert generate(["ann@example.org"]).json == generate(["ann@EXAMPLE.org"]).json


def test_asking_again_returns_old_and_new_tokens_in_the_order_asked_for(generate):
    first = generate(["a@example.org", "b@example.org"]).json["tokens"]
    again = generate(["c@example.org", "b@example.org", "a@example.org"])
    assert addresses(again) == ["c@example.org", "b@example.org", "a@example.org"]
    assert again.json["tokens"][1:] == first[::-1]


def test_the_same_address_in_another_pixel_has_another_token(generate, tracker):
    other = tracker.create_pixel("Autumn")
    tokens = [generate(["ann@example.org"], key).json["tokens"][0] for key in (other.id, other.short_id)]
    (here,) = generate(["ann@example.org"]).json["tokens"]
    assert tokens[0] == tokens[1]
    assert here["token"] != tokens[0]["token"]


@pytest.mark.parametrize("key", ["{0.id}", "{0.short_id}"])
@pytest.mark.parametrize("change", [str, str.upper])
def test_the_pixel_is_named_by_its_uuid_or_its_short_id_in_either_case(generate, pixel, key, change):
    answer = generate(["ann@example.org"], change(key.format(pixel)))
    assert (answer.status, answer.json["pixelId"]) == (201, pixel.id)


def test_10_000_addresses_are_taken(generate, tracker, pixel):
    emails = [f"reader{number}@example.org" for number in range(10_000)]
    answer = generate(emails)
    assert (answer.status, answer.json["generated"]) == (201, 10_000)
    assert [recipient.email for recipient in tracker.iter_recipients(pixel.id)] == emails


def test_tokens_and_ids_are_distinct(generate):
    tokens = generate([f"reader{number}@example.org" for number in range(1000)]).json["tokens"]
    assert len({token["token"] for token in tokens}) == len({token["recipientId"] for token in tokens}) == 1000


def test_an_address_in_unicode_is_answered_as_it_is(generate):
    assert addresses(generate(["änn@example.org"])) == ["änn@example.org"]


def test_the_first_20_bad_addresses_are_told_with_their_places_and_reasons(generate):
    answer = generate(["ann@example.org", *(f"bad{number}" for number in range(30))])
    invalid = answer.json["invalid"]
    assert (answer.status, answer.json["error"]) == (400, "Invalid email format")
    assert [problem["index"] for problem in invalid] == list(range(1, 21))
    assert all(list(problem) == ["index", "reason"] and problem["reason"].endswith(".") for problem in invalid)


@pytest.mark.parametrize(
    "email",
    [
        "SECRET",
        "SECRET@",
        "@SECRET",
        "SECRET@SECRET",
        "<SECRET>@b.com",
        "SECRET@b.c_m",
        "SECRET@b.com\n",
        "a b@SECRET.org",
    ],
)
def test_neither_the_answer_nor_the_log_repeats_the_address(generate, email, caplog):
    caplog.set_level("INFO")
    answer = generate([email])
    assert (answer.status, answer.json["error"]) == (400, "Invalid email format")
    assert "secret" not in (answer.text + caplog.text).lower()


SPECIAL = ["ann@shop.test", "bob@localhost"]


def test_special_domains_are_refused_by_default(generate):
    assert [one["index"] for one in generate(SPECIAL).json["invalid"]] == [0, 1]


def test_special_domains_are_taken_where_the_tracker_allows_them(make_client, pixel):
    client = make_client(allow_special_domains=True)
    answer = client.post(f"/api/v1/pixels/{pixel.id}/generate-tokens", json={"emails": SPECIAL})
    assert (answer.status, addresses(answer)) == (201, SPECIAL)


def test_special_domains_are_taken_by_the_page_where_the_tracker_allows_them(make_client, tracker, pixel):
    client = make_client(allow_special_domains=True)
    path = f"/pixels/{pixel.short_id}/recipients"
    client.post(path, data={"emails": "\n".join(SPECIAL)}, content_type="multipart/form-data")
    assert [one.email for one in tracker.iter_recipients(pixel.id)] == SPECIAL


def test_one_bad_address_among_many_leaves_nothing_stored(generate, contents):
    before = contents()
    generate(["ann@example.org", "bob@example.com", "bad"])
    assert contents() == before


@pytest.mark.parametrize("key", ["00000000", "00000000-0000-4000-8000-000000000000", "x"])
def test_an_unknown_pixel_is_not_found(generate, key):
    answer = generate(["ann@example.org"], key)
    assert (answer.status, answer.json) == (404, {"error": "Pixel not found"})


def test_a_deleted_pixel_is_not_found(generate, tracker, pixel):
    tracker.delete_pixel(pixel.id)
    assert generate(["ann@example.org"]).status == 404

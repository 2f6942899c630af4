"""Deleting recipients and pixels, by the API and by the web form."""

import pytest

each_storage = pytest.mark.each_storage

UNKNOWN = ["00000000", "00000000-0000-4000-8000-000000000000", "x"]


@pytest.fixture
def stuffed(client, tracker, make_picture):
    """A pixel with an image, a recipient and an open, beside another one that has the same."""
    pixels = []
    for name in ("Spring", "Autumn"):
        pixel = tracker.create_pixel(name, image=make_picture())
        recipient = tracker.generate_tokens(pixel.id, ["ann@example.org"])[0]
        client.get(f"/tracker/{pixel.short_id}.png?token={recipient.token}")
        pixels.append(pixel)
    return pixels[0]


@each_storage
def test_a_recipient_is_deleted_with_the_documented_answer(client, recipient):
    answer = client.delete(f"/api/v1/recipients/{recipient.id}")
    assert answer.status == 200
    assert answer.json == {
        "success": True,
        "message": "Recipient deleted successfully",
        "deletedEmail": "ann@example.org",
    }


@each_storage
def test_a_deleted_recipient_is_gone(client, tracker, pixel, recipient):
    client.delete(f"/api/v1/recipients/{recipient.id}")
    assert list(tracker.iter_recipients(pixel.id)) == []


@each_storage
def test_the_opens_of_a_deleted_recipient_stay_without_the_address(client, pixel, recipient):
    client.get(f"/tracker/{pixel.short_id}.png?token={recipient.token}")
    client.delete(f"/api/v1/recipients/{recipient.id}")
    answer = client.get(f"/api/v1/pixels/{pixel.id}/opens")
    (found,) = answer.json["items"]
    assert (found["recipientId"], found["token"]) == (recipient.id, None)
    assert "ann@example.org" not in answer.text


@each_storage
def test_other_recipients_stay(client, tracker, pixel, recipient):
    other = tracker.generate_tokens(pixel.id, ["bob@example.com"])[0]
    client.delete(f"/api/v1/recipients/{recipient.id}")
    assert [left.id for left in tracker.iter_recipients(pixel.id)] == [other.id]


@each_storage
def test_a_recipient_can_be_deleted_once(client, recipient):
    client.delete(f"/api/v1/recipients/{recipient.id}")
    answer = client.delete(f"/api/v1/recipients/{recipient.id}")
    assert (answer.status, answer.json) == (404, {"error": "Recipient not found"})


@each_storage
@pytest.mark.parametrize(
    "change", ["{0}0", "{0:.23}", " {0}", "{0}%0A", "x", "0" * 24, "a" * 10_240, "%00", "%FF", "' OR 1=1"]
)
def test_an_unknown_recipient_is_not_found(client, contents, recipient, change):
    before = contents()
    answer = client.delete(f"/api/v1/recipients/{change.format(recipient.id)}")
    assert (answer.status, answer.json) == (404, {"error": "Recipient not found"})
    assert contents() == before


@each_storage
def test_a_recipient_id_is_in_lower_case(client, contents, pixel):
    before = contents()
    assert client.delete(f"/api/v1/recipients/{pixel.short_id}{'A' * 16}").status == 404
    assert contents() == before


@each_storage
@pytest.mark.parametrize("key", ["{0.id}", "{0.short_id}"])
def test_the_api_deletes_a_pixel(client, tracker, stuffed, key):
    answer = client.delete(f"/api/v1/pixels/{key.format(stuffed)}")
    assert (answer.status, answer.json["success"]) == (200, True)
    assert [left.name for left in tracker.iter_pixels()] == ["Autumn"]


@each_storage
@pytest.mark.parametrize("key", UNKNOWN)
def test_the_api_does_not_find_an_unknown_pixel_to_delete(client, contents, stuffed, key):
    before = contents()
    answer = client.delete(f"/api/v1/pixels/{key}")
    assert (stuffed.name, answer.status, answer.json) == ("Spring", 404, {"error": "Pixel not found"})
    assert contents() == before


@each_storage
@pytest.mark.parametrize("key", ["{0.id}", "{0.short_id}"])
def test_the_form_deletes_a_pixel_and_leads_to_the_dashboard(client, tracker, stuffed, key):
    answer = client.post(f"/pixels/{key.format(stuffed)}/delete")
    assert (answer.status, answer.headers["Location"]) == (303, "/track/")
    assert [left.name for left in tracker.iter_pixels()] == ["Autumn"]


@each_storage
@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/pixels/{0.id}",
        "/api/v1/pixels/{0.id}/opens",
        "/api/v1/pixels/{0.id}/recipients",
        "/api/v1/pixels/{0.id}/generate-tokens/csv",
        "/logs/{0.id}",
        "/uploads/{0.image}",
    ],
)
def test_nothing_of_a_deleted_pixel_is_left(client, stuffed, path):
    assert client.get(path.format(stuffed)).status == 200
    client.post(f"/pixels/{stuffed.id}/delete")
    assert client.get(path.format(stuffed)).status == 404


@each_storage
def test_the_recipients_of_a_deleted_pixel_are_gone(client, tracker, stuffed):
    recipient = next(tracker.iter_recipients(stuffed.id))
    client.post(f"/pixels/{stuffed.id}/delete")
    assert client.delete(f"/api/v1/recipients/{recipient.id}").status == 404


@each_storage
def test_what_another_pixel_owns_is_left(client, contents, stuffed):
    (other, _) = contents()
    client.post(f"/pixels/{stuffed.id}/delete")
    assert contents() == [other]


@each_storage
@pytest.mark.parametrize("key", UNKNOWN)
def test_the_form_of_an_unknown_pixel_gets_a_404_page(client, key):
    answer = client.post(f"/pixels/{key}/delete")
    assert (answer.status, answer.is_page) == (404, True)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_the_form_is_sent_by_post_only(client, contents, stuffed, method):
    before = contents()
    answer = client(method, f"/pixels/{stuffed.id}/delete")
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")
    assert contents() == before


@pytest.mark.parametrize("route", ["api", "page"])
def test_the_answer_does_not_wait_for_the_rows_of_a_large_pixel(client, tracker, pixel, monkeypatch, route):
    timeouts = []
    delete = tracker.delete_pixel
    monkeypatch.setattr(
        type(tracker),
        "delete_pixel",
        lambda _, key, *, timeout: (timeouts.append(timeout), delete(key, timeout=timeout)),
    )
    if route == "api":
        assert client.delete(f"/api/v1/pixels/{pixel.id}").status == 200
    else:
        assert client.post(f"/pixels/{pixel.id}/delete").status == 303
    assert len(timeouts) == 1
    assert 0 < timeouts[0] <= 1

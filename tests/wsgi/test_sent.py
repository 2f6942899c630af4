"""`POST /api/v1/pixels/<pixel>/sent`."""

import io
import json
from datetime import UTC, datetime, timedelta

import pytest

from mailtrack.testing import FakeClock
from mailtrack_wsgi._bodies import MAX_JSON_BYTES

pytestmark = pytest.mark.each_storage

LATER = datetime(2025, 11, 6, 13, tzinfo=UTC)
APPLE_MAIL = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
"""The user agent of Apple Mail, and of Apple's servers, which fetch early."""


@pytest.fixture
def clock():
    """The time by the application: an hour after the tokens were made."""
    return FakeClock(LATER)


@pytest.fixture
def client(make_client, clock):
    return make_client(clock=clock)


@pytest.fixture
def recipients(tracker, pixel):
    return tracker.generate_tokens(pixel.id, ["ann@example.org", "bob@example.com", "cat@example.net"])


@pytest.fixture
def mark(client, pixel, recipients):  # noqa: ARG001  # they exist before
    """Sends a body to the route of the pixel."""
    return lambda body, key=pixel.id: client.post(f"/api/v1/pixels/{key}/sent", json=body)


@pytest.fixture
def sent_times(tracker, pixel):
    """Returns when the mails of the pixel's recipients were sent, in order of creation."""
    return lambda: [one.sent_at for one in tracker.iter_recipients(pixel.id)]


def test_without_ids_and_time_all_recipients_are_marked_with_the_current_time(mark, sent_times):
    answer = mark({})
    assert (answer.status, answer.json) == (200, {"success": True, "sent": 3})
    assert sent_times() == [LATER] * 3


@pytest.mark.parametrize("options", [{}, {"data": b""}, {"data": b"", "content_type": "application/json"}])
def test_a_body_is_not_needed(client, pixel, recipients, sent_times, options):  # noqa: ARG001
    answer = client.post(f"/api/v1/pixels/{pixel.id}/sent", **options)
    assert (answer.status, answer.json["sent"]) == (200, 3)
    assert sent_times() == [LATER] * 3


@pytest.mark.parametrize("content_type", ["", "text/plain"])
def test_a_body_of_http_1_is_declared_by_its_headers_alone(client, pixel, recipients, content_type):  # noqa: ARG001
    answer = client.post(
        f"/api/v1/pixels/{pixel.id}/sent", without=["CONTENT_LENGTH"], environ={"CONTENT_TYPE": content_type}
    )
    assert (answer.status, answer.json["sent"]) == (200, 3)


@pytest.mark.parametrize(
    "environ", [{"HTTP_TRANSFER_ENCODING": "chunked"}, {"SERVER_PROTOCOL": "HTTP/2"}], ids=["chunked", "HTTP/2"]
)
def test_a_body_without_a_length_is_not_taken_for_none(client, pixel, recipients, sent_times, environ):  # noqa: ARG001
    body = io.BytesIO(b'{"recipientIds": []}')
    answer = client.post(
        f"/api/v1/pixels/{pixel.id}/sent",
        input_stream=body, content_type="application/json", without=["CONTENT_LENGTH"], environ=environ,
    )  # fmt: skip
    assert answer.status == 411
    assert sent_times() == [None] * 3


def test_only_the_recipients_with_these_ids_are_marked(mark, recipients, sent_times):
    assert mark({"recipientIds": [recipients[0].id, recipients[2].id]}).json["sent"] == 2
    assert sent_times() == [LATER, None, LATER]


def test_an_empty_list_marks_none(mark, sent_times):
    answer = mark({"recipientIds": []})
    assert (answer.status, answer.json) == (200, {"success": True, "sent": 0})
    assert sent_times() == [None] * 3


def test_null_is_as_if_it_were_left_out(mark, sent_times):
    assert mark({"recipientIds": None, "at": None}).json["sent"] == 3
    assert sent_times() == [LATER] * 3


def test_ids_of_others_are_passed_over_and_not_counted(tracker, mark, recipients, sent_times):
    other = tracker.generate_tokens(tracker.create_pixel("Autumn").id, ["ann@example.org"])[0]
    ids = [other.id, recipients[1].id, recipients[1].id, "0" * 24, "", "x" * 100_000, "\ud800", "'; --"]
    assert mark({"recipientIds": ids}).json["sent"] == 1
    assert sent_times() == [None, LATER, None]
    assert tracker.get_recipients([other.id])[other.id].sent_at is None


def test_more_ids_than_a_request_for_tokens_may_have_are_taken(tracker, pixel, mark):
    made = tracker.generate_tokens(pixel.id, [f"reader{number}@example.org" for number in range(12_000)])
    assert mark({"recipientIds": [one.id for one in made]}).json["sent"] == 12_000


def test_a_body_over_the_limit_is_refused(mark, sent_times):
    answer = mark({"recipientIds": ["0" * MAX_JSON_BYTES]})
    assert (answer.status, answer.json) == (413, {"error": f"The body must be at most {MAX_JSON_BYTES:,} bytes."})
    assert sent_times() == [None] * 3


@pytest.mark.parametrize(
    "at",
    [
        "2025-11-06T12:30:00.000Z",
        "2025-11-06T12:30:00Z",
        "2025-11-06T13:30:00+01:00",
        "2025-11-06T07:30:00.000999-05:00",
        "2025-11-06 12:30:00+00:00",
        "20251106T123000Z",
        "2025-11-06t12:30:00z",
        "2025-11-06T12:30:00.000123456Z",
    ],
)
def test_a_time_may_be_given(mark, sent_times, at):
    assert mark({"at": at}).json["sent"] == 3
    assert sent_times() == [datetime(2025, 11, 6, 12, 30, tzinfo=UTC)] * 3


def test_marking_again_replaces_the_time(mark, sent_times):
    mark({})
    mark({"at": "2025-11-06T12:30:00Z"})
    assert sent_times() == [datetime(2025, 11, 6, 12, 30, tzinfo=UTC)] * 3


NO_TIME = "at must be a time with its offset from UTC, as in 2025-11-06T12:00:00.000Z"


@pytest.mark.parametrize(
    "at",
    [
        "", "now", "2025-11-06", "2025-11-06T12:30:00", "2025-11-06T25:00:00Z", "2025-02-30T12:00:00Z", "1762432200",
        1762432200, 1762432200.5, True, [], {}, "0001-01-01T00:00:00+23:00", "9" * 100_000, "２025-11-06T12:30:00Z",
    ],
)  # fmt: skip
def test_what_is_no_time_with_an_offset_is_refused(mark, sent_times, at):
    answer = mark({"at": at})
    assert (answer.status, answer.json) == (400, {"error": NO_TIME})
    assert sent_times() == [None] * 3


def test_a_time_in_the_future_is_refused(mark, sent_times):
    answer = mark({"at": "2025-11-06T13:00:00.001Z"})
    assert (answer.status, answer.json) == (400, {"error": "at must not be in the future"})
    assert sent_times() == [None] * 3


def test_the_current_time_is_not_in_the_future(mark):
    assert mark({"at": "2025-11-06T13:00:00.000Z"}).status == 200


def test_a_time_before_a_token_was_made_is_refused_for_all(tracker, pixel, mark, recipients, sent_times):
    late = tracker.generate_tokens(pixel.id, ["dan@example.org"])[0]
    before = late.created_at - timedelta(milliseconds=1)
    answer = mark({"at": before.isoformat()})
    assert (answer.status, answer.json) == (
        400,
        {"error": "The sent time is before the token of a recipient was made."},
    )
    assert sent_times() == [None] * 4
    ids = [one.id for one in recipients]
    assert mark({"at": before.isoformat(), "recipientIds": ids}).json["sent"] == 3
    assert mark({"at": late.created_at.isoformat(), "recipientIds": [late.id]}).json["sent"] == 1


@pytest.mark.parametrize("ids", ["a1b2c3d4", {}, 1, True, [1], [None], [["x"]], ["x", {}]])
def test_ids_that_are_no_array_of_texts_are_refused(mark, sent_times, ids):
    answer = mark({"recipientIds": ids})
    assert (answer.status, answer.json) == (400, {"error": "recipientIds must be an array of texts."})
    assert sent_times() == [None] * 3


@pytest.mark.parametrize("name", ["recipients", "recipientids", "sentAt", ""])
def test_another_key_is_refused_so_that_a_slip_does_not_mark_all(mark, sent_times, name):
    answer = mark({name: []})
    assert answer.status == 400
    assert answer.json == {"error": "The body must have no other keys than recipientIds and at."}
    assert sent_times() == [None] * 3


@pytest.mark.parametrize("body", [b"[]", b"null", b"1", b'"all"', b"{", b"\xff", b"[" * 100_000, b'{"at": NaN}'])
def test_what_is_no_json_object_is_refused(client, pixel, recipients, sent_times, body):  # noqa: ARG001
    answer = client.post(f"/api/v1/pixels/{pixel.id}/sent", data=body, content_type="application/json")
    assert answer.status == 400
    assert sent_times() == [None] * 3


def test_a_body_in_another_type_is_refused(client, pixel, recipients, sent_times):  # noqa: ARG001
    assert client.post(f"/api/v1/pixels/{pixel.id}/sent", data={"at": ""}).status == 415
    assert client.post(f"/api/v1/pixels/{pixel.id}/sent", data=b"{}", content_type="text/plain").status == 415
    assert sent_times() == [None] * 3


def test_a_byte_order_mark_is_taken(client, pixel, recipients, sent_times):
    body = b"\xef\xbb\xbf" + json.dumps({"recipientIds": [recipients[0].id]}).encode()
    answer = client.post(f"/api/v1/pixels/{pixel.id}/sent", data=body, content_type="application/json")
    assert answer.json["sent"] == 1
    assert sent_times() == [LATER, None, None]


@pytest.mark.parametrize("key", ["00000000", "a1b2c3d4-e5f6-7890-1234-567890abcdef", "x", "%00"])
@pytest.mark.parametrize("body", [{}, {"at": "no time"}])
def test_an_unknown_pixel_is_not_found(mark, key, body):
    answer = mark(body, key)
    assert (answer.status, answer.json) == (404, {"error": "Pixel not found"})


def test_the_short_id_does(mark, pixel):
    assert mark({}, pixel.short_id).json["sent"] == 3


def test_a_pixel_without_recipients_has_none_to_mark(client, tracker):
    assert client.post(f"/api/v1/pixels/{tracker.create_pixel('Autumn').id}/sent").json["sent"] == 0


def test_other_methods_are_not_allowed(client, pixel):
    answer = client.get(f"/api/v1/pixels/{pixel.id}/sent")
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")


def test_other_sites_are_refused(client, pixel, recipients, sent_times):  # noqa: ARG001
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://example.net"}):
        assert client.post(f"/api/v1/pixels/{pixel.id}/sent", headers=headers).status == 403
    assert sent_times() == [None] * 3


def test_a_key_is_needed_where_keys_are(make_client, pixel, recipients, sent_times):  # noqa: ARG001
    client = make_client(api_keys=["secret"], clock=FakeClock(LATER))
    assert client.post(f"/api/v1/pixels/{pixel.id}/sent").status == 401
    assert sent_times() == [None] * 3
    answer = client.post(f"/api/v1/pixels/{pixel.id}/sent", headers={"Authorization": "Bearer secret"})
    assert answer.json["sent"] == 3


def test_the_rate_limit_of_tokens_does_not_apply(mark):
    assert {mark({}).status for _ in range(12)} == {200}


def test_recipients_show_when_their_mails_were_sent(client, mark, pixel, recipients):
    mark({"recipientIds": [recipients[0].id]})
    items = client.get(f"/api/v1/pixels/{pixel.id}/recipients").json["items"]
    assert [one["sentAt"] for one in items] == ["2025-11-06T13:00:00.000Z", None, None]


@pytest.mark.parametrize(("marked", "kind"), [(True, "prefetch"), (False, "human")])
def test_early_opens_are_judged_from_the_sent_time(client, mark, clock, recipients, opens, pixel, marked, kind):
    if marked:
        mark({})
    clock.advance(seconds=2)
    path = f"/tracker/{pixel.short_id}.png?token={recipients[0].token}"
    client.get(path, headers={"User-Agent": APPLE_MAIL, "Accept-Language": "en"})
    assert opens()[0].verdict.kind == kind


def test_delays_of_the_report_run_from_the_sent_time(client, mark, clock, recipients, pixel, thunderbird):
    mark({})
    clock.advance(seconds=300)
    path = f"/tracker/{pixel.short_id}.png?token={recipients[0].token}"
    client.get(path, headers={"User-Agent": thunderbird, "Accept-Language": "en"})
    delay = client.get(f"/api/v1/pixels/{pixel.id}/report").json["delay"]["counted"]
    assert delay == pytest.approx(300, rel=0.05)

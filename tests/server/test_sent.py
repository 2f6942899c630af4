"""Tokens made ahead of the mailing: the server judges from when the mails were sent."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from mailtrack import Tracker, open_storage
from mailtrack.testing import FakeClock

APPLE_MAIL = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
"""The user agent of Apple Mail, and of Apple's servers, which fetch early."""

AHEAD = timedelta(minutes=15)


@pytest.fixture
def mailing(tmp_path):
    """A pixel, and recipients whose tokens were made 15 minutes ago."""
    with open_storage(f"sqlite:///{tmp_path}/mailtrack.db") as storage:
        tracker = Tracker(storage, clock=FakeClock(datetime.now(UTC) - AHEAD))
        pixel = tracker.create_pixel("Spring")
        return pixel, tracker.generate_tokens(pixel, [f"reader{number}@example.org" for number in range(5)])


@pytest.fixture
def server(mailing, start):  # noqa: ARG001  # the database is there before
    return start("--spool", "off")


def load(server, pixel, recipient):
    """Load the image of a mail, and return the verdict and the age of the open."""
    path = f"/tracker/{pixel.short_id}.png?token={recipient.token}"
    assert server("GET", path, headers={"User-Agent": APPLE_MAIL, "Accept-Language": "en"}).status == 200
    with server.stored() as tracker:
        (found,) = (one for one in tracker.list_opens(pixel).items if one.recipient_id == recipient.id)
        return found.verdict.kind.value, found.age


def test_an_early_hit_is_judged_early_once_its_mail_is_marked_as_sent(server, mailing):
    pixel, recipients = mailing
    kind, age = load(server, pixel, recipients[0])
    assert (kind, age >= AHEAD.total_seconds()) == ("human", True)
    body = {"recipientIds": [one.id for one in recipients[:3]]}
    answer = server("POST", f"/api/v1/pixels/{pixel.id}/sent", json_body=body)
    assert (answer.status, answer.json) == (200, {"success": True, "sent": 3})
    kind, age = load(server, pixel, recipients[1])
    assert (kind, age < AHEAD.total_seconds()) == ("prefetch", True)
    assert load(server, pixel, recipients[4])[0] == "human"  # not marked


@pytest.mark.parametrize("headers", ["", "Content-Length: 0\r\n"], ids=["no headers", "length 0"])
def test_without_a_body_all_are_marked(server, mailing, headers):
    pixel, recipients = mailing
    request = f"POST /api/v1/pixels/{pixel.id}/sent HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n"
    answer = server.exchange(request.encode())
    assert (answer.status, answer.json["sent"]) == (200, len(recipients))
    assert load(server, pixel, recipients[0])[0] == "prefetch"


def test_a_chunked_body_is_refused_and_not_taken_for_none(server, mailing):
    pixel, recipients = mailing
    body = json.dumps({"recipientIds": [recipients[0].id]}).encode()
    request = (
        f"POST /api/v1/pixels/{pixel.id}/sent HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Transfer-Encoding: chunked\r\n\r\n{len(body):x}\r\n"
    )
    assert server.exchange(request.encode() + body + b"\r\n0\r\n\r\n").status == 411
    with server.stored() as tracker:
        assert {one.sent_at for one in tracker.iter_recipients(pixel)} == {None}

"""`open_mail` loads the images of a message as mail programs and machines do; the fixtures are a tracker in memory."""

import email
import email.policy
import subprocess
import sys
from email.message import EmailMessage, Message
from wsgiref.validate import validator

import pytest

from mailtrack import InvalidArgument, Tracker
from mailtrack.mail import track
from mailtrack.testing import open_mail
from mailtrack_wsgi import create_app

VERDICTS = {
    "thunderbird": ("human", "Thunderbird"),
    "outlook": ("human", "Outlook"),
    "apple-mail": ("human", "Apple Mail"),
    "gmail": ("proxy", "Gmail"),
    "apple-privacy": ("prefetch", "Apple Mail"),
    "scanner": ("scanner", "Microsoft"),
}


@pytest.fixture
def pixel(tracker):
    return tracker.create_pixel("Spring launch")


@pytest.fixture
def app(tracker):
    return validator(create_app(tracker))


def make(html="<p>Hello", to="ann@example.org"):
    message = EmailMessage()
    message["To"] = to
    message.set_content("Hello")
    message.add_alternative(html, subtype="html")
    return message


def requests_of(message, client="thunderbird"):
    """Return what an application gets."""
    found = []

    def app(environ, start_response):
        found.append(environ)
        start_response("404 Not Found", [])
        return []

    statuses = open_mail(message, app, client)
    assert set(statuses.values()) <= {"404 Not Found"}
    return found


@pytest.mark.parametrize("client", VERDICTS)
@pytest.mark.parametrize("scheme", ["https", "http"])
@pytest.mark.parametrize("seconds", [0, 1, 3600])
def test_each_clients_verdict_is_what_its_name_says(memory, clock, client, scheme, seconds):
    tracker = Tracker(memory, base_url=f"{scheme}://mail.example.com", clock=clock)
    pixel, app = tracker.create_pixel("Spring launch"), validator(create_app(tracker))
    for number in range(20):
        message = make(to=f"ann{number}@company.example.com")
        track(message, tracker, pixel)
        clock.advance(seconds=seconds)
        assert list(open_mail(message, app, client).values()) == ["200 OK"]
    opens = list(tracker.iter_opens(pixel))
    assert {(one.verdict.kind, one.client.name) for one in opens} == {VERDICTS[client]}
    assert len({one.recipient_id for one in opens}) == 20


def test_thunderbird_is_the_default_and_an_open_is_the_recipients(tracker, pixel, app):
    message = make()
    ann = track(message, tracker, pixel)
    assert open_mail(message, app) == {tracker.tracking_url(pixel, ann): "200 OK"}
    assert tracker.get_recipient(ann).opened


def test_an_unknown_client_is_an_error_that_names_the_known_ones(app):
    with pytest.raises(ValueError, match="client must be one of") as caught:
        open_mail(make(), app, client="eudora")
    assert all(name in str(caught.value) for name in VERDICTS)


def test_what_is_no_message_is_refused(app):
    with pytest.raises(InvalidArgument, match="message must be"):
        open_mail("<p>Hello", app)


def test_images_are_loaded_once_each_in_their_order_and_nothing_else_is():
    html = """<!-- <img src="https://a.example.com/comment.png"> --><style>@import url(https://a.example.com/x.css)</style>
    <img src="https://b.example.com:8443/b.png?x=1&amp;y=2"><IMG alt SRC='http://a.example.com/%C3%A4%20.png'>
    <img src="https://b.example.com:8443/b.png?x=1&amp;y=2"><img src="cid:logo"><img><img src="/relative.png">
    <a href="https://a.example.com/">link</a><script src="https://a.example.com/x.js"></script>"""
    found = requests_of(make(html))
    assert [
        (one["wsgi.url_scheme"], one["HTTP_HOST"], one["SERVER_PORT"], one["PATH_INFO"], one["QUERY_STRING"])
        for one in found
    ] == [
        ("https", "b.example.com:8443", "8443", "/b.png", "x=1&y=2"),
        ("http", "a.example.com", "80", "/\xc3\xa4 .png", ""),
    ]
    assert {one["REQUEST_METHOD"] for one in found} == {"GET"}


def test_messages_in_any_form_are_opened():
    html = '<p>Grüße<img src="https://mail.example.com/a.png">'
    message = make(html)
    message.add_attachment('<img src="https://mail.example.com/attached.png">', subtype="html", filename="a.html")
    data = message.as_bytes()
    for policy in (email.policy.default, email.policy.compat32):
        assert len(requests_of(email.message_from_bytes(data, policy=policy))) == 1
    unknown = data.replace(b"utf-8", b"x-unknown")
    assert len(requests_of(email.message_from_bytes(unknown))) == 1
    assert requests_of(Message()) == []
    assert message.as_bytes() == data


def test_a_message_that_was_signed_after_tracking_is_opened(tracker, pixel, app):
    inner = make()
    track(inner, tracker, pixel)
    del inner["To"]
    signed = EmailMessage()
    signed["Content-Type"] = 'multipart/signed; boundary=b; protocol="application/pgp-signature"'
    signed.set_payload([inner])
    assert list(open_mail(signed, app).values()) == ["200 OK"]


FIXTURES = """
from mailtrack.testing import mailtrack_clock, mailtrack_tracker


def test_one(mailtrack_tracker, mailtrack_clock):
    pixel = mailtrack_tracker.create_pixel("Spring launch")
    (ann,) = mailtrack_tracker.generate_tokens(pixel, ["ann@shop.test"])
    assert ann.created_at == mailtrack_clock()
    assert mailtrack_clock.advance(hours=1) == mailtrack_tracker.now()


def test_two(mailtrack_tracker):
    assert mailtrack_tracker.list_pixels().items == ()
"""


def test_the_fixtures_give_each_test_a_tracker_of_its_own(tmp_path):
    (tmp_path / "test_program.py").write_text(FIXTURES, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "-p", "no:schemathesis"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert "2 passed" in ran.stdout, ran.stdout + ran.stderr

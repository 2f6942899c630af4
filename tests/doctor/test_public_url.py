"""What the world gets from a server, and what spoils it."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from mailtrack._times import now
from mailtrack.cli._doctor.public_url import check_url, is_public
from mailtrack_wsgi._app import create_app

GOOD = {
    "https": "warning",  # it is this machine, without TLS
    "reachable": "ok",
    "certificate": "skipped",
    "cookies": "ok",
    "server-clock": "ok",
    "access": "warning",
    "tracker": "ok",
    "image": "ok",
    "length": "ok",
    "headers": "ok",
    "conditions": "ok",
    "cache": "ok",
}


@pytest.fixture
def check(front, web, outcomes):
    """Returns the outcomes that differ from those of a correct server."""

    def tell():
        found = outcomes(check_url(front.url, web=web, clock=now))
        return {name: outcome for name, outcome in found.items() if GOOD[name] != outcome}

    return tell


def test_a_server_that_does_all_right_has_nothing_failed(front, web, outcomes):
    assert outcomes(check_url(front.url, web=web, clock=now)) == GOOD


def test_no_open_is_recorded(check, tracker):
    pixel = tracker.create_pixel("Spring launch")
    check()
    assert [one.opens.raw.number for one in tracker.iter_pixels()] == [0]
    assert tracker.list_opens(pixel.id).items == ()


def test_an_application_below_a_path_is_found_there(front, web, outcomes):
    application = front.app

    def mounted(environ, start_response):
        assert environ["PATH_INFO"].startswith("/track/")
        return application(environ | {"PATH_INFO": environ["PATH_INFO"][6:]}, start_response)

    front.app = mounted
    assert outcomes(check_url(f"{front.url}/track", web=web, clock=now)) == GOOD


def header(name, value):
    return lambda message: message.headers.set(name, value)


def without(name):
    return lambda message: message.headers.remove(name)


def status(code):
    def spoil(message):
        message.status = code

    return spoil


def data(value, media_type="image/png", path="/tracker/"):
    def spoil(message):
        if not message.path.startswith(path):
            return
        message.data = value
        message.headers["Content-Length"] = str(len(value))
        message.headers["Content-Type"] = media_type

    return spoil


def cut(message):
    if message.path.startswith("/tracker/"):
        message.data = message.data[:-5]


def late(message):
    message.headers["Date"] = format_datetime(datetime.now(UTC) - timedelta(hours=3), usegmt=True)


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        pytest.param(header("Set-Cookie", "id=1"), {"cookies": "failed"}, id="cookie"),
        pytest.param(late, {"server-clock": "warning"}, id="wrong clock"),
        pytest.param(header("Date", "yesterday"), {"server-clock": "skipped"}, id="no date"),
        pytest.param(header("Age", "12"), {"cache": "failed"}, id="kept for 12 seconds"),
        pytest.param(header("Age", "0"), {"cache": "warning"}, id="kept just now"),
        pytest.param(header("X-Cache", "Hit from edge"), {"cache": "failed"}, id="X-Cache hit"),
        pytest.param(header("X-Cache", "Miss from edge"), {"cache": "warning"}, id="X-Cache miss"),
        pytest.param(header("CF-Cache-Status", "HIT"), {"cache": "failed"}, id="CF-Cache-Status hit"),
        pytest.param(header("CF-Cache-Status", "DYNAMIC"), {}, id="CF-Cache-Status dynamic"),
        pytest.param(header("Via", "1.1 edge"), {}, id="a proxy"),
        pytest.param(header("Cache-Control", "max-age=3600"), {"headers": "failed"}, id="may be kept"),
        pytest.param(without("Cache-Control"), {"headers": "failed"}, id="no Cache-Control"),
        pytest.param(header("Cache-Control", "no-store"), {"headers": "warning"}, id="shorter Cache-Control"),
        pytest.param(header("ETag", '"1"'), {"headers": "warning"}, id="ETag"),
        pytest.param(without("Referrer-Policy"), {"headers": "warning"}, id="no Referrer-Policy"),
        pytest.param(without("Content-Length"), {"length": "warning"}, id="no length"),
        pytest.param(header("Content-Type", "text/html"), {"image": "failed"}, id="wrong type"),
        pytest.param(data(b"<html></html>", "text/html"), {"image": "failed"}, id="a page"),
        pytest.param(data(b"\x89PNG\r\n\x1a\nno more"), {"image": "failed"}, id="damaged image"),
        pytest.param(cut, {"image": "failed", "length": "failed"}, id="cut"),
    ],
)
def test_what_is_spoiled_on_the_way_is_told(front, check, spoil, found):
    front.spoil = spoil
    assert {name: outcome for name, outcome in check().items() if name != "conditions"} == found


def test_another_image_is_a_warning(front, check):
    gif = b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff\x2c\0\0\0\0\1\0\1\0\0\2\2\x44\1\0\x3b"
    front.spoil = data(gif, "image/gif")
    assert check() == {"image": "warning"}


@pytest.mark.parametrize("code", [301, 302, 307, 404, 500, 503])
def test_another_status_than_200_fails_and_ends_the_look_at_the_image(front, web, outcomes, code):
    front.spoil = status(code)
    found = outcomes(check_url(front.url, web=web, clock=now))
    assert found["tracker"] == "failed"
    assert "image" not in found


def test_a_redirect_is_not_followed(front, web):
    asked = []

    def spoil(message):
        asked.append(message.path)
        message.status = 302
        message.headers["Location"] = f"{front.url}/elsewhere"

    front.spoil = spoil
    list(check_url(front.url, web=web, clock=now))
    assert asked
    assert not any(path.endswith("/elsewhere") for path in asked)


@pytest.mark.parametrize("code", [206, 304])
def test_an_answer_that_heeds_conditions_fails(front, check, code):
    application = front.app

    def heeding(environ, start_response):
        front.spoil = status(code) if "HTTP_RANGE" in environ else status(200)
        return application(environ, start_response)

    front.app = heeding
    assert check() == {"conditions": "failed"}


@pytest.mark.parametrize("code", [401, 403, 404, 302])
def test_a_list_of_pixels_that_is_not_given_is_fine(front, check, code):
    front.spoil = lambda message: message.path.startswith("/api/") and status(code)(message)
    assert check() == {"access": "ok"}


def test_a_page_in_place_of_the_list_of_pixels_is_fine(front, check):
    front.spoil = data(b"<p>Sign in", "text/html", path="/api/")
    assert check() == {"access": "ok"}


def test_an_open_list_of_pixels_at_a_public_url_fails(front, web, outcomes):
    class Elsewhere:
        def get(self, url, headers=None):
            return web.get(url.replace("https://mail.example.com/track", front.url), headers)

    found = outcomes(check_url("https://mail.example.com/track", web=Elsewhere(), clock=now))
    assert (found["access"], found["https"]) == ("failed", "ok")


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("https://mail.example.com/track", True),
        ("http://mail.example.com", True),
        ("https://8.8.8.8", True),
        ("https://[2606:4700::1]", True),
        ("http://localhost:8000", False),
        ("http://server", False),
        ("http://mail.internal", False),
        ("http://192.168.1.7", False),
        ("http://127.0.0.1:8000", False),
        ("http://[::1]", False),
    ],
)
def test_public_is_what_the_world_can_reach(url, public):
    assert is_public(url) is public


def test_plain_http_at_a_public_url_is_a_warning(front, web):
    class Elsewhere:
        def get(self, url, headers=None):
            return web.get(url.replace("http://mail.example.com", front.url), headers)

    found = next(iter(check_url("http://mail.example.com", web=Elsewhere(), clock=now)))
    assert (found.check, found.outcome) == ("https", "warning")
    assert "plain HTTP" in found.found


def test_a_server_with_a_store_that_is_down_still_has_a_good_tracker(front, check):
    class Down:
        database_file = spool_folder = None

        def __getattr__(self, name):
            raise OSError

    front.app = create_app(Down())
    assert check() == {"access": "ok"}

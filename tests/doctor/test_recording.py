"""What becomes of an open on its way to the database."""

import pytest
from werkzeug.datastructures import Headers

from mailtrack import Tracker, open_storage
from mailtrack._errors import StorageUnavailable
from mailtrack.cli._doctor.recording import NAME, check_recording
from mailtrack_wsgi import create_app

GOOD = {"recording": "ok", "address": "ok", "forged-address": "ok"}


@pytest.fixture
def probe(front, tracker, web, outcomes):
    """Follows opens, and returns the outcomes."""
    return lambda seconds=5: outcomes(check_recording(tracker, front.url, web=web, seconds=seconds))


def test_opens_that_arrive_are_fine(probe):
    assert probe() == GOOD


def test_nothing_stays(probe, tracker):
    mine = tracker.create_pixel("Spring launch")
    probe()
    assert list(tracker.iter_pixels()) == [mine]


def test_a_cache_is_found_by_the_open_that_it_keeps_back(front, probe):
    kept = {}
    application = front.app

    def cache(environ, start_response):
        key = environ["PATH_INFO"], environ["QUERY_STRING"]
        if key not in kept:
            kept[key] = b"".join(application(environ, lambda *_: None))
        start_response("200 OK", [("Content-Type", "image/png"), ("Content-Length", str(len(kept[key])))])
        return [kept[key]]

    front.app = cache
    assert probe(0) == {**GOOD, "recording": "failed"}


def test_a_cache_that_drops_queries_is_found(front, probe):
    application = front.app

    def drop(environ, start_response):
        if environ["QUERY_STRING"]:
            start_response("200 OK", [])
            return []
        return application(environ, start_response)

    front.app = drop
    found = probe(0)
    assert (found["recording"], found["forged-address"]) == ("failed", "skipped")


def test_another_database_than_the_servers_is_found(front, web, outcomes):
    with open_storage("memory://") as other:
        found = outcomes(check_recording(Tracker(other), front.url, web=web, seconds=0))
        assert found == {"recording": "failed", "address": "skipped", "forged-address": "skipped"}
        assert list(Tracker(other).iter_pixels()) == []


def pass_through(_):
    """As a proxy that leaves `X-Forwarded-For` as it came."""
    return {}


def append(handler):
    """As nginx's `$proxy_add_x_forwarded_for`."""
    came = handler.headers.get("X-Forwarded-For")
    return {"X-Forwarded-For": f"{came}, {handler.client_address[0]}" if came else handler.client_address[0]}


@pytest.mark.parametrize(
    ("trusted", "forward", "outcome"),
    [
        pytest.param(0, append, "ok", id="too few trusted"),
        pytest.param(1, append, "ok", id="as many as there are"),
        pytest.param(2, append, "failed", id="too many trusted"),
        pytest.param(1, pass_through, "failed", id="trusted, but it adds nothing"),
    ],
)
def test_an_invented_address_must_not_be_recorded(front, tracker, probe, trusted, forward, outcome):
    front.app = create_app(tracker, trusted_proxies=trusted)
    front.forward = forward
    assert probe() == {**GOOD, "forged-address": outcome}


@pytest.mark.parametrize(
    ("address", "outcome"),
    [
        pytest.param("127.0.0.1", "ok", id="our own"),
        pytest.param("10.0.0.7", "warning", id="a proxy's"),
        pytest.param("9.9.9.9", "ok", id="one of the world's"),
        pytest.param("", "warning", id="none"),
    ],
)
def test_the_recorded_address_must_not_be_a_proxys(front, probe, address, outcome):
    application = front.app
    front.app = lambda environ, start: application(environ | {"REMOTE_ADDR": address}, start)
    assert probe() == {**GOOD, "address": outcome}


def test_an_invented_address_is_noticed_where_addresses_are_shortened(front, probe):
    application = front.app

    def shorten(environ, start_response):
        address = "203.0.113.0" if "HTTP_X_FORWARDED_FOR" in environ else "127.0.0.0"
        return application(environ | {"REMOTE_ADDR": address}, start_response)

    front.app = shorten
    assert probe()["forged-address"] == "failed"


def test_a_server_that_goes_away_is_told_and_nothing_stays(front, probe, tracker):
    front.send = lambda _: None
    assert probe() == {"recording": "failed"}
    assert list(tracker.iter_pixels()) == []


def test_a_database_that_fails_is_told_with_the_name_of_what_may_be_left(front, web, outcomes):
    class Failing(Tracker):
        def list_opens(self, *_, **__):
            raise StorageUnavailable("SQLite: database is locked")

    with open_storage("memory://") as storage:
        (found,) = check_recording(Failing(storage), front.url, web=web, seconds=0)
    assert outcomes([found]) == {"recording": "failed"}
    assert NAME in found.advice


def test_the_probe_needs_no_headers_but_its_own(front, probe):
    seen: list[Headers] = []
    application = front.app

    def watch(environ, start_response):
        seen.append(environ.get("HTTP_USER_AGENT", ""))
        return application(environ, start_response)

    front.app = watch
    probe()
    assert [text.startswith("mailtrack-doctor") for text in seen] == [True] * 3

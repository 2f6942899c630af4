"""Slow requests hold a part of a server's threads only."""

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from werkzeug.exceptions import ServiceUnavailable

from mailtrack import InvalidSetting
from mailtrack_wsgi import _concurrency as concurrency
from mailtrack_wsgi._concurrency import ConcurrencyLimit

SECONDS = 30  # that something which must happen may take


@pytest.fixture
def impatient(monkeypatch):
    """No request waits for a turn."""
    monkeypatch.setattr(concurrency, "PATIENCE", 0.0)


@pytest.fixture
def patient(monkeypatch):
    """Requests wait for a turn as long as it takes."""
    monkeypatch.setattr(concurrency, "PATIENCE", float(SECONDS))


@pytest.mark.usefixtures("impatient")
class TestConcurrencyLimit:
    def test_it_lets_so_many_take_turns_and_no_more(self):
        limit = ConcurrencyLimit(2)
        limit.acquire()
        limit.acquire()
        with pytest.raises(ServiceUnavailable) as caught:
            limit.acquire()
        assert ("Retry-After", "1") in caught.value.get_headers()

    def test_a_turn_that_ended_is_free_for_another(self):
        limit = ConcurrencyLimit(1)
        for _ in range(3):
            with limit:
                pass

    def test_a_turn_ends_with_an_error_too(self):
        limit = ConcurrencyLimit(1)
        with pytest.raises(LookupError), limit:
            raise LookupError
        limit.acquire()


@pytest.mark.usefixtures("patient")
def test_in_a_burst_every_request_gets_a_turn_and_never_more_than_allowed_at_once():
    limit, barrier, at_once, most = ConcurrencyLimit(2), threading.Barrier(40), [], []

    def run(number):
        barrier.wait(SECONDS)
        with limit:
            at_once.append(number)
            most.append(len(at_once))
            at_once.remove(number)

    with ThreadPoolExecutor(40) as pool:
        list(pool.map(run, range(40), timeout=SECONDS))
    assert (len(most), max(most) <= 2) == (40, True)


@pytest.mark.usefixtures("patient")
def test_a_request_waits_for_the_turn_of_one_that_began_just_now(monkeypatch):
    limit = ConcurrencyLimit(1)
    limit.acquire()
    monkeypatch.setattr(threading.Condition, "wait", lambda _, timeout: timeout > 0 and limit.release())
    limit.acquire()  # the first one ends meanwhile


def test_no_request_waits_for_slow_ones(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(concurrency.time, "monotonic", lambda: clock[0])
    limit = ConcurrencyLimit(1)
    limit.acquire()
    clock[0] += concurrency.PATIENCE
    monkeypatch.setattr(threading.Condition, "wait", lambda _, timeout: timeout > 0 and pytest.fail("it waits"))
    with pytest.raises(ServiceUnavailable):
        limit.acquire()


class SlowBody(io.BytesIO):
    """A body whose client sends nothing until `sent` is set."""

    def __init__(self, data):
        super().__init__(data)
        self.asked, self.sent = threading.Event(), threading.Event()

    def read(self, size=-1):
        self.asked.set()
        assert self.sent.wait(SECONDS)
        return super().read(size)


@pytest.fixture
def uploading(client):
    """Is in the middle of a slow request as long as it is open; then it must have been answered well."""

    @contextmanager
    def upload(path="/api/v1/pixels", data=b'{"name": "Slow"}', expect=201):
        body = SlowBody(data)
        request = {"input_stream": body, "content_type": "application/json", "content_length": len(data)}
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(client.post, path, **request)
            try:
                assert body.asked.wait(SECONDS)
                yield
            finally:
                body.sent.set()
            assert answer.result(SECONDS).status == expect

    return upload


@pytest.fixture
def client(make_client):
    return make_client(max_slow=1)


@pytest.mark.usefixtures("impatient")
class TestApplication:
    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("POST", "/api/v1/pixels"),
            ("POST", "/api/v1/pixels/{0.id}/generate-tokens"),
            ("DELETE", "/api/v1/pixels/{0.id}"),
        ],
    )
    def test_while_a_body_is_slow_what_may_be_slow_is_told_to_come_back(self, client, pixel, uploading, method, path):
        with uploading():
            answer = client(method, path.format(pixel), **({"json": {"name": "Fast"}} if method == "POST" else {}))
        assert (answer.status, list(answer.json), answer.headers["Retry-After"]) == (503, ["error"], "1")

    def test_a_form_is_answered_with_a_page(self, client, uploading):
        with uploading():
            answer = client.post("/pixels", data={"name": "Fast"})
        assert (answer.status, answer.is_page, answer.headers["Retry-After"]) == (503, True, "1")

    @pytest.mark.parametrize(
        "path",
        [
            "/tracker/{0.short_id}.png",
            "/",
            "/logs/{0.id}",
            "/api/v1/pixels",
            "/readyz",
            "/api/v1/pixels/{0.id}/opens/csv",
            "/api/v1/pixels/{0.id}/generate-tokens/csv",
        ],
    )
    def test_all_else_is_answered(self, client, pixel, uploading, path):
        with uploading():
            assert client.get(path.format(pixel)).status == 200

    def test_when_it_is_over_others_are_taken(self, client, uploading):
        with uploading():
            pass
        assert client.post("/api/v1/pixels", json={"name": "Next"}).status == 201

    def test_a_refused_body_gives_its_turn_back(self, client):
        statuses = [client.post("/api/v1/pixels", json={}).status for _ in range(3)]
        assert (statuses, client.post("/api/v1/pixels", json={"name": "Next"}).status) == ([400] * 3, 201)

    @pytest.mark.parametrize("path", ["opens/csv", "generate-tokens/csv"])
    def test_a_download_lasts_until_it_is_closed(self, client, pixel, path):
        path = f"/api/v1/pixels/{pixel.id}/{path}"
        body, status, _ = client.open("GET", path)
        during = client.get(path)
        body.close()
        after = client.get(path).status
        assert (status, during.status, during.headers["Retry-After"], after) == ("200 OK", 503, "1", 200)

    @pytest.mark.parametrize("path", ["opens/csv", "generate-tokens/csv"])
    def test_unread_downloads_do_not_stop_what_changes_something(self, client, pixel, path):
        body, _, _ = client.open("GET", f"/api/v1/pixels/{pixel.id}/{path}")
        statuses = [client.post("/api/v1/pixels", json={"name": "Next"}).status for _ in range(3)]
        body.close()
        assert statuses == [201] * 3

    def test_a_download_that_is_closed_twice_gives_one_turn_back(self, make_client, pixel):
        client = make_client(max_downloads=2)
        path = f"/api/v1/pixels/{pixel.id}/opens/csv"
        downloads = [client.open("GET", path)[0] for _ in range(2)]
        downloads[0].close()
        downloads[0].close()
        answers = [client.open("GET", path) for _ in range(2)]
        for body in (downloads[1], *(answer[0] for answer in answers)):
            body.close()
        assert [answer[1][:3] for answer in answers] == ["200", "503"]

    def test_a_download_that_is_not_fetched_takes_no_turn(self, client, pixel):
        path = f"/api/v1/pixels/{pixel.id}/opens/csv"
        assert [client.head(path).status for _ in range(3)] == [200] * 3
        assert client.get(path).status == 200


@pytest.mark.parametrize("name", ["max_slow", "max_downloads"])
def test_a_limit_below_one_is_refused(make_client, name):
    with pytest.raises(InvalidSetting, match=name):
        make_client(**{name: 0})

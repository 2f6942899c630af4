"""The documented requests over a real socket."""

import contextlib
import csv
import io
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from mailtrack._images.check import TRANSPARENT_PNG


@pytest.fixture
def pixel(server):
    return server.create_pixel()


@pytest.fixture
def recipient(server, pixel):
    answer = server("POST", f"/api/v1/pixels/{pixel['id']}/generate-tokens", json_body={"emails": ["ann@example.org"]})
    assert answer.status == 201
    return answer.json["tokens"][0]


def opens(server, pixel, count):
    """The pixel's opens as returned by the API, once there are as many; they appear within half a second."""
    for _ in range(1000):
        answer = server("GET", f"/api/v1/pixels/{pixel['id']}/opens?limit=1000")
        if len(answer.json["items"]) >= count:
            break
        threading.Event().wait(0.01)
    return answer.json["items"]


def test_a_created_pixel_has_urls_with_the_servers_own_host_and_port(server, pixel):
    assert pixel["trackingUrl"] == f"http://127.0.0.1:{server.port}/tracker/{pixel['id'][:8]}.png"


def test_the_tracker_answers_with_the_image(server, pixel):
    answer = server("GET", f"/tracker/{pixel['id'][:8]}.png")
    assert (answer.status, answer.headers["Content-Type"], answer.data) == (200, "image/png", TRANSPARENT_PNG.data)


def test_the_tracker_sends_the_documented_headers_and_none_that_a_cache_could_use(server, pixel):
    headers = server("GET", f"/tracker/{pixel['id'][:8]}.png").headers
    assert headers["Cache-Control"] == "no-store, no-cache, must-revalidate, max-age=0, private"
    assert headers.get_all("Content-Length") == [str(len(TRANSPARENT_PNG.data))]
    assert not any(name in headers for name in ("ETag", "Last-Modified", "Set-Cookie"))


def test_an_open_is_logged_with_its_recipient(server, pixel, recipient):
    path = recipient["trackingUrl"].removeprefix(f"http://127.0.0.1:{server.port}")
    server("GET", path, headers={"User-Agent": "Mozilla/5.0", "X-Forwarded-For": "198.51.100.9"})
    (found,) = opens(server, pixel, 1)
    assert (found["recipientId"], found["userAgent"], found["ip"]) == (
        recipient["recipientId"],
        "Mozilla/5.0",
        "198.51.100.9",
    )


def test_head_has_no_body_and_is_no_open(server, pixel):
    with contextlib.closing(server.connect()) as connection:
        headed = server("HEAD", f"/tracker/{pixel['id'][:8]}.png", connection=connection)
        server("GET", f"/tracker/{pixel['id'][:8]}.png", connection=connection)
    assert (headed.status, headed.data) == (200, b"")
    assert len(opens(server, pixel, 1)) == 1


def test_the_logs_are_a_page(server, pixel):
    answer = server("GET", f"/logs/{pixel['id']}")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")


def test_the_export_is_whole(server, pixel):
    emails = [f"reader{number}@example.org" for number in range(10_000)]
    server("POST", f"/api/v1/pixels/{pixel['id']}/generate-tokens", json_body={"emails": emails})
    answer = server("GET", f"/api/v1/pixels/{pixel['id']}/generate-tokens/csv")
    rows = list(csv.reader(io.StringIO(answer.data.decode(), newline=""), strict=True))
    assert [row[0] for row in rows[1:]] == emails


def test_a_recipient_is_deleted(server, recipient):
    answer = server("DELETE", f"/api/v1/recipients/{recipient['recipientId']}")
    assert (answer.status, answer.json["deletedEmail"]) == (200, "ann@example.org")


def test_a_pixel_is_deleted_by_the_form(server, pixel):
    answer = server("POST", f"/pixels/{pixel['id']}/delete")
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    assert server("GET", f"/logs/{pixel['id']}").status == 404


def test_the_eleventh_request_for_tokens_is_refused(server, pixel):
    path, headers = f"/api/v1/pixels/{pixel['id']}/generate-tokens", {"X-Forwarded-For": "198.51.100.200"}
    body = {"emails": ["ann@example.org"]}
    with ThreadPoolExecutor(20) as pool:
        answers = pool.map(lambda _: server("POST", path, json_body=body, headers=headers).status, range(20))
        assert sorted(answers) == [201] * 10 + [429] * 10


def test_the_server_is_ready(server):
    assert server("GET", "/readyz").json == {"status": "ok"}


def test_a_connection_is_kept_for_further_requests(server, pixel):
    with contextlib.closing(server.connect()) as connection:
        connection.connect()
        sock = connection.sock
        answers = [
            server(method, path, connection=connection, json_body=body).status
            for method, path, body in (
                ("GET", f"/tracker/{pixel['id'][:8]}.png", None),
                ("HEAD", f"/tracker/{pixel['id'][:8]}.png", None),
                ("POST", "/api/v1/pixels", {"name": "Autumn"}),
                ("POST", "/api/v1/pixels", {}),
                ("GET", f"/logs/{pixel['id']}", None),
                ("GET", f"/api/v1/pixels/{pixel['id']}/generate-tokens/csv", None),
                ("GET", "/nowhere", None),
            )
        ]
        assert (answers, connection.sock is sock) == ([200, 200, 201, 400, 200, 200, 404], True)

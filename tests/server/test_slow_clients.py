"""Slow clients hold what is theirs, and never the tracker."""

import contextlib
import http.client
import socket
import threading

import pytest

from mailtrack.images import TRANSPARENT_PNG

# Heads of requests whose bodies never come to an end: first those that are read, then those that are not.
READ = [
    b"POST /api/v1/pixels HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n",
    b"POST /pixels HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n",
    b"POST /api/v1/pixels HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=b\r\n",
]
UNREAD = [
    b"GET /tracker/a1b2c3d4.png HTTP/1.1\r\nHost: a\r\n",
    b"POST /tracker/a1b2c3d4.png HTTP/1.1\r\nHost: a\r\n",
    b"GET /api/v1/pixels HTTP/1.1\r\nHost: a\r\n",
    b"POST /api/v1/pixels HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\n",
    b"POST /pixels/a1b2c3d4/delete HTTP/1.1\r\nHost: a\r\n",
    b"DELETE /api/v1/recipients/a HTTP/1.1\r\nHost: a\r\n",
    b"POST /nowhere HTTP/1.1\r\nHost: a\r\n",
]


@contextlib.contextmanager
def clients(running, *beginnings):
    """Have clients that send the beginning of a request each, and then wait."""
    with contextlib.ExitStack() as stack:
        connections = []
        for beginning in beginnings:
            connection = stack.enter_context(socket.socket())
            connection.setsockopt(
                socket.SOL_SOCKET, socket.SO_RCVBUF, 4096
            )  # what is not read soon waits at the server
            connection.settimeout(30)
            connection.connect(("127.0.0.1", running.port))
            connection.sendall(beginning)
            connections.append(connection)
        yield connections


def with_body(head):
    return head + b"Content-Length: 1000\r\n\r\n{"


def is_tracking(running):
    return all(running("GET", "/tracker/a1b2c3d4.png").data == TRANSPARENT_PNG.data for _ in range(20))


def wait_until_taken(running):
    """Wait until a pixel is created; what held the threads is gone then."""
    pause = threading.Event()
    for _ in range(600):
        answer = running("POST", "/api/v1/pixels", json_body={"name": "Next"})
        if answer.status == 201:
            return
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
        pause.wait(0.05)
    raise AssertionError("it did not happen")


def test_heads_and_bodies_that_do_not_end_do_not_stop_the_tracker(server):
    with clients(server, *READ[:1] * 60), clients(server, *map(with_body, READ * 10)) as slow:
        assert is_tracking(server)
        for connection in slow:
            with contextlib.suppress(OSError):  # most are turned away
                connection.sendall(b" ")
        assert is_tracking(server)
        assert server("GET", "/api/v1/pixels").status == 200
        assert server("POST", "/api/v1/pixels", json_body={"name": "Busy"}).status == 503
    wait_until_taken(server)


def test_a_body_that_nobody_reads_holds_nothing(server):
    with clients(server, *map(with_body, UNREAD * 4)) as slow:
        for connection in slow:
            with http.client.HTTPResponse(connection) as answer:
                answer.begin()
                assert answer.status < 500
        assert is_tracking(server)
        assert server("POST", "/api/v1/pixels", json_body={"name": "Next"}).status == 201


@pytest.fixture
def long_list(server):
    """The path of a CSV that is longer than the buffers on its way."""
    pixel = server.create_pixel()
    with server.stored() as tracker:
        tracker.generate_tokens(pixel["id"], [f"reader{number}@example.org" for number in range(60_000)])
    return f"/api/v1/pixels/{pixel['id']}/generate-tokens/csv"


def test_readers_that_stop_reading_do_not_stop_the_tracker(server, long_list):
    request = f"GET {long_list} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
    with clients(server, *[request] * 10) as slow:
        found = []
        for connection in slow:
            answer = http.client.HTTPResponse(connection)  # it reads the head, and what comes with it
            answer.begin()
            found.append(answer.status)
            answer.close()
        assert sorted(found) == [200] * 2 + [503] * 8
        assert is_tracking(server)
    wait_until_taken(server)

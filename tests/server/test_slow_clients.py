"""Slow clients hold what is theirs, and never the tracker."""

import contextlib
import http.client
import socket
import threading

import pytest

from mailtrack._images.check import TRANSPARENT_PNG

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


def make_long_list(running):
    """Return the path of a CSV that is longer than the buffers on its way."""
    pixel = running.create_pixel()
    with running.stored() as tracker:
        tracker.generate_tokens(pixel["id"], [f"reader{number}@example.org" for number in range(60_000)])
    return f"/api/v1/pixels/{pixel['id']}/generate-tokens/csv"


@contextlib.contextmanager
def sleepers(running, path):
    """Have ten clients that ask for a download and read its head, and no more; those that got one."""
    request = f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
    with clients(running, *[request] * 10) as slow, contextlib.ExitStack() as stack:
        answers = [stack.enter_context(http.client.HTTPResponse(connection)) for connection in slow]
        for answer in answers:
            answer.begin()
        assert sorted(answer.status for answer in answers) == [200] * 2 + [503] * 8
        yield [answer for answer in answers if answer.status == 200]


def test_readers_that_stop_reading_stop_neither_the_tracker_nor_who_writes(server):
    path = make_long_list(server)
    with sleepers(server, path):
        for _ in range(3):
            assert is_tracking(server)
            assert server("POST", "/api/v1/pixels", json_body={"name": "Next"}).status == 201
            assert server("GET", "/").status == 200
        answer = server("GET", path)
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    wait_until_downloaded(server, path)


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="needs an option of Linux")
def test_a_download_that_does_not_move_is_cut_and_can_not_be_taken_for_whole(start):
    running = start(first="from mailtrack_wsgi import _downloads; _downloads.STALL_SECONDS = 0.3")
    path = make_long_list(running)
    with sleepers(running, path) as cut:
        wait_until_both_are_cut(running, path)
        for answer in cut:
            with pytest.raises((OSError, http.client.IncompleteRead)):
                answer.read()


def wait_until_both_are_cut(running, path):
    """Wait until two more clients get a download; a client that is cut notices it only when it reads."""
    pause = threading.Event()
    for _ in range(100):
        with contextlib.suppress(AssertionError), sleepers(running, path):
            return
        pause.wait(0.05)
    raise AssertionError("it did not happen")


def wait_until_downloaded(running, path):
    """Wait until a download is there for another client, as a whole."""
    pause = threading.Event()
    for _ in range(600):
        answer = running("GET", path)
        if answer.status == 200:
            assert answer.data.count(b"\r\n") == 60_001
            return
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
        pause.wait(0.05)
    raise AssertionError("it did not happen")

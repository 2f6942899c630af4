"""A download that can't go on: no client takes a part for the whole, whatever server it is."""

import contextlib
import http.client
import signal
import socket

import pytest

# Has the storage fail at the fourth page of the list of recipients.
FAILING = """
import itertools
from mailtrack import StorageUnavailable
from mailtrack.storage._sqlite import SQLiteStorage

listed, calls = SQLiteStorage.list_recipients, itertools.count(1)

def list_recipients(*args, **named):
    if next(calls) % 4 == 0:
        raise StorageUnavailable("The disk does not answer.")
    return listed(*args, **named)

SQLiteStorage.list_recipients = list_recipients
"""
WSGIREF = """
import sys
from wsgiref.simple_server import make_server
from program import application
make_server("127.0.0.1", int(sys.argv[1]), application).serve_forever()
"""
OTHERS = {
    "gunicorn": ["-m", "gunicorn", "--threads=4", "--bind=127.0.0.1:{}", "program:application"],
    "waitress": ["-m", "waitress", "--threads=4", "--listen=127.0.0.1:{}", "program:application"],
    "wsgiref": ["-c", WSGIREF, "{}"],
}


@pytest.fixture(params=["reference", *OTHERS])
def failing(request, start, run_program):
    """A server whose downloads fail in the middle, and which others use meanwhile."""
    if request.param == "reference":
        return start(first=FAILING)
    return run_program(OTHERS[request.param], first=FAILING)


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_an_error_in_the_middle_breaks_the_transfer(failing, version):
    """In HTTP 1.0 the end of the connection is that of the answer, so that only a reset shows it."""
    pixel = failing.create_pixel()
    with failing.stored() as tracker:
        tracker.generate_tokens(pixel["id"], [f"reader{number}@example.org" for number in range(20_000)])
    path = f"/api/v1/pixels/{pixel['id']}/generate-tokens/csv"
    with contextlib.closing(failing.connect()) as idle, socket.create_connection(("127.0.0.1", failing.port)) as client:
        idle.connect()
        client.sendall(f"GET {path} HTTP/{version}\r\nHost: a\r\n\r\n".encode())
        with http.client.HTTPResponse(client) as answer:
            answer.begin()
            assert answer.status == 200
            with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
                answer.read()
    assert failing("GET", "/healthz").status == 200
    assert failing.stop() in (0, -signal.SIGTERM)  # it writes what it has to say
    assert "The disk does not answer." in failing.printed()

"""What the tests of the doctor share: an application behind a proxy that spoils its answers as a test says."""

import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import attrs
import pytest
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder, run_wsgi_app

from mailtrack import Tracker, open_storage
from mailtrack.cli._doctor.finding import Outcome
from mailtrack.cli._doctor.http_client import Web
from mailtrack_wsgi import create_app


@attrs.define
class Message:
    """An answer on its way; what a test does to it is what comes."""

    path: str
    status: int
    headers: Headers
    data: bytes


def leave_as_it_is(_: Message) -> None:
    pass


@attrs.define
class Front:
    """A server that passes requests on to an application, and its answers back.

    Attributes:
        url: where it is.
        app: the WSGI application.
        spoil: changes an answer.
        send: what goes over the line instead of an answer; gets the handler of the request.
        forward: the headers that it adds to a request.
    """

    url: str
    app: Any = None
    spoil: Callable[[Message], object] = leave_as_it_is
    send: Callable[[BaseHTTPRequestHandler], None] | None = None
    forward: Callable[[BaseHTTPRequestHandler], dict[str, str]] = lambda _: {}

    def ask(self, handler: BaseHTTPRequestHandler) -> Message:
        headers = Headers(list(handler.headers.items()))
        headers.update(self.forward(handler))
        environ = EnvironBuilder(handler.path, self.url, headers=headers).get_environ()
        body, status, answered = run_wsgi_app(
            self.app, environ | {"REMOTE_ADDR": handler.client_address[0]}, buffered=True
        )
        message = Message(handler.path, int(status[:3]), answered, b"".join(body))
        self.spoil(message)
        return message


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        front = self.server.front
        self.close_connection = True
        if front.send is not None:
            front.send(self)
            return
        message = front.ask(self)
        self.send_response_only(message.status)
        if "Date" not in message.headers:
            self.send_header("Date", self.date_time_string())
        for name, value in message.headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(message.data)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    tls: ssl.SSLContext | None = None

    def finish_request(self, request, client_address):
        if self.tls is None:
            super().finish_request(request, client_address)
            return
        with suppress(OSError), self.tls.wrap_socket(request, server_side=True) as line:
            super().finish_request(line, client_address)

    def handle_error(self, *_):
        pass  # clients go away here


@pytest.fixture(scope="session")
def http_server():
    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def tracker():
    """A tracker on a storage of its own."""
    with open_storage("memory://") as storage:
        yield Tracker(storage)


@pytest.fixture
def front(http_server, tracker):
    """A server that a test may let misbehave."""
    http_server.front = Front(f"http://127.0.0.1:{http_server.server_port}", create_app(tracker))
    return http_server.front


@pytest.fixture
def web():
    return Web(timeout=5)


@pytest.fixture
def outcomes():
    """Returns outcomes by the names of the checks, and asserts that each finding is complete."""

    def tell(findings) -> dict[str, str]:
        found = list(findings)
        for one in found:
            assert one.found.endswith(".")
            assert "\n" not in one.found
            assert one.outcome in (Outcome.OK, Outcome.SKIPPED) or one.advice.endswith(".")
        assert len({one.check for one in found}) == len(found)
        return {one.check: one.outcome.value for one in found}

    return tell

"""Endpoints that webhooks are sent to: real HTTP servers on 127.0.0.1."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import attrs
import pytest

from mailtrack import Storage, Tracker
from mailtrack.testing import FakeClock
from mailtrack.webhooks import Webhook


@attrs.frozen
class Message:
    """A request that an endpoint got, with its path, its headers in lower case and its body."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, Any]:
        return json.loads(self.body)


class Receiver:
    """An endpoint. It answers with `status` and `headers`, once `open` is set."""

    def __init__(self) -> None:
        self.status = 204
        self.headers: dict[str, str] = {}
        self.messages: list[Message] = []
        self.open = threading.Event()
        self.open.set()
        self.got = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                with receiver.got:
                    receiver.messages.append(Message(self.path, headers, body))
                    receiver.got.notify_all()
                receiver.open.wait(30)
                self.send_response(receiver.status)
                for name, value in {"Content-Length": "0", **receiver.headers}.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # some tests kill senders
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"

    def wait(self, number: int) -> list[Message]:
        """Wait until so many messages have come, and return them."""
        with self.got:
            assert self.got.wait_for(lambda: len(self.messages) >= number, 20), self.messages
        return list(self.messages)

    def close(self) -> None:
        self.open.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def make_receiver() -> Iterator[Callable[[], Receiver]]:
    made: list[Receiver] = []

    def make() -> Receiver:
        made.append(Receiver())
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def receiver(make_receiver: Callable[[], Receiver]) -> Receiver:
    return make_receiver()


@pytest.fixture
def tracker(memory: Storage, clock: FakeClock) -> Iterator[Tracker]:
    """A tracker whose webhooks may reach this machine."""
    tracker = Tracker(memory, clock=clock, webhook_allow=["127.0.0.0/8"])
    yield tracker
    tracker.stop()


@pytest.fixture
def webhook(tracker: Tracker, receiver: Receiver) -> Webhook:
    """A webhook of `receiver` that gets the events of all opens that count."""
    return tracker.webhooks.add(receiver.url, first="any")

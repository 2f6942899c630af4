"""What the tests of lists of networks share: a server on this machine that answers as a test says."""

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import attrs
import pytest
import trustme

from mailtrack.cli._networks.folder import Folder
from mailtrack.cli._networks.sources import Source


@attrs.define
class Site:
    """A web server for lists.

    Attributes:
        port: its port.
        answers: for each path what it sends: the handler of the request gets called.
        requests: the path and headers of each request.
        closing: is set when the test has ended.
    """

    port: int
    answers: dict = attrs.field(factory=dict)
    requests: list = attrs.field(factory=list)
    closing: threading.Event = attrs.field(factory=threading.Event)

    def url(self, path="/list"):
        return f"http://127.0.0.1:{self.port}{path}"

    def send(self, body=b"", *, path="/list", status=200, length=None, **headers):
        """Answer with a body from now on."""

        def answer(handler):
            handler.send_response(status)
            handler.send_header("Content-Length", str(len(body) if length is None else length))
            for name, value in headers.items():
                handler.send_header(name.replace("_", "-"), value)
            handler.end_headers()
            handler.wfile.write(body)

        self.answers[path] = answer

    def publish(self, body, *, path="/list", tag='"1"', name="ETag", condition="If-None-Match"):
        """Answer with a list that has a tag, and with 304 where the client has that one."""

        def answer(handler):
            known = handler.headers[condition] == tag
            handler.send_response(304 if known else 200)
            handler.send_header(name, tag)
            if not known:
                handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            if not known:
                handler.wfile.write(body)

        self.answers[path] = answer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        site = self.server.site
        site.requests.append((self.path, dict(self.headers)))
        site.answers[self.path](self)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = False

    def handle_error(self, *_):  # a client may go away in the middle of an answer
        pass


@pytest.fixture
def site():
    with Server(("127.0.0.1", 0), Handler) as server:
        server.site = Site(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.site
        server.site.closing.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def secure(site, authority):
    """The URL of the same list over TLS, with a certificate of `authority`."""
    with Server(("127.0.0.1", 0), Handler) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.site = site
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"https://localhost:{server.server_address[1]}/list"
        server.shutdown()
        thread.join()


@pytest.fixture
def authority():
    return trustme.CA()


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "mailtrack.db.networks")


@pytest.fixture
def source(site):
    return Source(name="ours", url=site.url())

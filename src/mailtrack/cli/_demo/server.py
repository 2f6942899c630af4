"""The server of the demonstration: the standard library's, in one process, for this machine only."""

import logging
import socketserver
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

_HOST = "127.0.0.1"
_PORT = 8000  # as that of `mailtrack serve`

_logger = logging.getLogger(__name__)


class _Handler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name in the standard library
        """Print nothing for a request."""


class DemoServer(socketserver.ThreadingMixIn, WSGIServer):
    """A server of a WSGI application on 127.0.0.1, with a thread for each connection.

    It listens as soon as it is made. Assign the application with `set_app` before `serve_forever`.

    Args:
        port: the TCP port; 0 for a free one.

    Raises:
        OSError: the port can't be listened on.
    """

    daemon_threads = True  # a browser keeps connections open; they must not hold up the end

    def __init__(self, port: int) -> None:
        super().__init__((_HOST, port), _Handler)

    @property
    def url(self) -> str:
        """The URL of the server, without a slash at its end."""
        return f"http://{_HOST}:{self.server_port}"

    def server_bind(self) -> None:
        """Bind the socket. The standard library also looks up the host's name, which may take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name = _HOST
        self.server_port = int(self.server_address[1])
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  # that of the standard library
        """Log an error, such as a connection that a browser has reset."""
        _logger.debug("A request failed", exc_info=True)


def listen(port: int | None) -> DemoServer:
    """Return a server that listens on a port; by default on 8000, or if that is taken, on a free one.

    Raises:
        OSError: the port can't be listened on.
    """
    if port is not None:
        return DemoServer(port)
    try:
        return DemoServer(_PORT)
    except OSError:
        return DemoServer(0)

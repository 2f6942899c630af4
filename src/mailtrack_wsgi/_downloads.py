"""Streams downloads, and cuts those that stall or fail, so that the client notices."""

import logging
import os
import socket
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from itertools import chain, islice
from stat import S_ISSOCK
from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

from mailtrack._text import parse_ip
from mailtrack_wsgi._concurrency import ConcurrencyLimit
from mailtrack_wsgi._security_headers import NO_STORE

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_logger = logging.getLogger(__name__)

STALL_SECONDS = 30.0
"""Time without progress after which a download's connection is cut, in seconds."""

_OPEN_FILES = "/proc/self/fd"
_RECEIVED = slice(128, 136)  # `tcpi_bytes_received` within `struct tcp_info` (linux/tcp.h)
_NOWHERE = bytes(16)  # a `struct sockaddr` of the family `AF_UNSPEC`

Peer = tuple[str, int]
"""The address and port of a client."""


def download(
    limit: ConcurrencyLimit, environ: "WSGIEnvironment", pieces: Iterator[bytes], name: str, content_type: str
) -> Response:
    """Return an answer that is a file to download, and that must not be cached.

    Args:
        limit: gives the answer its turn, which lasts as long as the client reads.
        environ: the request.
        pieces: the file. An error in the first two still gets a status of its own.
        name: the file's name, in ASCII and without quotes.
        content_type: the file's type.
    """
    headers = {"Content-Disposition": f'attachment; filename="{name}"', **NO_STORE}
    with ExitStack() as stack:
        stack.enter_context(limit)
        begun = list(islice(pieces, 2))
        cut_when_stalled(environ)
        body = cut_on_error(environ, chain(begun, pieces))
        turn = stack.pop_all()  # closes once, however often the server closes the answer
    response = Response(body, 200, headers, content_type=content_type)
    response.call_on_close(turn.close)
    return response


def cut_when_stalled(environ: "WSGIEnvironment") -> None:
    """Let the operating system cut the connections of a request's client when they stall.

    A thread that sends to a client which does not read blocks in the server, and the application is not called again.
    So the system ends the connection, by `TCP_USER_TIMEOUT` (tcp(7)); the client sees that the answer was cut. Does
    nothing on systems other than Linux, or if the connection is a proxy's Unix socket.
    """
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None:
        for _, connection in _connections_of(environ):
            with suppress(OSError):  # closed meanwhile
                connection.setsockopt(socket.IPPROTO_TCP, option, round(STALL_SECONDS * 1000))


def cut_on_error(environ: "WSGIEnvironment", pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Return the pieces of an answer; an error in the middle resets the connection before it is raised.

    In HTTP/1.0, which nginx speaks to servers by default, the end of the connection ends such an answer, so a part
    would look complete. Servers do not reveal the connection of a request. It is among the client's connections that
    have received nothing since; any others of these are idle, or answer an older request. Where `cut_when_stalled` does
    nothing, the error is only raised.
    """
    return _or_reset(environ, pieces, _count_received(environ))


def _or_reset(environ: "WSGIEnvironment", pieces: Iterable[bytes], received: dict[Peer, int]) -> Iterator[bytes]:
    try:
        yield from pieces
    except Exception:
        _logger.exception("A download failed, and its connection is cut.")  # some servers do not log the error
        for peer, connection in _connections_of(environ):
            if received.get(peer) == _received_by(connection):
                _reset(connection)
        raise


def _count_received(environ: "WSGIEnvironment") -> dict[Peer, int]:
    """Return the number of bytes that each connection of a request's client has received."""
    return {peer: _received_by(connection) for peer, connection in _connections_of(environ)}


def _received_by(connection: socket.socket) -> int:
    with suppress(AttributeError, OSError):  # no `TCP_INFO` on this system, or closed meanwhile
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _RECEIVED.stop)
        return int.from_bytes(info[_RECEIVED], sys.byteorder)
    return -1


def _reset(connection: socket.socket) -> None:
    """Reset a connection at once, although the server has it open, too; see connect(2), "dissolve the association"."""
    with suppress(ImportError):  # some builds of Python have no ctypes
        import ctypes  # here, since it is rarely needed

        ctypes.CDLL(None).connect(connection.fileno(), _NOWHERE, len(_NOWHERE))


def _connections_of(environ: "WSGIEnvironment") -> Iterator[tuple[Peer, socket.socket]]:
    """Yield the TCP connections of a request's client, each as a duplicate that is closed afterwards."""
    client, port = parse_ip(environ.get("REMOTE_ADDR")), environ.get("SERVER_PORT")
    for connection in _connections() if client else ():
        with connection, suppress(OSError):  # closed meanwhile, or only listening
            peer = connection.getpeername()[:2]
            if str(connection.getsockname()[1]) == port and parse_ip(peer[0]) == client:
                yield peer, connection


def _connections() -> Iterator[socket.socket]:
    """Yield the TCP sockets of this process, each as a duplicate that the caller closes."""
    names: list[str] = []
    with suppress(OSError):
        names = os.listdir(_OPEN_FILES)  # noqa: PTH208  # numbers, not paths
    for name in names:
        with suppress(OSError):
            if S_ISSOCK(os.fstat(int(name)).st_mode):
                found = socket.socket(fileno=os.dup(int(name)))
                if found.family in (socket.AF_INET, socket.AF_INET6) and found.type == socket.SOCK_STREAM:
                    yield found
                else:
                    found.close()

"""An end for downloads whose clients read no more."""

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from stat import S_ISSOCK
from typing import TYPE_CHECKING

from mailtrack.model import parse_ip

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

STALL_SECONDS = 30.0
"""How long a download may stand still, in seconds, before its connection is cut."""

_OPEN_FILES = "/proc/self/fd"


def cut_when_stalled(environ: "WSGIEnvironment") -> None:
    """Have the system cut the connections of a request's client when they stand still.

    A server's thread that sends to a client who does not read hangs in the server, where no WSGI application is asked
    again. So the system ends it, by `TCP_USER_TIMEOUT` (tcp(7)); the client sees that the answer was cut. Does nothing
    where the system is not Linux, or where the connection is a proxy's Unix socket.
    """
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    client, port = parse_ip(environ.get("REMOTE_ADDR")), environ.get("SERVER_PORT")
    if option is None or client is None:
        return
    for connection in _connections():
        with connection, suppress(OSError):  # it is closed meanwhile, or only listens
            if str(connection.getsockname()[1]) == port and parse_ip(connection.getpeername()[0]) == client:
                connection.setsockopt(socket.IPPROTO_TCP, option, round(STALL_SECONDS * 1000))


def _connections() -> Iterator[socket.socket]:
    """Return the TCP sockets of this process, each as a duplicate to be closed."""
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

"""Sockets to endpoints: connected to addresses that were checked, and bounded by one deadline for all that they do."""

import io
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeAlias

import attrs

from mailtrack._events.webhooks.guard import Network, is_allowed, parse_address
from mailtrack._threads import BackgroundThread

_CHUNK = 16_384
_LOOK_SECONDS = 0.1  # for an abort, while a name is looked up

Resolve: TypeAlias = Callable[[str, int], Sequence[str]]
"""Returns the addresses of a host name, given also the port. Raises `OSError` if it has none."""


class Refused(Exception):
    """The guard lets none of the addresses through. The message is the reason."""


def resolve_by_system(host: str, port: int) -> list[str]:
    """Return the addresses of a host name by the system's resolver.

    Raises:
        OSError: it has none.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Deadline:
    """A point in time at which something ends, unless another thread aborts it before.

    Args:
        seconds: the time from now on.
        aborted: set by the thread that aborts it.
    """

    def __init__(self, seconds: float, aborted: threading.Event) -> None:
        self._until = time.monotonic() + seconds
        self._aborted = aborted

    def left(self) -> float:
        """Return the seconds that are left.

        Raises:
            TimeoutError: none are, or it was aborted.
        """
        left = self._until - time.monotonic()
        if left <= 0 or self._aborted.is_set():
            raise TimeoutError
        return left


class BoundedSocket:
    """As much of a socket as `http.client` uses. A deadline bounds all calls together. `abort` is for other threads.

    Args:
        sock: the connected socket.

    Attributes:
        deadline: the deadline, which is set for each request.
    """

    deadline: Deadline

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self.deadline = deadline

    def sendall(self, data: bytes) -> None:
        """Send bytes."""
        view = memoryview(data)
        while view:
            self._sock.settimeout(self.deadline.left())
            view = view[self._sock.send(view[:_CHUNK]) :]

    def receive(self, buffer: memoryview) -> int:
        """Receive bytes into a buffer, and return how many; 0 at the end."""
        self._sock.settimeout(self.deadline.left())
        return self._sock.recv_into(buffer)

    def makefile(self, _: str) -> io.BufferedReader:
        """Return a file that reads from the socket, and does not close it."""
        return io.BufferedReader(_Received(self))

    def abort(self) -> None:
        """Wake the thread that waits for the other side."""
        with suppress(OSError):  # it is closed already
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)  # that of TLS is not for other threads

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()


class _Received(io.RawIOBase):
    """What comes from a socket."""

    def __init__(self, sock: BoundedSocket) -> None:
        self._bounded = sock

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # the only caller is `io.BufferedReader`
        """Receive bytes into a buffer, and return how many; 0 at the end."""
        return self._bounded.receive(buffer)


@attrs.frozen(kw_only=True)
class Connector:
    """Connects to a host, at one of its addresses that the guard lets through.

    Attributes:
        host: the name or address, without brackets.
        port: the port.
        allow: networks that are allowed though they are not public.
        resolve: looks names up.
        context: how to use TLS, `None` for a connection without.
    """

    host: str
    port: int
    allow: Sequence[Network]
    resolve: Resolve
    context: ssl.SSLContext | None

    def connect(self, deadline: Deadline) -> BoundedSocket:
        """Return a new connection.

        Raises:
            Refused: the guard lets none of the addresses through, or there is none.
            OSError: the name can't be resolved, no address be connected to, or the certificate is not trusted.
            TimeoutError: it takes too long.
        """
        sock = self._connect_to_one(self._find(deadline), deadline)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.context is not None:
                sock.settimeout(deadline.left())  # of the whole handshake
                sock = self.context.wrap_socket(sock, server_hostname=self.host)
        except BaseException:
            sock.close()
            raise
        return BoundedSocket(sock, deadline)

    def _find(self, deadline: Deadline) -> list[str]:
        """Return the addresses that may be connected to."""
        found = list(dict.fromkeys(self._look_up(deadline)))
        allowed = [one for one in found if is_allowed(parse_address(one), self.allow)]
        if not allowed:
            raise Refused(f"{self.host} is at {found[0]}, which is not public" if found else "the name has no address")
        return allowed

    def _look_up(self, deadline: Deadline) -> Sequence[str]:
        """Look the name up in a thread of its own, since the system's resolver can't be interrupted."""
        found: list[Sequence[str] | Exception] = []
        done = threading.Event()

        def look_up() -> None:
            try:
                found.append(self.resolve(self.host, self.port))
            except Exception as error:  # noqa: BLE001  # raised below, in the thread that waits
                found.append(error)
            done.set()

        BackgroundThread(look_up, name="mailtrack-webhook-name").start()
        while not done.wait(min(deadline.left(), _LOOK_SECONDS)):
            pass
        if isinstance(found[0], Exception):
            raise found[0]
        return found[0]

    def _connect_to_one(self, addresses: Sequence[str], deadline: Deadline) -> socket.socket:
        """Connect to the first address that answers. Each gets an equal part of the time that is left."""
        failed: OSError = TimeoutError()
        for number, address in enumerate(addresses):
            sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
            try:
                sock.settimeout(deadline.left() / (len(addresses) - number))
                sock.connect((address, self.port))
            except OSError as error:
                sock.close()
                failed = error
            else:
                return sock
        raise failed

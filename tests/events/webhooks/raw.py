"""Servers that do to a connection what no HTTP library would do, each in a thread."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import attrs

Behaviour = Callable[[socket.socket, threading.Event], None]
"""Serves one connection, until the event is set."""

OK = b"HTTP/1.1 204 No Content\r\n\r\n"


@attrs.define
class RawServer:
    """A running server.

    Attributes:
        port: its port, on some address of the loopback network.
        connections: how many connections it got.
        requests: the requests that it read.
    """

    port: int
    connections: int = 0
    requests: list[bytes] = attrs.field(factory=list)


def read_request(connection: socket.socket) -> bytes:
    """Return the bytes of the next request, b"" at the end."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (some := connection.recv(65536)):
            return b""
        data += some
    head, _, body = data.partition(b"\r\n\r\n")
    (length,) = (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


@contextmanager
def serving(behave: Behaviour, *, address: str = "127.0.0.1", port: int = 0) -> Iterator[RawServer]:
    """Run a server."""
    done, threads, open_ = threading.Event(), [], []
    with socket.create_server((address, port)) as listener:
        server = RawServer(listener.getsockname()[1])

        def serve(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                behave(connection, done)

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                if done.is_set():
                    connection.close()
                    return
                server.connections += 1
                open_.append(connection)
                threads.append(threading.Thread(target=serve, args=(connection,)))
                threads[-1].start()

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield server
        finally:
            done.set()
            with suppress(OSError):
                socket.create_connection((address, server.port)).close()  # ends `accept`
            for one in open_:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            accepting.join()
            for one in threads:
                one.join()


def answering(*answers: bytes) -> Behaviour:
    """Answer the requests of a connection with some bytes each, and close it."""

    def behave(connection: socket.socket, _: threading.Event) -> None:
        for answer in answers:
            if not read_request(connection):
                return
            connection.sendall(answer)

    return behave


def always(answer: bytes = OK) -> Behaviour:
    """Answer all requests of a connection in the same way."""

    def behave(connection: socket.socket, _: threading.Event) -> None:
        while read_request(connection):
            connection.sendall(answer)

    return behave


def dripping(answer: bytes) -> Behaviour:
    """Send an answer byte by byte, with ever the same pause, and its last byte never."""

    def behave(connection: socket.socket, done: threading.Event) -> None:
        read_request(connection)
        for byte in answer[:-1]:
            connection.sendall(bytes([byte]))
            if done.wait(0.02):
                return
        done.wait()

    return behave


def hanging(connection: socket.socket, done: threading.Event) -> None:
    """Read the request, and never answer."""
    read_request(connection)
    done.wait()

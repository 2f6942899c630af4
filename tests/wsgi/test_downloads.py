"""A download whose client reads no more is cut by the system; one that can't go on is reset."""

import os
import socket
from contextlib import ExitStack

import pytest

from mailtrack_wsgi import _downloads as downloads
from mailtrack_wsgi._downloads import cut_on_error, cut_when_stalled

pytestmark = pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="needs an option of Linux")


@pytest.fixture
def listen():
    """Makes servers that listen on an address; each gives connections to it: both ends."""
    with ExitStack() as stack:

        def make(family=socket.AF_INET, host="127.0.0.1"):
            listening = stack.enter_context(socket.create_server((host, 0), family=family))

            def accept():
                near = stack.enter_context(socket.create_connection(listening.getsockname()[:2]))
                return stack.enter_context(listening.accept()[0]), near

            return accept

        yield make


@pytest.fixture
def connect(listen):
    """Makes a server that listens on an address, and a connection to it: both ends."""
    return lambda *address: listen(*address)()


def stall_of(connection):
    """After how many milliseconds a connection that stands still is cut, 0 for the usual time."""
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)


def environ_of(connection, **changes):
    """What a WSGI server says of the ends of a connection."""
    environ = {"REMOTE_ADDR": connection.getpeername()[0], "SERVER_PORT": str(connection.getsockname()[1])}
    return environ | changes


def test_a_download_may_stand_still_for_30_seconds(connect):
    connection, _ = connect()
    cut_when_stalled(environ_of(connection))
    assert stall_of(connection) == 30_000


def test_an_ipv6_connection_is_found(connect):
    connection, _ = connect(socket.AF_INET6, "::1")
    cut_when_stalled(environ_of(connection))
    assert stall_of(connection) == 30_000


def test_no_other_connection_is_cut(connect):
    connection, near = connect()
    other, _ = connect()
    cut_when_stalled(environ_of(connection))
    assert (stall_of(near), stall_of(other)) == (0, 0)


@pytest.mark.parametrize(
    "changes", [{"REMOTE_ADDR": "203.0.113.9"}, {"REMOTE_ADDR": ""}, {"REMOTE_ADDR": "unix:"}, {"SERVER_PORT": "1"}]
)
def test_a_client_that_is_not_found_is_harmless(connect, changes):
    connection, _ = connect()
    cut_when_stalled(environ_of(connection, **changes))
    assert stall_of(connection) == 0


def test_it_leaves_no_file_open(connect):
    connection, _ = connect()
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # the descriptor that lists is there both times
    cut_when_stalled(environ_of(connection))
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_where_the_system_has_no_such_option_nothing_is_done(connect, monkeypatch):
    connection, _ = connect()
    monkeypatch.delattr(downloads.socket, "TCP_USER_TIMEOUT")
    cut_when_stalled(environ_of(connection))
    monkeypatch.undo()
    assert stall_of(connection) == 0


class TestCutOnError:
    @staticmethod
    def failing():
        yield b"first"
        raise OSError("The disk does not answer.")

    def test_the_connection_is_reset_and_the_error_raised(self, connect):
        connection, near = connect()
        pieces = cut_on_error(environ_of(connection), self.failing())
        connection.sendall(next(pieces))
        with pytest.raises(OSError, match="does not answer"):
            next(pieces)
        with pytest.raises(ConnectionError):
            connection.sendall(b"what ends the answer")
        with near.makefile("rb") as answer, pytest.raises(ConnectionResetError):
            answer.read()

    def test_those_that_were_asked_since_live_on(self, listen):
        """All are of one client, as behind a proxy."""
        accept = listen()
        (connection, _), (asked, asking) = accept(), accept()
        pieces = cut_on_error(environ_of(connection), self.failing())
        later, near_later = accept()
        asking.sendall(b"GET")
        assert asked.recv(3) == b"GET"
        with pytest.raises(OSError, match="does not answer"):
            list(pieces)
        for one, near in ((asked, asking), (later, near_later)):
            one.sendall(b"200")
            assert near.recv(3) == b"200"

    def test_whole_answers_and_answers_that_are_given_up_leave_it_open(self, connect):
        connection, near = connect()
        environ = environ_of(connection)
        assert list(cut_on_error(environ, [b"first", b"last"])) == [b"first", b"last"]
        pieces = cut_on_error(environ, self.failing())
        next(pieces)
        pieces.close()
        connection.sendall(b"200")
        assert near.recv(3) == b"200"

    @pytest.mark.parametrize("changes", [{"REMOTE_ADDR": "203.0.113.9"}, {"REMOTE_ADDR": ""}, {"SERVER_PORT": "1"}])
    def test_the_error_is_raised_though_the_client_is_not_found(self, connect, changes):
        connection, near = connect()
        with pytest.raises(OSError, match="does not answer"):
            list(cut_on_error(environ_of(connection, **changes), self.failing()))
        connection.sendall(b"200")
        assert near.recv(3) == b"200"

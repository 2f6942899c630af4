"""A download whose client reads no more is cut by the system."""

import os
import socket
from contextlib import ExitStack

import pytest

from mailtrack_wsgi import downloads
from mailtrack_wsgi.downloads import cut_when_stalled

pytestmark = pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="needs an option of Linux")


@pytest.fixture
def connect():
    """Makes a server that listens on an address, and a connection to it: both ends."""
    with ExitStack() as stack:

        def make(family=socket.AF_INET, host="127.0.0.1"):
            listening = stack.enter_context(socket.create_server((host, 0), family=family))
            near = stack.enter_context(socket.create_connection(listening.getsockname()[:2]))
            far = stack.enter_context(listening.accept()[0])
            return far, near

        yield make


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

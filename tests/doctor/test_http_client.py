"""Requests end, whatever the server does, and report the reason."""

import socket
import ssl
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from mailtrack._times import now
from mailtrack.cli._doctor.http_client import Unreachable, Web
from mailtrack.cli._doctor.public_url import check_url

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n"


def send(data):
    return lambda handler: handler.wfile.write(data)


def test_nobody_who_listens_is_told(web):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        with pytest.raises(Unreachable, match="connection is refused"):
            web.get(f"http://127.0.0.1:{taken.getsockname()[1]}/")


def test_a_name_that_is_not_known_is_told(web, monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(Unreachable, match=r"host name mail\.example\.com is unknown"):
        web.get("http://mail.example.com/")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", id="another protocol"),
        pytest.param(b"HTTP/1.1 999999 X\r\n\r\n", id="no status"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", id="no chunks"),
        pytest.param(HEAD + b"X: 1\r\n" * 1000 + b"\r\n", id="a thousand headers"),
    ],
)
def test_what_is_no_answer_is_told(front, web, data):
    front.send = send(data)
    with pytest.raises(Unreachable, match="does not speak HTTP"):
        web.get(front.url)


def test_an_answer_that_never_ends_comes_in_part(front, web):
    front.send = send(HEAD + b"\r\n" + bytes(3 * 1024 * 1024))
    assert len(web.get(front.url).body) == 1024 * 1024


@pytest.mark.parametrize("begin", [b"", HEAD, HEAD + b"Content-Length: 1000\r\n\r\n"], ids=["none", "head", "body"])
def test_a_server_that_sends_a_byte_now_and_then_is_given_up(front, begin):
    gone = threading.Event()

    def drip(handler):
        handler.wfile.write(begin)
        with suppress(OSError):
            while not gone.wait(0.02):
                handler.wfile.write(b"X")
        gone.set()

    front.send = drip
    with pytest.raises(Unreachable, match="no complete answer came within"):
        Web(timeout=0.2).get(front.url)
    assert gone.wait(10)  # the connection is closed


def test_a_server_that_is_silent_is_given_up(front):
    over = threading.Event()
    front.send = lambda _: over.wait(10)
    try:
        with pytest.raises(Unreachable, match="no complete answer came within"):
            Web(timeout=0.2).get(front.url)
    finally:
        over.set()


def test_what_can_not_be_reached_is_one_failed_check(front, web, outcomes):
    front.send = send(b"")
    assert outcomes(check_url(front.url, web=web, clock=now)) == {"https": "warning", "reachable": "failed"}


@pytest.fixture(scope="session")
def authority():
    return trustme.CA()


@pytest.fixture
def tls(front, http_server, authority):
    """Lets the server speak TLS; returns the trusted certificates. `days` is how long its own is valid."""

    def serve(*, days, name="127.0.0.1"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ends = datetime.now(UTC) + timedelta(days=days, hours=1)
        authority.issue_cert(name, not_after=ends).configure_cert(context)
        http_server.tls = context
        front.url = front.url.replace("http:", "https:")
        trusting = ssl.create_default_context()
        authority.configure_trust(trusting)
        return trusting

    yield serve
    http_server.tls = None


@pytest.mark.parametrize(("days", "outcome"), [(90, "ok"), (14, "ok"), (13, "warning"), (0, "warning")])
def test_a_certificate_that_ends_soon_is_a_warning(front, tls, outcomes, days, outcome):
    web = Web(context=tls(days=days))
    found = outcomes(check_url(front.url, web=web, clock=now))
    assert (found["reachable"], found["certificate"]) == ("ok", outcome)


def test_a_certificate_that_nobody_knows_fails(front, tls, web):
    tls(days=90)
    with pytest.raises(Unreachable, match="certificate is not trusted"):
        web.get(front.url)


def test_a_certificate_that_has_ended_fails(front, tls):
    context = tls(days=-2)
    with pytest.raises(Unreachable, match="certificate has expired"):
        Web(context=context).get(front.url)


def test_a_certificate_of_another_name_fails(front, tls):
    context = tls(days=90, name="mail.example.com")
    with pytest.raises(Unreachable, match="not trusted"):
        Web(context=context).get(front.url)


def test_a_server_without_tls_at_an_https_url_fails(front, web):
    with pytest.raises(Unreachable, match="TLS fails"):
        web.get(front.url.replace("http:", "https:"))

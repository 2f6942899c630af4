"""Requests as no decent client sends them."""

import pytest

from mailtrack._images.check import TRANSPARENT_PNG


def get(path, *headers, version=b"1.1"):
    return b"GET " + path + b" HTTP/" + version + b"\r\n" + b"".join(line + b"\r\n" for line in headers) + b"\r\n"


HOSTS = pytest.mark.parametrize(
    ("version", "headers"),
    [
        pytest.param(b"1.0", [], id="no Host, HTTP 1.0"),
        pytest.param(b"1.1", [b"Connection: close"], id="no Host, HTTP 1.1"),
        pytest.param(b"1.1", [b"Host: a", b"Host: b", b"Connection: close"], id="two Hosts"),
        pytest.param(b"1.1", [b"Host: '\"><script>", b"Connection: close"], id="Host with quotes"),
        pytest.param(b"1.1", [b"Host: a:99999", b"Connection: close"], id="Host with a port out of range"),
        pytest.param(b"1.1", [b"Host: \xff\xfe", b"Connection: close"], id="Host not ASCII"),
        pytest.param(b"1.1", [b"Host: " + b"a" * 10_240, b"Connection: close"], id="Host of 10 kB"),
        pytest.param(b"1.1", [b"Host:", b"Connection: close"], id="empty Host"),
    ],
)


@pytest.mark.parametrize("path", [b"/healthz", b"/", b"/logs/a1b2c3d4", b"/api/v1/pixels", b"/nowhere"])
@HOSTS
def test_no_host_makes_an_error_of_the_server(server, path, version, headers):
    answer = server.exchange(get(path, *headers, version=version))
    assert answer is None or answer.status < 500


@pytest.fixture(scope="module")
def based(tmp_path_factory, run_server):
    """A server that knows its URL."""
    with run_server(tmp_path_factory.mktemp("based"), "--base-url", "https://mail.example.com/track") as running:
        yield running


@HOSTS
def test_no_host_makes_a_wrong_url_with_a_base_url(based, version, headers):
    body = b'{"name": "Spring"}'
    headers = [*headers, b"Connection: close"]
    head = get(b"/api/v1/pixels", *headers, b"Content-Type: application/json", b"Content-Length: 18", version=version)
    answer = based.exchange(head.replace(b"GET", b"POST", 1) + body)
    if len(head) > 10_000:  # longer than any name can be
        assert answer.status == 400
    else:
        assert answer.json["trackingUrl"] == f"https://mail.example.com/track/tracker/{answer.json['id'][:8]}.png"


@pytest.mark.parametrize(
    ("version", "headers"),
    [
        pytest.param(b"1.0", [], id="no Host, HTTP 1.0"),
        pytest.param(b"1.1", [b"Host: '\"><script>"], id="Host with quotes"),
        pytest.param(b"1.1", [b"Host: a", b"User-Agent: " + b"a" * 65_536], id="user agent of 64 kB"),
        pytest.param(b"1.1", [b"Host: a", b"User-Agent: " + bytes(range(0x80, 0x100))], id="user agent of raw bytes"),
        pytest.param(b"1.1", [b"Host: a", b"Referer: <svg onload=alert(1)>"], id="HTML as referer"),
        pytest.param(b"1.1", [b"Host: a", b"X-Forwarded-For: " + b"1.2.3.4, " * 200], id="200 hops"),
        pytest.param(b"1.1", [b"Host: a", b"If-None-Match: *", b"Range: bytes=0-3"], id="conditions and ranges"),
    ],
)
def test_the_tracker_answers_every_client_with_the_image(server, version, headers):
    pixel = server.create_pixel()
    path = f"/tracker/{pixel['id'][:8]}.png".encode()
    answer = server.exchange(get(path, *headers, b"Connection: close", version=version))
    assert (answer.status, answer.data) == (200, TRANSPARENT_PNG.data)


IDS = [
    pytest.param(b"a" * 10_240, id="10 kB"),
    pytest.param(b"%00", id="NUL"),
    pytest.param(b"%ff%fe", id="no UTF-8"),
    pytest.param(b"..%2f..%2fetc%2fpasswd", id="quoted path"),
    pytest.param(b"../../etc/passwd", id="path"),
    pytest.param(b"%zz", id="bad quotation"),
]


@pytest.mark.parametrize("id_", IDS)
@pytest.mark.parametrize(
    "path",
    [
        b"/api/v1/pixels/%b",
        b"/api/v1/pixels/%b/opens",
        b"/api/v1/pixels/%b/generate-tokens/csv",
        b"/logs/%b",
        b"/uploads/%b.png",
    ],
)
def test_an_id_that_can_be_none_is_not_found(server, path, id_):
    assert server.exchange(get(path % id_, b"Host: a", b"Connection: close")).status == 404


@pytest.mark.parametrize("id_", IDS)
def test_the_tracker_shows_the_image_for_an_id_that_can_be_none(server, id_):
    answer = server.exchange(get(b"/tracker/%b.png" % id_, b"Host: a", b"Connection: close"))
    assert (answer.status, answer.data) == (200, TRANSPARENT_PNG.data)


def test_the_tracker_takes_a_token_of_40_kb(server):
    path = b"/tracker/a1b2c3d4.png?token=" + b"a" * 40_960
    answer = server.exchange(get(path, b"Host: a", b"Connection: close"))
    assert (answer.status, answer.data) == (200, TRANSPARENT_PNG.data)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\r\n\r\n", id="blank lines"),
        pytest.param(b"nonsense\r\n\r\n", id="no request"),
        pytest.param(b"GET\r\n\r\n", id="no path"),
        pytest.param(b"GET / HTTP/9.9\r\n\r\n", id="version of the future"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", id="TLS"),
        pytest.param(b"\x00" * 1000, id="NULs"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", id="folded header"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: a\r\n" * 5000 + b"\r\n", id="5,000 headers"),
        pytest.param(b"GET http://evil.example.com/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", id="absolute"),
        pytest.param(b"GET * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", id="asterisk"),
        pytest.param(b"OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", id="options of the server"),
        pytest.param(b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", id="connect"),
        pytest.param(b"BREW / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", id="unknown method"),
    ],
)
def test_nonsense_makes_no_error_of_the_server(server, data):
    answer = server.exchange(data, then_shut=True)
    assert answer is None or answer.status < 500
    assert server("GET", "/healthz").status == 200


def test_a_client_that_goes_away_before_its_answer_harms_nobody(server):
    pixel = server.create_pixel()
    path = f"/api/v1/pixels/{pixel['id']}/generate-tokens/csv".encode()
    for _ in range(20):
        server.exchange(get(path, b"Host: a"), then_shut=True)
    assert server("GET", "/readyz").status == 200

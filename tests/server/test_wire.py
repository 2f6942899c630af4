"""Requests as no decent client sends them."""

import pytest

from mailtrack.images import TRANSPARENT_PNG

BODY = b'{"name": "Spring"}'
CREATE = b"POST /api/v1/pixels HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\n"
TOKENS = CREATE.replace(b"/pixels", b"/pixels/%b/generate-tokens")
MULTIPART = (
    b"POST /api/v1/pixels HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: multipart/form-data; boundary=b\r\n"
)
FORM = b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nSpring\r\n--b--\r\n'


@pytest.fixture
def names(server):
    """Tells how many pixels there are."""

    def tell():
        with server.stored() as tracker:
            return [pixel.id for pixel in tracker.iter_pixels()]

    return tell


def get(path, *headers, version=b"1.1"):
    return b"GET " + path + b" HTTP/" + version + b"\r\n" + b"".join(line + b"\r\n" for line in headers) + b"\r\n"


def test_the_request_that_is_spoiled_here_is_good_itself(server):
    assert server.exchange(CREATE + b"Content-Length: 18\r\n\r\n" + BODY).status == 201


def test_a_chunked_body_without_a_length_is_refused(server, names):
    before = names()
    answer = server.exchange(CREATE + b"Transfer-Encoding: chunked\r\n\r\n12\r\n" + BODY + b"\r\n0\r\n\r\n")
    assert (answer.status, list(answer.json)) == (411, ["error"])
    assert names() == before


def test_a_chunked_body_that_breaks_off_stores_nothing(server, names):
    before = names()
    answer = server.exchange(CREATE + b"Transfer-Encoding: chunked\r\n\r\n12\r\n" + BODY[:5], then_shut=True)
    assert answer is None or 400 <= answer.status < 500
    assert names() == before


@pytest.mark.parametrize(
    ("head", "body"),
    [
        pytest.param(CREATE, BODY, id="nothing missing but what was announced"),
        pytest.param(CREATE, BODY[:-5], id="JSON cut off"),
        pytest.param(CREATE, b"", id="no body at all"),
        pytest.param(MULTIPART, FORM, id="a whole form"),
        pytest.param(MULTIPART, FORM[:-10], id="a form cut off"),
    ],
)
def test_a_body_shorter_than_its_length_is_refused_and_nothing_is_stored(server, names, head, body):
    before = names()
    answer = server.exchange(head + b"Content-Length: 200\r\n\r\n" + body, then_shut=True)
    assert (answer.status, list(answer.json)) == (400, ["error"])
    assert names() == before


def test_tokens_from_a_body_shorter_than_its_length_are_not_made(server):
    pixel = server.create_pixel()
    body = b'{"emails": ["ann@example.org"]}'
    head = TOKENS % pixel["id"].encode()
    answer = server.exchange(head + b"Content-Length: 200\r\n\r\n" + body, then_shut=True)
    assert (answer.status, list(answer.json)) == (400, ["error"])
    with server.stored() as tracker:
        assert list(tracker.iter_recipients(pixel["id"])) == []


def test_what_follows_a_body_is_not_part_of_it(server, names):
    before = names()
    answer = server.exchange(CREATE + b"Content-Length: 17\r\n\r\n" + BODY)
    assert answer.status == 400
    assert names() == before


def test_a_length_over_the_limit_is_refused_without_waiting_for_the_body(server):
    assert server.exchange(CREATE + b"Content-Length: 99999999\r\n\r\n").status == 413


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(b"Content-Length: x\r\n\r\n", id="no number"),
        pytest.param(b"Content-Length: -1\r\n\r\n", id="negative"),
        pytest.param(b"Content-Length: 18\r\nContent-Length: 5\r\n\r\n", id="two"),
        pytest.param(b"Content-Length: 18, 5\r\n\r\n", id="two in one"),
        pytest.param(b"Content-Length: " + b"9" * 50 + b"\r\n\r\n", id="50 digits"),
    ],
)
def test_a_malformed_length_stores_nothing(server, names, headers):
    before = names()
    answer = server.exchange(CREATE + headers + BODY, then_shut=True)
    assert answer is None or 400 <= answer.status < 500
    assert names() == before


@pytest.mark.parametrize("path", [b"/healthz", b"/", b"/logs/a1b2c3d4", b"/api/v1/pixels", b"/nowhere"])
@pytest.mark.parametrize(
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
def test_no_host_makes_an_error_of_the_server(server, path, version, headers):
    answer = server.exchange(get(path, *headers, version=version))
    assert answer is None or answer.status < 500


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

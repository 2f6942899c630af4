"""Bodies as no decent client sends them: to the reference server, and to mailtrack mounted on gunicorn and waitress."""

import pytest

from mailtrack._images.check import MAX_BYTES, TRANSPARENT_PNG

BODY = b'{"name": "Spring"}'
CREATE = b"POST /api/v1/pixels HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\n"
TOKENS = CREATE.replace(b"/pixels", b"/pixels/%b/generate-tokens")
MULTIPART = CREATE.replace(b"application/json", b"multipart/form-data; boundary=b")
FORM = b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nSpring\r\n--b--\r\n'


@pytest.fixture(params=["reference", "gunicorn", "waitress"])
def host(request):
    """The name of a server."""
    return request.param


@pytest.fixture
def served(request, host):
    return request.getfixturevalue("server") if host == "reference" else request.getfixturevalue("mounted")(host)


@pytest.fixture
def stored(served):
    """Returns the existing pixels."""

    def tell():
        with served.stored() as tracker:
            return [pixel.id for pixel in tracker.iter_pixels()]

    return tell


def is_refused(answer, status):
    return (answer.status, list(answer.json)) == (status, ["error"])


def test_the_request_that_is_spoiled_here_is_good_itself(served):
    assert served.exchange(CREATE + b"Content-Length: 18\r\n\r\n" + BODY).status == 201


def test_a_body_without_a_length_is_refused(served, stored):
    before = stored()
    assert is_refused(served.exchange(CREATE + b"\r\n" + BODY, then_shut=True), 411)
    assert stored() == before


@pytest.mark.parametrize(
    "more", [pytest.param(b"", id="alone"), pytest.param(b"Content-Length: 5\r\n", id="and a length")]
)
def test_a_chunked_body_is_refused_or_whole(served, host, stored, more):
    before = stored()
    chunked = b"Transfer-Encoding: chunked\r\n" + more + b"\r\n12\r\n" + BODY + b"\r\n0\r\n\r\n"
    answer = served.exchange(CREATE + chunked)
    if host == "waitress":  # it takes the chunks itself, and hands over a body with its true length
        assert (answer.status, answer.json["name"]) == (201, "Spring")
        return
    assert answer.status == 400 if more and host == "gunicorn" else is_refused(answer, 411)
    assert stored() == before


def test_a_chunked_body_that_breaks_off_stores_nothing(served, stored):
    before = stored()
    answer = served.exchange(CREATE + b"Transfer-Encoding: chunked\r\n\r\n12\r\n" + BODY[:5], then_shut=True)
    assert answer is None or 400 <= answer.status < 500
    assert stored() == before


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
def test_a_body_shorter_than_its_length_is_refused_and_nothing_is_stored(served, host, stored, head, body):
    before = stored()
    answer = served.exchange(head + b"Content-Length: 200\r\n\r\n" + body, then_shut=True)
    assert answer is None if host == "waitress" else is_refused(answer, 400)  # waitress waits for all of it itself
    assert stored() == before


def test_tokens_from_a_body_shorter_than_its_length_are_not_made(served, host):
    pixel = served.create_pixel()
    body = b'{"emails": ["ann@example.org"]}'
    head = TOKENS % pixel["id"].encode()
    answer = served.exchange(head + b"Content-Length: 200\r\n\r\n" + body, then_shut=True)
    assert answer is None if host == "waitress" else is_refused(answer, 400)
    with served.stored() as tracker:
        assert list(tracker.iter_recipients(pixel["id"])) == []


def test_what_follows_a_body_is_not_part_of_it(served, stored):
    before = stored()
    answer = served.exchange(CREATE + b"Content-Length: 17\r\n\r\n" + BODY)
    assert answer.status == 400
    assert stored() == before


def test_a_length_over_the_limit_is_refused_without_waiting_for_the_body(served):
    assert served.exchange(CREATE + b"Content-Length: 99999999\r\n\r\n").status == 413


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
def test_a_malformed_length_stores_nothing(served, stored, headers):
    before = stored()
    answer = served.exchange(CREATE + headers + BODY, then_shut=True)
    assert answer is None or 400 <= answer.status < 500
    assert stored() == before


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param(TRANSPARENT_PNG.data + b"SECRET", 201, id="PNG with something after it"),
        pytest.param(TRANSPARENT_PNG.data.ljust(MAX_BYTES, b"\0"), 201, id="5 MB"),
        pytest.param(TRANSPARENT_PNG.data.ljust(MAX_BYTES + 1, b"\0"), 413, id="more than 5 MB"),
        pytest.param(TRANSPARENT_PNG.data[:-1], 400, id="truncated"),
        pytest.param(b"GIF89a/*\0\0\0\0\0*/=1;alert(1)//;", 400, id="GIF and script"),
        pytest.param(b"<svg/>", 415, id="SVG"),
    ],
)
def test_an_image_is_taken_for_what_it_is(served, stored, data, status):
    before = stored()
    file = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n' + data + b"\r\n"
    body = file + FORM
    answer = served.exchange(MULTIPART + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    assert answer.status == status
    if status == 201:
        assert b"SECRET" not in served("GET", answer.json["imagePath"]).data
    else:
        assert stored() == before

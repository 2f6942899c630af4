"""What is no good as a body: each row of the table of bad input, for creating pixels and for making tokens."""

import gzip
import io
import json
import os
import struct
import tempfile
import zlib

import PIL.Image
import pytest

from mailtrack._images.check import MAX_BYTES
from mailtrack_wsgi import _bodies as bodies
from mailtrack_wsgi._bodies import MAX_FORM_BYTES, MAX_JSON_BYTES, MAX_TEXT_BYTES, MAX_TOKENS_BYTES

BOUNDARY = b"----0123456789"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY.decode()}"
URLENCODED = "application/x-www-form-urlencoded"
JSON = "application/json"

NAME = b'Content-Disposition: form-data; name="name"\r\n\r\nSpring'


def file_part(data, *, field=b"image", file_name=b"picture.png", content_type=b"image/png"):
    disposition = b'Content-Disposition: form-data; name="%s"; filename="%s"' % (field, file_name)
    return disposition + b"\r\nContent-Type: " + content_type + b"\r\n\r\n" + data


def multipart(*parts, end=b"--"):
    body = b"".join(b"--" + BOUNDARY + b"\r\n" + part + b"\r\n" for part in parts)
    return body + b"--" + BOUNDARY + end + b"\r\n"


def picture(format_="PNG", size=(3, 2), **options):
    file = io.BytesIO()
    PIL.Image.new("RGB", size, (200, 30, 30)).save(file, format_, **options)
    return file.getvalue()


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, *, idat=b"", extra=b""):
    """A grey PNG of one bit a pixel, of any size and with any data."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + extra + png_chunk(b"IDAT", idat) + png_chunk(b"IEND", b"")


def gif(frames):
    """An animation of 1×1 with any number of frames."""
    frame = b"\x2c\0\0\0\0\1\0\1\0\0\2\2\x44\1\0"
    return b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff" + frame * frames + b"\x3b"


ONE_PIXEL = zlib.compress(b"\0\0")
HUGE_HEADER = png(30_000, 30_000, idat=zlib.compress(bytes(100)))
BOMB = png(12_000, 12_000, idat=zlib.compress(bytes(1501 * 12_000), 9))

# What each endpoint takes, to be spoiled in one way or another.
CREATE = pytest.param("/api/v1/pixels", b'{"name": "Spring"}', id="create")
TOKENS = pytest.param("/api/v1/pixels/{0.id}/generate-tokens", b'{"emails": ["ann@example.org"]}', id="tokens")
BOTH = pytest.mark.parametrize(("path", "good"), [CREATE, TOKENS])

FORMS = pytest.mark.parametrize(
    ("content_type", "good"),
    [
        pytest.param(JSON, b'{"name": "Spring"}', id="json"),
        pytest.param(MULTIPART, multipart(NAME), id="multipart"),
        pytest.param(URLENCODED, b"name=Spring", id="urlencoded"),
    ],
)


@pytest.fixture
def refused(client, pixel, contents):
    """Sends a body, and asserts that it is refused in the documented form, with nothing stored; returns the error."""

    def send(path, body, status, *, content_type=JSON, **request):
        before = contents()
        answer = client.post(path.format(pixel), data=body, content_type=content_type, **request)
        assert (answer.status, list(answer.json)[:1]) == (status, ["error"])
        assert contents() == before
        return answer.json

    return send


# The rows above are about bodies as such.


@BOTH
def test_the_bodies_that_are_spoiled_here_are_good_themselves(client, pixel, path, good):
    assert client.post(path.format(pixel), data=good, content_type=JSON).status == 201


@FORMS
def test_the_forms_that_are_spoiled_here_are_good_themselves(client, content_type, good):
    assert client.post("/api/v1/pixels", data=good, content_type=content_type).status == 201


@BOTH
def test_a_chunked_body_needs_a_length(refused, path, good):
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
    refused(path, good, 411, environ=chunked, without=("CONTENT_LENGTH",))


@FORMS
def test_a_chunked_form_needs_a_length(refused, content_type, good):
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
    refused("/api/v1/pixels", good, 411, content_type=content_type, environ=chunked, without=("CONTENT_LENGTH",))


@BOTH
@pytest.mark.parametrize("missing", [1, 1000])
def test_a_body_shorter_than_its_length_is_refused(refused, path, good, missing):
    refused(path, good, 400, environ={"CONTENT_LENGTH": str(len(good) + missing)})


@FORMS
@pytest.mark.parametrize("missing", [1, 1000])
def test_a_form_shorter_than_its_length_is_refused(refused, content_type, good, missing):
    environ = {"CONTENT_LENGTH": str(len(good) + missing)}
    refused("/api/v1/pixels", good, 400, content_type=content_type, environ=environ)


@pytest.mark.parametrize("at", [40, 200, 600_000, -3])
def test_a_form_cut_anywhere_is_refused(refused, at):
    whole = multipart(NAME, file_part(picture() + bytes(700_000)))
    environ = {"CONTENT_LENGTH": str(len(whole))}
    refused("/api/v1/pixels", whole[:at], 400, content_type=MULTIPART, environ=environ)


@pytest.mark.parametrize("length", ["+5", "1_0", " 18"])
@BOTH
def test_a_length_that_is_no_decimal_number_is_refused(refused, path, good, length):
    refused(path, good, 400, environ={"CONTENT_LENGTH": length})


@pytest.mark.parametrize(
    ("path", "content_type", "limit"),
    [
        pytest.param("/api/v1/pixels", JSON, MAX_JSON_BYTES, id="create, json"),
        pytest.param("/api/v1/pixels", MULTIPART, MAX_FORM_BYTES, id="create, multipart"),
        pytest.param("/api/v1/pixels", URLENCODED, MAX_TEXT_BYTES, id="create, urlencoded"),
        pytest.param("/api/v1/pixels/{0.id}/generate-tokens", JSON, MAX_TOKENS_BYTES, id="tokens"),
    ],
)
@pytest.mark.parametrize("excess", [1, 10**30])
def test_a_length_over_the_limit_is_refused_before_reading(refused, unread, path, content_type, limit, excess):
    environ = {"CONTENT_LENGTH": str(limit + excess), "wsgi.input": unread}
    refused(path, None, 413, content_type=content_type, environ=environ)


JSON_ROWS = [
    pytest.param(b" \n", id="blanks"),
    pytest.param(b"null", id="null"),
    pytest.param(b"[]", id="array"),
    pytest.param(b"1", id="number"),
    pytest.param(b'"Spring"', id="string"),
    pytest.param(b"[" * 100_000, id="100,000 brackets"),
    pytest.param(b'{"name": ' * 100_000, id="100,000 objects"),
    pytest.param(b'{"name": "Spring", "emails": ["ann@example.org"], "x": NaN}', id="NaN"),
    pytest.param(b'{"name": "Spring", "emails": ["ann@example.org"], "x": -Infinity}', id="-Infinity"),
    pytest.param(b'{"name": "Spring", "emails": ["ann@example.org"], "x": ' + b"1" * 5000 + b"}", id="5,000 digits"),
    pytest.param('{"name": "Spring", "emails": ["ann@example.org"]}'.encode("utf-16"), id="UTF-16"),
    pytest.param(b'{"name": "Spr\xffng", "emails": ["\xff@example.org"]}', id="invalid UTF-8"),
    pytest.param(b'{"name": "Spr\xed\xa0\x80ng", "emails": ["\xed\xa0\x80@example.org"]}', id="surrogate in UTF-8"),
    pytest.param(b'{"name": "Spr\\ud800ng", "emails": ["\\ud800@example.org"]}', id="lone surrogate"),
    pytest.param(b'{"name": "Spr\\u0000ng", "emails": ["a\\u0000@example.org"]}', id="NUL"),
    pytest.param(b'{"name": "Spr\0ng", "emails": ["a\0@example.org"]}', id="raw NUL"),
    pytest.param(b'{"name": "Spring", "emails": ["ann@example.org"]', id="cut off"),
    pytest.param(b'{"name": "Spring", "emails": ["ann@example.org"]} x', id="something after it"),
    pytest.param(b"{'name': 'Spring', 'emails': ['ann@example.org']}", id="Python"),
]


@BOTH
def test_json_may_begin_with_a_byte_order_mark(client, pixel, path, good):
    answer = client.post(path.format(pixel), data=b"\xef\xbb\xbf" + good, content_type=JSON)
    assert answer.status == 201


@pytest.mark.parametrize("body", JSON_ROWS)
@BOTH
def test_what_is_no_json_object_with_the_field_is_refused(refused, path, good, body):
    assert body != good
    refused(path, body, 400)


@BOTH
def test_an_empty_body_is_refused(refused, path, good):
    refused(path, good, 400, environ={"CONTENT_LENGTH": "0"})


@BOTH
@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/octet-stream", "text/json", "application/json; charset=utf-16", "", "nonsense", ";"],
)
def test_json_under_another_media_type_is_refused(refused, path, good, content_type):
    refused(path, good, 415, environ={"CONTENT_TYPE": content_type})


@BOTH
def test_json_without_a_media_type_is_refused(refused, path, good):
    refused(path, good, 415, without=("CONTENT_TYPE",))


@BOTH
@pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip", "x"])
def test_a_compressed_body_is_refused(refused, path, good, coding):
    refused(path, gzip.compress(good), 415, headers={"Content-Encoding": coding})


def test_a_compressed_form_is_refused(refused):
    body = gzip.compress(multipart(NAME))
    refused("/api/v1/pixels", body, 415, content_type=MULTIPART, headers={"Content-Encoding": "gzip"})


@pytest.mark.parametrize("content_type", [MULTIPART, URLENCODED])
def test_tokens_are_not_made_from_forms(refused, content_type):
    refused("/api/v1/pixels/{0.id}/generate-tokens", b"emails=ann@example.org", 415, content_type=content_type)


# Names.

NAMES = [
    pytest.param("a" * 257, "Pixel name must be at most 256 characters.", id="257 characters"),
    pytest.param("a" * 102_400, "Pixel name must be at most 256 characters.", id="100 kB"),
    pytest.param(" \t\n\u3000", "Pixel name is required.", id="blanks only"),
    pytest.param("Spr\x1b[31ming", "Pixel name must not contain control characters.", id="escape"),
    pytest.param("Spring\r\nlaunch", "Pixel name must not contain control characters.", id="line break"),
    pytest.param("Spring\u2028launch", "Pixel name must not contain control characters.", id="line separator"),
    pytest.param("Spr\x85ing", "Pixel name must not contain control characters.", id="C1 control"),
    pytest.param("Spr\x00ing", "Pixel name must not contain control characters.", id="NUL"),
]


@pytest.mark.parametrize(("name", "message"), NAMES)
def test_a_bad_name_in_json_is_refused(refused, name, message):
    assert refused("/api/v1/pixels", json.dumps({"name": name}), 400) == {"error": message}


@pytest.mark.parametrize(("name", "message"), NAMES)
def test_a_bad_name_in_a_form_is_refused(refused, name, message):
    body = multipart(b'Content-Disposition: form-data; name="name"\r\n\r\n' + name.encode())
    assert refused("/api/v1/pixels", body, 400, content_type=MULTIPART) == {"error": message}


@pytest.mark.parametrize("name", [5, True, ["Spring"], {"name": "Spring"}, None], ids=repr)
def test_a_name_that_is_no_string_counts_as_missing(refused, name):
    assert refused("/api/v1/pixels", json.dumps({"name": name}), 400) == {"error": "Pixel name is required."}


# Forms.


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        pytest.param(multipart(NAME), "multipart/form-data", 400, id="no boundary"),
        pytest.param(multipart(NAME), "multipart/form-data; boundary=", 400, id="empty boundary"),
        pytest.param(multipart(NAME), "multipart/form-data; boundary=other", 400, id="another boundary"),
        pytest.param(multipart(NAME, end=b""), MULTIPART, 400, id="no end"),
        pytest.param(multipart(NAME)[:-6], MULTIPART, 400, id="cut in the last boundary"),
        pytest.param(b"", MULTIPART, 400, id="empty"),
        pytest.param(b"--" + BOUNDARY + b"--\r\n", MULTIPART, 400, id="no part"),
        pytest.param(b"name=Spring", MULTIPART, 400, id="no multipart at all"),
        pytest.param(multipart(NAME, NAME), MULTIPART, 400, id="two names"),
        pytest.param(b"name=Spring&name=Autumn", URLENCODED, 400, id="two names, urlencoded"),
        pytest.param(multipart(file_part(b"Spring", field=b"name")), MULTIPART, 400, id="name as a file"),
        pytest.param(multipart(b"\r\nSpring"), MULTIPART, 400, id="part without headers"),
        pytest.param(multipart(b"X" * 300_000 + b"\r\n\r\nSpring"), MULTIPART, 413, id="300 kB of headers"),
        pytest.param(multipart(NAME + b"g" * 300_000), MULTIPART, 413, id="300 kB of name"),
        pytest.param(multipart(NAME, *[file_part(b"", field=b"x")] * 20), MULTIPART, 413, id="21 parts"),
        pytest.param(multipart(NAME, *[NAME.replace(b"name", b"x")] * 1000), MULTIPART, 413, id="1,001 parts"),
        pytest.param(b"name=Spring&image=x", URLENCODED, 400, id="image as text, urlencoded"),
        pytest.param(multipart(NAME, NAME.replace(b'"name"', b'"image"')), MULTIPART, 400, id="image as text"),
        pytest.param(multipart(NAME, *[file_part(picture())] * 2), MULTIPART, 400, id="two images"),
        pytest.param(multipart(NAME, *[file_part(bytes(600_000))] * 2), MULTIPART, 400, id="two large images"),
        pytest.param(multipart(NAME, file_part(b"")), MULTIPART, 400, id="empty image"),
        pytest.param(multipart(NAME, file_part(b"x", file_name=b"\xff")), MULTIPART, 400, id="file name in no UTF-8"),
        pytest.param(multipart(NAME, file_part(bytes(MAX_BYTES + 1))), MULTIPART, 413, id="image over 5 MB"),
    ],
)
def test_a_malformed_form_is_refused(refused, body, content_type, status):
    refused("/api/v1/pixels", body, status, content_type=content_type)


# Images.


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param(b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', 415, id="SVG"),
        pytest.param(picture("BMP"), 415, id="BMP"),
        pytest.param(picture("TIFF"), 415, id="TIFF"),
        pytest.param(picture("EPS"), 415, id="EPS"),
        pytest.param(picture("PDF"), 415, id="PDF"),
        pytest.param(picture("ICO"), 415, id="ICO"),
        pytest.param(b"<!doctype html><script>alert(1)</script>", 415, id="HTML"),
        pytest.param(b"\x89PNG", 415, id="half a signature"),
        pytest.param(b"\x89PNG\r\n\x1a\n", 400, id="PNG signature alone"),
        pytest.param(b"GIF89a=1;alert(1)//", 400, id="GIF and script"),
        pytest.param(b"GIF89a/*\0\0\0\0\0*/=1;alert(1)//;", 400, id="GIF and script in a comment"),
        pytest.param(HUGE_HEADER, 400, id="PNG of 30,000 x 30,000"),
        pytest.param(BOMB, 400, id="PNG of 12,000 x 12,000"),
        pytest.param(gif(10_000), 400, id="10,000 frames"),
        *(
            pytest.param(picture(format_, (40, 30))[:-part], 400, id=f"{format_} without its last {part} bytes")
            for format_ in ("PNG", "JPEG", "GIF", "WEBP")
            for part in (1, 20)
            if (format_, part) != ("JPEG", 1)  # half of the mark of its end: nothing of the picture is lost
        ),
    ],
)
def test_what_is_no_picture_to_show_is_refused(refused, data, status):
    body = multipart(NAME, file_part(data))
    refused("/api/v1/pixels", body, status, content_type=MULTIPART)


def test_the_hostile_pictures_are_as_small_as_the_table_says():
    assert (len(HUGE_HEADER) < 90, len(BOMB) < 20_000) == (True, True)


def test_a_refused_image_is_told_of_on_the_page_with_the_form(client):
    answer = client.post("/pixels", data=multipart(NAME, file_part(b"<svg/>")), content_type=MULTIPART)
    assert (answer.is_page, "The image must be a JPG, PNG, GIF or WebP file." in answer.text) == (True, True)


def exif():
    found = PIL.Image.Exif()
    found[0x010E] = "SECRET"  # ImageDescription
    found.get_ifd(0x8825)[1] = "SECRET"  # GPSLatitudeRef
    return found


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(picture("JPEG", exif=exif(), comment=b"SECRET"), id="JPEG with EXIF and a comment"),
        pytest.param(picture("PNG", exif=exif()), id="PNG with EXIF"),
        pytest.param(png(1, 1, idat=ONE_PIXEL, extra=png_chunk(b"tEXt", b"a\0SECRET")), id="PNG with text"),
        pytest.param(picture("WEBP", exif=exif(), xmp=b"SECRET"), id="WebP with EXIF and XMP"),
        pytest.param(picture("GIF", comment=b"SECRET"), id="GIF with a comment"),
        pytest.param(picture("PNG") + b"SECRET", id="bytes after a PNG"),
        pytest.param(picture("GIF") + b"SECRET", id="bytes after a GIF"),
        pytest.param(picture("JPEG") + b"<script>SECRET", id="script after a JPEG"),
    ],
)
def test_what_is_served_has_nothing_of_the_file_but_its_picture(client, data):
    created = client.post("/api/v1/pixels", data=multipart(NAME, file_part(data)), content_type=MULTIPART)
    served = client.get(created.json["imagePath"])
    assert (b"SECRET" in data, created.status, served.status) == (True, 201, 200)
    assert b"SECRET" not in served.data


@pytest.mark.parametrize(
    "file_name",
    [
        pytest.param(b"../../../etc/passwd", id="path"),
        pytest.param(b"..\\\\..\\\\boot.ini", id="path of Windows"),
        pytest.param(b"a\0.png", id="NUL"),
        pytest.param(b'\\"; DROP TABLE pixels', id="quote"),
        pytest.param(b"<script>alert(1)</script>.png", id="HTML"),
        pytest.param(b"a" * 5000, id="5,000 characters"),
    ],
)
def test_the_name_of_a_file_is_not_used_anywhere(client, file_name):
    body = multipart(NAME, file_part(picture(), file_name=file_name))
    answer = client.post("/api/v1/pixels", data=body, content_type=MULTIPART)
    assert (answer.status, answer.json["imagePath"]) == (201, f"/uploads/{answer.json['id']}.png")


def test_a_line_break_in_the_name_of_a_file_makes_no_header(client):
    body = multipart(NAME, file_part(picture(), file_name=b'a.png"\r\nContent-Type: text/html\r\nX: "'))
    answer = client.post("/api/v1/pixels", data=body, content_type=MULTIPART)
    assert client.get(answer.json["imagePath"]).headers["Content-Type"] == "image/png"


# Addresses.

GOOD = [f"reader{number}@example.org" for number in range(9_999)]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        pytest.param("ann@example.org", "Emails array is required", id="string"),
        pytest.param({"0": "ann@example.org"}, "Emails array is required", id="object"),
        pytest.param(None, "Emails array is required", id="null"),
        pytest.param(5, "Emails array is required", id="number"),
        pytest.param([], "Emails array is required", id="empty"),
        pytest.param(["ann@example.org", 5], "Invalid email format", id="number inside"),
        pytest.param(["ann@example.org", None], "Invalid email format", id="null inside"),
        pytest.param(["ann@example.org", ["bob@example.com"]], "Invalid email format", id="array inside"),
        pytest.param([""], "Invalid email format", id="empty address"),
        pytest.param(["ann"], "Invalid email format", id="no @"),
        pytest.param(["a" * 1_000_000 + "@example.org"], "Invalid email format", id="1 MB"),
        pytest.param(["a" * 243 + "@example.org"], "Invalid email format", id="255 characters"),
        pytest.param(["a@b.com\r\nBcc: x@y"], "Invalid email format", id="line break"),
        pytest.param(["ann@example.org\n"], "Invalid email format", id="line break at the end"),
        pytest.param([" ann@example.org"], "Invalid email format", id="blank"),
        pytest.param(["<script>@b.com"], "Invalid email format", id="HTML"),
        pytest.param(['"a,b"@example.org'], "Invalid email format", id="quoted local part"),
        pytest.param(["Ann <ann@example.org>"], "Invalid email format", id="display name"),
        pytest.param(["ann@example.org,bob@example.com"], "Invalid email format", id="two in one"),
        pytest.param(["ann@[127.0.0.1]"], "Invalid email format", id="IP address"),
        pytest.param(["ann@localhost"], "Invalid email format", id="no dot"),
        pytest.param(["ann@example..org"], "Invalid email format", id="two dots"),
        pytest.param(["ann@-example.org"], "Invalid email format", id="hyphen first"),
        pytest.param([*GOOD, "not-an-address"], "Invalid email format", id="one bad among 9,999"),
        pytest.param([*GOOD, "a@example.org", "b@example.org"], "Max 10,000 emails allowed", id="10,001"),
        pytest.param(["ann@example.org"] * 10_001, "Max 10,000 emails allowed", id="10,001 times the same"),
        pytest.param(["x"] * 10_001, "Max 10,000 emails allowed", id="10,001 bad ones"),
    ],
)
def test_bad_addresses_are_refused_and_none_is_stored(refused, value, message):
    error = refused("/api/v1/pixels/{0.id}/generate-tokens", json.dumps({"emails": value}), 400)
    assert error["error"] == message


def test_addresses_are_required(refused):
    assert refused("/api/v1/pixels/{0.id}/generate-tokens", "{}", 400) == {"error": "Emails array is required"}


@pytest.mark.parametrize("email", ["=1+1@b.com", "+a@b.com", "-a@b.com", "o'brien@example.org", "a&b@example.org"])
def test_addresses_that_look_strange_but_are_valid_are_taken(client, pixel, email):
    answer = client.post(f"/api/v1/pixels/{pixel.id}/generate-tokens", json={"emails": [email]})
    assert (answer.status, answer.json["tokens"][0]["email"]) == (201, email)


class SteadyBody(io.BytesIO):
    """A body that comes with so many bytes a second, on a clock of its own; a read returns when all of it is there."""

    def __init__(self, data, rate):
        super().__init__(data)
        self.rate, self.now = rate, 1000.0

    def read(self, size=-1):
        data = super().read(size)
        self.now += len(data) / self.rate
        return data


@pytest.fixture
def send_slowly(client, monkeypatch):
    """Sends a body at a rate, in bytes a second, and returns the answer and how many seconds it took."""

    def send(path, data, rate, content_type=JSON):
        body = SteadyBody(data, rate)
        monkeypatch.setattr(bodies, "monotonic", lambda: body.now)
        answer = client.post(path, input_stream=body, content_type=content_type, content_length=len(data))
        return answer, body.now - 1000.0

    return send


LONG_NAME = b'{"other": "%s", "name": "Spring"}' % (b"a" * 100_000)


@pytest.mark.parametrize(
    ("data", "content_type"), [(LONG_NAME, JSON), (multipart(NAME, file_part(bytes(100_000))), MULTIPART)]
)
@pytest.mark.parametrize("rate", [1, 100, 1000])
def test_a_body_that_comes_too_slowly_is_given_up_and_stores_nothing(send_slowly, contents, data, content_type, rate):
    answer, seconds = send_slowly("/api/v1/pixels", data, rate, content_type)
    assert (answer.status, list(answer.json), seconds <= 120) == (408, ["error"], True)
    assert contents() == []


@pytest.mark.parametrize("rate", [4096, 50_000])
def test_a_body_over_a_slow_line_is_taken(send_slowly, rate):
    answer, _ = send_slowly("/api/v1/pixels", LONG_NAME, rate)
    assert answer.status == 201


def test_a_small_body_may_take_its_time(send_slowly):
    answer, seconds = send_slowly("/api/v1/pixels", b'{"name": "Spring"}', 1)
    assert (answer.status, seconds) == (201, 18)


class BrokenBody(io.RawIOBase):
    """A body whose client goes away."""

    def readable(self):
        return True

    def readinto(self, _):
        raise ConnectionResetError(104, "Connection reset by peer")


def test_a_body_whose_client_goes_away_is_no_fault_of_the_storage(client, contents):
    environ = {"wsgi.input": BrokenBody(), "CONTENT_LENGTH": "20"}
    answer = client.post("/api/v1/pixels", content_type="application/json", environ=environ)
    assert (answer.status, list(answer.json)) == (400, ["error"])
    assert contents() == []


@pytest.fixture
def no_temporary_folder(monkeypatch):
    """Takes away every folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", "/nonexistent")


@pytest.mark.usefixtures("no_temporary_folder")
def test_a_large_image_is_taken_where_no_temporary_file_can_be_made(client):
    file = io.BytesIO()
    PIL.Image.frombytes("RGB", (640, 480), os.urandom(640 * 480 * 3)).save(file, "PNG", compress_level=0)
    body = multipart(NAME, file_part(file.getvalue()))
    assert len(body) > 512 * 1024
    assert client.post("/api/v1/pixels", data=body, content_type=MULTIPART).status == 201


@pytest.mark.usefixtures("no_temporary_folder")
def test_a_long_list_is_taken_where_no_temporary_file_can_be_made(client, pixel, tracker):
    emails = "\n".join(f"{'r' * 20}{number}@{'e' * 40}.example.org" for number in range(9000))
    body = multipart(file_part(emails.encode(), field=b"file"))
    assert len(body) > 512 * 1024
    client.post(f"/pixels/{pixel.id}/recipients", data=body, content_type=MULTIPART)
    assert tracker.get_pixel(pixel.id).recipients == 9000

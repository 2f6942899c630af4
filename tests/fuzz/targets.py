"""What is fed with bytes from strangers. Each target raises an error only where something is wrong with the program.

`test_targets.py` runs them in the ordinary suite, `cover.py` with atheris, which looks for ways through the code.
"""

import io
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC
from pathlib import Path
from zlib import crc32

import PIL.Image
from werkzeug.exceptions import HTTPException

from mailtrack import Tracker, open_storage
from mailtrack._addresses import canonical
from mailtrack._errors import InvalidEmail, InvalidImage, InvalidImport, InvalidInput, InvalidPaging, InvalidRules
from mailtrack._ids import parse_pixel_key, parse_token
from mailtrack._images.check import TRANSPARENT_PNG, check_upload
from mailtrack._imports import parse
from mailtrack._ingest.lines import UnreadableLine, from_line
from mailtrack._text import clean_text, parse_ip
from mailtrack.storage import _cursors as cursors
from mailtrack.testing._factories import to_line
from mailtrack.verdicts import Judge, Networks, default_rules, load_rules, name_client
from mailtrack.verdicts._networks import parse_networks
from mailtrack_wsgi import _beacon as beacon
from mailtrack_wsgi import _tracker_urls as tracker_urls
from mailtrack_wsgi._bodies import read_json, read_pixel_form, read_recipients_form
from mailtrack_wsgi._proxies import Proxies

Target = Callable[[bytes], None]

_JUDGE = Judge()


def record(data: bytes) -> None:
    """A line of the spool, with a checksum that is right: the rest may be anything."""
    with suppress(UnreadableLine):
        from_line(data)
    body = data + b"\t"
    with suppress(UnreadableLine):
        hit = from_line(b"%b%08x\n" % (body, crc32(body)))
        assert hit.at.tzinfo is UTC
        assert from_line(to_line(hit)).id == hit.id


def query(data: bytes) -> None:
    """The query of a tracking URL."""
    query, _, name = data.decode("latin-1").partition("\n")
    token = tracker_urls.find_token(query, name)
    assert parse_token(token) in (None, token)


def pixel(data: bytes) -> None:
    """The name of a pixel in a URL."""
    name = data.decode("latin-1")
    for text in (name, tracker_urls.find_pixel(name)):
        key = parse_pixel_key(text)
        assert key is None or parse_pixel_key(key) == key


def address(data: bytes) -> None:
    """An e-mail address."""
    with suppress(InvalidEmail):
        email = canonical(data.decode("utf-8", "surrogateescape"))
        assert canonical(email) == email
        email.encode()


def addresses(data: bytes) -> None:
    """A file of addresses."""
    with open_storage("memory://") as storage, suppress(InvalidInput):
        tracker = Tracker(storage)
        pixel = tracker.create_pixel("Fuzz")
        found = tracker.import_recipients(pixel, data, on_invalid="skip")
        emails = [one.email for one in tracker.iter_recipients(pixel)]
        assert (len(emails), found.present) == (found.added, 0)
        assert all(canonical(email) == email for email in emails)
        assert all(len(row.value) <= 200 and row.line >= 1 and row.reason for row in found.rejected)
    with suppress(InvalidImport):
        source = parse(data, canonical)
        entries = list(source.entries)
        assert all(entry.line >= 1 and len(entry.value) <= 200 for entry in entries)
        assert all(entry.reason if entry.new is None else canonical(entry.new.email) for entry in entries)
    with suppress(InvalidImport):
        parse(data, canonical, email=data[:8].decode("latin-1"))


def forwarded(data: bytes) -> None:
    """What proxies say."""
    trusted, *values = data.decode("latin-1").split("\n")
    names = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST", "HTTP_HOST", "SCRIPT_NAME")
    environ = {"wsgi.url_scheme": "http", "SERVER_NAME": "a", "SERVER_PORT": "80", "REMOTE_ADDR": "192.0.2.1"}
    environ |= dict(zip(names, values, strict=False))
    proxies = Proxies(len(trusted) % 3)
    found = proxies.address(environ)
    assert found is not None
    assert parse_ip(found) == found
    with suppress(HTTPException):
        base = proxies.urls(environ).base
        assert base.isascii()
        assert base.startswith(("http://", "https://"))
        assert not any(char in base for char in "\"'<> \\")


def ip(data: bytes) -> None:
    """The IP address of a client, and a network in which it may be."""
    found = parse_ip(data.decode("latin-1"))
    if found is not None:
        assert parse_ip(found) == found
        assert found in Networks([found])


def user_agent(data: bytes) -> None:
    """What a client calls itself."""
    text = clean_text(beacon._text(data.decode("latin-1")))
    assert text.isprintable()
    name_client(text, _JUDGE.judge(text))


def image(data: bytes) -> None:
    """An upload. What is taken can be decoded as a whole, and is not changed when it is sent again."""
    with suppress(InvalidImage):
        taken = check_upload(data)
        assert check_upload(taken.data) == taken
        with PIL.Image.open(io.BytesIO(taken.data)) as picture:
            for frame in range(getattr(picture, "n_frames", 1)):
                picture.seek(frame)
                picture.load()


def png(data: bytes) -> None:
    """The chunks of a PNG, each made of a line with its kind first, with checksums that are right."""
    chunks = [(line[:4].ljust(4, b"t"), line[4:]) for line in data.split(b"\n")]
    whole = [b"%b%b%b%b" % (len(more).to_bytes(4), kind, more, crc32(kind + more).to_bytes(4)) for kind, more in chunks]
    image(b"\x89PNG\r\n\x1a\n" + b"".join(whole) + bytes.fromhex("0000000049454e44ae426082"))


def form(data: bytes) -> None:
    """A form with a boundary that is right."""
    for read in (read_pixel_form, read_recipients_form):
        with suppress(HTTPException, InvalidInput):
            read(_request("multipart/form-data; boundary=b", data))


def request_of_any_type(data: bytes) -> None:
    """A request to create a pixel, whose first line is its media type."""
    media_type, _, body = data.partition(b"\n")
    with suppress(HTTPException, InvalidInput):
        read_pixel_form(_request(media_type.decode("latin-1"), body))


def json(data: bytes) -> None:
    """A body in JSON."""
    with suppress(HTTPException):
        assert isinstance(read_json(_request("application/json", data)), dict)


def rules(data: bytes) -> None:
    """A file of rules."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rules.toml"
        path.write_bytes(data)
        with suppress(InvalidRules):
            Judge(load_rules(path, base=default_rules())).judge("Mozilla/5.0", ip="192.0.2.1")


def networks(data: bytes) -> None:
    """A file of networks."""
    with suppress(InvalidRules):
        assert "no address" not in parse_networks(data.decode("utf-8-sig", "replace").splitlines())


def cursor(data: bytes) -> None:
    """A cursor."""
    with suppress(InvalidPaging):
        assert 0 <= cursors.to_place(data.decode("latin-1")) < 2**63


def _request(media_type: str, body: bytes) -> dict[str, object]:
    return {"CONTENT_TYPE": media_type, "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}


_WEBP = bytes.fromhex(
    "524946468400000057454250565038580a00000002000000010000010000414e494d06000000000000000000414e4d4628000000"
    "000000000000010000010000320000025650384c0f0000002f014000000710d58ffe0722a2ff0100414e4d462800000000000000"
    "0000010000010000320000005650384c0f0000002f014000000750fd88fe0722a2ff0100"
)
_JPEG = bytes.fromhex(
    f"ffd8ffe000104a46494600010100000100010000ffdb004300{64 * 'ff'}ffc0000b080002000201011100ffc400140001000000"
    "00000000000000000000000003ffc40014100100000000000000000000000000000000ffda0008010100003f0037ffd9"
)
_GIF = b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff\x2c\0\0\0\0\1\0\1\0\0\2\2\x44\1\0\x3b"
_CHUNKS = (
    b"IHDR\0\0\0\1\0\0\0\1\x08\0\0\0\0\nacTL\0\0\0\1\0\0\0\0\n"
    b"fcTL\0\0\0\0\0\0\0\1\0\0\0\1\0\0\0\0\0\0\0\0\0\1\0\1\0\0\nIDAT\x78\x01\1\2\0\xfd\xff\0\0\0\2\0\1"
)

TARGETS: dict[Target, list[bytes]] = {
    record: [
        b"1\t0\t2025-11-06T12:00:00.000Z\ta1b2c3d4\t-\t192.0.2.1\tMozilla\t\t-",
        b"1\t0\t20251106\t0\t-\t-\t\t\t-",
    ],
    query: [b"token=tok_0123456789abcdef0123456789abcdef", b"a=b&token=tok%5F%ff&token=", b"token=%00%"],
    pixel: [b"a1b2c3d4-e5f6-7890-1234-567890abcdef", b"A1B2C3D4"],
    address: [b"ann@example.org", b'"a b"@example.org', "jörg@müller.example".encode(), b"a@[192.0.2.1]"],
    addresses: [
        b"Email;Name\r\nann@example.org;Ann\r\n",
        b"Ann <ann@example.org>, bob@example.com",
        b'"a@b.com\n"',
        b"1|a\n2|a@b.com\n",
    ],
    forwarded: [
        b"1\n192.0.2.1\nhttps\nexample.org:80\nexample.com\n/track",
        b"2\n[2001:db8::1]:80, 192.0.2.1:1\n\n[::1]",
    ],
    ip: [b"192.0.2.1", b"::ffff:192.0.2.1", b"fe80::1%eth0", b"2001:db8::1"],
    user_agent: [b"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Thunderbird/128.3.1", b"\xff\x1b[31m"],
    image: [TRANSPARENT_PNG.data, _GIF, _JPEG, _WEBP, b"\xff\xd8\xff\xe0\0\x10JFIF", b"RIFF\x1a\0\0\0WEBPVP8L"],
    png: [_CHUNKS],
    form: [b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nSpring\r\n--b--\r\n'],
    request_of_any_type: [
        b"application/x-www-form-urlencoded\nname=Spring",
        b'application/json; charset=utf8\n{"name": 1}',
    ],
    json: [b'{"emails": ["ann@example.org"]}', b'{"a": NaN}', b"[" * 3000, b'"\xed\xa0\x80"', b"9" * 5000],
    rules: [
        b'version = 1\n[[rules]]\ncode = "a"\nkind = "bot"\ncertainty = "certain"\nrank = 1\ntext = "A."\nsign = "late"'
    ],
    networks: [b"192.0.2.0/24\n# a comment\n2001:db8::/32,US,,\n", b"0.0.0.0/0\n::/0"],
    cursor: [b"1", b"999999999999999999", b"-1"],
}
"""The targets, each with some input to begin with."""

"""`GET /tracker/<pixel>.png`: whatever happens, a mail gets an image."""

import itertools
import logging
import sqlite3
from types import SimpleNamespace

import pytest

from mailtrack import StorageError, StorageUnavailable
from mailtrack._images.check import TRANSPARENT_PNG

each_storage = pytest.mark.each_storage

HEADERS = {
    "Cache-Control": "no-store, no-cache, must-revalidate, max-age=0, private",
    "Pragma": "no-cache",
    "Expires": "0",
    "Content-Type": "image/png",
    "Content-Length": str(len(TRANSPARENT_PNG.data)),
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}
UNKNOWN = "00000000"
NO_TOKEN = "tok_" + "0" * 32


def is_transparent(answer):
    return (answer.status, dict(answer.headers), answer.data) == (200, HEADERS, TRANSPARENT_PNG.data)


@each_storage
def test_an_open_is_answered_with_the_image_and_exactly_the_documented_headers(client, pixel):
    answer = client.get(f"/tracker/{pixel.short_id}.png")
    assert answer.status == 200
    assert dict(answer.headers) == HEADERS
    assert answer.data == TRANSPARENT_PNG.data


@each_storage
def test_a_get_is_logged_as_an_open(client, pixel, opens):
    client.get(
        f"/tracker/{pixel.short_id}.png",
        headers={"User-Agent": "Mozilla/5.0", "Referer": "https://webmail.example.com/inbox"},
        address="203.0.113.9",
    )
    (found,) = opens()
    assert (found.pixel_id, found.recipient_id) == (pixel.id, None)
    assert (found.ip, found.user_agent) == ("203.0.113.9", "Mozilla/5.0")
    assert found.referer == "https://webmail.example.com/inbox"


@pytest.mark.parametrize(
    ("headers", "signals"),
    [
        ({}, ("no-language",)),
        ({"Accept-Language": "en"}, ()),
        ({"Accept-Language": "en", "Range": "bytes=0-"}, ("range",)),
        ({"Accept-Language": "en", "Sec-Purpose": "prefetch;prerender"}, ("prefetch",)),
        ({"Accept-Language": "en", "Purpose": "prefetch"}, ("prefetch",)),
        ({"Accept-Language": "en", "X-Purpose": "Preview"}, ("preview",)),
        ({"Accept-Language": "en", "X-Moz": "prefetch"}, ("prefetch",)),
        ({"Accept-Language": "en", "Purpose": "prefetch, preview"}, ("prefetch", "preview")),
        ({"X-Moz": "something else"}, ("no-language",)),
    ],
)
def test_the_headers_give_the_signals_of_an_open(client, pixel, opens, headers, signals):
    client.get(f"/tracker/{pixel.short_id}.png", headers=headers)
    (found,) = opens()
    assert found.signals == signals


@each_storage
def test_each_get_is_an_open(client, pixel, opens):
    for _ in range(3):
        client.get(f"/tracker/{pixel.short_id}.png")
    assert len(opens()) == 3


@each_storage
@pytest.mark.parametrize("key", ["{0.id}", "{0.short_id}"])
@pytest.mark.parametrize("change", [str, str.upper])
def test_a_pixel_is_known_by_its_uuid_and_its_short_id_in_either_case(client, pixel, opens, key, change):
    client.get(f"/tracker/{change(key.format(pixel))}.png")
    assert len(opens()) == 1


@each_storage
def test_an_open_with_a_token_is_its_recipients(client, pixel, recipient, opens):
    client.get(f"/tracker/{pixel.short_id}.png?token={recipient.token}")
    (found,) = opens()
    assert (found.recipient_id, found.token) == (recipient.id, recipient.token)


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("token=tok%5F{0}", id="quoted underscore"),
        pytest.param("token=%74ok_{0}", id="quoted letter"),
        pytest.param("utm_source=mail&token=tok_{0}", id="after another argument"),
        pytest.param("token=tok_{0}&utm_source=mail", id="before another argument"),
        pytest.param("token=tok_{0}&token=tok_" + "0" * 32, id="given twice, the first counts"),
        pytest.param("token=tok%5F{0}&token=tok_" + "0" * 32, id="given twice, the first quoted"),
    ],
)
def test_a_token_is_read_from_any_spelling_of_the_query(client, pixel, recipient, opens, query):
    client.get(f"/tracker/{pixel.short_id}.png", environ={"QUERY_STRING": query.format(recipient.token[4:])})
    (found,) = opens()
    assert found.recipient_id == recipient.id


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("token=", id="empty"),
        pytest.param("token", id="without a value"),
        pytest.param("token=abc", id="too short"),
        pytest.param(f"token={NO_TOKEN}", id="unknown"),
        pytest.param("token={0}0", id="one digit more"),
        pytest.param("token=%ff%fe", id="no UTF-8"),
        pytest.param("token=t\xc3\xb6k_" + "0" * 31, id="not ASCII"),
        pytest.param("token=' OR 1=1 --", id="SQL"),
        pytest.param("token=<script>", id="HTML"),
        pytest.param("token=" + "a" * 1_000_000, id="1 MB"),
        pytest.param("&" * 1_000_000, id="1 MB of separators"),
        pytest.param("token=" + "%25" * 300_000, id="1 MB of quoted signs"),
        pytest.param("a" * 2048 + "&token={0}", id="behind 2 kB"),
        pytest.param(f"token={NO_TOKEN}&token=" + "{0}", id="given twice, the first bad"),
    ],
)
def test_a_bad_token_makes_an_open_of_nobody_known(client, pixel, recipient, opens, query):
    answer = client.get(f"/tracker/{pixel.short_id}.png", environ={"QUERY_STRING": query.format(recipient.token)})
    (found,) = opens()
    assert is_transparent(answer)
    assert (found.recipient_id, found.token) == (None, None)


@each_storage
def test_a_token_of_another_pixel_makes_an_open_of_nobody_known(client, tracker, pixel, opens):
    other = tracker.create_pixel("Autumn")
    foreign = tracker.generate_tokens(other.id, ["ann@example.org"])[0]
    answer = client.get(f"/tracker/{pixel.short_id}.png?token={foreign.token}")
    assert is_transparent(answer)
    assert [found.recipient_id for found in opens()] == [None]


@each_storage
def test_a_token_of_another_pixel_leaves_that_pixel_alone(client, tracker, pixel):
    other = tracker.create_pixel("Autumn")
    foreign = tracker.generate_tokens(other.id, ["ann@example.org"])[0]
    client.get(f"/tracker/{pixel.short_id}.png?token={foreign.token}")
    assert tracker.list_opens(other.id).items == ()


@each_storage
def test_a_deleted_recipients_token_makes_an_open_of_nobody_known(client, tracker, pixel, recipient, opens):
    tracker.delete_recipient(recipient.id)
    answer = client.get(f"/tracker/{pixel.short_id}.png?token={recipient.token}")
    assert is_transparent(answer)
    assert [found.recipient_id for found in opens()] == [None]


@each_storage
@pytest.mark.parametrize(
    "path",
    [
        pytest.param(f"/tracker/{UNKNOWN}.png", id="unknown short id"),
        pytest.param(f"/tracker/{UNKNOWN}-0000-4000-8000-000000000000.png", id="unknown UUID"),
        pytest.param("/tracker/", id="nothing"),
        pytest.param("/tracker/.png", id="no id"),
        pytest.param("/tracker/a.png/b", id="deeper"),
        pytest.param("/tracker/../../etc/passwd.png", id="path"),
        pytest.param("/tracker/a1b2\x00c3d4.png", id="NUL"),
        pytest.param("/tracker/\xff\xfe.png", id="no UTF-8"),
        pytest.param("/tracker/" + "a" * 10_240 + ".png", id="10 kB"),
        pytest.param("/tracker/١٢٣٤٥٦٧٨.png".encode().decode("latin-1"), id="digits of another script"),
        pytest.param("/tracker/' OR 1=1 --.png", id="SQL"),
    ],
)
@pytest.mark.usefixtures("pixel")
def test_what_is_no_pixel_gets_the_transparent_image_and_is_not_logged(client, contents, path):
    before = contents()
    assert is_transparent(client.get("/", environ={"PATH_INFO": path}))
    assert contents() == before


@each_storage
def test_a_uuid_that_only_begins_like_a_pixels_is_another(client, pixel, opens):
    assert is_transparent(client.get(f"/tracker/{pixel.short_id}-0000-4000-8000-000000000000.png"))
    assert opens() == ()


ENDINGS = [
    "",
    ".PNG",
    ".gif",
    ".jpg",
    ".png.png",
    ".png/",
    "/",
    "/a/b.png",
    ".png ",
    '.png"',
    "'",
    ".png>",
    ".png.",
    ".png)",
]
ENDINGS += [
    "png",
    ".png;jsessionid=A1",
    ".png%3F",
    "%2Epng",
    "-",
    "_x",
    ".png?x=1",
    ".png\x00",
    ".png\xff",
    "." * 10_240,
]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("key", ["{0.id}", "{0.short_id}"])
def test_whatever_follows_a_pixels_id_it_gets_its_image_and_is_logged(client, tracker, make_picture, key, ending):
    pixel = tracker.create_pixel("Spring", image=make_picture("GIF"))
    answer = client.get("/", environ={"PATH_INFO": f"/tracker/{key.format(pixel)}{ending}"})
    assert (answer.status, answer.data) == (200, tracker.get_image(pixel.image).data)
    assert len(tracker.list_opens(pixel.id).items) == 1


@pytest.mark.parametrize("digit", ["0", "f", "F"])
def test_an_id_with_a_digit_more_is_no_pixels(client, pixel, opens, digit):
    assert is_transparent(client.get(f"/tracker/{pixel.short_id}{digit}.png"))
    assert opens() == ()


MANGLED = [
    pytest.param("?utm_source=x&amp;token={0}", id="ampersand escaped for HTML"),
    pytest.param("?utm_source=x&amp%3Btoken={0}", id="ampersand escaped for HTML, and quoted"),
    pytest.param("?utm_source=x&amp;amp;token={0}", id="ampersand escaped for HTML twice"),
    pytest.param("?utm_source=x;token={0}", id="semicolon"),
    pytest.param("?utm_source=x%26token%3D{0}", id="ampersand and equals signal quoted"),
    pytest.param("?token=3D{0}", id="quoted-printable"),
    pytest.param("?token=3D3D{0}", id="quoted-printable twice"),
    pytest.param("?token%3D{0}", id="equals signal quoted"),
    pytest.param("?token%253D{0}", id="equals signal quoted twice"),
    pytest.param("?token%3D3D{0}", id="quoted-printable, and quoted"),
    pytest.param("?token=%00{0}", id="NUL"),
    pytest.param("?TOKEN={0}", id="argument in upper case"),
    pytest.param("?t={0}", id="argument of another name"),
    pytest.param("?{0}", id="without an argument"),
    pytest.param("?token={0}%3E", id="angle bracket"),
    pytest.param("?token=%3C{0}>", id="angle brackets"),
    pytest.param("?token={0}%22", id="quotation mark"),
    pytest.param("?token={0}'", id="apostrophe"),
    pytest.param("?token={0}.", id="full stop"),
    pytest.param("?token={0})", id="bracket"),
    pytest.param("?token={0},", id="comma"),
    pytest.param("?token={0}%20", id="blank"),
    pytest.param("?token={0}+and", id="plus"),
    pytest.param("?token={0}/", id="slash"),
    pytest.param("?token={0}?utm_source=x", id="question mark"),
    pytest.param("?token={0}%0D%0A", id="line break"),
    pytest.param("?token={0}=", id="equals signal"),
    pytest.param("?utm_source=x&utm_medium=mail&token={0}%E2%80%A6&y=1", id="among others"),
    pytest.param("?token=&token={0}", id="behind an empty one"),
    pytest.param("?token=abc&token={0}", id="behind one that can be none"),
    pytest.param("%3Ftoken={0}", id="question mark quoted"),
    pytest.param("%3Ftoken%3D{0}", id="question and equals signs quoted"),
    pytest.param("%253Ftoken%253D{0}", id="question and equals signs quoted twice"),
    pytest.param("%3Fa=1?token={0}", id="question mark quoted, and another"),
    pytest.param("&token={0}", id="ampersand for question mark"),
    pytest.param("/token={0}", id="slash for question mark"),
]


@pytest.mark.parametrize("mangled", MANGLED)
def test_a_token_is_found_in_a_mangled_url(client, pixel, recipient, opens, mangled):
    spellings = recipient.token, recipient.token.upper(), recipient.token.replace("_", "%5F")
    for token in spellings:
        assert is_transparent(client.get(f"/tracker/{pixel.short_id}.png{mangled.format(token)}"))
    assert [found.recipient_id for found in opens()] == [recipient.id] * len(spellings)


BREAKS = ["=\r\n", "=\n", "\r\n", "=", " ", "%3D%0D%0A", "=%0A", "%20"]


@pytest.mark.parametrize("broken", [*BREAKS, "+", "%C2%AD", "%E2%80%8B", "%25C2%25AD"])
def test_a_token_is_found_where_a_line_was_broken(client, pixel, recipient, opens, broken):
    query = f"token=3D{recipient.token[:20]}{broken}{recipient.token[20:]}"
    client.get(f"/tracker/{pixel.short_id}.png", environ={"QUERY_STRING": query})
    assert [found.recipient_id for found in opens()] == [recipient.id]


@pytest.mark.parametrize("underscore", ["=5F", "%3D5F", "\\_", "%5C_", "&#95;", "%26%2395%3B", "&#x5F;"])
def test_a_token_is_found_though_its_underscore_is_escaped(client, pixel, recipient, opens, underscore):
    query = f"token={recipient.token.replace('_', underscore)}"
    client.get(f"/tracker/{pixel.short_id}.png", environ={"QUERY_STRING": query})
    assert [found.recipient_id for found in opens()] == [recipient.id]


@pytest.mark.parametrize("key", ["{0.id}", "{0.short_id}"])
@pytest.mark.parametrize("broken", ["=\r\n", "=", " ", "\n"])
def test_a_pixel_is_found_where_a_line_was_broken_within_its_id(client, pixel, opens, key, broken):
    name = key.format(pixel)
    answer = client.get("/", environ={"PATH_INFO": f"/tracker/{name[:5]}{broken}{name[5:]}.png"})
    assert is_transparent(answer)
    assert len(opens()) == 1


@pytest.mark.parametrize("before", ["<", '"', "=\r\n", "./", "(", "\u201c".encode().decode("latin-1")])
def test_a_pixel_is_found_behind_what_stands_before_its_id(client, pixel, opens, before):
    assert is_transparent(client.get("/", environ={"PATH_INFO": f"/tracker/{before}{pixel.short_id}.png"}))
    assert len(opens()) == 1


def test_a_whole_token_argument_comes_before_whatever_else_looks_like_a_token(client, pixel, recipient, opens):
    client.get(f"/tracker/{pixel.short_id}.png?utm_content={NO_TOKEN}&token={recipient.token}")
    assert [found.recipient_id for found in opens()] == [recipient.id]


def test_a_url_in_upper_case_is_the_same(client, pixel, recipient, opens):
    answer = client.get(f"/tracker/{pixel.short_id}.png?token={recipient.token}".upper())
    assert is_transparent(answer)
    assert [found.recipient_id for found in opens()] == [recipient.id]


@each_storage
def test_a_deleted_pixel_gets_the_transparent_image(client, tracker, make_picture):
    pixel = tracker.create_pixel("Spring", image=make_picture())
    tracker.delete_pixel(pixel.id)
    assert is_transparent(client.get(f"/tracker/{pixel.short_id}.png"))


@each_storage
@pytest.mark.parametrize(
    ("format_", "media_type"),
    [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("GIF", "image/gif"), ("WEBP", "image/webp")],
)
def test_a_pixels_own_image_comes_with_its_own_media_type_and_length(
    client, tracker, make_picture, format_, media_type
):
    pixel = tracker.create_pixel("Spring", image=make_picture(format_))
    answer = client.get(f"/tracker/{pixel.short_id}.png")
    image = tracker.get_image(pixel.image)
    assert answer.data == image.data
    assert dict(answer.headers) == HEADERS | {"Content-Type": media_type, "Content-Length": str(len(image.data))}


@each_storage
def test_head_gets_the_headers_of_the_pixels_own_image_without_a_body(client, tracker, make_picture):
    pixel = tracker.create_pixel("Spring", image=make_picture("GIF"))
    got, headed = client.get(f"/tracker/{pixel.short_id}.png"), client.head(f"/tracker/{pixel.short_id}.png")
    assert (headed.status, headed.headers, headed.data) == (200, got.headers, b"")


@each_storage
def test_head_is_never_an_open(client, pixel, recipient, opens):
    client.head(f"/tracker/{pixel.short_id}.png?token={recipient.token}")
    assert opens() == ()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_answered_with_405_and_allow(client, pixel, opens, method):
    answer = client(method, f"/tracker/{pixel.short_id}.png")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert opens() == ()


@pytest.mark.parametrize(
    "headers",
    [
        {"If-None-Match": "*"},
        {"If-None-Match": '"a"', "If-Modified-Since": "Thu, 06 Nov 2025 12:00:00 GMT"},
        {"If-Match": '"a"'},
        {"If-Unmodified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"},
        {"Range": "bytes=0-3"},
        {"Range": "bytes=1000-"},
        {"Range": "bytes=" + ",".join(f"{at}-{at}" for at in range(500))},
    ],
    ids=lambda headers: ", ".join(headers),
)
def test_conditions_and_ranges_are_ignored(client, pixel, opens, headers):
    assert is_transparent(client.get(f"/tracker/{pixel.short_id}.png", headers=headers))
    assert len(opens()) == 1


@pytest.mark.parametrize(
    "error",
    [
        StorageUnavailable("locked"),
        StorageError("damaged"),
        sqlite3.OperationalError("disk I/O error"),
        OSError(28, "No space left on device"),
        RuntimeError("a bug"),
        MemoryError(),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("query", ["", f"?token={NO_TOKEN}"])
def test_a_storage_that_raises_on_everything_still_gives_the_image(make_client, broken, error, query):
    client = make_client(storage=broken(error))
    assert is_transparent(client.get(f"/tracker/{UNKNOWN}.png{query}"))


def test_an_open_that_could_not_be_stored_is_told_to_the_operator(make_client, broken, caplog):
    make_client(storage=broken(StorageError("damaged"))).get(f"/tracker/{UNKNOWN}.png")
    shown = {record.getMessage() for record in caplog.records if record.levelno == logging.ERROR}
    assert shown == {"A hit can't be recorded; its image is sent anyway (failures so far: 1): damaged"}


def test_many_failures_at_once_are_one_line_in_the_log(make_client, broken, caplog, monkeypatch):
    monkeypatch.setattr("mailtrack_wsgi._beacon.time", SimpleNamespace(monotonic=lambda: 100.0))
    client = make_client(storage=broken(StorageError("damaged")))
    for _ in range(3):
        client.get(f"/tracker/{UNKNOWN}.png")
    assert len([record for record in caplog.records if "can't be recorded" in record.getMessage()]) == 1


@each_storage
@pytest.mark.parametrize(
    ("header", "stored"),
    [
        pytest.param("a" * 65_536, "a" * 512, id="64 kB"),
        pytest.param("".join(map(chr, range(0x80, 0x100))), "\ufffd" * 128, id="raw bytes"),
        pytest.param("\x1b[31mred\x1b[0m\x07", "\ufffd[31mred\ufffd[0m\ufffd", id="ANSI escapes"),
        pytest.param("<svg onload=alert(1)>", "<svg onload=alert(1)>", id="svg"),
        pytest.param("a\r\nX-Injected: 1\x00", "a\ufffd\ufffdX-Injected: 1\ufffd", id="line of its own"),
        pytest.param("Grüße".encode().decode("latin-1"), "Grüße", id="UTF-8"),
        pytest.param(("ü" * 600).encode().decode("latin-1"), "ü" * 512, id="600 characters of UTF-8"),
        pytest.param("a\u202eb".encode().decode("latin-1"), "a\ufffdb", id="text turned round"),
        pytest.param("", "", id="empty"),
    ],
)
@pytest.mark.parametrize(("variable", "attribute"), [("HTTP_USER_AGENT", "user_agent"), ("HTTP_REFERER", "referer")])
def test_texts_of_a_client_are_stored_cleaned_and_cut(client, pixel, opens, header, stored, variable, attribute):
    answer = client.get(f"/tracker/{pixel.short_id}.png", environ={variable: header})
    (found,) = opens()
    assert is_transparent(answer)
    assert getattr(found, attribute) == stored


@each_storage
def test_a_client_may_say_nothing_about_itself(client, pixel, opens):
    client.get(f"/tracker/{pixel.short_id}.png", without=("HTTP_USER_AGENT", "HTTP_REFERER", "REMOTE_ADDR"))
    (found,) = opens()
    assert (found.ip, found.user_agent, found.referer) == (None, "", "")


REMOTE = "198.51.100.7"  # the peer: the last proxy where there is one
HOPS = ", ".join(f"10.0.{high}.{low}" for high, low in itertools.product(range(4), range(50)))  # 200 of them


@pytest.mark.parametrize(
    ("trusted", "forwarded", "address"),
    [
        pytest.param(0, "203.0.113.1", REMOTE, id="0 trusted: ignored"),
        pytest.param(1, None, REMOTE, id="1 trusted: missing"),
        pytest.param(1, "", REMOTE, id="1 trusted: empty"),
        pytest.param(1, "203.0.113.1", "203.0.113.1", id="1 trusted: one"),
        pytest.param(1, "203.0.113.1, 203.0.113.2", "203.0.113.2", id="1 trusted: the last of two"),
        pytest.param(1, "203.0.113.1,203.0.113.2", "203.0.113.2", id="1 trusted: without a blank"),
        pytest.param(2, "203.0.113.1, 203.0.113.2", "203.0.113.1", id="2 trusted: the last but one"),
        pytest.param(2, "203.0.113.0, 203.0.113.1, 203.0.113.2", "203.0.113.1", id="2 trusted: the third is ignored"),
        pytest.param(2, "203.0.113.1", "203.0.113.1", id="2 trusted: set anew by the inner one"),
        pytest.param(3, "203.0.113.1,203.0.113.2", "203.0.113.1", id="3 trusted: set anew by the second"),
        pytest.param(1, "203.0.113.9, [::1]:80", "::1", id="1 trusted: IPv6 loopback with a port"),
        pytest.param(1, "203.0.113.9, ", REMOTE, id="1 trusted: the last empty, which moves no other up"),
        pytest.param(2, "203.0.113.9, , 203.0.113.2", REMOTE, id="2 trusted: the last but one empty"),
        pytest.param(1, "<script>", REMOTE, id="1 trusted: HTML"),
        pytest.param(1, "unknown", REMOTE, id="1 trusted: unknown"),
        pytest.param(1, HOPS, "10.0.3.49", id="1 trusted: 200 hops"),
        pytest.param(2, HOPS, "10.0.3.48", id="2 trusted: 200 hops"),
        pytest.param(1, "::ffff:1.2.3.4", "1.2.3.4", id="1 trusted: IPv4 in IPv6"),
        pytest.param(1, "1.2.3.4:5678", "1.2.3.4", id="1 trusted: with a port"),
        pytest.param(1, "[2001:DB8::1]:5678", "2001:db8::1", id="1 trusted: IPv6 with a port"),
        pytest.param(1, "2001:0db8:0:0:0:0:0:1", "2001:db8::1", id="1 trusted: IPv6 written out"),
        pytest.param(1, "fe80::1%eth0", "fe80::1", id="1 trusted: IPv6 with a zone"),
        pytest.param(1, "1.2.3.4\x00", REMOTE, id="1 trusted: NUL"),
        pytest.param(1, "1" * 65_536, REMOTE, id="1 trusted: 64 kB"),
        pytest.param(1, "," * 65_536, REMOTE, id="1 trusted: 64 kB of commas"),
        pytest.param(1, "\u0661.2.3.4".encode().decode("latin-1"), REMOTE, id="1 trusted: digits of another script"),
    ],
)
def test_the_address_is_what_the_trusted_proxies_say(make_client, pixel, opens, trusted, forwarded, address):
    environ = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
    answer = make_client(trusted_proxies=trusted).get(f"/tracker/{pixel.short_id}.png", environ=environ, address=REMOTE)
    (found,) = opens()
    assert is_transparent(answer)
    assert found.ip == address


def test_a_body_that_comes_with_a_get_is_not_read(client, pixel, opens, unread):
    answer = client.get(f"/tracker/{pixel.short_id}.png", environ={"wsgi.input": unread, "CONTENT_LENGTH": "4"})
    assert is_transparent(answer)
    assert len(opens()) == 1


def test_the_tracker_works_without_a_usable_host(client, pixel, opens):
    assert is_transparent(client.get(f"/tracker/{pixel.short_id}.png", environ={"HTTP_HOST": "'\"><"}))
    assert len(opens()) == 1


IMAGE_FETCH = {"Accept-Language": "de", "Sec-Fetch-Dest": "image"}
CHROME = {"User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/131.0.0.0 Safari/537.36"}


@pytest.mark.parametrize(
    ("headers", "signals"),
    [
        pytest.param(IMAGE_FETCH, (), id="a browser shows the mail"),
        pytest.param({"Accept-Language": "de"}, ("no-fetch-metadata",), id="a mail program shows the mail"),
        pytest.param({}, ("no-fetch-metadata", "no-language"), id="no headers"),
        pytest.param(IMAGE_FETCH | CHROME, ("no-client-hints",), id="the name of Chrome"),
        pytest.param(
            {"Accept-Language": "de"} | CHROME,
            ("no-client-hints", "no-fetch-metadata"),
            id="only the name of Chrome",
        ),
        pytest.param(IMAGE_FETCH | CHROME | {"Sec-CH-UA": '"Chromium";v="131"'}, (), id="Chrome"),
        pytest.param(
            IMAGE_FETCH | CHROME | {"Sec-CH-UA": '"Not A(Brand";v="8", "Opera";v="115", "Chromium";v="131"'},
            (),
            id="Opera",
        ),
        pytest.param(IMAGE_FETCH | CHROME | {"Sec-CH-UA": ""}, (), id="Electron sends an empty one"),
        pytest.param(
            IMAGE_FETCH | CHROME | {"Sec-CH-UA": '"Chromium";v="130"'}, ("forged-hint",), id="another version's name"
        ),
        pytest.param(
            IMAGE_FETCH | {"User-Agent": "Mozilla/5.0 Firefox/131.0", "Sec-CH-UA": '"Chromium";v="131"'},
            ("forged-hint",),
            id="Firefox's name",
        ),
        pytest.param(IMAGE_FETCH | {"Sec-Fetch-Dest": "document"}, ("navigation",), id="opened as a page"),
        pytest.param(
            IMAGE_FETCH | CHROME | {"Sec-CH-UA": '"Chromium";v="131", "HeadlessChrome";v="131"'},
            ("headless-hint",),
            id="no window",
        ),
    ],
)
def test_headers_of_browsers_become_signals(client, pixel, opens, headers, signals):
    client.get(f"/tracker/{pixel.short_id}.png", headers=headers, environ={"wsgi.url_scheme": "https"})
    assert [found.signals for found in opens()] == [signals]


@pytest.mark.parametrize(
    ("trusted", "scheme", "forwarded", "is_known"),
    [
        (0, "https", None, True),
        (0, "http", None, False),
        (0, "http", "https", False),
        (0, "https", "http", True),
        (1, "http", "https", True),
        (1, "http", "HTTPS", True),
        (1, "http", "http, https", True),
        (1, "http", "https, http", False),
        (1, "http", "http", False),
        (1, "https", None, False),
        (1, "http", None, False),
        (2, "http", "https", True),
        (2, "http", "https, http", True),
        (2, "http", "http, https", False),
    ],
)
def test_missing_headers_of_browsers_are_a_signal_only_if_https_is_certain(
    make_client, pixel, opens, trusted, scheme, forwarded, is_known
):
    environ = {"wsgi.url_scheme": scheme} | ({} if forwarded is None else {"HTTP_X_FORWARDED_PROTO": forwarded})
    make_client(trusted_proxies=trusted).get(
        f"/tracker/{pixel.short_id}.png", headers={"Accept-Language": "de"} | CHROME, environ=environ
    )
    assert [found.signals for found in opens()] == [("no-client-hints", "no-fetch-metadata") if is_known else ()]

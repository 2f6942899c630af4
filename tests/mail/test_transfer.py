"""`track` in the charsets and transfer encodings of real mails: what is not the tag stays, and the part stays valid."""

import base64
import email
import email.policy
import quopri
import re
from email.message import EmailMessage
from itertools import product

import pytest

from mailtrack import MessageNotTrackable
from mailtrack.mail import pixel_tag, track

TEXT = "<html><head><title>x</title></head><body>\n<p>{}</p>\n" + "<p>Some words.</p>\n" * 20 + "</body></html>\n"
WORDS = {
    "us-ascii": "Hello",
    "utf-8": "Grüße 日本語 ✓",
    "iso-8859-1": "Grüße",
    "windows-1252": "Grüße – €",
    "koi8-r": "Привет",
    "shift_jis": "表示ソ能 日本語",
    "gb18030": "你好 𠀀",
    "big5": "功能 許蓋",
    "iso-2022-jp": "日本語<b>表示</b>ζ",
    "utf-16": "Grüße 日本語 ✓ ਊ",
    "utf-16-be": "Grüße 日本語 ✓",
    "utf-32": "Grüße",
    "utf-7": "Grüße",
}


@pytest.fixture
def pixel(tracker):
    return tracker.create_pixel("Spring launch")


def parse(head, body, policy=email.policy.default):
    return email.message_from_bytes(b"To: ann@example.org\r\n" + head.encode() + b"\r\n\r\n" + body, policy=policy)


def send(message):
    """Return the lines of a message as they are sent."""
    data = message.as_bytes(policy=message.policy.clone(linesep="\r\n"))
    assert max(map(len, data.split(b"\r\n"))) <= 998
    return data


def encode(charset, encoding, policy):
    """Return a message in a charset and a transfer encoding, `None` where `EmailMessage` can't make it."""
    is_wide = charset.startswith(("utf-16", "utf-32"))
    if is_wide and (encoding != "base64" or policy is email.policy.SMTP):
        return None  # its line breaks are of one byte
    message = EmailMessage(policy)
    message["To"] = "ann@example.org"
    try:
        message.set_content(TEXT.format(WORDS[charset]), subtype="html", charset=charset, cte=encoding)
    except (ValueError, UnicodeError):
        return None
    return message


CASES = [
    (charset, encoding, policy)
    for charset, encoding, policy in product(
        WORDS, ("7bit", "8bit", "quoted-printable", "base64", None), (email.policy.default, email.policy.SMTP)
    )
    if encode(charset, encoding, policy)
]
UNSUPPORTED = [("iso-2022-jp", "quoted-printable"), ("utf-7", "quoted-printable")]


@pytest.mark.parametrize(("charset", "encoding", "policy"), [one for one in CASES if one[:2] not in UNSUPPORTED])
def test_the_html_is_as_it_was_but_for_the_tag(tracker, pixel, charset, encoding, policy):
    message = encode(charset, encoding, policy)
    headers, before = message.items(), message.get_payload(decode=True)
    recipient = track(message, tracker, pixel)
    tag = pixel_tag(tracker.tracking_url(pixel, recipient))
    text = email.message_from_bytes(send(message), policy=policy).get_content()
    assert text.count(tag) == 1
    assert "<body>" + tag in text
    assert text.replace(tag, "").replace("\r\n", "\n").startswith(TEXT.format(WORDS[charset]))
    assert message.items() == headers
    codec = "utf-16-le" if charset == "utf-16" else "utf-32-le" if charset == "utf-32" else charset
    assert message.get_payload(decode=True).replace(tag.encode(codec), b"") == before


@pytest.mark.parametrize(("charset", "encoding"), UNSUPPORTED)
def test_what_can_not_be_edited_in_place_is_refused(tracker, pixel, charset, encoding):
    with pytest.raises(MessageNotTrackable, match="transfer encoding"):
        track(encode(charset, encoding, email.policy.default), tracker, pixel)


@pytest.mark.parametrize("charset", ["punycode", "idna", "undefined", '"utf-8\0"', "utf-32"])
def test_a_charset_in_which_no_html_can_be_is_refused(tracker, pixel, charset):
    for policy in (email.policy.SMTP, email.policy.compat32):
        message = parse(f"Content-Type: text/html; charset={charset}", b"<body>\xff\xe9</body>\r\n", policy)
        with pytest.raises(MessageNotTrackable, match="its HTML part"):
            track(message, tracker, pixel)


@pytest.mark.parametrize("charset", ["unknown-8bit", "x-user-defined", "", "utf8; x", "rot13", "nonsense\\\\"])
def test_bytes_in_an_unknown_charset_stay(tracker, pixel, charset):
    body = b"<body>\x81\xff \xe9</body>\r\n"
    for policy in (email.policy.SMTP, email.policy.compat32):
        head = f"Content-Type: text/html; charset={charset}\r\nContent-Transfer-Encoding: 8bit"
        message = parse(head, body, policy)
        before = message.as_bytes()
        recipient = track(message, tracker, pixel)
        tag = pixel_tag(tracker.tracking_url(pixel, recipient)).encode()
        assert b"<body>" + tag in message.as_bytes()
        assert message.as_bytes().replace(tag, b"") == before


@pytest.mark.parametrize("order", ["utf-16-le", "utf-16-be"])
def test_both_byte_orders_of_utf_16_stay(tracker, pixel, order):
    text = "\ufeff<body>Grüße</body>"
    message = parse("Content-Type: text/html; charset=utf-16\r\nContent-Transfer-Encoding: base64", b"")
    message.set_payload(base64.encodebytes(text.encode(order)).decode())
    recipient = track(message, tracker, pixel)
    tag = pixel_tag(tracker.tracking_url(pixel, recipient))
    assert message.get_payload(decode=True).decode(order) == text.replace("<body>", "<body>" + tag)


def test_what_looks_like_markup_in_iso_2022_is_none(tracker, pixel):
    text = "".join(map(chr, range(0x4E00, 0x9FFF))).encode("iso-2022-jp", "ignore")
    assert b"<a" in text
    message = parse(
        "Content-Type: text/html; charset=iso-2022-jp", b"<p>\r\n" + text + b"\r\n<body>Hello", email.policy.SMTP
    )
    message.set_payload(message.get_payload())
    track(message, tracker, pixel)
    assert message.get_payload().split("<body>")[1].startswith("<img src=")


class TestQuotedPrintable:
    HEAD = "Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable"

    def edit(self, tracker, pixel, body):
        """Track a message; return its lines before and after, and the tag."""
        message = parse(self.HEAD, body, email.policy.SMTP)
        before = message.get_payload()
        tag = pixel_tag(tracker.tracking_url(pixel, track(message, tracker, pixel))).encode()
        after = message.get_payload()
        assert quopri.decodestring(after).replace(tag, b"") == quopri.decodestring(before)
        assert quopri.decodestring(after).count(tag) == 1
        assert max(map(len, after.splitlines())) <= 76
        assert "\n" not in after.replace("\r\n", "")
        track(message, tracker, pixel)
        assert message.get_payload() == after
        message.replace_header("To", "bob@example.org")
        track(message, tracker, pixel)
        message.replace_header("To", "carl@example.org")
        track(message, tracker, pixel)
        assert len(message.get_payload()) <= len(after) + 3
        return before.splitlines(), after.splitlines()

    @pytest.mark.parametrize("column", range(6, 78))
    def test_only_the_line_of_the_tag_changes_wherever_it_is_in_it(self, tracker, pixel, column):
        line = b"=C3=A4" * ((column - 6) // 6) + b"x" * ((column - 6) % 6) + b"<body>"
        others = b"Gr=C3=BC=C3=9Fe, and so =\r\non.  =20\r\n"
        for behind in (b"\r\n", b"=\r\n", b"Hello\r\n"):
            if len(line + behind.rstrip()) > 76:
                continue
            before, after = self.edit(tracker, pixel, others + line + behind + others)
            assert after[:2] == before[:2]
            assert after[-2:] == before[-2:]

    def test_older_tags_are_removed_though_they_are_broken_into_lines(self, tracker, pixel):
        (bob,) = tracker.generate_tokens(pixel, ["bob@example.org"])
        old = pixel_tag(tracker.tracking_url(pixel, bob)).replace("=", "=3D")
        old = "=\r\n".join(re.findall(r".{1,60}(?<!=)(?<!=3)", old))
        body = f"<p>Hello=20\r\n{'x' * 10}{old}{'y' * 60}=\r\n{old}\r\nz {old}\r\n".encode()
        message = parse(self.HEAD, body, email.policy.SMTP)
        plain = quopri.decodestring(body).decode().replace(pixel_tag(tracker.tracking_url(pixel, bob)), "")
        ann = track(message, tracker, pixel)
        after = message.get_payload()
        assert quopri.decodestring(after).decode() == pixel_tag(tracker.tracking_url(pixel, ann)) + plain
        assert max(map(len, after.splitlines())) <= 76


@pytest.mark.parametrize("width", [60, 64, 72, 76])
@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
def test_base64_keeps_the_length_of_its_lines(tracker, pixel, width, line_break):
    text = base64.b64encode(
        b"<!-- Long enough for a line of base64, whatever its length is. -->" + TEXT.encode()
    ).decode()
    lines = [text[start : start + width] for start in range(0, len(text), width)]
    message = parse("Content-Type: text/html\r\nContent-Transfer-Encoding: BASE64 ", b"")
    message.set_payload(line_break.join([*lines, ""]))
    track(message, tracker, pixel)
    *full, last, end = message.get_payload().split(line_break)
    assert {len(line) for line in full} == {width}
    assert full[0] == lines[0]
    assert 0 < len(last) <= width
    assert end == ""


@pytest.mark.parametrize("length", [10, 900, 990])
def test_a_line_that_the_tag_would_make_too_long_is_broken_within_the_tag(tracker, pixel, length):
    line = "<body>" + "x" * (length - 6)
    message = parse("Content-Type: text/html", f"<p>\r\n{line}\r\n".encode(), email.policy.SMTP)
    recipient = track(message, tracker, pixel)
    data = send(message)
    tag = pixel_tag(tracker.tracking_url(pixel, recipient)).encode()
    assert (tag in data) == (length < 900)
    assert line.encode() in data.replace(tag[:4] + b"\r\n" + tag[5:-1] + b"\r\n>", b"").replace(tag, b"")
    track(message, tracker, pixel)
    assert send(message) == data

"""Edit the HTML of a part of a message in its charset and transfer encoding. All else stays as it is."""

import binascii
import codecs
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from email.message import Message

import attrs

from mailtrack._errors import MessageNotTrackable
from mailtrack.mail._places import Edit, apply
from mailtrack.mail._quoted_printable import QuotedPrintable

_LONGEST_LINE = 998  # characters, without the line break (RFC 5322 2.1.1)
_LONGEST_BASE64_LINE = 76  # RFC 2045 6.8
_ASCII = bytes(range(128))
_BYTES = "latin-1"  # in which each byte is a character


@attrs.frozen
class Content:
    """The HTML of a part.

    Attributes:
        html: its text; where the charset extends ASCII, each character stands for a byte.
        edit: returns the part's payload with edits of the text.
    """

    html: str
    edit: Callable[[list[Edit]], str]


def read_content(part: Message) -> Content:
    """Return the HTML of a part.

    Raises:
        MessageNotTrackable: it can't be decoded, or can't be encoded again as it was.
    """
    encoding = str(part.get("Content-Transfer-Encoding", "")).partition(";")[0].strip().lower()
    try:
        charset = str(part.get_content_charset() or "us-ascii")
        payload = part.get_payload()  # decodes it, with errors other than those of decoding for some charsets
    except (LookupError, TypeError, ValueError):
        raise MessageNotTrackable("its HTML part has a charset that can't be read") from None
    if not isinstance(payload, str):
        raise MessageNotTrackable("its HTML part has no text")
    if encoding in ("", "7bit", "8bit", "binary"):
        html, codec, half = _decode(_from_plain(part, payload, charset), charset)
        return Content(html, lambda edits: _to_plain(apply(html, _keep_lines_short(html, edits)).encode(codec) + half))
    if encoding == "base64":
        html, codec, half = _decode(_from_base64(payload), charset)
        return Content(html, lambda edits: _to_base64(apply(html, edits).encode(codec) + half, like=payload))
    if encoding == "quoted-printable" and payload.isascii() and _extends_ascii(charset):
        quoted = QuotedPrintable(payload)
        return Content(quoted.text, quoted.edit)
    raise MessageNotTrackable("its HTML part has a transfer encoding that is not supported")


def _decode(data: bytes, charset: str) -> tuple[str, str, bytes]:
    """Return the text of some bytes, the codec that makes the same bytes of it, and those that are left at the end.

    These are half a character, which `EmailMessage.set_content` adds to UTF-16.
    """
    if _extends_ascii(charset):
        return data.decode(_BYTES), _BYTES, b""
    for codec in (charset, f"{charset}-le", f"{charset}-be"):  # as of UTF-16
        with suppress(LookupError, ValueError):
            html = codecs.getincrementaldecoder(codec)().decode(data)
            encoded = html.encode(codec)
            if data.startswith(encoded):
                return html, codec, data[len(encoded) :]
    raise MessageNotTrackable("its HTML part can't be decoded")


def _extends_ascii(charset: str) -> bool:
    """Return whether bytes of ASCII are the same characters in a charset. An unknown one is assumed to be such.

    Those of ISO 2022 are not always: an escape sequence gives them another meaning.
    """
    try:
        return _ASCII.decode(charset) == _ASCII.decode("ascii") and not codecs.lookup(charset).name.startswith(
            "iso2022"
        )
    except LookupError:
        return True
    except ValueError:
        return False


def _from_plain(part: Message, payload: str, charset: str) -> bytes:
    data = part.get_payload(decode=True)
    if isinstance(data, bytes) and (payload.isascii() or payload == _as_shown(data, charset)):
        return data
    raise MessageNotTrackable("its HTML part has text that is not encoded")


def _as_shown(data: bytes, charset: str) -> str:
    """Return the text that `Message.get_payload` makes of bytes."""
    try:
        return data.decode(charset, "replace")
    except LookupError:
        return data.decode("ascii", "replace")


def _to_plain(data: bytes) -> str:
    return data.decode("ascii", "surrogateescape")


def _keep_lines_short(html: str, edits: list[Edit]) -> list[Edit]:
    """Return edits with line breaks in the tag if its line would be longer than one of a mail may be."""
    edited, shift = apply(html, edits), 0
    line_break = "\r\n" if "\r\n" in html else "\n"

    def fold(edit: Edit) -> Edit:
        nonlocal shift
        at = edit.start + shift
        shift += len(edit.text) - (edit.end - edit.start)
        end = edited.find("\n", at)
        length = (len(edited) if end < 0 else end) - (edited.rfind("\n", 0, at) + 1)
        if not edit.text or length <= _LONGEST_LINE:
            return edit
        return edit._replace(text=f"<img{line_break}{edit.text[5:-1]}{line_break}>")

    return list(map(fold, edits))


def _from_base64(payload: str) -> bytes:
    try:
        data = binascii.a2b_base64(payload)
    except ValueError:  # also of text that is not ASCII
        data = b""
    if b64encode(data).decode() != "".join(payload.split()):
        raise MessageNotTrackable("its HTML part has damaged base64")
    return data


def _to_base64(data: bytes, *, like: str) -> str:
    """Return bytes in base64, in lines like those of another text."""
    text, lines = b64encode(data).decode(), like.split()
    width = min(len(lines[0]), _LONGEST_BASE64_LINE) if len(lines) > 1 else _LONGEST_BASE64_LINE
    line_break = "\r\n" if "\r\n" in like else "\n"
    pieces = (text[start : start + width] for start in range(0, len(text), width))
    return line_break.join(pieces) + like[len(like.rstrip()) :]

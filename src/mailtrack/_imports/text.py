"""The text of a file, in whichever encoding a spreadsheet or an editor has written it."""

import codecs
import re
from contextlib import suppress

from mailtrack._errors import InvalidImport

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_LOOKED_AT = 4096  # bytes that decide whether a file without a mark is UTF-16
_NO_TEXT = bytes(sign for sign in range(32) if sign not in b"\t\n\v\f\r\x1b")
_MOST_NO_TEXT = 12  # a text has fewer of these than one in so many bytes
_TWO_HIGH = re.compile(rb"[\x81-\xfe]{2}|[\x81-\x9f][\x40-\x7e]")
_KANA = re.compile("[\u3041-\u30fe]")
_EAST_ASIAN_SIGN = re.compile("[\u4e00-\u9fff\uac00-\ud7a3]")

_FOREIGN = (
    (b"PK\x03\x04", "a spreadsheet or an archive. Save it as CSV first"),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word file. Save it as CSV first"),
    (b"%PDF-", "a PDF file. Save the addresses as CSV or text first"),
    (b"{\\rtf", "a formatted text (RTF). Save it as plain text first"),
    (b"\x1f\x8b", "compressed. Unpack it first"),
    (b"SQLite format 3\0", "a database. Export the addresses as CSV first"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
)
_HTML = re.compile(rb"\s*<(?:!doctype\s+html|html)\b", re.IGNORECASE)


def decode(data: bytes) -> str:
    """Return the text of a file: UTF-8, UTF-16 or UTF-32, with or without its mark, else an older encoding.

    Of older ones, those of Japan and China are recognized; for all others Windows' cp1252 is taken, line by line, as
    files may be joined of several. In each of them ASCII characters, and so most addresses, are what they are.

    Raises:
        InvalidImport: it is no text, but a file of a known kind, or is full of control characters.
    """
    _refuse_foreign(data)
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    if unmarked := _utf16_without_mark(data[:_LOOKED_AT]):
        return data.decode(unmarked, "replace")
    if len(data) - len(data.translate(None, _NO_TEXT)) > len(data) // _MOST_NO_TEXT:
        raise InvalidImport("The file is not a text. Save it as CSV first.")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return _east_asian(data) or "".join(map(_decode_line, data.splitlines(keepends=True)))


def _decode_line(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("cp1252", "replace")


def _east_asian(data: bytes) -> str | None:
    """Return a text in Shift-JIS or GB 18030, `None` where it is likely neither.

    Their second bytes may be an @ or a |, so that names in them would be taken for addresses.
    """
    beginning = data[: 16 * _LOOKED_AT]
    if sum(map(len, _TWO_HIGH.findall(beginning))) < 0.9 * sum(byte > 0x80 for byte in beginning):
        return None
    for encoding, likely in (("cp932", _KANA), ("gb18030", _EAST_ASIAN_SIGN)):
        with suppress(UnicodeDecodeError):
            text = data.decode(encoding)
            if likely.search(text):
                return text
    return None


def _refuse_foreign(data: bytes) -> None:
    for start, what in _FOREIGN:
        if data.startswith(start):
            raise InvalidImport(f"The file is {what}.")
    if _HTML.match(data):
        raise InvalidImport("The file is a web page. Save the addresses as CSV or text first.")


def _utf16_without_mark(data: bytes) -> str | None:
    """Recognize UTF-16 by its zero bytes: many characters of a table are ASCII, whose upper byte is zero."""
    pairs = len(data) // 2
    high, low = data[: 2 * pairs : 2].count(0), data[1 : 2 * pairs : 2].count(0)
    if low * 5 > pairs and low > 5 * high:
        return "utf-16-le"
    return "utf-16-be" if high * 5 > pairs and high > 5 * low else None

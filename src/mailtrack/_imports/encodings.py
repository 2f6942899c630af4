"""Decode files from spreadsheets and editors, detecting their encoding."""

import codecs
import re
from contextlib import suppress

from mailtrack._errors import InvalidImport

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16: its mark begins with theirs
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SAMPLE_SIZE = 4096  # bytes that decide whether a file without a byte order mark is UTF-16
_CONTROL_BYTES = bytes(byte for byte in range(32) if byte not in b"\t\n\v\f\r\x1b")
_CONTROL_RATIO = 12  # in a text, control bytes are rarer than one in this many bytes
_TWO_HIGH = re.compile(rb"[\x81-\xfe]{2}|[\x81-\x9f][\x40-\x7e]")
_KANA = re.compile("[\u3041-\u30fe]")
_EAST_ASIAN_CHARACTER = re.compile("[\u4e00-\u9fff\uac00-\ud7a3]")

_FOREIGN = (
    (b"PK\x03\x04", "a spreadsheet or an archive. Save it as CSV first"),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word file. Save it as CSV first"),
    (b"%PDF-", "a PDF file. Save the addresses as CSV or text first"),
    (b"{\\rtf", "a formatted text (RTF). Save it as plain text first"),
    (b"\x1f\x8b", "compressed. Unpack it first"),
    (b"SQLite format 3\0", "a database. Export the addresses as CSV first"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"GIF8", "an image"),
)
_HTML = re.compile(rb"\s*<(?:!doctype\s+html|html)\b", re.IGNORECASE)


def decode(data: bytes) -> str:
    """Return the text of a file: UTF-8, UTF-16 or UTF-32, with or without a byte order mark, or an older encoding.

    Of the older ones, Shift-JIS and GB 18030 are recognised. Others are decoded as cp1252, line by line, since joined
    files may mix encodings. In all of these, ASCII characters, and so most addresses, are decoded correctly.

    Raises:
        InvalidImport: the file is of a known binary type, or is full of control characters.
    """
    _refuse_foreign(data)
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    if unmarked := _utf16_without_mark(data[:_SAMPLE_SIZE]):
        return data.decode(unmarked, "replace")
    if len(data) - len(data.translate(None, _CONTROL_BYTES)) > len(data) // _CONTROL_RATIO:
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
    """Return a text in Shift-JIS or GB 18030, or `None` if it is probably neither.

    Their second bytes may be an @ or a |, so names decoded otherwise could look like addresses.
    """
    beginning = data[: 16 * _SAMPLE_SIZE]
    if sum(map(len, _TWO_HIGH.findall(beginning))) < 0.9 * sum(byte > 0x80 for byte in beginning):
        return None
    for encoding, likely in (("cp932", _KANA), ("gb18030", _EAST_ASIAN_CHARACTER)):
        with suppress(UnicodeDecodeError):
            text = data.decode(encoding)
            if likely.search(text):
                return text
    return None


def _refuse_foreign(data: bytes) -> None:
    for start, kind in _FOREIGN:
        if data.startswith(start):
            raise InvalidImport(f"The file is {kind}.")
    if _HTML.match(data):
        raise InvalidImport("The file is a web page. Save the addresses as CSV or text first.")


def _utf16_without_mark(data: bytes) -> str | None:
    """Detect UTF-16 by its zero bytes: many characters of a table are ASCII, with an upper byte of zero."""
    pairs = len(data) // 2
    high, low = data[: 2 * pairs : 2].count(0), data[1 : 2 * pairs : 2].count(0)
    if low * 5 > pairs and low > 5 * high:
        return "utf-16-le"
    return "utf-16-be" if high * 5 > pairs and high > 5 * low else None

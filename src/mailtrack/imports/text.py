"""The text of a file, in whichever encoding a spreadsheet or an editor has written it."""

import codecs
import re

from mailtrack.errors import InvalidImport

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_LOOKED_AT = 4096  # bytes that decide whether a file without a mark is UTF-16

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
    """Return the text of a file: UTF-8, UTF-16 or UTF-32, with or without its mark, else Windows' cp1252.

    Raises:
        InvalidImport: it is no text, but a file of a known kind, or has NUL bytes in it.
    """
    _refuse_foreign(data)
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    if unmarked := _utf16_without_mark(data[:_LOOKED_AT]):
        return data.decode(unmarked, "replace")
    if b"\0" in data:
        raise InvalidImport("The file is not a text. Save it as CSV first.")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _refuse_foreign(data: bytes) -> None:
    for start, what in _FOREIGN:
        if data.startswith(start):
            raise InvalidImport(f"The file is {what}.")
    if _HTML.match(data):
        raise InvalidImport("The file is a web page. Save the addresses as CSV or text first.")


def _utf16_without_mark(data: bytes) -> str | None:
    """Recognize UTF-16 by its zero bytes: most characters of a table are ASCII, whose upper byte is zero."""
    pairs = len(data) // 2
    high, low = data[: 2 * pairs : 2].count(0), data[1 : 2 * pairs : 2].count(0)
    if low * 2 > pairs and not high:
        return "utf-16-le"
    return "utf-16-be" if high * 2 > pairs and not low else None

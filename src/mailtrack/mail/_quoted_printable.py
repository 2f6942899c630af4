"""Edit text in quoted-printable (RFC 2045 6.7) where it stands. All other lines stay as they are."""

import re
from bisect import bisect_right
from email.quoprimime import body_encode

from mailtrack.mail._places import Edit, apply

_LONGEST_LINE = 76  # characters, without the line break

_ESCAPE = re.compile(r"=(?:([0-9A-Fa-f]{2})|[ \t]*+(?:\r?\n|\Z))")  # a byte or a soft line break


class QuotedPrintable:
    """A text in quoted-printable.

    Attributes:
        text: its bytes, as characters (Latin-1).
    """

    text: str

    def __init__(self, encoded: str) -> None:
        self._encoded = encoded
        self._soft_break = "=\r\n" if "\r\n" in encoded else "=\n"
        self._pieces = [(0, 0)]  # where those without escapes begin, in the text and as encoded
        decoded, at, length = [], 0, 0
        for found in _ESCAPE.finditer(encoded):
            decoded.append(encoded[at : found.start()] + (chr(int(found[1], 16)) if found[1] else ""))
            at, length = found.end(), length + len(decoded[-1])
            self._pieces.append((length, at))
        self.text = "".join([*decoded, encoded[at:]])

    def edit(self, edits: list[Edit]) -> str:
        """Return the text as encoded with edits, whose texts are ASCII. Lines have at most 76 characters."""
        merged: list[Edit] = []
        for edit in edits:
            start, text = edit.start, edit.text
            if merged and merged[-1].end == start:
                start, _, before = merged.pop()
                text = before + text
            merged.append(Edit(start, edit.end, text))
        return apply(self._encoded, [self._encode(one) for one in merged])

    def _encode(self, edit: Edit) -> Edit:
        start, end = self._place(edit.start), self._place(edit.end)
        column = start - (self._encoded.rfind("\n", 0, start) + 1)
        is_last = self._encoded[end : end + 2].lstrip("\r")[:1] in ("", "\n")
        if not edit.text:
            must_break = "\n" in self._encoded[start:end] or (is_last and self._encoded[start - 1].isspace())
            return Edit(start, end, self._soft_break if column and must_break else "")
        text = body_encode(edit.text, _LONGEST_LINE - 1, self._soft_break[1:])
        if column:
            text = self._soft_break + text
        if column >= _LONGEST_LINE:  # no room for a soft break, so it goes before the last character, too
            before = start - (3 if self._encoded[start - 3] == "=" else 1)
            text = self._soft_break + self._encoded[before:start] + text
            start = before
        return Edit(start, end, text if is_last else text + self._soft_break)

    def _place(self, offset: int) -> int:
        """Return the place of an offset as encoded, behind soft line breaks."""
        begin, place = self._pieces[bisect_right(self._pieces, (offset, len(self._encoded))) - 1]
        return place + offset - begin

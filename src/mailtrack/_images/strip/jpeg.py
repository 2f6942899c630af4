"""Rebuild JPEG files: segments that begin with a marker; the scans contain the image."""

import re

from mailtrack._errors import InvalidImage
from mailtrack._images.strip.common import (
    MAX_BUFFERED_PIXELS,
    MAX_PIXELS,
    PartCounter,
    StrippedFile,
    check,
    check_pixels,
    raise_damaged,
)
from mailtrack._images.strip.metadata import clean_profile, read_orientation, write_exif

MAX_SCANS = 32
"""Maximum number of scans of a progressive JPEG; some ten are usual."""

MAX_REENCODED_PIXELS = 6_000_000
"""Width × height of an image that must be re-encoded, with all of it in memory."""

_MARKER = re.compile(rb"\xff[^\0\xd0-\xd7\xff]")  # in a scan's data, 0xFF followed by one of these is no marker
_START, _END, _SCAN, _ALONE = 0xD8, 0xD9, 0xDA, 0x01
_APP0, _EXIF, _PROFILE, _ADOBE = 0xE0, 0xE1, 0xE2, 0xEE
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # 0xC4 and 0xCC are tables, 0xC8 is reserved
_TABLES = frozenset({0xC4, 0xCC, 0xDB, 0xDD})
_PROGRESSIVE = 0xC2
_DISPLAYABLE = frozenset({0xC0, 0xC1, _PROGRESSIVE})  # browsers don't support arithmetic coding and lossless JPEG
_SPACES = {1: b"GRAY", 3: b"RGB ", 4: b"CMYK"}
_MAX_SEGMENT = 65_533
_PROFILE_NAME = b"ICC_PROFILE\0"


def rebuild(data: bytes) -> StrippedFile:
    """Return the file with its tables and scans, their colour space and profile, and the orientation."""
    return _Reader(data).read()


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._parts = PartCounter()
        self._view = memoryview(data)  # scans are not copied before the join
        self._tables_and_scans: list[memoryview] = []
        self._scans = 0
        self._buffered = 0  # bytes
        self._frame_kind = 0
        self._frame = b""
        self._jfif = self._adobe = b""
        self._exif: bytes | None = None
        self._profile: dict[int, bytes] = {}
        self._profile_parts = 0

    def read(self) -> StrippedFile:
        at = 2
        while True:
            self._parts.count()
            start = _next_marker(self._data, at)
            kind, at = self._data[start + 1], start + 2
            if kind == _END:
                return self._join()
            if kind in (_ALONE, _START):  # these have no content, and no meaning here
                continue
            content, at = at + 2, at + int.from_bytes(self._data[at : at + 2])
            check(content <= at <= len(self._data))
            header = self._data[content:at]
            if kind == _SCAN:
                self._count_scan(header[0])
                at = _next_marker(self._data, at)
            self._keep_segment(kind, header, self._view[start:at])

    def _keep_segment(self, kind: int, content: bytes, whole: memoryview) -> None:
        if kind in _FRAMES:
            check(not self._frame)
            self._frame_kind, self._frame = kind, content
        if kind in _FRAMES or kind in _TABLES or kind == _SCAN:
            self._tables_and_scans.append(whole)
        elif kind == _APP0 and content.startswith(b"JFIF\0") and len(content) >= 14:
            self._jfif = self._jfif or content[:12] + b"\0\0"  # zero is the size of the omitted thumbnail
        elif kind == _ADOBE and content.startswith(b"Adobe") and len(content) >= 12:
            self._adobe = self._adobe or content[:12]
        elif kind == _EXIF and content.startswith(b"Exif\0\0") and self._exif is None:
            self._exif = content[6:]
        elif kind == _PROFILE and content.startswith(_PROFILE_NAME) and len(content) > 14:
            self._profile_parts = content[13]
            self._profile.setdefault(content[12], content[14:])

    def _count_scan(self, components: int) -> None:
        self._scans += 1
        if self._scans > MAX_SCANS:
            raise InvalidImage(f"The image must have at most {MAX_SCANS} scans.")
        if self._scans == 1:
            check(len(self._frame) > 5)
            self._check_size(components)

    def _check_size(self, components: int) -> None:
        """Check the cost of decoding, before the first scan.

        An image with all components in its first scan is decoded row by row; for any other, the decoder buffers two
        bytes per sample.
        """
        height, width = int.from_bytes(self._frame[1:3]), int.from_bytes(self._frame[3:5])
        most = MAX_PIXELS
        if self._frame_kind not in _DISPLAYABLE:
            most = MAX_REENCODED_PIXELS
        elif self._frame_kind == _PROGRESSIVE or components < self._frame[5]:
            most = min(MAX_PIXELS, int(3 * MAX_BUFFERED_PIXELS / self._samples()))
            self._buffered = int(2 * width * height * self._samples())
        check_pixels(width * height, most)

    def _samples(self) -> float:
        """Return the number of samples per pixel: 3 for a colour image, 1.5 with 4:2:0 subsampling."""
        sizes = [(byte >> 4) * (byte & 15) for byte in self._frame[7::3]]
        wide, high = max(byte >> 4 for byte in self._frame[7::3]), max(byte & 15 for byte in self._frame[7::3])
        check(len(sizes) == self._frame[5] and min(sizes) > 0)
        return sum(sizes) / (wide * high)

    def _join(self) -> StrippedFile:
        check(self._scans > 0)
        exif = write_exif(read_orientation(self._exif or b""))
        parts = [b"\xff\xd8"]
        for kind, content in ((_APP0, self._jfif), (_EXIF, exif and b"Exif\0\0" + exif), (_ADOBE, self._adobe)):
            if content:
                parts.append(_segment(kind, content))
        data = b"".join([*parts, *self._write_profile(), *self._tables_and_scans, b"\xff\xd9"])
        if self._frame_kind in _DISPLAYABLE:
            return StrippedFile(data, (data,), buffered=self._buffered)
        return StrippedFile(data, displayable=False, encodings=({"quality": 90},))

    def _write_profile(self) -> list[bytes]:
        numbers = range(1, self._profile_parts + 1)
        whole = b"".join(self._profile.get(number, b"") for number in numbers)
        if len(self._profile) != self._profile_parts or not all(number in self._profile for number in numbers):
            return []
        profile = clean_profile(whole, _SPACES.get(self._frame[5], b""))
        step = _MAX_SEGMENT - len(_PROFILE_NAME) - 2
        pieces = [profile[at : at + step] for at in range(0, len(profile), step)]
        return [
            _segment(_PROFILE, b"%b%c%c%b" % (_PROFILE_NAME, number, len(pieces), piece))
            for number, piece in enumerate(pieces, 1)
        ]


def _segment(kind: int, content: bytes) -> bytes:
    return b"\xff%c%b%b" % (kind, (len(content) + 2).to_bytes(2), content)


def _next_marker(data: bytes, at: int) -> int:
    found = _MARKER.search(data, at)
    if found is None:
        raise_damaged()
    return found.start()

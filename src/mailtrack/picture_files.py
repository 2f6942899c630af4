"""Uploaded files before anything decodes them: what belongs to the picture is kept, all else is left out.

Pillow reads the texts, comments and EXIF data of a file into memory, and makes room for the frames of a GIF, before
anybody can ask for the size; so a small file can unfold to half a gigabyte. It is given files without all that and with
no frame too large. Nothing is decoded here.
"""

import re
import zlib
from collections.abc import Callable
from typing import Literal

import attrs

from mailtrack.errors import InvalidImage

MAX_PARTS = 20_000
"""Chunks, segments or blocks in a file, whatever they hold."""

MAX_SCANS = 32
"""Times that a progressive JPEG goes over its picture; some ten are usual, and each may cost as much as decoding it."""

_JPEG_MARKER = re.compile(rb"\xff[^\0\xd0-\xd7\xff]")  # in the data of a scan, what looks like one is followed by these
_JPEG_END, _JPEG_SCAN, _JPEG_EXIF = 0xD9, 0xDA, 0xE1
_JPEG_COLOURS = (0xE0, 0xEE)  # application segments that tell what the colours are, one of each
_JPEG_TABLES = frozenset({*range(0xC0, 0xD0), 0xDB, 0xDC, 0xDD})

_PNG_KEPT = {b"IHDR", b"PLTE", b"tRNS", b"acTL", b"fcTL", b"fdAT", b"IDAT", b"IEND"}

_WEBP_KEPT = {b"VP8X", b"ANIM", b"ANMF", b"ALPH", b"VP8 ", b"VP8L"}
_WEBP_METADATA = 0b10_1100  # flags that announce a colour profile, EXIF and XMP

_ORIENTATION = 0x0112

CheckSize = Callable[[int, int, int], None]
"""Takes the width, the height and the number of frames of a picture, as far as it is known, and raises on too much."""


@attrs.frozen
class PictureFile:
    """A file with nothing in it but a picture.

    Attributes:
        data: its bytes.
        orientation: how to turn the picture, 1 to 8 as in EXIF, where the file told.
    """

    data: bytes
    orientation: int = 1


def strip(data: bytes, media_type: str, *, check_size: CheckSize) -> PictureFile:
    """Return a file without what does not belong to its picture.

    Args:
        data: the file, which begins as one of its media type does.
        media_type: the media type.
        check_size: called for each frame of a GIF, any of which may make the picture larger.

    Raises:
        InvalidImage: it is cut off, of too many parts, or damaged; or `check_size` raised.
    """
    try:
        if media_type == "image/gif":
            return _strip_gif(data, check_size)
        return {"image/png": _strip_png, "image/jpeg": _strip_jpeg, "image/webp": _strip_webp}[media_type](data)
    except IndexError:  # it ends in the middle of something
        raise InvalidImage("The image is damaged.") from None


class _Parts:
    """The parts of a file that are kept, and how many there were."""

    def __init__(self, start: bytes = b"") -> None:
        self.kept = [start]
        self._seen = 0

    def see(self) -> None:
        self._seen += 1
        if self._seen > MAX_PARTS:
            raise InvalidImage(f"The image must have at most {MAX_PARTS:,} parts.")

    def join(self) -> bytes:
        return b"".join(self.kept)


def _strip_png(data: bytes) -> PictureFile:
    parts, at, orientation, kind = _Parts(data[:8]), 8, 1, b""
    while kind != b"IEND":
        parts.see()
        length, kind = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        end = at + 12 + length
        if end > len(data) or zlib.crc32(data[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end]):
            raise InvalidImage("The image is damaged.")
        if kind in _PNG_KEPT:
            parts.kept.append(data[at:end])
        elif kind == b"eXIf":
            orientation = _read_orientation(data[at + 8 : end - 4])
        at = end
    return PictureFile(parts.join(), orientation)


def _strip_jpeg(data: bytes) -> PictureFile:
    parts, at, orientation, scans, colours = _Parts(data[:2]), 2, 1, 0, set[int]()
    while True:
        parts.see()
        start = _next_marker(data, at)
        kind, at = data[start + 1], start + 2
        if kind == _JPEG_END:
            parts.kept.append(data[start:at])
            return PictureFile(parts.join(), orientation)
        if kind in (0x01, 0xD8):  # these stand alone, and mean nothing here
            continue
        content, at = at + 2, at + int.from_bytes(data[at : at + 2])
        if at < content:
            raise InvalidImage("The image is damaged.")
        if kind == _JPEG_SCAN:
            scans += 1
            if scans > MAX_SCANS:
                raise InvalidImage(f"The image must have at most {MAX_SCANS} scans.")
            at = _next_marker(data, at)
        elif kind == _JPEG_EXIF and data[content : content + 6] == b"Exif\0\0":
            orientation = _read_orientation(data[content + 6 : at])
            continue
        elif kind in _JPEG_COLOURS and kind not in colours:
            colours.add(kind)
        elif kind not in _JPEG_TABLES:
            continue
        parts.kept.append(data[start:at])


def _next_marker(data: bytes, at: int) -> int:
    found = _JPEG_MARKER.search(data, at)
    if found is None:
        raise InvalidImage("The image is damaged.")
    return found.start()


def _strip_gif(data: bytes, check_size: CheckSize) -> PictureFile:
    width, height = _read_sizes(data[6:10])
    at = 13 + _palette_length(data[10])
    parts, frames = _Parts(data[:at]), 0
    while (kind := data[at]) != ord(";"):
        parts.see()
        start = at
        if kind == ord(","):
            x, y, frame_width, frame_height = _read_sizes(data[at + 1 : at + 9])
            width, height = max(width, x + frame_width), max(height, y + frame_height)
            frames += 1
            check_size(width, height, frames)
            at = _skip_blocks(data, at + 11 + _palette_length(data[at + 9]))
            kept = True
        elif kind == ord("!"):
            at = _skip_blocks(data, at + 2)
            kept = data[start + 1] == 0xF9 or data[start + 1 : start + 14] == b"\xff\x0bNETSCAPE2.0"
        else:
            raise InvalidImage("The image is damaged.")
        if kept:
            parts.kept.append(data[start:at])
    parts.kept.append(b";")
    return PictureFile(parts.join())


def _palette_length(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _read_sizes(data: bytes) -> list[int]:
    return [int.from_bytes(data[at : at + 2], "little") for at in range(0, len(data), 2)]


def _skip_blocks(data: bytes, at: int) -> int:
    while length := data[at]:
        at += length + 1
    return at + 1


def _strip_webp(data: bytes) -> PictureFile:
    parts, at, orientation = _Parts(), 12, 1
    end_of_all = 8 + int.from_bytes(data[4:8], "little")
    if end_of_all > len(data):
        raise InvalidImage("The image is damaged.")
    while at < end_of_all:
        parts.see()
        kind, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        end = at + 8 + length + length % 2
        if end > end_of_all:
            raise InvalidImage("The image is damaged.")
        if kind == b"VP8X":
            parts.kept += [data[at : at + 8], bytes([data[at + 8] & ~_WEBP_METADATA]), data[at + 9 : end]]
        elif kind in _WEBP_KEPT:
            parts.kept.append(data[at:end])
        elif kind == b"EXIF":
            orientation = _read_orientation(data[at + 8 : end].removeprefix(b"Exif\0\0"))
        at = end
    kept = b"WEBP" + parts.join()
    return PictureFile(b"RIFF" + len(kept).to_bytes(4, "little") + kept, orientation)


def _read_orientation(exif: bytes) -> int:
    """Return the orientation that EXIF data tell; the rest of them is not looked at."""
    order: Literal["little", "big"] = "little" if exif.startswith(b"II") else "big"

    def number(at: int, size: int) -> int:
        return int.from_bytes(exif[at : at + size], order)

    entries = number(4, 4)
    for at in range(entries + 2, entries + 2 + 12 * number(entries, 2), 12):
        if number(at, 2) == _ORIENTATION:
            return number(at + 8, 2)
    return 1

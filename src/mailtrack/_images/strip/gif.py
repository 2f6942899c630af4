"""Rebuild GIF files: blocks after a header, each image with its own compressed data."""

from mailtrack._images.strip.common import (
    MAX_PIXELS,
    PartCounter,
    StrippedFile,
    check,
    check_pixels,
    raise_damaged,
    read_numbers,
)

_IMAGE, _EXTENSION, _END = b",!;"
_CONTROL, _PLAIN_TEXT, _APPLICATION = 0xF9, 0x01, 0xFF
_LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")  # two names of the same extension
_INTERLACED = 0x40
_HEADER = 13  # bytes


def rebuild(data: bytes) -> StrippedFile:
    """Return the file with its images, their display control and the number of loops."""
    return _Reader(data).read()


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._parts = PartCounter()
        self._control = b""  # of the next image
        at = _HEADER + _palette_length(data[10])
        self._at = at
        self._kept = [data[:at]]
        self._stills: list[bytes] = []
        self._size = read_numbers(data[6:10])

    def read(self) -> StrippedFile:
        while (kind := self._data[self._at]) != _END:
            self._parts.count()
            if kind == _IMAGE:
                self._read_image()
            elif kind == _EXTENSION:
                self._read_extension()
            elif kind == 0:  # an extra terminator, which some programs write
                self._at += 1
            else:
                raise_damaged()
        check(bool(self._stills))
        return StrippedFile(b"".join([*self._kept, b";"]), tuple(self._stills))

    def _read_image(self) -> None:
        data, start = self._data, self._at
        x, y, width, height = read_numbers(data[start + 1 : start + 9])
        self._parts.count_frame(width, height)
        self._size = [max(self._size[0], x + width), max(self._size[1], y + height)]
        check_pixels(self._size[0] * self._size[1], MAX_PIXELS)
        pixels = start + 10 + _palette_length(data[start + 9])
        self._at = _skip_blocks(data, pixels + 1)
        self._kept += [self._control, data[start : self._at]]
        self._control = b""
        self._stills.append(_still(data[start + 5 : start + 9], data[start + 9], data[pixels : self._at]))

    def _read_extension(self) -> None:
        data, start = self._data, self._at
        self._at = _skip_blocks(data, start + 2)
        kind, first = data[start + 1], data[start + 3 : start + 3 + data[start + 2]]
        if kind == _CONTROL and len(first) == 4:
            self._control = b"!\xf9\4%b\0" % first
        elif kind == _PLAIN_TEXT:
            self._control = b""  # it applied to the text, which no program displays
        elif kind == _APPLICATION and first in _LOOPS and data[start + 14 : start + 16] == b"\3\1":
            self._kept.append(b"!\xff\x0b%b\3\1%b\0" % (first, data[start + 16 : start + 18]))


def _still(size: bytes, flags: int, pixels: bytes) -> bytes:
    """Return a file of one image, without its colours, which do not affect decoding."""
    return b"GIF89a%b\0\0\0,\0\0\0\0%b%c%b;" % (size, size, flags & _INTERLACED, pixels)


def _palette_length(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _skip_blocks(data: bytes, at: int) -> int:
    while length := data[at]:
        at += length + 1
    return at + 1

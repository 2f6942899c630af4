"""Rebuild PNG and APNG files: chunks with checksums; each frame's pixels are one zlib stream."""

import zlib
from collections.abc import Iterator
from typing import Self

import attrs

from mailtrack._images.strip.common import MAX_PIXELS, MAX_UNPACKED, PartCounter, StrippedFile, check, read_numbers
from mailtrack._images.strip.metadata import clean_packed_profile, read_orientation, write_exif

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_LENGTHS = {b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"cICP": 4, b"pHYs": 9}  # chunks that are copied
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}  # by colour type
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_GREYS, _PALETTE = (0, 4), 3
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_PIECE = 65_536  # bytes
_FILTERS = bytes(range(5))
_ANNOUNCEMENT = 8  # bytes of an acTL chunk
_CONTROL = 22  # bytes of an fcTL chunk after its sequence number

Chunk = tuple[bytes, memoryview]


def rebuild(data: bytes) -> StrippedFile:
    """Return the file with its pixels, colours, transparency, animation and orientation."""
    (kind, content), *chunks = _read_chunks(data)
    check(kind == b"IHDR")
    header = _Header.read(bytes(content))
    return StrippedFile(_Image(header, chunks).write())


def _read_chunks(data: bytes) -> Iterator[Chunk]:
    parts, view, at, kind = PartCounter(), memoryview(data), len(_SIGNATURE), b""
    while kind != b"IEND":
        parts.count()
        length, kind = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        end = at + 12 + length
        check(end <= len(data) and zlib.crc32(view[at + 4 : end - 4]) == int.from_bytes(data[end - 4 : end]))
        yield kind, view[at + 8 : end - 4]  # no copy
        at = end


@attrs.frozen
class _Header:
    """The size of an image and the packing of its pixels, of `bits` each."""

    content: bytes
    width: int
    height: int
    bits: int
    colour: int
    interlaced: int

    @classmethod
    def read(cls, content: bytes) -> Self:
        check(len(content) == 13)
        width, height = int.from_bytes(content[:4]), int.from_bytes(content[4:8])
        depth, colour, packing, filtering, interlaced = content[8:]
        check(depth in _DEPTHS.get(colour, ()) and packing == filtering == 0 and interlaced < 2)
        return cls(content, width, height, depth * _CHANNELS[colour], colour, interlaced)


@attrs.define
class _Frame:
    """A frame: its control chunk without the sequence number, empty for a default image outside the animation."""

    control: bytes
    width: int
    height: int
    data: list[memoryview] = attrs.field(factory=list)


class _Image:
    """An image, or an animation whose default image may be its first frame."""

    def __init__(self, header: _Header, chunks: list[Chunk]) -> None:
        self._header = header
        self._default = _Frame(b"", header.width, header.height)
        self._frames: list[_Frame] = []
        self._first: dict[bytes, bytes] = {}  # of each kind that must precede the pixels
        self._exif = next((bytes(content) for kind, content in chunks if kind == b"eXIf"), b"")
        self._parts = PartCounter(min(MAX_PIXELS, MAX_UNPACKED * 8 // header.bits))
        self._parts.count_frame(header.width, header.height)
        self._numbers = 0
        for kind, content in chunks:
            self._read(kind, content)

    def _read(self, kind: bytes, content: memoryview) -> None:
        if kind == b"IDAT":
            self._default.data.append(content)
        elif kind in (b"fcTL", b"fdAT"):
            if self._length:
                self._read_animation(kind, content)
        elif not self._default.data:
            self._first.setdefault(kind, bytes(content))

    @property
    def _length(self) -> int:
        """The number of frames that the file announces, 0 where the announcement is no valid one."""
        announced = self._first.get(b"acTL", b"")
        return int.from_bytes(announced[:4]) if len(announced) == _ANNOUNCEMENT else 0

    def _read_animation(self, kind: bytes, content: memoryview) -> None:
        check(int.from_bytes(content[:4]) == self._numbers)
        self._numbers += 1
        if kind == b"fcTL":
            self._add_frame(bytes(content[4:]))
        else:
            check(bool(self._frames) and self._frames[-1] is not self._default)
            self._frames[-1].data.append(content[4:])

    def _add_frame(self, control: bytes) -> None:
        check(len(control) == _CONTROL and control[20] <= 2 and control[21] <= 1)
        width, height, x, y = read_numbers(control[:16], 4, "big")
        check(x + width <= self._header.width and y + height <= self._header.height)
        if self._default.data or self._frames:
            self._parts.count_frame(width, height)
            self._frames.append(_Frame(control, width, height))
        else:
            check((width, height) == (self._header.width, self._header.height))
            self._default.control = control
            self._frames.append(self._default)

    def write(self) -> bytes:
        frames = self._frames[: self._length]
        chunks = [_chunk(b"IHDR", self._header.content), *self._write_colours()]
        if frames:
            chunks.append(_chunk(b"acTL", len(frames).to_bytes(4) + self._first[b"acTL"][4:]))
        if exif := write_exif(read_orientation(self._exif)):
            chunks.append(_chunk(b"eXIf", exif))
        number = 0
        for frame in [self._default, *(frame for frame in frames if frame is not self._default)]:
            if frame.control:
                chunks.append(_chunk(b"fcTL", number.to_bytes(4) + frame.control))
                number += 1
            if frame is self._default:
                chunks.append(_chunk(b"IDAT", self._pack(frame)))
            else:
                chunks.append(_chunk(b"fdAT", number.to_bytes(4) + self._pack(frame)))
                number += 1
        return b"".join([_SIGNATURE, *chunks, _chunk(b"IEND", b"")])

    def _pack(self, frame: _Frame) -> bytes:
        return _trim(b"".join(frame.data), list(_passes(frame.width, frame.height, self._header)))

    def _write_colours(self) -> Iterator[bytes]:
        for kind, length in _LENGTHS.items():
            if len(self._first.get(kind, b"")) == length:
                yield _chunk(kind, self._first[kind])
        packed = self._first.get(b"iCCP", b"").partition(b"\0")[2]  # preceded by a name, which is left out
        if profile := clean_packed_profile(packed[1:], b"GRAY" if self._header.colour in _GREYS else b"RGB "):
            yield _chunk(b"iCCP", b"ICC\0\0" + profile)
        palette, clear = self._first.get(b"PLTE", b""), self._first.get(b"tRNS", b"")
        if self._header.colour == _PALETTE:
            check(len(palette) % 3 == 0 and 0 < len(palette) <= 768)
            yield _chunk(b"PLTE", palette)
        shortest, longest = {0: (2, 2), 2: (6, 6), _PALETTE: (1, len(palette) // 3)}.get(self._header.colour, (1, 0))
        if shortest <= len(clear) <= longest:
            yield _chunk(b"tRNS", clear)


def _passes(width: int, height: int, header: _Header) -> Iterator[tuple[int, int, int]]:
    """Yield for each interlacing pass the start and end of its rows in the data, and the bytes per row."""
    at = 0
    for x, y, across, down in _ADAM7 if header.interlaced else ((0, 0, 1, 1),):
        columns, rows = -((x - width) // across), -((y - height) // down)
        if columns > 0 and rows > 0:
            stride = 1 + (columns * header.bits + 7) // 8  # the first byte is the filter
            yield at, at + rows * stride, stride
            at += rows * stride


def _trim(packed: bytes, passes: list[tuple[int, int, int]]) -> bytes:
    """Inflate a frame's data piece by piece, and return the data without trailing bytes.

    Some programs write excess data: up to one piece is accepted; more would only slow down displaying the image.
    """
    inflate, total, done = zlib.decompressobj(), passes[-1][1], 0
    for at in range(0, len(packed), _PIECE):
        rest, full = packed[at : at + _PIECE], True
        while full and done <= total + _PIECE:
            most = min(_PIECE, total - done) if done < total else _PIECE
            try:
                piece = inflate.decompress(rest, most)
            except zlib.error:
                check(done >= total)
                return packed
            rest, full = inflate.unconsumed_tail, len(piece) == most
            check(not _has_unknown_filter(piece, done, passes))
            done += len(piece)
        check(done <= total + _PIECE)
        if inflate.eof:
            check(done >= total)
            return packed[: min(at + _PIECE, len(packed)) - len(inflate.unused_data)]
    check(done >= total)
    return packed


def _has_unknown_filter(piece: bytes, at: int, passes: list[tuple[int, int, int]]) -> bool:
    for start, end, stride in passes:
        first = (start - at) if start >= at else (start - at) % stride
        if piece[first : max(end - at, 0) : stride].strip(_FILTERS):
            return True
    return False


def _chunk(kind: bytes, content: bytes) -> bytes:
    return b"%b%b%b%b" % (len(content).to_bytes(4), kind, content, zlib.crc32(content, zlib.crc32(kind)).to_bytes(4))

"""Rebuild WebP files: chunks in a RIFF file; an animation's frames are chunks of chunks."""

from collections.abc import Iterable, Iterator
from typing import Any

import attrs

from mailtrack._images.strip.common import (
    MAX_BUFFERED_PIXELS,
    MAX_PIXELS,
    MAX_SIDE,
    PartCounter,
    StrippedFile,
    check,
    check_pixels,
    raise_damaged,
)
from mailtrack._images.strip.metadata import clean_profile, read_orientation, write_exif

_PROFILE, _ALPHA, _EXIF, _ANIMATED = 0x20, 0x10, 0x08, 0x02  # flags of VP8X
_FRAME_HEADER = 16  # bytes
_LOSSY = tuple({"quality": quality, "method": 2} for quality in (90, 80, 70, 60))
_LOSSLESS = tuple({"lossless": True, "exact": True, "quality": effort, "method": 2} for effort in (0, 75))

MAX_ROTATED_PIXELS = 2_100_000
"""Maximum width × height of an image that is rotated and re-encoded; each pixel takes up to 36 bytes."""

Chunk = tuple[bytes, memoryview]


@attrs.frozen
class _Still:
    """One image: its chunks, one of which may contain its transparency."""

    size: tuple[int, int]
    chunks: bytes
    alpha: bool

    def to_file(self) -> bytes:
        if not self.alpha:
            return _file(self.chunks)
        return _file(_chunk(b"VP8X", _write_head(_ALPHA, *self.size)) + self.chunks)


def rebuild(data: bytes) -> StrippedFile:
    """Return the file with its images, their display control, the colour profile and the orientation."""
    end = 8 + int.from_bytes(data[4:8], "little")
    check(end <= len(data))
    parts = PartCounter()
    chunks = list(_read_chunks(memoryview(data)[12:end], parts))
    if chunks and chunks[0][0] == b"VP8X":
        return _rebuild_extended(chunks, parts)
    still = _read_still([chunk for chunk in chunks if chunk[0] != b"ALPH"], parts)
    if still is None:
        raise_damaged()
    file = _file(still.chunks)
    return StrippedFile(file, (file,))


def _rebuild_extended(chunks: list[Chunk], parts: PartCounter) -> StrippedFile:
    first: dict[bytes, memoryview] = dict(reversed(chunks))
    head, nothing = first[b"VP8X"], memoryview(b"")
    check(len(head) >= 10)
    canvas = _read_24(head, 4) + 1, _read_24(head, 7) + 1
    check_pixels(canvas[0] * canvas[1], MAX_PIXELS)
    check(max(canvas) <= MAX_SIDE)
    still: _Still | None = None
    if head[0] & _ANIMATED:
        check(len(first.get(b"ANIM", nothing)) >= 6)
        found = (_read_frame(content, canvas, parts) for kind, content in chunks if kind == b"ANMF")
        frames = [frame for frame in found if frame]
        check(bool(frames))
        pixels = _chunk(b"ANIM", first[b"ANIM"][:6]) + b"".join(frame for _, frame in frames)
    else:
        still = _read_still(chunks, parts)
        if still is None or still.size != canvas:
            raise_damaged()
        pixels = still.chunks
    profile = clean_profile(bytes(first.get(b"ICCP", nothing)), b"RGB ")
    exif = write_exif(read_orientation(bytes(first.get(b"EXIF", nothing)).removeprefix(b"Exif\0\0")))
    flags = head[0] & (_ALPHA | _ANIMATED) | _PROFILE * bool(profile) | _EXIF * bool(exif)
    body = [_chunk(b"VP8X", _write_head(flags, *canvas)), _chunk(b"ICCP", profile), pixels, _chunk(b"EXIF", exif)]
    file = _file(b"".join(body))
    if still is None:
        return StrippedFile(file, tuple(frame.to_file() for frame, _ in frames))
    return StrippedFile(file, (file,), encodings=_rotations(still) if exif else ())


def _rotations(still: _Still) -> tuple[dict[str, Any], ...]:
    """Return the encodings for rotating an image, since browsers ignore the orientation of a WebP."""
    if still.size[0] * still.size[1] > MAX_ROTATED_PIXELS:
        return ()
    return _LOSSLESS if still.chunks.startswith(b"VP8L") else _LOSSY


def _read_still(chunks: Iterable[Chunk], parts: PartCounter) -> _Still | None:
    """Return the first image among chunks."""
    alpha = memoryview(b"")
    for kind, content in chunks:
        if kind == b"ALPH":
            alpha = alpha or content
        elif kind == b"VP8 ":
            return _make_still(_read_lossy_size(content), alpha, _chunk(kind, content), parts, buffered=bool(alpha))
        elif kind == b"VP8L":
            return _make_still(_read_lossless_size(content), alpha[:0], _chunk(kind, content), parts, buffered=True)
    return None


def _make_still(
    size: tuple[int, int], alpha: memoryview, pixels: bytes, parts: PartCounter, *, buffered: bool
) -> _Still:
    parts.count_frame(*size)
    check_pixels(size[0] * size[1], MAX_BUFFERED_PIXELS if buffered else MAX_PIXELS)
    return _Still(size, _chunk(b"ALPH", alpha) + pixels, bool(alpha))


def _read_frame(content: memoryview, canvas: tuple[int, int], parts: PartCounter) -> tuple[_Still, bytes] | None:
    """Return a frame's image and its chunk, or `None` for a frame without an image, which browsers skip, too."""
    check(len(content) >= _FRAME_HEADER)
    still = _read_still(_read_chunks(content[_FRAME_HEADER:], parts), parts)
    if still is None:
        return None
    x, y = _read_24(content, 0) * 2, _read_24(content, 3) * 2
    check(x + still.size[0] <= canvas[0] and y + still.size[1] <= canvas[1])
    head = bytes(content[:6]) + _write_size(*still.size) + content[12:15] + bytes([content[15] & 3])
    return still, _chunk(b"ANMF", head + still.chunks)


def _read_chunks(data: memoryview, parts: PartCounter) -> Iterator[Chunk]:
    at = 0
    while at < len(data):
        parts.count()
        kind, length = bytes(data[at : at + 4]), int.from_bytes(data[at + 4 : at + 8], "little")
        end = at + 8 + length + length % 2
        check(end <= len(data))
        yield kind, data[at + 8 : at + 8 + length]  # no copy
        at = end


def _read_lossy_size(content: memoryview) -> tuple[int, int]:
    """Read the size from the header of a key frame, RFC 6386, section 9.1."""
    check(len(content) >= 10 and bytes(content[3:6]) == b"\x9d\x01\x2a")
    return int.from_bytes(content[6:8], "little") & 0x3FFF, int.from_bytes(content[8:10], "little") & 0x3FFF


def _read_lossless_size(content: memoryview) -> tuple[int, int]:
    """Read the size from the header, RFC 9649, section 3.4."""
    check(len(content) >= 5 and content[0] == 0x2F)
    bits = int.from_bytes(content[1:5], "little")
    return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1


def _write_head(flags: int, width: int, height: int) -> bytes:
    return b"%c\0\0\0%b" % (flags, _write_size(width, height))


def _write_size(width: int, height: int) -> bytes:
    return (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")


def _read_24(data: memoryview, at: int) -> int:
    return int.from_bytes(data[at : at + 3], "little")


def _file(body: bytes) -> bytes:
    return b"RIFF%bWEBP%b" % ((len(body) + 4).to_bytes(4, "little"), body)


def _chunk(kind: bytes, content: bytes | memoryview) -> bytes:
    """Return a chunk, or `b""` without content."""
    return kind + len(content).to_bytes(4, "little") + content + b"\0" * (len(content) % 2) if content else b""

"""Common to all formats: the limits, the checks that enforce them, and `StrippedFile`, the result."""

from typing import Any, Literal, NoReturn

import attrs

from mailtrack._errors import InvalidImage

MAX_SIDE = 65_535  # pixels; decoders take minutes for some that are wider
MAX_PIXELS = 50_000_000
"""Width × height of an image, the sum over all frames: enough for the 48 megapixels of a phone."""

MAX_BUFFERED_PIXELS = 12_500_000
"""The same for an image that must be buffered as a whole to decode it: a progressive JPEG, a lossless or transparent
WebP. Each pixel takes up to 6 bytes."""

MAX_UNPACKED = 200_000_000
"""Bytes that the data of a PNG may inflate to: 50 megapixels of 4 bytes, or half of that with 16 bits per channel.
Inflating them takes about half a second."""

MAX_FRAMES = 1_000
"""Frames of an animation."""

MAX_PARTS = 20_000
"""Chunks, segments or blocks in a file."""


@attrs.frozen
class StrippedFile:
    """A file that contains only an image.

    Attributes:
        data: its bytes.
        stills: files of the same format with one frame each, not yet known to be decodable.
        displayable: whether browsers and mail programs display such a file; if not, it must be re-encoded.
        buffered: bytes that decoding buffers for the whole image, if known from the file.
        encodings: options for the encoder, best first, if the image should be rotated and re-encoded.
    """

    data: bytes
    stills: tuple[bytes, ...] = ()
    displayable: bool = True
    buffered: int = 0
    encodings: tuple[dict[str, Any], ...] = ()


class PartCounter:
    """Counts the parts, frames and pixels of a file, and raises `InvalidImage` beyond the limits.

    Args:
        most: the maximum number of pixels, all frames together.
    """

    def __init__(self, most: int = MAX_PIXELS) -> None:
        self._most = most
        self._parts = 0
        self._frames = 0
        self._pixels = 0

    def count(self) -> None:
        """Count a part."""
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise InvalidImage(f"The image must have at most {MAX_PARTS:,} parts.")

    def count_frame(self, width: int, height: int) -> None:
        """Count a frame."""
        self._frames += 1
        self._pixels += width * height
        if self._frames > MAX_FRAMES:
            raise InvalidImage(f"The image must have at most {MAX_FRAMES:,} frames.")
        check_pixels(self._pixels, self._most)
        check(width > 0 < height and max(width, height) <= MAX_SIDE)


def check_pixels(number: int, most: int) -> None:
    """Raise `InvalidImage` for more than `most` pixels."""
    if number > most:
        raise InvalidImage(f"The image must have at most {most:,} pixels, all frames together.")


def check(holds: bool) -> None:
    """Raise `InvalidImage` unless a condition holds."""
    if not holds:
        raise_damaged()


def raise_damaged() -> NoReturn:
    """Raise `InvalidImage` for a file that violates its format."""
    raise InvalidImage("The image is damaged.")


def read_numbers(data: bytes, size: int = 2, order: Literal["little", "big"] = "little") -> list[int]:
    """Return data as a list of numbers of `size` bytes each."""
    return [int.from_bytes(data[at : at + size], order) for at in range(0, len(data), size)]

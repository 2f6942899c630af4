"""What the formats share: the result, the limits, and the count of what a file holds."""

from typing import Any, Literal, NoReturn

import attrs

from mailtrack._errors import InvalidImage

MAX_PIXELS = 50_000_000
"""Width × height of a picture, added up over all frames: enough for the 48 megapixels of a phone."""

MAX_HELD_PIXELS = 12_500_000
"""The same where all of a picture must be in memory to decode it: a progressive JPEG, a WebP that is lossless or
transparent. Each pixel takes up to 6 bytes."""

MAX_UNPACKED = 200_000_000
"""Bytes that the data of a PNG may inflate to: 50 megapixels with 4 bytes each, half of that with 16 bits a channel.
Inflating them takes about half a second."""

MAX_FRAMES = 1_000
"""Frames of an animation."""

MAX_PARTS = 20_000
"""Chunks, segments or blocks in a file."""


@attrs.frozen
class PictureFile:
    """A file with nothing in it but a picture.

    Attributes:
        data: its bytes.
        stills: files of the same format that hold one frame each. Whether they can be decoded is not known yet.
        shown: whether browsers and mail programs show such a file; if not, it must be encoded anew.
        held: how many bytes decoding holds for the whole picture, where that is known from the file.
        anew: options for the encoder, best first, where the picture should be turned and encoded anew.
    """

    data: bytes
    stills: tuple[bytes, ...] = ()
    shown: bool = True
    held: int = 0
    anew: tuple[dict[str, Any], ...] = ()


class Parts:
    """Counts the parts of a file, its frames and their pixels, and refuses too many.

    Args:
        most: the largest number of pixels, all frames together.
    """

    def __init__(self, most: int = MAX_PIXELS) -> None:
        self._most = most
        self._parts = 0
        self._frames = 0
        self._pixels = 0

    def see(self) -> None:
        """Count a part."""
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise InvalidImage(f"The image must have at most {MAX_PARTS:,} parts.")

    def see_frame(self, width: int, height: int) -> None:
        """Count a frame."""
        self._frames += 1
        self._pixels += width * height
        if self._frames > MAX_FRAMES:
            raise InvalidImage(f"The image must have at most {MAX_FRAMES:,} frames.")
        check_pixels(self._pixels, self._most)
        check(width > 0 < height)


def check_pixels(number: int, most: int) -> None:
    """Refuse a picture of more pixels than `most`."""
    if number > most:
        raise InvalidImage(f"The image must have at most {most:,} pixels, all frames together.")


def check(holds: bool) -> None:
    """Refuse a file for which something does not hold."""
    if not holds:
        raise_damaged()


def raise_damaged() -> NoReturn:
    """Refuse a file that is not as its format wants it."""
    raise InvalidImage("The image is damaged.")


def read_numbers(data: bytes, size: int = 2, order: Literal["little", "big"] = "little") -> list[int]:
    """Return the numbers of `size` bytes each that data consists of."""
    return [int.from_bytes(data[at : at + size], order) for at in range(0, len(data), size)]

"""The metadata that affect how an image looks: its orientation and its colour profile."""

import zlib
from typing import Literal

MAX_PROFILE = 4 * 1024 * 1024
"""Maximum size of a colour profile in bytes; printing presses' have up to 3 MB. A larger one is left out."""

_ORIENTATION = 0x0112
_UPRIGHT = 1
_PROFILE_HEAD = 132  # bytes: the header of 128 and the number of tags, ICC.1:2022, section 7


def write_exif(orientation: int) -> bytes:
    """Return EXIF data with only an orientation, or `b""` for an upright image.

    Rotating a JPEG itself would mean re-encoding it, which would blur it and change its size. Browsers and mail
    programs rotate it according to this entry.
    """
    if not _UPRIGHT < orientation <= 8:
        return b""
    return b"MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0%c\0\0\0\0\0\0" % orientation


def read_orientation(exif: bytes) -> int:
    """Return the orientation in EXIF data, 1 to 8; malformed data may yield any number."""
    order: Literal["little", "big"] = "little" if exif.startswith(b"II") else "big"

    def number(at: int, size: int) -> int:
        return int.from_bytes(exif[at : at + size], order)

    entries = number(4, 4)
    for at in range(entries + 2, entries + 2 + 12 * number(entries, 2), 12):
        if number(at, 2) == _ORIENTATION:
            return number(at + 8, 2)
    return _UPRIGHT


def clean_profile(profile: bytes, space: bytes) -> bytes:
    """Return an ICC profile without trailing bytes, or `b""` if it is malformed or too large.

    Args:
        profile: the profile.
        space: the colour space of the image, as named in ICC profiles: `b"RGB "`, `b"GRAY"` or `b"CMYK"`.
    """

    def number(at: int) -> int:
        return int.from_bytes(profile[at : at + 4])

    size, tags = number(0), number(128)
    if not _PROFILE_HEAD + 12 * tags <= size <= min(len(profile), MAX_PROFILE):
        return b""
    if profile[36:40] != b"acsp" or profile[16:20] != space:
        return b""
    places = [(number(at + 4), number(at + 8)) for at in range(_PROFILE_HEAD, _PROFILE_HEAD + 12 * tags, 12)]
    return profile[:size] if tags and all(start + length <= size for start, length in places) else b""


def clean_packed_profile(packed: bytes, space: bytes) -> bytes:
    """Return a profile's zlib data without trailing bytes, or `b""` if it or the profile is malformed."""
    inflate = zlib.decompressobj()
    try:
        profile = inflate.decompress(packed, MAX_PROFILE + 1)
    except zlib.error:
        return b""
    whole = inflate.eof and profile == clean_profile(profile, space)
    return packed[: len(packed) - len(inflate.unused_data)] if whole else b""

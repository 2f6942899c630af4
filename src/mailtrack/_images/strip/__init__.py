"""Rebuild uploaded files around their compressed image data, which is kept byte for byte, without all metadata.

Removed are: EXIF data except the orientation, XMP, texts, comments, thumbnails, further images, unknown chunks, and
trailing bytes. The formats are those of RFC 2083 and the PNG specification (third edition), ITU-T T.81, the GIF89a
specification and Google's WebP container specification.

Sizes are checked before decoding. Nothing is decoded here, except that the data of a PNG is inflated in small pieces.
"""

from mailtrack._errors import InvalidImage
from mailtrack._images.strip import gif, jpeg, png, webp
from mailtrack._images.strip.common import StrippedFile

__all__ = ["StrippedFile", "rebuild"]

_REBUILD = {"image/png": png.rebuild, "image/jpeg": jpeg.rebuild, "image/gif": gif.rebuild, "image/webp": webp.rebuild}


def rebuild(data: bytes, media_type: str) -> StrippedFile:
    """Return the file without anything but its image.

    Args:
        data: the file, with the signature of its media type.
        media_type: the media type.

    Raises:
        InvalidImage: the file is truncated, damaged, or exceeds one of the limits.
    """
    try:
        return _REBUILD[media_type](data)
    except IndexError:  # it is truncated
        raise InvalidImage("The image is damaged.") from None

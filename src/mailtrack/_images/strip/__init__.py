"""Uploaded files, rebuilt around the picture: its compressed data is kept byte for byte, all else is left out.

What is left out: EXIF data but for the orientation, XMP, texts, comments, thumbnails, further pictures, chunks of
unknown kinds, and bytes after the end. Formats are those of RFC 2083 and the PNG specification (third edition), ITU-T
T.81, the GIF89a specification and Google's WebP container specification.

Sizes are checked before anything is decoded. Nothing is decoded here, except that the data of a PNG is inflated in
small pieces.
"""

from mailtrack._errors import InvalidImage
from mailtrack._images.strip import gif, jpeg, png, webp
from mailtrack._images.strip.parts import PictureFile

__all__ = ["PictureFile", "rebuild"]

_REBUILD = {"image/png": png.rebuild, "image/jpeg": jpeg.rebuild, "image/gif": gif.rebuild, "image/webp": webp.rebuild}


def rebuild(data: bytes, media_type: str) -> PictureFile:
    """Return a file that holds a picture and nothing else.

    Args:
        data: the file, which begins as one of its media type does.
        media_type: the media type.

    Raises:
        InvalidImage: it is cut off, damaged, or beyond one of the limits.
    """
    try:
        return _REBUILD[media_type](data)
    except IndexError:  # it ends in the middle of something
        raise InvalidImage("The image is damaged.") from None

"""Pictures for pixels: the transparent one, and uploads, which are checked, decoded within limits and written anew.

What is served was encoded here: nothing of an upload but its picture (no metadata, no comment, no bytes after its
end) reaches a mail.
"""

import base64
import io
import threading
from typing import TYPE_CHECKING, Any

from mailtrack.errors import ImageTooLarge, InvalidImage, UnsupportedImage
from mailtrack.model import Image

if TYPE_CHECKING:
    import PIL.Image

MAX_BYTES = 5_242_880
"""Bytes in an uploaded file."""

MAX_PIXELS = 8_000_000
"""Width × height, added up over all frames: what decoding may cost in memory is four bytes for each."""

MAX_FRAMES = 200
"""Frames of an animation."""

TRANSPARENT_PNG = Image(
    media_type="image/png",
    data=base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAAC0lEQVR42mNgAAIAAAUAAen63NgAAAAASUVORK5CYII="
    ),
)
"""The 1×1 transparent image."""

EXTENSIONS = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif", "image/webp": "webp"}
"""The media types of images, with the ends of their file names."""

_FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/gif": "GIF", "image/webp": "WEBP"}

_PNG_END = b"\0\0\0\0IEND\xae\x42\x60\x82"
_GIF_END = 0x3B  # the last byte that is read, where no frame follows

# One upload at a time is decoded in a process: what a picture costs in memory is then paid once.
_decoding = threading.Semaphore(1)


def check_upload(data: bytes) -> Image:
    """Check an uploaded picture and return it written anew.

    Its content decides what it is; names and declared types mean nothing. A rotation in its EXIF data is applied
    before that data is dropped. Thread-safe.

    Args:
        data: a JPG, PNG, GIF or WebP file of at most 5 MB (5,242,880 bytes), 8 megapixels and 200 frames.

    Raises:
        ImageTooLarge: it has too many bytes.
        UnsupportedImage: it is of no format that is taken.
        InvalidImage: it is empty, damaged, or has too many pixels or frames.
    """
    if not data:
        raise InvalidImage("The image is empty.")
    if len(data) > MAX_BYTES:
        raise ImageTooLarge(MAX_BYTES)
    media_type = _sniff(data)
    with _decoding:
        try:
            return Image(media_type=media_type, data=_rewrite(data, media_type))
        except InvalidImage:
            raise
        except Exception as error:  # Pillow's decoders raise nearly anything on hostile files
            raise InvalidImage("The image is damaged.") from error


def _sniff(data: bytes) -> str:
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    raise UnsupportedImage


def _rewrite(data: bytes, media_type: str) -> bytes:
    import PIL.Image  # takes a while to load, and many programs never upload

    format_ = _FORMATS[media_type]
    if format_ == "PNG":
        with PIL.Image.open(io.BytesIO(data), formats=(format_,)) as image:
            _check_size(image, frames=1)
            image.verify()  # decoding alone does not notice a file cut before its last chunk
        if _PNG_END not in data:  # and Pillow does not look at that one's checksum
            raise InvalidImage("The image is damaged.")
    source = io.BytesIO(data)
    with PIL.Image.open(source, formats=(format_,)) as image:
        _check_size(image, frames=1)
        frames, durations = _decode(image, still=format_ == "JPEG")
        loop = image.info.get("loop")
    if format_ == "GIF" and data[source.tell() - 1] != _GIF_END:  # a file cut between two frames has only lost frames
        raise InvalidImage("The image is damaged.")
    options: dict[str, Any] = {"JPEG": {"quality": 90}, "WEBP": {"quality": 90, "method": 2}}.get(format_, {})
    if len(frames) > 1:
        options |= {"save_all": True, "append_images": frames[1:], "duration": durations}
        if loop is not None:
            options["loop"] = loop
        if format_ == "GIF":
            options["disposal"] = 2  # the frames are whole pictures
    out = io.BytesIO()
    frames[0].save(out, format_, **options)
    return out.getvalue()


def _check_size(image: "PIL.Image.Image", *, frames: int) -> None:
    if frames > MAX_FRAMES:
        raise InvalidImage(f"The image must have at most {MAX_FRAMES} frames.")
    if image.width * image.height * frames > MAX_PIXELS:
        raise InvalidImage(f"The image must have at most {MAX_PIXELS:,} pixels, all frames together.")


def _decode(image: "PIL.Image.Image", *, still: bool) -> tuple[list["PIL.Image.Image"], list[float]]:
    """Return the frames of a picture, free of metadata, and how long each is shown, in milliseconds."""
    frames, durations = [_decode_frame(image)], [image.info.get("duration", 0)]
    while not still:
        try:
            image.seek(len(frames))
        except EOFError:
            break
        _check_size(image, frames=len(frames) + 1)
        frames.append(_decode_frame(image))
        durations.append(image.info.get("duration", 0))
    return frames, durations


def _decode_frame(image: "PIL.Image.Image") -> "PIL.Image.Image":
    import PIL.ImageOps

    frame = PIL.ImageOps.exif_transpose(image)  # a copy, even where there is nothing to turn
    if frame.mode in ("CMYK", "YCbCr", "LAB"):
        frame = frame.convert("RGB")
    frame.info = {"transparency": frame.info["transparency"]} if "transparency" in frame.info else {}
    return frame

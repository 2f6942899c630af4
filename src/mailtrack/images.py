"""Pictures for pixels: the transparent one, and uploads, which are checked, decoded within limits and written anew.

What is served was encoded here: nothing of an upload but its picture (no metadata, no comment, no bytes after its
end) reaches a mail.
"""

import base64
import io
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from mailtrack import heap
from mailtrack.errors import ImageTooLarge, InvalidImage, UnsupportedImage
from mailtrack.model import Image
from mailtrack.picture_files import CheckSize, PictureFile, strip

if TYPE_CHECKING:
    import PIL.Image

MAX_BYTES = 5_242_880
"""Bytes in an uploaded file."""

MAX_PIXELS = 6_000_000
"""Width × height, added up over all frames. Each costs up to 12 bytes of memory."""

MAX_WEBP_PIXELS = 2_100_000
"""The same for WebP, where each costs up to 36 bytes; enough for 1920 × 1080."""

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

# How to turn a picture, for each orientation of EXIF that needs it.
_TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}

# One upload at a time is decoded in a process: what a picture costs in memory is then paid once.
_decoding = threading.Semaphore(1)


def check_upload(data: bytes) -> Image:
    """Check an uploaded picture and return it written anew.

    Its content decides what it is; names and declared types mean nothing. A rotation in its EXIF data is applied
    before that data is dropped. Thread-safe.

    Args:
        data: a JPG, PNG, GIF or WebP file of at most 5 MB (5,242,880 bytes), 6 megapixels (WebP: 2.1) and
            200 frames.

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
        finally:
            heap.give_back()


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
    format_ = _FORMATS[media_type]
    check_size = partial(_check_size, most=MAX_WEBP_PIXELS if format_ == "WEBP" else MAX_PIXELS)
    frames, durations, loop = _decode(strip(data, media_type, check_size=check_size), format_, check_size)
    options: dict[str, Any] = {"JPEG": {"quality": 90}, "WEBP": {"quality": 90, "method": 0}}.get(format_, {})
    if len(frames) > 1:
        options |= {"save_all": True, "append_images": frames[1:], "duration": durations}
        if loop is not None:
            options["loop"] = loop
        if format_ == "GIF":
            options["disposal"] = 2  # the frames are whole pictures
    out = io.BytesIO()
    frames[0].save(out, format_, **options)
    return out.getvalue()


def _check_size(width: int, height: int, frames: int, *, most: int) -> None:
    if frames > MAX_FRAMES:
        raise InvalidImage(f"The image must have at most {MAX_FRAMES} frames.")
    if width * height * frames > most:
        raise InvalidImage(f"The image must have at most {most:,} pixels, all frames together.")


def _decode(
    file: PictureFile, format_: str, check_size: CheckSize
) -> tuple[list["PIL.Image.Image"], list[float], int | None]:
    """Return the frames of a picture, how long each is shown, in milliseconds, and how often."""
    import PIL.Image  # takes a while to load, and many programs never upload

    frames: list[PIL.Image.Image] = []
    durations: list[float] = []
    with PIL.Image.open(io.BytesIO(file.data), formats=(format_,)) as image:
        while True:
            check_size(*image.size, len(frames) + 1)
            frames.append(_decode_frame(image, file.orientation))
            durations.append(image.info.get("duration", 0))
            try:
                image.seek(len(frames))
            except EOFError:
                return frames, durations, image.info.get("loop")


def _decode_frame(image: "PIL.Image.Image", orientation: int) -> "PIL.Image.Image":
    import PIL.Image

    image.load()
    turn = _TURNS.get(orientation)
    frame = image.transpose(PIL.Image.Transpose[turn]) if turn else image.copy()
    if frame.mode in ("CMYK", "YCbCr", "LAB"):
        frame = frame.convert("RGB")
    frame.info = {"transparency": frame.info["transparency"]} if "transparency" in frame.info else {}
    return frame

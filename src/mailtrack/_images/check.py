"""Pictures for pixels: the transparent one, and uploads, which are checked, rid of all else, and kept as they are.

What is served is the picture as it was compressed by its author, in a container written here: nothing else of an
upload (no place, no comment, no bytes after its end) reaches a mail. That its data can be decoded is tried first.
"""

import base64
import functools
import io
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from mailtrack._errors import ImageTooLarge, InvalidImage, UnsupportedImage
from mailtrack._images import heap
from mailtrack._images.strip import rebuild
from mailtrack._model import Image

MAX_BYTES = 5_242_880
"""Bytes in an uploaded file."""

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

_MAX_GROWTH = 1.05
_MAX_HELD = 62 * 1024 * 1024  # bytes; a progressive JPEG that needs more is decoded in a process of its own
_CHILD = "import sys; sys.path[:] = sys.argv[1:]; from mailtrack._images.check import decode_input; decode_input()"
_CHILD_BYTES, _CHILD_SECONDS = 512 * 1024 * 1024, 5

# One upload at a time is decoded in a process: what a picture costs in memory is then paid once.
_decoding = threading.Semaphore(1)


def check_upload(data: bytes) -> Image:
    """Check an uploaded picture and return it without anything that does not belong to it.

    Its content decides what it is; names and declared types mean nothing. The compressed picture stays as it is, with
    its colour profile and its orientation. Uploads take up to 70 MiB of memory, however many come at once, and about
    a second each. A progressive JPEG that takes more is decoded in a process of its own, where one can be started.
    Thread-safe.

    Args:
        data: a JPG, PNG, GIF or WebP file of at most 5 MB (5,242,880 bytes), 1,000 frames and 50 megapixels, added
            up over all frames. Where a picture can only be decoded as a whole, that is less: 12.5 megapixels for a
            WebP that is lossless or transparent, and for a progressive JPEG (25 with its colours at a quarter of the
            resolution, as usual); 25 for a PNG of 64 bits a pixel.

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
        heap.give_back()
        try:
            return Image(media_type=media_type, data=_rebuild(data, media_type))
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


def _rebuild(data: bytes, media_type: str) -> bytes:
    file, format_ = rebuild(data, media_type), _FORMATS[media_type]
    for still in file.stills:
        if format_ == "WEBP" and (libwebp := _find_libwebp()):
            _decode_webp(still, libwebp)
        elif file.held <= _MAX_HELD or not _decode_apart(still):
            _decode(still, format_)
    for options in file.anew:
        turned = _encode_anew(file.data, format_, options)
        if len(turned) <= _MAX_GROWTH * len(data) or not file.shown:
            return turned
    return file.data


def _decode(still: bytes, format_: str) -> None:
    """Decode a picture, a JPEG to an eighth of its width and height: all its data is read, little memory needed."""
    import PIL.Image  # takes a while to load, and many programs never upload

    with PIL.Image.open(io.BytesIO(still), formats=(format_,)) as image:
        image.draft(None, (max(image.width // 8, 1), max(image.height // 8, 1)))
        image.load()


def _decode_apart(still: bytes) -> bool:
    """Decode a JPEG in a process of its own, and return whether that could be done.

    Where the program that runs is not called Python, as within uWSGI, it can't be asked to run this.
    """
    import subprocess  # it takes a while to load, and is rarely needed

    if not Path(sys.executable or "").name.startswith("python"):
        return False
    command = [sys.executable, "-I", "-c", _CHILD, *sys.path]
    try:
        child = subprocess.run(  # noqa: S603  # nothing in the command comes from others
            command, input=still, capture_output=True, timeout=6 * _CHILD_SECONDS, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return False
    if child.stdout == b"damaged":
        raise InvalidImage("The image is damaged.")
    return child.stdout == b"whole"


def decode_input() -> None:
    """Decode the JPEG on standard input within limits of memory and time, and print whether it is whole or damaged."""
    with suppress(ImportError):  # Windows has no such limits
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_CHILD_BYTES, _CHILD_BYTES))
        resource.setrlimit(resource.RLIMIT_CPU, (_CHILD_SECONDS, _CHILD_SECONDS))
    found = "whole"
    try:
        _decode(sys.stdin.buffer.read(), "JPEG")
    except Exception:  # noqa: BLE001  # nearly anything, as said above
        found = "damaged"
    sys.stdout.write(found)


@functools.cache
def _find_libwebp() -> Any:
    """Return the library that Pillow decodes WebP with; `None` where it can't be reached.

    Pillow makes four copies of a picture, of 4 bytes a pixel each: 190 MiB for a photo of 12 megapixels.
    """
    import PIL._webp

    try:
        import ctypes  # not every Python has it

        library = ctypes.CDLL(PIL._webp.__file__)  # and what it depends on
        library.WebPDecodeYUVInto.restype = ctypes.c_void_p
    except (ImportError, OSError, AttributeError):
        return None
    return library


def _decode_webp(still: bytes, libwebp: Any) -> None:
    """Decode a picture to brightness and colours, all written over each other: a byte a pixel."""
    import ctypes

    width, height, length = ctypes.c_int(), ctypes.c_int(), ctypes.c_size_t(len(still))
    if not libwebp.WebPGetInfo(still, length, ctypes.byref(width), ctypes.byref(height)):
        raise InvalidImage("The image is damaged.")
    room = bytearray(width.value * height.value)
    plane = ctypes.byref(ctypes.c_char.from_buffer(room)), ctypes.c_size_t(len(room))
    half = ctypes.c_int((width.value + 1) // 2)
    if not libwebp.WebPDecodeYUVInto(still, length, *plane, width, *plane, half, *plane, half):
        raise InvalidImage("The image is damaged.")


def _encode_anew(data: bytes, format_: str, options: dict[str, Any]) -> bytes:
    """Return the picture turned upright."""
    out = io.BytesIO()
    image, profile = _turn(data, format_)
    image.save(out, format_, icc_profile=profile, **options)
    return out.getvalue()


def _turn(data: bytes, format_: str) -> tuple[Any, bytes | None]:
    """Decode a picture upright, and return it and its colour profile; what the decoder took is free then."""
    import PIL.Image
    import PIL.ImageOps

    with PIL.Image.open(io.BytesIO(data), formats=(format_,)) as image:
        return PIL.ImageOps.exif_transpose(image), image.info.get("icc_profile")

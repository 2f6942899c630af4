"""Check uploaded images by decoding them, and strip everything else from their files.

The compressed image data is kept as it was uploaded, in a container written here, so nothing else of an upload (no
location, no comment, no trailing bytes) reaches a mail.
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
from mailtrack._images import memory
from mailtrack._images.strip import rebuild
from mailtrack._images.strip.metadata import read_orientation
from mailtrack._model import Image

MAX_BYTES = 5_242_880
"""Maximum size of an uploaded file in bytes."""

TRANSPARENT_PNG = Image(
    media_type="image/png",
    data=base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAAC0lEQVR42mNgAAIAAAUAAen63NgAAAAASUVORK5CYII="
    ),
)
"""The 1×1 transparent image."""

EXTENSIONS = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif", "image/webp": "webp"}
"""File name extensions by media type."""

_FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/gif": "GIF", "image/webp": "WEBP"}

_TURNED = range(5, 9)  # the orientations that swap width and height

_MAX_GROWTH = 1.05
_MAX_BUFFERED = 62 * 1024 * 1024  # bytes; a progressive JPEG that needs more is decoded in a child process
_CHILD = "import sys; sys.path[:] = sys.argv[1:]; from mailtrack._images.check import decode_input; decode_input()"
_CHILD_BYTES, _CHILD_SECONDS = 512 * 1024 * 1024, 5

# Each process decodes one upload at a time, so that the memory for decoding is needed once.
_decoding = threading.Semaphore(1)


def check_upload(data: bytes) -> Image:
    """Check an uploaded image and return it without metadata.

    The format is detected from the content; file names and declared types are ignored. The compressed image data stays
    unchanged, with its colour profile and orientation. Concurrent uploads together take up to 70 MiB of memory, and
    about a second each. A progressive JPEG that needs more is decoded in a child process, if one can be started.
    Thread-safe.

    Args:
        data: a JPG, PNG, GIF or WebP file of at most 5 MB (5,242,880 bytes), 1,000 frames and 50 megapixels (the sum
            over all frames). The limit is lower for images that must be decoded as a whole: 12.5 megapixels for a
            lossless or transparent WebP and for a progressive JPEG (25 with 4:2:0 subsampling, the usual); 25 for a
            PNG with 64 bits per pixel.

    Raises:
        ImageTooLarge: the file has too many bytes.
        UnsupportedImage: the format is not supported.
        InvalidImage: the image is empty, damaged, or has too many pixels or frames.
    """
    if not data:
        raise InvalidImage("The image is empty.")
    if len(data) > MAX_BYTES:
        raise ImageTooLarge(MAX_BYTES)
    media_type = _sniff(data)
    with _decoding:
        memory.give_back()
        try:
            return Image(media_type=media_type, data=_rebuild(data, media_type))
        except InvalidImage:
            raise
        except Exception as error:  # Pillow's decoders raise nearly anything on hostile files
            raise InvalidImage("The image is damaged.") from error
        finally:
            memory.give_back()


def measure(image: Image) -> tuple[int, int]:
    """Return the width and height in pixels that a checked image is shown with."""
    import PIL.Image

    with PIL.Image.open(io.BytesIO(image.data), formats=(_FORMATS[image.media_type],)) as opened:
        width, height = opened.size
        orientation = read_orientation(opened.info.get("exif", b"").removeprefix(b"Exif\0\0"))
    return (height, width) if orientation in _TURNED else (width, height)


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
        elif file.buffered <= _MAX_BUFFERED or not _decode_in_child(still):
            _decode(still, format_)
    for options in file.encodings:
        reencoded = _reencode(file.data, format_, options)
        if len(reencoded) <= _MAX_GROWTH * len(data) or not file.displayable:
            return reencoded
    return file.data


def _decode(still: bytes, format_: str) -> None:
    """Decode an image, a JPEG at an eighth of its width and height, which reads all its data in little memory."""
    import PIL.Image  # slow to load, and many programs never upload

    with PIL.Image.open(io.BytesIO(still), formats=(format_,)) as image:
        image.draft(None, (max(image.width // 8, 1), max(image.height // 8, 1)))
        image.load()


def _decode_in_child(still: bytes) -> bool:
    """Decode a JPEG in a child process, and return whether that was possible.

    It needs an executable named `python`; uWSGI, for example, runs under its own name.
    """
    import subprocess  # slow to load, and rarely needed

    if not Path(sys.executable or "").name.startswith("python"):
        return False
    command = [sys.executable, "-I", "-c", _CHILD, *sys.path]
    try:
        child = subprocess.run(  # noqa: S603  # the command contains no outside input
            command, input=still, capture_output=True, timeout=6 * _CHILD_SECONDS, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return False
    if child.stdout == b"damaged":
        raise InvalidImage("The image is damaged.")
    return child.stdout == b"whole"


def decode_input() -> None:
    """Decode the JPEG on standard input within limits of memory and time, and print `whole` or `damaged`."""
    with suppress(ImportError):  # Windows has no such limits
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_CHILD_BYTES, _CHILD_BYTES))
        resource.setrlimit(resource.RLIMIT_CPU, (_CHILD_SECONDS, _CHILD_SECONDS))
    found = "whole"
    try:
        _decode(sys.stdin.buffer.read(), "JPEG")
    except Exception:  # noqa: BLE001  # as in `check_upload`
        found = "damaged"
    sys.stdout.write(found)


@functools.cache
def _find_libwebp() -> Any:
    """Return the library that Pillow decodes WebP with, or `None` if it can't be loaded.

    Pillow itself makes four copies of an image at 4 bytes per pixel: 190 MiB for a photo of 12 megapixels.
    """
    import PIL._webp

    try:
        import ctypes  # some Pythons lack it

        library = ctypes.CDLL(PIL._webp.__file__)  # and its dependencies
        library.WebPDecodeYUVInto.restype = ctypes.c_void_p
    except (ImportError, OSError, AttributeError):
        return None
    return library


def _decode_webp(still: bytes, libwebp: Any) -> None:
    """Decode an image into one buffer of a byte per pixel, in which luma and chroma overwrite each other."""
    import ctypes

    width, height, length = ctypes.c_int(), ctypes.c_int(), ctypes.c_size_t(len(still))
    if not libwebp.WebPGetInfo(still, length, ctypes.byref(width), ctypes.byref(height)):
        raise InvalidImage("The image is damaged.")
    room = bytearray(width.value * height.value)
    plane = ctypes.byref(ctypes.c_char.from_buffer(room)), ctypes.c_size_t(len(room))
    half = ctypes.c_int((width.value + 1) // 2)
    if not libwebp.WebPDecodeYUVInto(still, length, *plane, width, *plane, half, *plane, half):
        raise InvalidImage("The image is damaged.")


def _reencode(data: bytes, format_: str, options: dict[str, Any]) -> bytes:
    """Return the image file, rotated upright and re-encoded."""
    out = io.BytesIO()
    image, profile = _decode_upright(data, format_)
    image.save(out, format_, icc_profile=profile, **options)
    return out.getvalue()


def _decode_upright(data: bytes, format_: str) -> tuple[Any, bytes | None]:
    """Return an image rotated upright, and its colour profile; the decoder's memory is free on return."""
    import PIL.Image
    import PIL.ImageOps

    with PIL.Image.open(io.BytesIO(data), formats=(format_,)) as image:
        return PIL.ImageOps.exif_transpose(image), image.info.get("icc_profile")

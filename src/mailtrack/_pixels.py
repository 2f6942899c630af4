"""Making pixels."""

from os import PathLike

from mailtrack import _ids as ids
from mailtrack._arguments import read_bytes
from mailtrack._errors import InvalidName, ShortIdTaken
from mailtrack._images.check import EXTENSIONS, MAX_BYTES, check_upload
from mailtrack._model import Image, Pixel
from mailtrack._names import clean_name
from mailtrack._times import Clock
from mailtrack.storage._protocol import Storage

_ID_ATTEMPTS = 10  # with a million pixels, the chance that all are taken is 10^-36

ImageSource = bytes | bytearray | memoryview | str | PathLike[str]
"""The bytes of an image file, or its path."""


def add_pixel(storage: Storage, name: str, image: ImageSource | None, clock: Clock) -> Pixel:
    """Add a pixel with a unique id; see `Tracker.create_pixel`."""
    name = clean_name(name, "Pixel name")
    if not name:
        raise InvalidName("Pixel name is required.")
    upload = None if image is None else check_upload(read_bytes(image, "image", most=MAX_BYTES + 1))
    for _ in range(_ID_ATTEMPTS):
        pixel_id = ids.new_pixel_id()
        file_name = None if upload is None else image_name(pixel_id, upload)
        pixel = Pixel(id=pixel_id, name=name, created_at=clock(), image=file_name)
        try:
            storage.add_pixel(pixel, upload)
        except ShortIdTaken:
            continue
        return pixel
    raise ShortIdTaken


def image_name(pixel_id: str, image: Image) -> str:
    """Return the file name of a pixel's image, which is named after the whole id."""
    return f"{pixel_id}.{EXTENSIONS[image.media_type]}"

"""Create and find pixels, and the images that they were created with."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from os import PathLike

from mailtrack import _ids as ids
from mailtrack._arguments import check_flag, check_type, read_bytes, to_id
from mailtrack._errors import ImageNotFound, InvalidName, PixelNotFound, ShortIdTaken
from mailtrack._images.check import EXTENSIONS, MAX_BYTES, check_upload
from mailtrack._model import Image, Open, Pixel, Recipient
from mailtrack._names import clean_name, clean_note
from mailtrack._paging import MAX_LIMIT, walk
from mailtrack._times import Clock
from mailtrack.storage._protocol import Storage

_ID_ATTEMPTS = 10  # with a million pixels, the chance that all are taken is 10^-36

ImageSource = bytes | bytearray | memoryview | str | PathLike[str]
"""The bytes of an image file, or its path."""


def add_pixel(storage: Storage, name: str, image: ImageSource | None, clock: Clock) -> Pixel:
    """Add a pixel with a unique id; see `Tracker.create_pixel`."""
    name = _clean_name(name)
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


def _clean_name(name: str) -> str:
    name = clean_name(name, "Pixel name")
    if not name:
        raise InvalidName("Pixel name is required.")
    return name


def update_pixel(
    storage: Storage, pixel: Pixel | str, name: str | None, archived: bool | None, note: str | None
) -> Pixel:
    """Change a pixel, and return it as it is now; see `Tracker.update_pixel`."""
    check_flag(archived, "archived")
    name = None if name is None else _clean_name(name)
    note = None if note is None else clean_note(note)
    pixel_id = find_pixel(storage, pixel).id
    storage.update_pixel(pixel_id, name=name, archived=archived, note=note)
    return storage.get_pixel(pixel_id)


def find_pixel(storage: Storage, pixel: Pixel | str) -> Pixel:
    """Return a pixel with its current counts, as `Tracker.get_pixel` describes."""
    key = ids.parse_pixel_key(to_id(pixel, Pixel, "pixel"))
    if key is None:
        raise PixelNotFound
    return storage.get_pixel(key)


def pixels_of(owned: Iterable[Recipient | Open], get_pixel: Callable[[str], Pixel]) -> dict[str, Pixel]:
    """Return the pixels of recipients or opens by id, with their current counts. Pixels deleted meanwhile are left out.

    Args:
        owned: the recipients or opens, of any pixels.
        get_pixel: returns a pixel by its id, as `Tracker.get_pixel` does.
    """
    found = {}
    for pixel_id in dict.fromkeys(one.pixel_id for one in owned):
        with suppress(PixelNotFound):
            found[pixel_id] = get_pixel(pixel_id)
    return found


def iter_pixels(storage: Storage) -> Iterator[Pixel]:
    """Iterate over all pixels, as `Tracker.iter_pixels` describes."""
    return walk(lambda cursor: storage.list_pixels(limit=MAX_LIMIT, cursor=cursor, archived=None))


def find_image(storage: Storage, name: str | None) -> Image:
    """Return the image that a pixel was created with, as `Tracker.get_image` describes."""
    if name is None:
        raise ImageNotFound
    check_type(name, str, "name")
    pixel_id = ids.parse_pixel_key(name.partition(".")[0])
    if pixel_id is None or len(pixel_id) == ids.SHORT_ID_LENGTH:  # files are named after the whole id
        raise ImageNotFound
    image = storage.get_image(pixel_id)
    if name != image_name(pixel_id, image):
        raise ImageNotFound
    return image


def image_name(pixel_id: str, image: Image) -> str:
    """Return the file name of a pixel's image, which is named after the whole id."""
    return f"{pixel_id}.{EXTENSIONS[image.media_type]}"

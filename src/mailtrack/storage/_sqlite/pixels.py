"""Pixels and their images in tables."""

import sqlite3
from collections.abc import Sequence

from mailtrack._errors import ImageNotFound, PixelNotFound, ShortIdTaken
from mailtrack._model import Image, Page, Pixel
from mailtrack._times import to_milliseconds
from mailtrack.storage._pixel_orders import Choice
from mailtrack.storage._rows.pixels import COLUMNS, key_column, to_pixel
from mailtrack.storage._sqlite import pixel_pages


def add(db: sqlite3.Connection, pixel: Pixel, image: Image | None) -> None:
    """Add a pixel with its image.

    Raises:
        ShortIdTaken: another pixel has the same short id.
    """
    columns = (pixel.id, pixel.short_id, pixel.name, pixel.name.casefold(), pixel.archived, pixel.note)
    try:
        cursor = db.execute(
            "INSERT INTO pixels (id, short_id, name, folded_name, archived, note, created_at, image)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (*columns, to_milliseconds(pixel.created_at), pixel.image),
        )
    except sqlite3.IntegrityError as error:
        raise ShortIdTaken from error
    if image is not None:
        _add_image(db, cursor.lastrowid, image)


def _add_image(db: sqlite3.Connection, pixel: int | None, image: Image) -> None:
    """Add a pixel's image. Its bytes are written, not bound: a connection would keep a bound value for long."""
    size = len(image.data)
    place = db.execute("INSERT INTO images VALUES (?, ?, zeroblob(?))", (pixel, image.media_type, size)).lastrowid
    if place is not None:
        with db.blobopen("images", "data", place) as blob:
            blob.write(image.data)


def get_image(db: sqlite3.Connection, key: str) -> Image:
    """Return the image of a pixel, given its UUID or short id.

    Raises:
        ImageNotFound: the pixel has none, or does not exist.
    """
    found = db.execute(
        f"SELECT media_type, data FROM images JOIN pixels USING (pixel) WHERE {key_column(key)} = ?", (key,)
    ).fetchone()
    if found is None:
        raise ImageNotFound
    return Image(media_type=found[0], data=found[1])


def find(db: sqlite3.Connection, pixel_id: str) -> int | None:
    """Return the number of a pixel, given its UUID; `None` where it does not exist."""
    found = db.execute("SELECT pixel FROM pixels WHERE id = ?", (pixel_id,)).fetchone()
    return None if found is None else int(found[0])


def get(db: sqlite3.Connection, key: str) -> Pixel:
    """Return a pixel, given its UUID or short id.

    Raises:
        PixelNotFound: there is none.
    """
    return _get_by(db, key_column(key), key)[1]


def get_with_number(db: sqlite3.Connection, pixel_id: str) -> tuple[int, Pixel]:
    """Return a pixel with its number, given its UUID.

    Raises:
        PixelNotFound: there is none.
    """
    return _get_by(db, "id", pixel_id)


def _get_by(db: sqlite3.Connection, column: str, key: str) -> tuple[int, Pixel]:
    row = db.execute(f"SELECT {COLUMNS} FROM pixels p WHERE p.{column} = ?", (key,)).fetchone()
    if row is None:
        raise PixelNotFound
    return to_pixel(row)


def update(db: sqlite3.Connection, pixel_id: str, name: str | None, archived: bool | None, note: str | None) -> None:
    """Change what is given of a pixel's name, note, and whether it is archived.

    Raises:
        PixelNotFound: there is none.
    """
    changed = db.execute(
        "UPDATE pixels SET name = coalesce(?, name), folded_name = coalesce(?, folded_name),"
        " archived = coalesce(?, archived), note = coalesce(?, note) WHERE id = ?",
        (name, None if name is None else name.casefold(), archived, note, pixel_id),
    ).rowcount
    if not changed:
        raise PixelNotFound


def get_page(db: sqlite3.Connection, choice: Choice, limit: int, cursor: str | None) -> Page[Pixel]:
    """Return a page of pixels."""
    numbers, following = pixel_pages.choose(db, choice, limit, cursor)
    found = get_by_numbers(db, numbers)
    return Page(items=tuple(found[number] for number in numbers if number in found), next=following)


def get_by_numbers(db: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, Pixel]:
    """Return the pixels that exist of those with some numbers, by these."""
    rows = db.execute(
        f"SELECT {COLUMNS} FROM pixels p WHERE p.pixel IN (SELECT value FROM json_each(?))", (str(numbers),)
    )
    return dict(map(to_pixel, rows))

"""Pixels and their images in tables."""

from collections.abc import Collection, Iterable

import psycopg

from mailtrack._errors import ImageNotFound, PixelNotFound, ShortIdTaken
from mailtrack._model import Image, Page, Pixel
from mailtrack._times import to_milliseconds
from mailtrack.storage._pixel_orders import Choice
from mailtrack.storage._postgres import pixel_pages
from mailtrack.storage._postgres.connections import Connection
from mailtrack.storage._rows.pixels import COLUMNS, key_column, to_pixel


def add(db: Connection, pixel: Pixel, image: Image | None) -> None:
    """Add a pixel with its image.

    Raises:
        ShortIdTaken: another pixel has the same short id.
    """
    columns = (pixel.id, pixel.short_id, pixel.name, pixel.name.casefold(), pixel.archived, pixel.note)
    try:
        found = db.execute(
            "INSERT INTO pixels (id, short_id, name, folded_name, archived, note, created_at, image)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING pixel",
            (*columns, to_milliseconds(pixel.created_at), pixel.image),
        ).fetchall()
    except psycopg.errors.UniqueViolation as error:
        raise ShortIdTaken from error
    if image is not None:
        db.execute("INSERT INTO images VALUES (%s, %s, %b)", (found[0][0], image.media_type, image.data))


def get_image(db: Connection, key: str) -> Image:
    """Return the image of a pixel, given its UUID or short id.

    Raises:
        ImageNotFound: the pixel has none, or does not exist.
    """
    found = db.execute(
        f"SELECT i.media_type, i.data FROM pixels p JOIN images i ON i.pixel = p.pixel WHERE p.{key_column(key)} = %s",
        (key,),
        binary=True,
    ).fetchone()
    if found is None:
        raise ImageNotFound
    return Image(media_type=found[0], data=bytes(found[1]))


def find(db: Connection, pixel_id: str) -> int | None:
    """Return the number of a pixel, given its UUID; `None` where it does not exist."""
    return find_all(db, [pixel_id]).get(pixel_id)


def find_all(db: Connection, pixel_ids: Iterable[str]) -> dict[str, int]:
    """Return the numbers of the pixels that exist, by their UUIDs."""
    return dict(db.execute("SELECT id, pixel FROM pixels WHERE id = ANY(%s::text[])", (list(pixel_ids),)).fetchall())


def find_present(db: Connection, numbers: Collection[int]) -> set[int]:
    """Return which of some numbers are of pixels that exist."""
    rows = db.execute("SELECT pixel FROM pixels WHERE pixel = ANY(%s::bigint[])", (list(numbers),))
    return {number for (number,) in rows}


def lock(db: Connection, pixels: Collection[int]) -> dict[int, tuple[int, int]]:
    """Lock the rows of pixels, in order, until the transaction ends.

    Returns:
        By the pixels that exist: the numbers of the last open and of the last recipient.
    """
    found = db.execute(
        "SELECT pixel, opens, last_recipient FROM pixels WHERE pixel = ANY(%s::bigint[]) ORDER BY pixel"
        " FOR NO KEY UPDATE",
        (list(pixels),),
    )
    return {pixel: (opens, recipients) for pixel, opens, recipients in found}


def get(db: Connection, key: str) -> Pixel:
    """Return a pixel, given its UUID or short id.

    Raises:
        PixelNotFound: there is none.
    """
    return _get_by(db, key_column(key), key)[1]


def get_with_number(db: Connection, pixel_id: str) -> tuple[int, Pixel]:
    """Return a pixel with its number, given its UUID.

    Raises:
        PixelNotFound: there is none.
    """
    return _get_by(db, "id", pixel_id)


def _get_by(db: Connection, column: str, key: str) -> tuple[int, Pixel]:
    row = db.execute(f"SELECT {COLUMNS} FROM pixels p WHERE p.{column} = %s", (key,)).fetchone()
    if row is None:
        raise PixelNotFound
    return to_pixel(row)


def get_all(db: Connection, numbers: Collection[int]) -> dict[int, Pixel]:
    """Return the pixels that exist of those with some numbers, by number."""
    rows = db.execute(f"SELECT {COLUMNS} FROM pixels p WHERE p.pixel = ANY(%s::bigint[])", (list(numbers),))
    return dict(map(to_pixel, rows))


def update(db: Connection, pixel_id: str, name: str | None, archived: bool | None, note: str | None) -> None:
    """Change what is given of a pixel's name, note, and whether it is archived.

    Raises:
        PixelNotFound: there is none.
    """
    changed = db.execute(
        "UPDATE pixels SET name = coalesce(%s::text, name), folded_name = coalesce(%s::text, folded_name),"
        " archived = coalesce(%s::boolean, archived), note = coalesce(%s::text, note) WHERE id = %s",
        (name, None if name is None else name.casefold(), archived, note, pixel_id),
    ).rowcount
    if not changed:
        raise PixelNotFound


def get_page(db: Connection, choice: Choice, limit: int, cursor: str | None) -> Page[Pixel]:
    """Return a page of pixels, on a connection that sees one state."""
    numbers, following = pixel_pages.choose(db, choice, limit, cursor)
    found = get_all(db, numbers)
    return Page(items=tuple(found[number] for number in numbers if number in found), next=following)

"""Pixels as columns."""

from collections.abc import Sequence
from typing import Any

from mailtrack._counts import Count
from mailtrack._ids import SHORT_ID_LENGTH
from mailtrack._model import Pixel
from mailtrack._times import from_milliseconds
from mailtrack.storage._counting.spans import to_open_spans
from mailtrack.storage._rows.times import to_time

COLUMNS = (
    "p.pixel, p.id, p.name, p.created_at, p.image, p.recipients, p.views, p.counted_views, p.opened, p.opened_raw,"
    " p.prefetched, p.purged, p.purged_before, p.archived, p.note, p.counted, p.first_counted_at, p.last_counted_at,"
    " p.opens, p.first_opened_at, p.last_opened_at"
)
"""The columns that `to_pixel` reads, from `pixels p`."""


def to_pixel(row: Sequence[Any]) -> tuple[int, Pixel]:
    """Return a pixel with its number, given the columns of `COLUMNS`."""
    number, pixel_id, name, created_at, image, recipients, views, counted_views, opened, opened_raw, *rest = row
    prefetched, purged, purged_before, archived, note, *spans = rest
    return number, Pixel(
        id=pixel_id,
        name=name,
        created_at=from_milliseconds(created_at),
        image=image,
        recipients=recipients,
        opens=to_open_spans(*spans),
        views=Count(counted_views, views),
        opened=Count(opened, opened_raw),
        prefetched=prefetched,
        purged=purged,
        purged_before=to_time(purged_before),
        archived=bool(archived),
        note=note,
    )


def key_column(key: str) -> str:
    """Return the column in which a UUID or a short id is looked up."""
    return "short_id" if len(key) == SHORT_ID_LENGTH else "id"

"""Locks of pixels: those who add opens share them, those who correct what is stored have them alone.

128 slots stand for all pixels, so that a batch for many pixels does not fill the server's table of locks. They are
advisory and end with the transaction: they write nothing. The order of locks in every transaction: slots, in order;
rows of `openers`, by pixel and number; rows of `pixels`, in order; what only the holder of a pixel's row writes; rows
of `totals`. So none waits for one that waits for it.
"""

from collections.abc import Iterable
from zlib import crc32

from mailtrack.storage._postgres.connections import Connection

_CLASS = 1_297_369_451  # the first of the two numbers of our advisory locks
_SLOTS = 128


def slot_of(pixel_id: str) -> int:
    """Return the slot that stands for a pixel."""
    return crc32(pixel_id.encode()) % _SLOTS


def share(db: Connection, pixel_ids: Iterable[str]) -> None:
    """Keep others from correcting what is stored of pixels, until the transaction ends."""
    _lock(db, "pg_advisory_xact_lock_shared", pixel_ids)


def have_alone(db: Connection, pixel_ids: Iterable[str]) -> None:
    """Keep all others from adding opens of pixels, and from correcting what is stored, until the transaction ends."""
    _lock(db, "pg_advisory_xact_lock", pixel_ids)


def _lock(db: Connection, function: str, pixel_ids: Iterable[str]) -> None:
    slots = sorted(set(map(slot_of, pixel_ids)))
    db.execute(f"SELECT {function}({_CLASS}, slot) FROM unnest(%s::integer[]) slot", (slots,))  # in the given order

"""Set when mails were sent, in short transactions, and correct the delays that depend on it."""

import json
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from time import monotonic

from mailtrack._errors import InvalidSentTime, PixelNotFound
from mailtrack._times import from_milliseconds, to_milliseconds
from mailtrack.storage._counting.delays import Delays
from mailtrack.storage._counting.spans import NO_SPANS, Spans
from mailtrack.storage._rows.sending import Sending
from mailtrack.storage._sqlite import counts, pixels

_LOOKED_UP_AT_ONCE = 10_000
_AT_ONCE = 500  # recipients of one statement

_GIVEN = " FROM json_each(?) w CROSS JOIN recipients r ON r.pixel = ? AND r.number = w.value"


def find(db: sqlite3.Connection, pixel_id: str, recipient_ids: Collection[str] | None, at: datetime) -> Sending:
    """Find the recipients of a pixel with some ids, or all.

    Raises:
        PixelNotFound: the pixel does not exist.
        InvalidSentTime: one of the tokens was made later.
    """
    pixel = pixels.find(db, pixel_id)
    if pixel is None:
        raise PixelNotFound
    numbers: Sequence[int]
    if recipient_ids is None:
        latest, last = db.execute(
            "SELECT max(created_at), max(number) FROM recipients WHERE pixel = ?", (pixel,)
        ).fetchone()
        numbers = range(1, (last or 0) + 1)
    else:
        made = dict(_find_given(db, pixel, sorted(set(recipient_ids))))
        latest, numbers = max(made.values(), default=None), sorted(made)
    sent_at = to_milliseconds(at)
    if latest is not None and latest > sent_at:
        raise InvalidSentTime(from_milliseconds(latest))
    return Sending(pixel_id, sent_at, numbers)


def _find_given(db: sqlite3.Connection, pixel: int, ids: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield number and making of the recipients that a pixel has of those with some ids."""
    for start in range(0, len(ids), _LOOKED_UP_AT_ONCE):
        yield from db.execute(
            "SELECT r.number, r.created_at FROM json_each(?) w"
            " CROSS JOIN recipients r ON r.pixel = ? AND r.id = w.value",
            (json.dumps(ids[start : start + _LOOKED_UP_AT_ONCE]), pixel),
        )


def mark(db: sqlite3.Connection, sending: Sending, until: float) -> int:
    """Mark some of the recipients that are not done, until a time by `monotonic`.

    Returns:
        How many of the marked ones exist.

    Raises:
        PixelNotFound: the pixel does not exist any more.
    """
    pixel, marked, delays = pixels.find(db, sending.pixel_id), 0, Delays()
    if pixel is None:
        raise PixelNotFound
    while not sending.ended:
        given = json.dumps(list(sending.numbers[sending.done : sending.done + _AT_ONCE]))
        sending.done += _AT_ONCE
        for made_at, former, *row in db.execute(
            f"SELECT r.created_at, r.sent_at, {counts.SPANS}{_GIVEN} WHERE r.opens > 0", (given, pixel)
        ):
            spans = Spans(*row)
            delays.change(made_at, former, spans, NO_SPANS)
            delays.change(made_at, sending.sent_at, NO_SPANS, spans)
        marked += db.execute(
            "UPDATE recipients SET sent_at = ? WHERE pixel = ? AND number IN (SELECT value FROM json_each(?))",
            (sending.sent_at, pixel, given),
        ).rowcount
        if monotonic() >= until:
            break
    counts.change_delays(db, pixel, delays)
    return marked

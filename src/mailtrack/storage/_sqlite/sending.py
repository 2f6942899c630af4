"""Set when mails were sent, and correct the delays that depend on it."""

import json
import sqlite3
from collections.abc import Collection
from datetime import datetime

from mailtrack._errors import InvalidSentTime, PixelNotFound
from mailtrack._times import from_milliseconds, to_milliseconds
from mailtrack.storage._counting.delays import Delays
from mailtrack.storage._counting.spans import NO_SPANS, Spans
from mailtrack.storage._sqlite import counts, pixels


def mark_sent(db: sqlite3.Connection, pixel_id: str, recipient_ids: Collection[str] | None, at: datetime) -> int:
    """Set when the mails of recipients were sent, and return how many of them the pixel has.

    Raises:
        PixelNotFound: the pixel does not exist.
        InvalidSentTime: one of the tokens was made later.
    """
    pixel, sent_at = pixels.find(db, pixel_id), to_milliseconds(at)
    if pixel is None:
        raise PixelNotFound
    concerned = "pixel = ?"
    bound: tuple[int | str, ...] = (pixel,)
    if recipient_ids is not None:
        concerned += " AND id IN (SELECT value FROM json_each(?))"
        bound = (*bound, json.dumps(list(recipient_ids)))
    (latest,) = db.execute(f"SELECT max(created_at) FROM recipients WHERE {concerned}", bound).fetchone()
    if latest is not None and latest > sent_at:
        raise InvalidSentTime(from_milliseconds(latest))
    delays = Delays()
    for made_at, former, *row in db.execute(
        f"SELECT created_at, sent_at, {counts.SPANS} FROM recipients WHERE {concerned} AND opens > 0", bound
    ):
        spans = Spans(*row)
        delays.change(made_at, former, spans, NO_SPANS)
        delays.change(made_at, sent_at, NO_SPANS, spans)
    counts.change_delays(db, pixel, delays)
    return db.execute(f"UPDATE recipients SET sent_at = ? WHERE {concerned}", (sent_at, *bound)).rowcount

"""Set when mails were sent, in short transactions, and correct the delays that depend on it."""

from collections.abc import Collection, Sequence
from datetime import datetime
from time import monotonic

from mailtrack._errors import InvalidSentTime, PixelNotFound
from mailtrack._times import from_milliseconds, to_milliseconds
from mailtrack.storage._counting.delays import Delays
from mailtrack.storage._counting.spans import NO_SPANS, Spans
from mailtrack.storage._postgres import counts, locks, pixels
from mailtrack.storage._postgres.connections import Connection
from mailtrack.storage._rows.sending import Sending

_AT_ONCE = 500  # recipients of one statement


def find(db: Connection, pixel_id: str, recipient_ids: Collection[str] | None, at: datetime) -> Sending:
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
        ((latest, last),) = db.execute(
            "SELECT max(created_at), max(number) FROM recipients WHERE pixel = %s", (pixel,)
        ).fetchall()
        numbers = range(1, (last or 0) + 1)
    else:
        made: dict[int, int] = dict(
            db.execute(
                "SELECT r.number, r.created_at FROM unnest(%s::text[]) w (id)"
                " JOIN recipients r ON r.pixel = %s AND r.id = w.id",
                (sorted(set(recipient_ids)), pixel),
            ).fetchall()
        )
        latest, numbers = max(made.values(), default=None), sorted(made)
    sent_at = to_milliseconds(at)
    if latest is not None and latest > sent_at:
        raise InvalidSentTime(from_milliseconds(latest))
    return Sending(pixel_id, sent_at, numbers)


def mark(db: Connection, sending: Sending, until: float) -> tuple[int, int]:
    """Mark some of the recipients that are not done, until a time by `monotonic`.

    Returns:
        How many of the marked ones exist, and how many are done now.

    Raises:
        PixelNotFound: the pixel does not exist any more.
    """
    locks.have_alone(db, [sending.pixel_id])
    pixel, marked, delays, done = pixels.find(db, sending.pixel_id), 0, Delays(), sending.done
    if pixel is None:
        raise PixelNotFound
    pixels.lock(db, [pixel])
    while done < len(sending.numbers):
        given = list(sending.numbers[done : done + _AT_ONCE])
        done += _AT_ONCE
        for made_at, former, *row in db.execute(
            f"SELECT r.created_at, r.sent_at, {counts.SPANS_OF} FROM recipients r{counts.OPENER}"
            " WHERE r.pixel = %s AND r.number = ANY(%s::bigint[]) AND o.opens > 0",
            (pixel, given),
        ):
            spans = Spans(*row)
            delays.change(made_at, former, spans, NO_SPANS)
            delays.change(made_at, sending.sent_at, NO_SPANS, spans)
        marked += db.execute(
            "UPDATE recipients SET sent_at = %s WHERE pixel = %s AND number = ANY(%s::bigint[])",
            (sending.sent_at, pixel, given),
        ).rowcount
        if monotonic() >= until:
            break
    counts.change_delays(db, {pixel: delays})
    return marked, done

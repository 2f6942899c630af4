"""Recipients in tables."""

from collections.abc import Collection, Sequence
from itertools import repeat
from typing import Any

from mailtrack._addresses import comparable
from mailtrack._errors import PixelNotFound, RecipientNotFound
from mailtrack._model import Page, Recipient, RecipientState
from mailtrack.storage._counting.top import TOP_COUNTS_FROM
from mailtrack.storage._counting.values import make_recipients
from mailtrack.storage._postgres import counts, locks, pixels
from mailtrack.storage._postgres.connections import Connection
from mailtrack.storage._protocol import SEARCHED_AT_ONCE
from mailtrack.storage._rows.recipients import NEW_COLUMNS, to_condition, to_long_page, to_new_row, to_page
from mailtrack.storage._rows.recipients import search as search_in

RECIPIENT = (
    "r.number, r.id, r.email, r.ref, r.data, r.token, r.created_at, r.sent_at, coalesce(o.prefetches, 0),"
    " coalesce(o.counted, 0), o.first_counted_at, o.last_counted_at, coalesce(o.opens, 0), o.first_opened_at,"
    " o.last_opened_at"
)
"""The columns that `make_recipients` reads, from `recipients r` with `counts.OPENER`."""

_IN_STATE = {
    RecipientState.OPENED: "o.counted > 0",
    RecipientState.PREFETCHED: "o.counted = 0 AND o.prefetches > 0",
    RecipientState.SCANNED: "o.counted = 0 AND o.prefetches = 0 AND o.opens > 0",
    RecipientState.NONE: "o.number IS NULL",
}

_ARRAYS = (
    "unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[],"
    f" %s::bigint[]) w ({NEW_COLUMNS})"
)
_IS_IT = "r.pixel = %s AND r.email_key = w.email_key AND r.ref = w.ref"


def add(db: Connection, pixel_id: str, recipients: Sequence[Recipient]) -> list[Recipient]:
    """Add the recipients that the pixel does not have yet, and return one for each given.

    Raises:
        PixelNotFound: the pixel does not exist.
    """
    found = db.execute("SELECT pixel, last_recipient FROM pixels WHERE id = %s FOR NO KEY UPDATE", (pixel_id,))
    row = found.fetchone()
    if row is None:
        raise PixelNotFound
    pixel, last = row
    if not recipients:
        return []
    new_rows = [to_new_row(new, number) for number, new in enumerate(recipients, last + 1)]
    columns = [list(column) for column in zip(*new_rows, strict=True)]
    added = db.execute(
        f"INSERT INTO recipients (pixel, {NEW_COLUMNS}) SELECT %s::bigint, * FROM {_ARRAYS}"
        " ON CONFLICT (pixel, email_key, ref) DO NOTHING",
        (pixel, *columns),
    ).rowcount
    db.execute(
        "UPDATE pixels SET recipients = recipients + %s, last_recipient = %s WHERE pixel = %s",
        (added, last + len(recipients), pixel),
    )
    if added == len(recipients):
        return list(recipients)
    _, _, _, keys, refs, data, *_ = columns
    if any(one is not None for one in data):
        db.execute(
            "UPDATE recipients r SET data = w.data FROM unnest(%s::text[], %s::text[], %s::text[]) w"
            f" (email_key, ref, data) WHERE {_IS_IT} AND w.data IS NOT NULL",
            (keys, refs, data, pixel),
        )
    rows = db.execute(
        f"SELECT {RECIPIENT} FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY w (email_key, ref, place)"
        f" JOIN recipients r ON {_IS_IT}{counts.OPENER} ORDER BY w.place",
        (keys, refs, pixel),
    ).fetchall()
    return make_recipients(rows, repeat(pixel_id))


def get(db: Connection, recipient_ids: Collection[str]) -> dict[str, Recipient]:
    """Return the recipients that exist of those with some ids, by id."""
    wanted = list(recipient_ids)
    rows = db.execute(
        f"SELECT {RECIPIENT}, p.id FROM unnest(%s::text[], %s::text[]) w (short_id, id)"
        " JOIN pixels p ON p.short_id = w.short_id"
        f" JOIN recipients r ON r.pixel = p.pixel AND r.id = w.id{counts.OPENER}",
        ([one[:8] for one in wanted], wanted),
    ).fetchall()
    found = make_recipients([row[:-1] for row in rows], [row[-1] for row in rows])
    return {recipient.id: recipient for recipient in found}


def get_page(
    db: Connection,
    pixel_id: str,
    limit: int,
    after: int,
    *,
    states: Collection[RecipientState] | None,
    ref: str | None,
    numbers: Sequence[int] | None = None,
) -> Page[Recipient]:
    """Return a page of a pixel's recipients with numbers above one, in order: all, or those that some filters leave."""
    condition, given, bound = to_condition(states, _IN_STATE), "", list[Any]()
    if ref is not None:
        given += " AND r.ref = %s AND r.ref <> ''"  # as the index has it
        bound.append(ref)
    if numbers is not None:
        given += " AND r.number = ANY(%s::bigint[])"
        bound.append(list(numbers))
    found = db.execute(
        f"SELECT {RECIPIENT} FROM (SELECT * FROM recipients r"
        f" WHERE r.pixel = (SELECT pixel FROM pixels WHERE id = %s) AND r.number > %s{given}"
        f" ORDER BY r.number OFFSET 0) r{counts.OPENER}"
        f" WHERE {condition} ORDER BY r.number LIMIT %s",
        (pixel_id, after, *bound, limit + 1),
    ).fetchall()
    return to_page(found, pixel_id, limit)


def search(
    db: Connection,
    pixel_id: str,
    limit: int,
    after: int,
    *,
    states: Collection[RecipientState] | None,
    ref: str | None,
    text: str,
) -> Page[Recipient]:
    """Return a page of the recipients with a text in their address or reference, as `get_page` does.

    It ends early after `SEARCHED_AT_ONCE` recipients.
    """
    rows = db.execute(
        "SELECT number, email, ref FROM recipients"
        " WHERE pixel = (SELECT pixel FROM pixels WHERE id = %s) AND number > %s ORDER BY number LIMIT %s",
        (pixel_id, after, SEARCHED_AT_ONCE + 1),
    ).fetchall()

    def get_some(numbers: list[int]) -> Page[Recipient]:
        return get_page(db, pixel_id, limit, after, states=states, ref=ref, numbers=numbers)

    return search_in(rows, text, get_some)


def find(db: Connection, email: str, limit: int, before: tuple[int, int, int] | None) -> Page[Recipient]:
    """Return a page of the recipients with an address over all pixels, the newest first."""
    order = "r.created_at, r.pixel, r.number"
    found = db.execute(
        f"SELECT {order}, p.id, {RECIPIENT} FROM recipients r JOIN pixels p ON p.pixel = r.pixel{counts.OPENER}"
        f" WHERE r.email_key = %s AND {'true' if before is None else f'({order}) < (%s, %s, %s)'}"
        " ORDER BY r.created_at DESC, r.pixel DESC, r.number DESC LIMIT %s",
        (comparable(email), *(before or ()), limit + 1),
    ).fetchall()
    return to_long_page(found, limit)


def get_top(db: Connection, pixel: int, pixel_id: str, limit: int) -> tuple[Recipient, ...]:
    """Return the recipients of a pixel with the most opens that count, the most first."""
    found = db.execute(
        f"SELECT {RECIPIENT} FROM (SELECT * FROM openers WHERE pixel = %s AND counted >= {TOP_COUNTS_FROM}"
        " ORDER BY counted DESC, number LIMIT %s) o JOIN recipients r ON r.pixel = o.pixel AND r.number = o.number"
        " ORDER BY o.counted DESC, o.number",
        (pixel, limit),
    ).fetchall()
    return tuple(make_recipients(found, repeat(pixel_id)))


def delete(db: Connection, recipient_id: str) -> Recipient:
    """Delete a recipient, take it out of the counts, and return it as it was.

    Raises:
        RecipientNotFound: there is none.
    """
    owner = db.execute("SELECT pixel, id FROM pixels WHERE short_id = %s", (recipient_id[:8],)).fetchone()
    if owner is None:
        raise RecipientNotFound
    pixel, pixel_id = owner
    locks.have_alone(db, [pixel_id])
    if not pixels.lock(db, [pixel]):
        raise RecipientNotFound
    row = db.execute(
        f"SELECT {RECIPIENT} FROM recipients r{counts.OPENER} WHERE r.pixel = %s AND r.id = %s", (pixel, recipient_id)
    ).fetchone()
    if row is None:
        raise RecipientNotFound
    counts.delete_recipients(db, pixel, [recipient_id])
    (deleted,) = make_recipients([row], [pixel_id])
    return deleted

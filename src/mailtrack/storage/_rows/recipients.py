"""Recipients as columns."""

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import repeat
from typing import Any

from mailtrack._addresses import comparable
from mailtrack._json_data import to_data
from mailtrack._model import Page, Recipient, RecipientState
from mailtrack._times import to_milliseconds
from mailtrack.storage import _cursors as cursors
from mailtrack.storage._counting.values import make_recipients
from mailtrack.storage._protocol import SEARCHED_AT_ONCE
from mailtrack.storage._rows.times import to_stored

NEW_COLUMNS = "number, id, email, email_key, ref, data, token, created_at, sent_at"
"""The columns of `to_new_row`."""


def to_new_row(new: Recipient, number: int) -> tuple[Any, ...]:
    """Return the columns of a recipient that is added."""
    return (
        number,
        new.id,
        new.email,
        comparable(new.email),
        new.ref or "",
        None if new.data is None else to_data(new.data).text,
        new.token,
        to_milliseconds(new.created_at),
        to_stored(new.sent_at),
    )


def to_page(rows: Sequence[Sequence[Any]], pixel_id: str, limit: int) -> Page[Recipient]:
    """Return a page of a pixel's recipients, given the columns of one more than its limit where there is one."""
    made = make_recipients(rows, repeat(pixel_id))
    return cursors.cut_page(zip([row[0] for row in rows], made, strict=True), limit)


def to_long_page(rows: Sequence[tuple[Any, ...]], limit: int) -> Page[Recipient]:
    """Return a page of recipients of any pixels, likewise.

    Args:
        rows: the time of creation, the pixel and the number, by which they are ordered, the id of the pixel, and the
            columns of `make_recipients`.
        limit: the maximum number of recipients.
    """
    made = make_recipients([row[4:] for row in rows], [row[3] for row in rows])
    return cursors.cut_long_page([(row[:3], one) for row, one in zip(rows, made, strict=True)], limit)


def to_condition(states: Collection[RecipientState] | None, conditions: Mapping[RecipientState, str]) -> str:
    """Return the condition that a recipient is in one of some states, given that of each; `None` stands for all."""
    return "true" if states is None else f"({' OR '.join(conditions[state] for state in states) or 'false'})"


def search(
    rows: Sequence[tuple[int, str, str]], text: str, get_page: Callable[[list[int]], Page[Recipient]]
) -> Page[Recipient]:
    """Return a page of the recipients with a text in their address or reference.

    Args:
        rows: the number, the address and the reference of up to `SEARCHED_AT_ONCE` recipients, in order, and of one
            more where there is one. The page ends before that one.
        text: the text.
        get_page: returns a page of those with some numbers.
    """
    wanted = text.casefold()
    seen = rows[:SEARCHED_AT_ONCE]
    page = get_page([number for number, *texts in seen if any(wanted in one.casefold() for one in texts)])
    return page if page.next or rows == seen else Page(items=page.items, next=cursors.from_place(seen[-1][0]))

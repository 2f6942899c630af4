"""Deliveries as columns."""

from collections.abc import Iterable, Sequence
from typing import Any

from mailtrack._model import Page
from mailtrack._times import from_milliseconds, to_milliseconds
from mailtrack._webhook import Delivery, DeliveryCount, DeliveryState
from mailtrack.storage import _cursors as cursors
from mailtrack.storage._rows.times import to_stored, to_time

STATES = tuple(DeliveryState)
"""The states by the numbers that stand for them."""

COLUMNS = "d.number, d.event, d.cursor, d.event_at, d.state, d.tries, d.next_try_at, d.last_status, d.error, d.ended_at"
"""The columns that `to_delivery` reads, from `deliveries d`."""

LAST = 2**63 - 1
"""A number that no delivery has."""


def choose(given: Iterable[Delivery], replay_since: int | None) -> tuple[list[Delivery], set[str]]:
    """Return which of some deliveries are to be added, one for each event, and the events whose former ones go."""
    kept: dict[str, Delivery] = {}
    replayed: set[str] = set()
    for one in given:
        if replay_since is not None and to_milliseconds(one.event_at) >= replay_since:
            replayed.add(one.event_id)
            kept.pop(one.event_id, None)  # the later one gets the later number
        kept.setdefault(one.event_id, one)
    return list(kept.values()), replayed


def to_new_row(one: Delivery, number: int) -> tuple[int, str, str, int, int, int | None]:
    """Return the number, event, cursor, time of the event, tries and next try of a delivery that is added."""
    return (number, one.event_id, one.cursor, to_milliseconds(one.event_at), one.tries, to_stored(one.next_try_at))


def to_settled_row(one: Delivery) -> tuple[int | str | None, ...]:
    """Return the state, tries, next try, when it is due, last status, error and end of a delivery that was tried."""
    next_try_at = to_stored(one.next_try_at)
    due_at = next_try_at if one.state is DeliveryState.PENDING else None
    ended_at = to_stored(one.ended_at)
    return (STATES.index(one.state), one.tries, next_try_at, due_at, one.last_status, one.error, ended_at)


def to_delivery(row: Sequence[Any]) -> Delivery:
    """Return a delivery, given the columns of `COLUMNS`."""
    number, event_id, cursor, event_at, state, tries, next_try_at, last_status, error, ended_at = row
    return Delivery(
        id=str(number),
        event_id=event_id,
        cursor=cursor,
        event_at=from_milliseconds(event_at),
        state=STATES[state],
        tries=tries,
        next_try_at=to_time(next_try_at),
        last_status=last_status,
        error=error,
        ended_at=to_time(ended_at),
    )


def to_page(rows: Iterable[Sequence[Any]], limit: int) -> Page[Delivery]:
    """Return a page of deliveries, given the columns of one more than its limit where there is one."""
    return cursors.cut_page(((row[0], to_delivery(row)) for row in rows), limit)


def to_counts(rows: Iterable[tuple[str, int, int | None]]) -> dict[str, DeliveryCount]:
    """Return counts by webhook, given the id of each, how many are pending, and the time of the oldest event."""
    return {webhook_id: DeliveryCount(pending=pending, oldest=to_time(oldest)) for webhook_id, pending, oldest in rows}

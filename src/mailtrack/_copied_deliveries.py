"""Copies the deliveries to webhooks that are still due."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

import attrs

from mailtrack import _times as times
from mailtrack._errors import StorageError
from mailtrack._events.feed import iter_events
from mailtrack._paging import MAX_LIMIT, walk
from mailtrack._webhook import Delivery, DeliveryState, Webhook
from mailtrack.storage._abilities import SupportsWebhooks
from mailtrack.storage._feed import Feed

_AT_ONCE = MAX_LIMIT

T = TypeVar("T")


class Outboxes(SupportsWebhooks, Feed, Protocol):
    """A storage with webhooks."""


def copy_deliveries(source: Outboxes, target: Outboxes, *, most: int) -> int:
    """Make the deliveries that are due in the target those of the source, with their tries and times.

    The target has all events, and the webhooks of the source. A message has the id of its event, so receivers know one
    that reaches them from both storages.

    Args:
        source: the storage that is copied.
        target: the copy.
        most: how many deliveries are held in memory. If there are more, none is copied.

    Returns:
        How many deliveries of the source are not in the target, though their events are.
    """
    counts = {webhook_id: count.pending for webhook_id, count in source.count_deliveries().items()}
    there = {one.id for one in target.list_webhooks()}
    webhooks = [one for one in source.list_webhooks() if one.id in there]
    if sum(counts.values()) > most:
        for webhook in webhooks:
            _fill(target, webhook, [])
        return sum(counts.values())
    due = {webhook_id: _list_due(source, webhook_id) for webhook_id in counts}
    places = _find_places(target, [one for some in due.values() for one in some.values()])
    missing = 0
    for webhook in webhooks:
        wanted = due.get(webhook.id, {})
        lost = [one.cursor for event_id, one in wanted.items() if event_id not in places]
        found = [attrs.evolve(one, cursor=places[one.event_id]) for one in wanted.values() if one.event_id in places]
        _fill(target, webhook, found)
        present = _settle(target, webhook.id, wanted)
        missing += sum(one.event_id not in present for one in found)
        missing += sum(len(source.get_events(some)) for some in _in_parts(lost))
    return missing


def _list_due(storage: Outboxes, webhook_id: str) -> dict[str, Delivery]:
    """Return the pending deliveries of a webhook by the ids of their events, the first added first."""
    state = DeliveryState.PENDING
    found = list(walk(lambda cursor: storage.list_deliveries(webhook_id, limit=MAX_LIMIT, cursor=cursor, state=state)))
    return {one.event_id: one for one in reversed(found)}


def _find_places(target: Outboxes, deliveries: Iterable[Delivery]) -> dict[str, str]:
    """Return the cursors in the target of the events of deliveries, by the ids of these events."""
    times_of_events = {one.event_id: one.event_at for one in deliveries}
    if not times_of_events:
        return {}
    found: dict[str, str] = {}
    for event in iter_events(target, target.find_feed_place(since=min(times_of_events.values()))):
        if event.id in times_of_events:
            found[event.id] = event.cursor
            if len(found) == len(times_of_events):
                break
    return found


def _fill(target: Outboxes, webhook: Webhook, deliveries: list[Delivery]) -> None:
    """Add deliveries to a webhook of the target, which then is as in the source, but for its place."""
    present = target.get_webhook(webhook.id)
    if deliveries:
        after = target.get_feed_end() if present.after is None else present.after
        open_ = attrs.evolve(present, enabled=True, replay_since=None, after=after)
        _change(target, present, open_)
        for some in _in_parts(deliveries):
            new = [attrs.evolve(one, id="") for one in some]
            if not target.fill_outbox(webhook.id, after=after, to=after, deliveries=new):
                raise StorageError("The target is in use: another process has changed a webhook.")
        present = open_
    _change(target, present, attrs.evolve(webhook, after=present.after))


def _change(target: Outboxes, former: Webhook, present: Webhook) -> None:
    if former != present and not target.change_webhook(former, present):
        raise StorageError("The target is in use: another process has changed a webhook.")


def _settle(target: Outboxes, webhook_id: str, wanted: dict[str, Delivery]) -> set[str]:
    """Give the deliveries of a webhook of the target the state of those in the source.

    Returns:
        The ids of the events of those that are due.
    """
    present = _list_due(target, webhook_id)
    changed: list[Delivery] = []
    for event_id, one in present.items():
        if event_id not in wanted:
            changed.append(_end(one))
        elif (new := attrs.evolve(wanted[event_id], id=one.id, cursor=one.cursor)) != one:
            changed.append(new)
    for some in _in_parts(changed):
        target.settle_deliveries(webhook_id, some)
    return present.keys() & wanted.keys()


def _end(one: Delivery) -> Delivery:
    """Return a delivery of an earlier run that has ended in the source since."""
    reason = "It has ended in the storage that was copied."
    return attrs.evolve(one, state=DeliveryState.FAILED, next_try_at=None, error=reason, ended_at=times.now())


def _in_parts(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[start : start + _AT_ONCE] for start in range(0, len(items), _AT_ONCE))

"""Webhooks and their outboxes in memory."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from operator import itemgetter

import attrs

from mailtrack._errors import StorageError, WebhookNotFound
from mailtrack._model import Page
from mailtrack._webhook import Delivery, DeliveryCount, DeliveryState, Webhook
from mailtrack.storage import _cursors as cursors
from mailtrack.storage._rows.deliveries import choose
from mailtrack.storage._rows.times import to_stored


@attrs.define
class _Entry:
    """A delivery in an outbox.

    Attributes:
        number: its number in the outbox.
        delivery: the delivery.
        due_at: when it can be taken, `None` once it has ended.
    """

    number: int
    delivery: Delivery
    due_at: datetime | None


@attrs.define
class _Outbox:
    webhook: Webhook
    _entries: dict[int, _Entry] = attrs.Factory(dict)  # by number, in order
    _by_event: dict[str, int] = attrs.Factory(dict)
    _last: int = 0

    def fill(self, deliveries: Sequence[Delivery]) -> None:
        """Add deliveries, each unless its event has one that is to stay."""
        kept, replayed = choose(deliveries, to_stored(self.webhook.replay_since))
        for event_id in replayed & self._by_event.keys():
            self.delete(self._by_event[event_id])
        for number, delivery in enumerate(kept, self._last + 1):
            if delivery.event_id not in self._by_event:
                stored = attrs.evolve(delivery, id=str(number))
                self._entries[number] = _Entry(number, stored, stored.next_try_at)
                self._by_event[delivery.event_id] = number
        self._last += len(kept)

    def take(self, now: datetime, until: datetime, limit: int) -> list[Delivery]:
        """Return deliveries that are due, and keep them from others until a time."""
        if not self.webhook.enabled:
            return []
        due = [(one.due_at, one.number) for one in self._entries.values() if one.due_at and one.due_at <= now]
        taken = [self._entries[number] for _, number in sorted(due)[:limit]]
        for entry in taken:
            entry.due_at = until
        return [entry.delivery for entry in taken]

    def settle(self, settled: Delivery) -> None:
        """Store what has become of a delivery, unless it is gone or has ended."""
        entry = self._entries.get(int(settled.id)) if settled.id.isdecimal() else None
        if entry is None or entry.delivery.state is not DeliveryState.PENDING:
            return
        stays = {name: getattr(entry.delivery, name) for name in ("event_id", "cursor", "event_at")}
        entry.delivery = attrs.evolve(settled, **stays)
        entry.due_at = settled.next_try_at if settled.state is DeliveryState.PENDING else None

    def iter_back(self, before: int | None, state: DeliveryState | None) -> Iterator[tuple[int, Delivery]]:
        """Iterate over the deliveries before a number, down from the last, each with its number."""
        return (
            (number, entry.delivery)
            for number, entry in reversed(self._entries.items())
            if (before is None or number < before) and state in (None, entry.delivery.state)
        )

    def count(self) -> DeliveryCount:
        """Return the counts of what is pending."""
        times = [one.event_at for _, one in self.iter_back(None, DeliveryState.PENDING)]
        return DeliveryCount(pending=len(times), oldest=min(times, default=None))

    def find_ended(self, before: datetime) -> Iterator[tuple[datetime, int]]:
        """Yield time and number of the deliveries that ended before a time, by number."""
        for number, entry in self._entries.items():
            ended_at = entry.delivery.ended_at
            if ended_at is not None and ended_at < before:
                yield ended_at, number

    def delete(self, number: int) -> None:
        """Delete a delivery."""
        del self._by_event[self._entries.pop(number).delivery.event_id]


class MemoryWebhooks:
    """The webhooks of a storage. Not thread-safe."""

    def __init__(self) -> None:
        self._outboxes: dict[str, _Outbox] = {}  # by the webhook's id, in order of creation

    def add(self, webhook: Webhook, end: str) -> None:
        """Add a webhook, with its place at the end of the feed.

        Raises:
            StorageError: another has the same id.
        """
        if webhook.id in self._outboxes:
            raise StorageError("Another webhook has this id.")
        self._outboxes[webhook.id] = _Outbox(attrs.evolve(webhook, after=end))

    def get(self, webhook_id: str) -> Webhook:
        """Return a webhook.

        Raises:
            WebhookNotFound: there is none.
        """
        return self._require(webhook_id).webhook

    def get_all(self) -> list[Webhook]:
        """Return all webhooks."""
        return [outbox.webhook for outbox in self._outboxes.values()]

    def change(self, former: Webhook, present: Webhook) -> bool:
        """Replace a webhook that still has its former value, and return whether it had.

        Raises:
            WebhookNotFound: there is none.
        """
        outbox = self._require(former.id)
        if outbox.webhook != former:
            return False
        outbox.webhook = present
        return True

    def delete(self, webhook_id: str) -> Webhook:
        """Delete a webhook with its deliveries, and return it.

        Raises:
            WebhookNotFound: there is none.
        """
        deleted = self._require(webhook_id).webhook
        del self._outboxes[webhook_id]
        return deleted

    def fill(self, webhook_id: str, after: str | None, to: str, deliveries: Sequence[Delivery]) -> bool:
        """Add deliveries and move a webhook on, if it is enabled and at a cursor; return whether it was."""
        outbox = self._outboxes.get(webhook_id)
        if outbox is None or not outbox.webhook.enabled or outbox.webhook.after != after:
            return False
        outbox.fill(deliveries)
        outbox.webhook = attrs.evolve(outbox.webhook, after=to)
        return True

    def take(self, webhook_id: str, now: datetime, until: datetime, limit: int) -> list[Delivery]:
        """Return deliveries of a webhook that are due, and keep them from others until a time."""
        outbox = self._outboxes.get(webhook_id)
        return [] if outbox is None else outbox.take(now, until, limit)

    def settle(self, webhook_id: str, deliveries: Sequence[Delivery]) -> None:
        """Store what has become of deliveries of a webhook."""
        if outbox := self._outboxes.get(webhook_id):
            for delivery in deliveries:
                outbox.settle(delivery)

    def get_page(self, webhook_id: str, limit: int, cursor: str | None, state: DeliveryState | None) -> Page[Delivery]:
        """Return deliveries of a webhook, the last added first."""
        before = None if cursor is None else cursors.to_place(cursor)
        outbox = self._outboxes.get(webhook_id)
        return Page(items=()) if outbox is None else cursors.cut_page(outbox.iter_back(before, state), limit)

    def count(self) -> dict[str, DeliveryCount]:
        """Return the counts of what is pending, by webhook."""
        return {webhook_id: outbox.count() for webhook_id, outbox in self._outboxes.items()}

    def delete_ended(self, before: datetime, limit: int) -> int:
        """Delete deliveries that ended before a time, up to a limit, the longest ended first; return their number."""
        outboxes = self._outboxes.values()
        ended = [(at, outbox, number) for outbox in outboxes for at, number in outbox.find_ended(before)]
        gone = sorted(ended, key=itemgetter(0))[:limit]
        for _, outbox, number in gone:
            outbox.delete(number)
        return len(gone)

    def _require(self, webhook_id: str) -> _Outbox:
        outbox = self._outboxes.get(webhook_id)
        if outbox is None:
            raise WebhookNotFound
        return outbox

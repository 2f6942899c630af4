"""Fill outboxes from the feed, each by the filters of its webhook."""

from datetime import datetime
from typing import Protocol

from mailtrack._event import Event
from mailtrack._paging import MAX_LIMIT
from mailtrack._webhook import Delivery, Webhook
from mailtrack.storage._abilities import SupportsWebhooks
from mailtrack.storage._feed import Feed


class Outboxes(SupportsWebhooks, Feed, Protocol):
    """A storage as the sender of webhooks uses it."""


def fill(storage: Outboxes, webhook: Webhook, now: datetime) -> str | None:
    """Put a page of events into the outbox of a webhook.

    Returns:
        The cursor up to which the outbox is filled now; `None` where nothing was left to do, or another process was
        faster.

    Raises:
        StorageError: the storage can't be used.
    """
    page = storage.list_events(limit=MAX_LIMIT, after=webhook.after, first=webhook.first)
    if page.next is None or page.next == webhook.after:
        return None
    deliveries = [
        Delivery(event_id=event.id, cursor=event.cursor, event_at=event.open.opened_at, next_try_at=now)
        for event in page.items
        if _takes(webhook, event)
    ]
    filled = storage.fill_outbox(webhook.id, after=webhook.after, to=page.next, deliveries=deliveries)
    return page.next if filled else None


def _takes(webhook: Webhook, event: Event) -> bool:
    if webhook.pixels is not None and event.open.pixel_id not in webhook.pixels:
        return False
    return event.open.counted if webhook.kinds is None else event.open.verdict.kind in webhook.kinds

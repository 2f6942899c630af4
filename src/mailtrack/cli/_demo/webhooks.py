"""The webhooks of the demonstration, with deliveries as a sender would have left them by now. Nothing is ever sent."""

import os
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import cast

import attrs

from mailtrack._events.webhooks.answer import Answer
from mailtrack._events.webhooks.filling import Outboxes, fill
from mailtrack._events.webhooks.schedule import after_try
from mailtrack._events.webhooks.signing import new_secret
from mailtrack._model import VerdictKind
from mailtrack._webhook import Delivery, Webhook
from mailtrack.storage import Storage

# Names below `example` never lead anywhere (RFC 2606), also if a page is asked to send a test.
_CRM = "https://crm.example/hooks/mailtrack"
_REPORTS = "https://reports.example/opens?team=newsletter"

_OLD = timedelta(days=30)
_SINCE = timedelta(days=7)
_DOWN = timedelta(hours=80)  # so that the first failures are given up by now, and the webhook is not disabled yet
_STORED = timedelta(milliseconds=400)  # from an open to the first try
_MOST = 1000  # that are taken at once

_Answers = Callable[[Delivery, datetime], Answer]
"""Returns how an endpoint answers a try to make a delivery at a time."""


def add_webhooks(storage: Storage, now: datetime) -> None:
    """Add a webhook whose endpoint works, but for a time-out now and then, and one whose endpoint is down.

    Args:
        storage: a storage with opens, which supports webhooks.
        now: the current time.
    """
    outboxes = cast(Outboxes, storage)
    crm = Webhook(id=os.urandom(8).hex(), url=_CRM, secret=new_secret(), created_at=now - _OLD)
    _add(outboxes, crm, _slow_at_times, now)
    down_at = now - _DOWN
    kinds = (VerdictKind.HUMAN, VerdictKind.PROXY)
    reports = attrs.evolve(crm, id=os.urandom(8).hex(), url=_REPORTS, secret=new_secret(), first="any", kinds=kinds)
    _add(outboxes, reports, lambda _, at: Answer(204) if at < down_at else Answer(503, "HTTP 503"), now)
    stored = outboxes.get_webhook(reports.id)
    outboxes.change_webhook(stored, attrs.evolve(stored, failing_since=down_at))


def _slow_at_times(delivery: Delivery, _: datetime) -> Answer:
    late = delivery.tries == 0 and int(delivery.id) % 25 == 0
    return Answer(error="timed out after 15 s") if late else Answer(204)


def _add(storage: Outboxes, webhook: Webhook, answers: _Answers, now: datetime) -> None:
    """Add a webhook, with deliveries of the last days that were tried up to now."""
    storage.add_webhook(webhook)
    added = storage.get_webhook(webhook.id)
    storage.change_webhook(added, attrs.evolve(added, after=storage.find_feed_place(since=now - _SINCE)))
    while fill(storage, storage.get_webhook(webhook.id), now):
        pass
    while taken := storage.take_deliveries(webhook.id, now=now, until=now, limit=_MOST):
        storage.settle_deliveries(webhook.id, [_try(one, answers, now) for one in taken])


def _try(delivery: Delivery, answers: _Answers, now: datetime) -> Delivery:
    """Return a delivery as it is after all its tries up to now."""
    tried = attrs.evolve(delivery, next_try_at=delivery.event_at + _STORED)
    while tried.next_try_at is not None and tried.next_try_at <= now:
        tried = after_try(tried, answers(tried, tried.next_try_at), tried.next_try_at)
    return tried

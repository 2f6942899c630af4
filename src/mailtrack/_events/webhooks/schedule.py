"""When a delivery is tried again, and what a try makes of it and of its webhook."""

import random
from datetime import datetime, timedelta

import attrs

from mailtrack._events.webhooks.answer import Answer
from mailtrack._webhook import Delivery, DeliveryState, Webhook

_DELAYS = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
)
"""The times between one try and the next, by the Standard Webhooks specification."""

_MOST_JITTER = 0.1  # of a delay, added to it
_GONE = 410
_PATIENCE = timedelta(days=5)


def after_try(delivery: Delivery, answer: Answer, now: datetime) -> Delivery:
    """Return a delivery as it is after a try that ended at a time."""
    tries = delivery.tries + 1
    tried = attrs.evolve(delivery, tries=tries, last_status=answer.status, error=answer.error)
    if answer.error is None:
        return attrs.evolve(tried, state=DeliveryState.DELIVERED, next_try_at=None, ended_at=now)
    if answer.status == _GONE or tries > len(_DELAYS):
        return attrs.evolve(tried, state=DeliveryState.FAILED, next_try_at=None, ended_at=now)
    delay = _DELAYS[tries - 1] * (1 + random.uniform(0, _MOST_JITTER))  # noqa: S311  # no secret
    return attrs.evolve(tried, next_try_at=now + max(delay, answer.retry_after))


def give_up(delivery: Delivery, error: str, now: datetime) -> Delivery:
    """Return a delivery that can't be made any more."""
    return attrs.evolve(delivery, state=DeliveryState.FAILED, error=error, next_try_at=None, ended_at=now)


def judge(webhook: Webhook, answer: Answer, now: datetime) -> Webhook:
    """Return a webhook as it is after a try that ended at a time: failing, not failing, or disabled."""
    if answer.error is None:
        return attrs.evolve(webhook, failing_since=None)
    failing_since = webhook.failing_since or now
    reason = None
    if answer.status == _GONE:
        reason = "The endpoint answered with 410 Gone."
    elif now - failing_since >= _PATIENCE:
        reason = f"The endpoint has failed for {_PATIENCE.days} days. The last failure: {answer.error}"
    if reason is None or not webhook.enabled:
        return attrs.evolve(webhook, failing_since=failing_since)
    return attrs.evolve(webhook, failing_since=failing_since, enabled=False, disabled_reason=reason)

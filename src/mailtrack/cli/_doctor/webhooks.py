"""The checks of webhooks and their deliveries."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice

from mailtrack._paging import MAX_LIMIT, walk
from mailtrack._text import plural
from mailtrack._webhook import DeliveryState, Webhook
from mailtrack.cli._doctor.finding import Finding, failed, ok, skipped, warning
from mailtrack.storage import Storage
from mailtrack.storage._abilities import SupportsWebhooks

_PATIENCE = timedelta(minutes=2)  # a running server sends what is due within seconds
_LOOKED_AT = 10_000  # pending deliveries of a webhook


def check_webhooks(storage: Storage, now: datetime) -> Iterator[Finding]:
    """Check that webhooks are neither disabled nor failing, and that what is due is sent.

    Args:
        storage: an open storage.
        now: the time by the clock of this machine.
    """
    if not isinstance(storage, SupportsWebhooks):
        yield skipped("webhooks", "The storage does not support webhooks.")
        return
    found = storage.list_webhooks()
    if not found:
        yield ok("webhooks", "There are no webhooks.")
        return
    yield _check_states(found, now)
    yield _check_deliveries(storage, [one for one in found if one.enabled], now)


def _check_states(found: Sequence[Webhook], now: datetime) -> Finding:
    disabled = [one for one in found if not one.enabled and one.disabled_reason]
    if disabled:
        return warning(
            "webhooks",
            f"{plural(len(disabled), 'webhook')} of {len(found)} got disabled by failures: {_ids(disabled)}.",
            "Correct the endpoint, and run mailtrack webhooks enable ID; or remove it with mailtrack webhooks remove.",
        )
    failing = [one for one in found if one.enabled and one.failing_since]
    if failing:
        age = now - min(one.failing_since for one in failing if one.failing_since)
        return warning(
            "webhooks",
            f"{plural(len(failing), 'webhook')} of {len(found)} fail, the longest for {_age(age)}: {_ids(failing)}.",
            "Run mailtrack webhooks test ID, and read the endpoint's log. After 5 days of failures it gets disabled.",
        )
    return ok("webhooks", f"{plural(len(found), 'webhook')} {'is' if len(found) == 1 else 'are'} set up; none fails.")


def _check_deliveries(storage: Storage, enabled: Sequence[Webhook], now: datetime) -> Finding:
    late = [at for one in enabled for at in _due(storage, one) if now - at > _PATIENCE]
    if late:
        return failed(
            "deliveries",
            f"What webhooks should have sent is overdue, the oldest for {_age(now - min(late))}.",
            "Start the server, which sends it, or read its log.",
        )
    return ok("deliveries", "No delivery of a webhook is overdue.")


def _due(storage: Storage, webhook: Webhook) -> Iterator[datetime]:
    """Yield when pending deliveries of a webhook are due, and the time of the first event that it has not seen yet."""
    assert isinstance(storage, SupportsWebhooks)  # noqa: S101  # for type checkers
    pending = walk(
        lambda cursor: storage.list_deliveries(webhook.id, limit=MAX_LIMIT, cursor=cursor, state=DeliveryState.PENDING)
    )
    yield from (one.next_try_at for one in islice(pending, _LOOKED_AT) if one.next_try_at)
    yield from (event.open.opened_at for event in storage.list_events(limit=1, after=webhook.after).items)


def _ids(found: Sequence[Webhook]) -> str:
    return ", ".join(one.id for one in found)


def _age(age: timedelta) -> str:
    minutes = int(age.total_seconds() // 60)
    if minutes < 120:
        return plural(minutes, "minute")
    return plural(minutes // 60, "hour") if minutes < 2 * 1440 else plural(minutes // 1440, "day")

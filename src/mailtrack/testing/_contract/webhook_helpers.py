"""Steps that the tests of webhooks and those of outboxes share."""

from datetime import timedelta
from typing import Any

import attrs
import pytest

from mailtrack._webhook import Delivery, DeliveryState, Webhook
from mailtrack.storage import Storage, SupportsWebhooks
from mailtrack.testing._contract.helpers import require_ability, walk
from mailtrack.testing._factories import NOON, make_webhook

THREADS = 8
MILLISECOND = timedelta(milliseconds=1)
MINUTE = timedelta(minutes=1)


class HooksContract:
    """Has the fixture of the tests of webhooks."""

    @pytest.fixture(name="hooks")
    def _hooks(self, storage: Storage) -> SupportsWebhooks:
        """Return the storage, which must keep webhooks."""
        require_ability(storage, SupportsWebhooks)
        assert isinstance(storage, SupportsWebhooks)
        return storage


def add(hooks: SupportsWebhooks, **values: Any) -> Webhook:
    """Add a webhook, and return it as it is stored."""
    webhook = make_webhook(**values)
    hooks.add_webhook(webhook)
    return hooks.get_webhook(webhook.id)


def fill(hooks: SupportsWebhooks, webhook: Webhook, *deliveries: Delivery) -> list[Delivery]:
    """Add deliveries to an outbox, and return all that are in it, in the order in which they were added."""
    after = hooks.get_webhook(webhook.id).after
    assert hooks.fill_outbox(webhook.id, after=after, to=f"{webhook.id}.to", deliveries=deliveries)
    return read_all(hooks, webhook)


def read_all(hooks: SupportsWebhooks, webhook: Webhook, state: DeliveryState | None = None) -> list[Delivery]:
    """Return the deliveries of a webhook in the order in which they were added."""
    return walk(lambda cursor: hooks.list_deliveries(webhook.id, limit=1000, cursor=cursor, state=state))[::-1]


def change(hooks: SupportsWebhooks, webhook: Webhook, **changes: Any) -> Webhook:
    """Change a webhook, and return it as it is stored."""
    present = hooks.get_webhook(webhook.id)
    assert hooks.change_webhook(present, attrs.evolve(present, **changes))
    return hooks.get_webhook(webhook.id)


def take(
    hooks: SupportsWebhooks, webhook: Webhook, *, after: timedelta = timedelta(), limit: int = 10
) -> list[Delivery]:
    """Take deliveries for a minute, at some time after noon."""
    now = NOON + after
    return hooks.take_deliveries(webhook.id, now=now, until=now + MINUTE, limit=limit)


def deliver(delivery: Delivery, *, after: timedelta = timedelta()) -> Delivery:
    """Return a delivery as it is once it was delivered."""
    changes: dict[str, Any] = {"state": DeliveryState.DELIVERED, "tries": delivery.tries + 1, "next_try_at": None}
    return attrs.evolve(delivery, last_status=200, error=None, ended_at=NOON + after, **changes)


def fail(delivery: Delivery) -> Delivery:
    """Return a delivery as it is once it was given up."""
    return attrs.evolve(delivery, state=DeliveryState.FAILED, tries=10, next_try_at=None, error="gone", ended_at=NOON)

"""`WebhookMethods`: the methods of `SupportsWebhooks`, each with its transactions."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

import attrs

from mailtrack._model import Page
from mailtrack._webhook import Delivery, DeliveryCount, DeliveryState, Webhook
from mailtrack.storage import _cursors as cursors
from mailtrack.storage._postgres import deliveries as delivery_rows
from mailtrack.storage._postgres import feed_rows, webhooks
from mailtrack.storage._postgres.connections import Connection, Connections
from mailtrack.storage._postgres.sweeping import step_end


class WebhookMethods:
    """The part of a storage that is about webhooks."""

    _connections: Connections

    def add_webhook(self, webhook: Webhook) -> None:
        self._connections.write(lambda db: webhooks.add(db, attrs.evolve(webhook, after=feed_rows.get_end(db))))

    def get_webhook(self, webhook_id: str) -> Webhook:
        with self._connections.reading() as db:
            return webhooks.get(db, webhook_id)

    def list_webhooks(self) -> list[Webhook]:
        with self._connections.reading() as db:
            return webhooks.get_all(db)

    def change_webhook(self, former: Webhook, present: Webhook) -> bool:
        return self._connections.write(lambda db: webhooks.change(db, former, present))

    def delete_webhook(self, webhook_id: str) -> Webhook:
        deleted = self._connections.write(lambda db: webhooks.hide(db, webhook_id))
        self._connections.write(lambda db: delivery_rows.sweep(db, step_end()))
        return deleted

    def fill_outbox(self, webhook_id: str, *, after: str | None, to: str, deliveries: Sequence[Delivery]) -> bool:
        def fill(db: Connection) -> bool:
            outbox = webhooks.find_outbox(db, webhook_id, after)
            if outbox is None:
                return False
            delivery_rows.fill(db, outbox, deliveries)
            webhooks.move(db, outbox.webhook, to)
            return True

        return self._connections.write(fill)

    def take_deliveries(self, webhook_id: str, *, now: datetime, until: datetime, limit: int) -> list[Delivery]:
        def take(db: Connection) -> list[Delivery]:
            return (
                [] if webhooks.lock(db, webhook_id) is None else delivery_rows.take(db, webhook_id, now, until, limit)
            )

        with self._connections.reading() as db:
            if not delivery_rows.has_due(db, webhook_id, now):  # no other writer waits for one that finds nothing
                return []
        return self._connections.write(take)

    def settle_deliveries(self, webhook_id: str, deliveries: Sequence[Delivery]) -> None:
        def settle(db: Connection) -> None:
            webhook = webhooks.lock(db, webhook_id)
            if webhook is not None:
                delivery_rows.settle(db, webhook, deliveries)

        self._connections.write(settle)

    def list_deliveries(
        self, webhook_id: str, *, limit: int, cursor: str | None = None, state: DeliveryState | None = None
    ) -> Page[Delivery]:
        before = None if cursor is None else cursors.to_place(cursor)
        with self._connections.reading(snapshot=True) as db:
            webhook = webhooks.find(db, webhook_id)
            return Page(items=()) if webhook is None else delivery_rows.get_page(db, webhook, limit, before, state)

    def count_deliveries(self) -> dict[str, DeliveryCount]:
        with self._connections.reading() as db:
            return delivery_rows.count(db)

    def delete_deliveries(self, *, before: datetime, limit: int) -> int:
        deleted = 0
        while True:
            some, ended = self._connections.write(
                partial(delivery_rows.delete_ended, before=before, limit=limit - deleted, until=step_end())
            )
            deleted += some
            if ended or deleted == limit:
                return deleted

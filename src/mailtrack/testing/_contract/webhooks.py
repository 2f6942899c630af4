"""Webhooks: an optional ability of storages."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import attrs
import pytest

from mailtrack._errors import StorageError, WebhookNotFound
from mailtrack._model import VerdictKind
from mailtrack._webhook import DeliveryCount
from mailtrack.storage import Storage, SupportsWebhooks
from mailtrack.testing._contract.helpers import add_pixel, at_once
from mailtrack.testing._contract.outboxes import OutboxContract
from mailtrack.testing._contract.webhook_helpers import (
    MILLISECOND,
    MINUTE,
    THREADS,
    add,
    change,
    deliver,
    fill,
    read_all,
    take,
)
from mailtrack.testing._contract.webhook_machine import run_machine
from mailtrack.testing._factories import NOON, make_delivery, make_open, make_webhook

_FULL: dict[str, Any] = {
    "url": "http://hooks.example.com:8443/\u00fc?a=%20&b='; --",
    "first": "any",
    "kinds": frozenset({VerdictKind.HUMAN, VerdictKind.PROXY}),
    "pixels": frozenset({"a1b2c3d4-e5f6-7890-1234-567890abcdef"}),
    "former_secret": "whsec_former",
    "former_until": NOON + timedelta(hours=24),
    "enabled": False,
    "disabled_reason": "The endpoint answered 410. \U0001f4e7 100% _ ? $1 ' \\",
    "failing_since": NOON + MILLISECOND,
    "replay_since": NOON - timedelta(days=1),
}

_USES: dict[str, Callable[[SupportsWebhooks], object]] = {
    "add_webhook": lambda hooks: hooks.add_webhook(make_webhook()),
    "get_webhook": lambda hooks: hooks.get_webhook("0" * 16),
    "list_webhooks": lambda hooks: hooks.list_webhooks(),
    "change_webhook": lambda hooks: hooks.change_webhook(make_webhook(), make_webhook()),
    "delete_webhook": lambda hooks: hooks.delete_webhook("0" * 16),
    "fill_outbox": lambda hooks: hooks.fill_outbox("0" * 16, after=None, to="1", deliveries=[]),
    "take_deliveries": lambda hooks: hooks.take_deliveries("0" * 16, now=NOON, until=NOON + MINUTE, limit=1),
    "settle_deliveries": lambda hooks: hooks.settle_deliveries("0" * 16, [make_delivery()]),
    "list_deliveries": lambda hooks: hooks.list_deliveries("0" * 16, limit=1),
    "count_deliveries": lambda hooks: hooks.count_deliveries(),
    "delete_deliveries": lambda hooks: hooks.delete_deliveries(before=NOON, limit=1),
}


class WebhookContract(OutboxContract):
    """Tests every sentence of `mailtrack.storage.SupportsWebhooks`. Optional.

    Add it to the bases of your subclass of `StorageContract` if your storage implements `SupportsWebhooks`.
    """

    def test_at_first_there_are_no_webhooks(self, hooks: SupportsWebhooks) -> None:
        assert (hooks.list_webhooks(), hooks.count_deliveries()) == ([], {})

    @pytest.mark.parametrize("values", [{}, _FULL, {"kinds": [], "pixels": []}], ids=["default", "full", "empty"])
    def test_a_webhook_is_read_back_as_given(self, hooks: SupportsWebhooks, values: dict[str, Any]) -> None:
        webhook = make_webhook(at=NOON + MILLISECOND, **values)
        hooks.add_webhook(webhook)
        stored = hooks.get_webhook(webhook.id)
        assert attrs.evolve(stored, after=None) == webhook
        assert hooks.list_webhooks() == [stored]

    def test_a_webhook_begins_at_the_end_of_the_feed_whatever_it_has(
        self, hooks: SupportsWebhooks, storage: Storage
    ) -> None:
        pixel = add_pixel(storage)
        for _ in range(2):
            storage.add_opens([make_open(pixel), make_open(pixel)])
            assert add(hooks, after="0").after == storage.get_feed_end()

    def test_webhooks_are_listed_in_the_order_in_which_they_were_added(self, hooks: SupportsWebhooks) -> None:
        added = [add(hooks, at=NOON + timedelta(days=days)) for days in (2, 0, 3, 1)]
        assert hooks.list_webhooks() == added

    def test_a_list_of_webhooks_is_the_callers_own(self, hooks: SupportsWebhooks) -> None:
        add(hooks)
        hooks.list_webhooks().clear()
        assert len(hooks.list_webhooks()) == 1

    def test_a_webhook_whose_id_is_taken_is_refused_and_leaves_the_other(self, hooks: SupportsWebhooks) -> None:
        webhook = add(hooks)
        with pytest.raises(StorageError):
            hooks.add_webhook(make_webhook(webhook_id=webhook.id, url="https://other.example.com"))
        assert hooks.list_webhooks() == [webhook]

    def test_a_webhook_that_does_not_exist_is_an_error(self, hooks: SupportsWebhooks) -> None:
        webhook, missing = add(hooks), make_webhook()
        with pytest.raises(WebhookNotFound):
            hooks.get_webhook(missing.id)
        with pytest.raises(WebhookNotFound):
            hooks.change_webhook(missing, missing)
        with pytest.raises(WebhookNotFound):
            hooks.delete_webhook(missing.id)
        assert hooks.list_webhooks() == [webhook]

    @pytest.mark.parametrize("name", [*_FULL, "secret", "after"])
    def test_each_part_of_a_webhook_can_be_changed_and_changed_back(self, hooks: SupportsWebhooks, name: str) -> None:
        former = add(hooks)
        present = attrs.evolve(former, **{name: _FULL.get(name, "another")})
        for before, then in ((former, present), (present, former)):
            assert hooks.change_webhook(before, then)
            assert hooks.get_webhook(former.id) == then

    def test_a_change_leaves_the_order_the_deliveries_and_other_webhooks(self, hooks: SupportsWebhooks) -> None:
        webhooks = [add(hooks) for _ in range(3)]
        filled = fill(hooks, webhooks[1], make_delivery(), make_delivery())
        changed = change(hooks, webhooks[1], **_FULL)
        assert hooks.list_webhooks() == [webhooks[0], changed, webhooks[2]]
        assert read_all(hooks, webhooks[1]) == filled

    @pytest.mark.parametrize("name", [*_FULL, "secret", "after"])
    def test_a_webhook_that_was_changed_meanwhile_is_not_changed(self, hooks: SupportsWebhooks, name: str) -> None:
        former = add(hooks)
        present = change(hooks, former, **{name: _FULL.get(name, "another")})
        assert not hooks.change_webhook(former, attrs.evolve(former, created_at=NOON + MINUTE))
        assert hooks.get_webhook(former.id) == present

    def test_a_deleted_webhook_is_returned_as_it_was_and_gone(self, hooks: SupportsWebhooks) -> None:
        webhooks = [add(hooks) for _ in range(3)]
        changed = change(hooks, webhooks[1], **_FULL)
        assert hooks.delete_webhook(webhooks[1].id) == changed
        assert hooks.list_webhooks() == [webhooks[0], webhooks[2]]
        with pytest.raises(WebhookNotFound):
            hooks.delete_webhook(webhooks[1].id)

    def test_deliveries_go_with_their_webhook_and_no_others(self, hooks: SupportsWebhooks, storage: Storage) -> None:
        gone, stays = add(hooks), add(hooks)
        same = [make_delivery(), make_delivery()]
        fill(hooks, gone, *same)
        (ended,) = take(hooks, gone, limit=1)
        hooks.settle_deliveries(gone.id, [deliver(ended)])
        filled = fill(hooks, stays, *same)
        hooks.delete_webhook(gone.id)
        for _ in range(2):
            assert (read_all(hooks, gone), take(hooks, gone)) == ([], [])
            assert read_all(hooks, stays) == filled
            assert hooks.count_deliveries() == {stays.id: DeliveryCount(pending=2, oldest=NOON)}
            assert hooks.delete_deliveries(before=NOON + MINUTE, limit=10) == 0
            while storage.sweep():
                pass

    def test_the_id_of_a_deleted_webhook_is_free_and_its_outbox_is_empty(self, hooks: SupportsWebhooks) -> None:
        former = add(hooks)
        delivery = make_delivery()
        fill(hooks, former, delivery)
        hooks.delete_webhook(former.id)
        webhook = add(hooks, webhook_id=former.id)
        assert read_all(hooks, webhook) == []
        assert len(fill(hooks, webhook, delivery)) == 1

    def test_webhooks_are_apart_from_pixels(self, hooks: SupportsWebhooks, storage: Storage) -> None:
        pixel = add_pixel(storage)
        webhook = add(hooks, pixels=[pixel.id])
        filled = fill(hooks, webhook, make_delivery())
        storage.delete_pixel(pixel.id)
        assert (hooks.list_webhooks(), read_all(hooks, webhook)) == ([hooks.get_webhook(webhook.id)], filled)
        assert hooks.get_webhook(webhook.id).pixels == frozenset({pixel.id})

    def test_of_many_threads_one_changes_a_webhook(self, hooks: SupportsWebhooks) -> None:
        webhook = add(hooks)
        values = [attrs.evolve(webhook, url=f"https://{n}.example.com") for n in range(THREADS)]
        changed = at_once([partial(hooks.change_webhook, webhook, value) for value in values])
        (winner,) = (n for n, was_first in enumerate(changed) if was_first)
        assert hooks.list_webhooks() == [values[winner]]

    @pytest.mark.parametrize("use", _USES.values(), ids=_USES.keys())
    def test_any_use_of_webhooks_after_closing_is_an_error(
        self, hooks: SupportsWebhooks, storage: Storage, use: Callable[[SupportsWebhooks], object]
    ) -> None:
        add(hooks)
        storage.close()
        with pytest.raises(StorageError) as raised:
            use(hooks)
        assert not isinstance(raised.value, WebhookNotFound)

    def test_any_sequence_of_calls_agrees_with_plain_dicts(self, hooks: SupportsWebhooks, storage: Storage) -> None:
        run_machine(hooks, storage)

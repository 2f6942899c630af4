"""Webhooks and their outboxes: an optional ability of storages."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import attrs
import pytest

from mailtrack._errors import InvalidPaging, StorageError, WebhookNotFound
from mailtrack._model import VerdictKind
from mailtrack._webhook import Delivery, DeliveryCount, DeliveryState, Webhook
from mailtrack.storage import Storage, SupportsWebhooks
from mailtrack.testing._contract.helpers import UNUSABLE_CURSORS, add_pixel, at_once, require_ability, walk
from mailtrack.testing._contract.webhook_machine import run_machine
from mailtrack.testing._factories import NOON, make_delivery, make_open, make_webhook

_THREADS = 8
_MILLISECOND = timedelta(milliseconds=1)
_MINUTE = timedelta(minutes=1)
_FULL: dict[str, Any] = {
    "url": "http://hooks.example.com:8443/\u00fc?a=%20&b='; --",
    "first": "any",
    "kinds": frozenset({VerdictKind.HUMAN, VerdictKind.PROXY}),
    "pixels": frozenset({"a1b2c3d4-e5f6-7890-1234-567890abcdef"}),
    "former_secret": "whsec_former",
    "former_until": NOON + timedelta(hours=24),
    "enabled": False,
    "disabled_reason": "The endpoint answered 410. \U0001f4e7 100% _ ? $1 ' \\",
    "failing_since": NOON + _MILLISECOND,
    "replay_since": NOON - timedelta(days=1),
}

_USES: dict[str, Callable[[SupportsWebhooks], object]] = {
    "add_webhook": lambda hooks: hooks.add_webhook(make_webhook()),
    "get_webhook": lambda hooks: hooks.get_webhook("0" * 16),
    "list_webhooks": lambda hooks: hooks.list_webhooks(),
    "change_webhook": lambda hooks: hooks.change_webhook(make_webhook(), make_webhook()),
    "delete_webhook": lambda hooks: hooks.delete_webhook("0" * 16),
    "fill_outbox": lambda hooks: hooks.fill_outbox("0" * 16, after=None, to="1", deliveries=[]),
    "take_deliveries": lambda hooks: hooks.take_deliveries("0" * 16, now=NOON, until=NOON + _MINUTE, limit=1),
    "settle_deliveries": lambda hooks: hooks.settle_deliveries("0" * 16, [make_delivery()]),
    "list_deliveries": lambda hooks: hooks.list_deliveries("0" * 16, limit=1),
    "count_deliveries": lambda hooks: hooks.count_deliveries(),
    "delete_deliveries": lambda hooks: hooks.delete_deliveries(before=NOON, limit=1),
}


def _add(hooks: SupportsWebhooks, **values: Any) -> Webhook:
    """Add a webhook, and return it as it is stored."""
    webhook = make_webhook(**values)
    hooks.add_webhook(webhook)
    return hooks.get_webhook(webhook.id)


def _fill(hooks: SupportsWebhooks, webhook: Webhook, *deliveries: Delivery) -> list[Delivery]:
    """Add deliveries to an outbox, and return all that are in it, in the order in which they were added."""
    after = hooks.get_webhook(webhook.id).after
    assert hooks.fill_outbox(webhook.id, after=after, to=f"{webhook.id}.to", deliveries=deliveries)
    return _all(hooks, webhook)


def _all(hooks: SupportsWebhooks, webhook: Webhook, state: DeliveryState | None = None) -> list[Delivery]:
    """Return the deliveries of a webhook in the order in which they were added."""
    return walk(lambda cursor: hooks.list_deliveries(webhook.id, limit=1000, cursor=cursor, state=state))[::-1]


def _change(hooks: SupportsWebhooks, webhook: Webhook, **changes: Any) -> Webhook:
    """Change a webhook, and return it as it is stored."""
    present = hooks.get_webhook(webhook.id)
    assert hooks.change_webhook(present, attrs.evolve(present, **changes))
    return hooks.get_webhook(webhook.id)


def _take(
    hooks: SupportsWebhooks, webhook: Webhook, *, after: timedelta = timedelta(), limit: int = 10
) -> list[Delivery]:
    """Take deliveries for a minute, at some time after noon."""
    now = NOON + after
    return hooks.take_deliveries(webhook.id, now=now, until=now + _MINUTE, limit=limit)


def _deliver(delivery: Delivery, *, after: timedelta = timedelta()) -> Delivery:
    """Return a delivery as it is once it was delivered."""
    changes: dict[str, Any] = {"state": DeliveryState.DELIVERED, "tries": delivery.tries + 1, "next_try_at": None}
    return attrs.evolve(delivery, last_status=200, error=None, ended_at=NOON + after, **changes)


def _fail(delivery: Delivery) -> Delivery:
    """Return a delivery as it is once it was given up."""
    return attrs.evolve(delivery, state=DeliveryState.FAILED, tries=10, next_try_at=None, error="gone", ended_at=NOON)


class WebhookContract:
    """Tests every sentence of `mailtrack.storage.SupportsWebhooks`. Optional.

    Add it to the bases of your subclass of `StorageContract` if your storage implements `SupportsWebhooks`.
    """

    @pytest.fixture(name="hooks")
    def _hooks(self, storage: Storage) -> SupportsWebhooks:
        """Return the storage, which must keep webhooks."""
        require_ability(storage, SupportsWebhooks)
        assert isinstance(storage, SupportsWebhooks)
        return storage

    def test_at_first_there_are_no_webhooks(self, hooks: SupportsWebhooks) -> None:
        assert (hooks.list_webhooks(), hooks.count_deliveries()) == ([], {})

    @pytest.mark.parametrize("values", [{}, _FULL, {"kinds": [], "pixels": []}], ids=["default", "full", "empty"])
    def test_a_webhook_is_read_back_as_given(self, hooks: SupportsWebhooks, values: dict[str, Any]) -> None:
        webhook = make_webhook(at=NOON + _MILLISECOND, **values)
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
            assert _add(hooks, after="0").after == storage.get_feed_end()

    def test_webhooks_are_listed_in_the_order_in_which_they_were_added(self, hooks: SupportsWebhooks) -> None:
        added = [_add(hooks, at=NOON + timedelta(days=days)) for days in (2, 0, 3, 1)]
        assert hooks.list_webhooks() == added

    def test_a_list_of_webhooks_is_the_callers_own(self, hooks: SupportsWebhooks) -> None:
        _add(hooks)
        hooks.list_webhooks().clear()
        assert len(hooks.list_webhooks()) == 1

    def test_a_webhook_whose_id_is_taken_is_refused_and_leaves_the_other(self, hooks: SupportsWebhooks) -> None:
        webhook = _add(hooks)
        with pytest.raises(StorageError):
            hooks.add_webhook(make_webhook(webhook_id=webhook.id, url="https://other.example.com"))
        assert hooks.list_webhooks() == [webhook]

    def test_a_webhook_that_does_not_exist_is_an_error(self, hooks: SupportsWebhooks) -> None:
        webhook, missing = _add(hooks), make_webhook()
        with pytest.raises(WebhookNotFound):
            hooks.get_webhook(missing.id)
        with pytest.raises(WebhookNotFound):
            hooks.change_webhook(missing, missing)
        with pytest.raises(WebhookNotFound):
            hooks.delete_webhook(missing.id)
        assert hooks.list_webhooks() == [webhook]

    @pytest.mark.parametrize("name", [*_FULL, "secret", "after"])
    def test_each_part_of_a_webhook_can_be_changed_and_changed_back(self, hooks: SupportsWebhooks, name: str) -> None:
        former = _add(hooks)
        present = attrs.evolve(former, **{name: _FULL.get(name, "another")})
        for before, then in ((former, present), (present, former)):
            assert hooks.change_webhook(before, then)
            assert hooks.get_webhook(former.id) == then

    def test_a_change_leaves_the_order_the_deliveries_and_other_webhooks(self, hooks: SupportsWebhooks) -> None:
        webhooks = [_add(hooks) for _ in range(3)]
        filled = _fill(hooks, webhooks[1], make_delivery(), make_delivery())
        changed = _change(hooks, webhooks[1], **_FULL)
        assert hooks.list_webhooks() == [webhooks[0], changed, webhooks[2]]
        assert _all(hooks, webhooks[1]) == filled

    @pytest.mark.parametrize("name", [*_FULL, "secret", "after"])
    def test_a_webhook_that_was_changed_meanwhile_is_not_changed(self, hooks: SupportsWebhooks, name: str) -> None:
        former = _add(hooks)
        present = _change(hooks, former, **{name: _FULL.get(name, "another")})
        assert not hooks.change_webhook(former, attrs.evolve(former, created_at=NOON + _MINUTE))
        assert hooks.get_webhook(former.id) == present

    def test_a_deleted_webhook_is_returned_as_it_was_and_gone(self, hooks: SupportsWebhooks) -> None:
        webhooks = [_add(hooks) for _ in range(3)]
        changed = _change(hooks, webhooks[1], **_FULL)
        assert hooks.delete_webhook(webhooks[1].id) == changed
        assert hooks.list_webhooks() == [webhooks[0], webhooks[2]]
        with pytest.raises(WebhookNotFound):
            hooks.delete_webhook(webhooks[1].id)

    def test_deliveries_go_with_their_webhook_and_no_others(self, hooks: SupportsWebhooks, storage: Storage) -> None:
        gone, stays = _add(hooks), _add(hooks)
        same = [make_delivery(), make_delivery()]
        _fill(hooks, gone, *same)
        (ended,) = _take(hooks, gone, limit=1)
        hooks.settle_deliveries(gone.id, [_deliver(ended)])
        filled = _fill(hooks, stays, *same)
        hooks.delete_webhook(gone.id)
        for _ in range(2):
            assert (_all(hooks, gone), _take(hooks, gone)) == ([], [])
            assert _all(hooks, stays) == filled
            assert hooks.count_deliveries() == {stays.id: DeliveryCount(pending=2, oldest=NOON)}
            assert hooks.delete_deliveries(before=NOON + _MINUTE, limit=10) == 0
            while storage.sweep():
                pass

    def test_the_id_of_a_deleted_webhook_is_free_and_its_outbox_is_empty(self, hooks: SupportsWebhooks) -> None:
        former = _add(hooks)
        delivery = make_delivery()
        _fill(hooks, former, delivery)
        hooks.delete_webhook(former.id)
        webhook = _add(hooks, webhook_id=former.id)
        assert _all(hooks, webhook) == []
        assert len(_fill(hooks, webhook, delivery)) == 1

    def test_webhooks_are_apart_from_pixels(self, hooks: SupportsWebhooks, storage: Storage) -> None:
        pixel = add_pixel(storage)
        webhook = _add(hooks, pixels=[pixel.id])
        filled = _fill(hooks, webhook, make_delivery())
        storage.delete_pixel(pixel.id)
        assert (hooks.list_webhooks(), _all(hooks, webhook)) == ([hooks.get_webhook(webhook.id)], filled)
        assert hooks.get_webhook(webhook.id).pixels == {pixel.id}

    def test_filled_deliveries_are_read_back_as_given_with_ids(self, hooks: SupportsWebhooks) -> None:
        webhook = _add(hooks)
        given = [make_delivery(at=NOON + n * _MILLISECOND, due_at=NOON + n * _MINUTE) for n in (3, 1, 2)]
        filled = _fill(hooks, webhook, *given)
        assert [attrs.evolve(one, id="") for one in filled] == given
        assert len({one.id for one in filled} - {""}) == 3

    def test_filling_moves_the_webhook_and_changes_nothing_else_of_it(self, hooks: SupportsWebhooks) -> None:
        webhook, other = _add(hooks), _add(hooks)
        for to, deliveries in (("7.1", [make_delivery()]), ("9.2", [])):
            present = hooks.get_webhook(webhook.id)
            assert hooks.fill_outbox(webhook.id, after=present.after, to=to, deliveries=deliveries)
            assert hooks.list_webhooks() == [attrs.evolve(webhook, after=to), other]

    def test_a_webhook_at_the_start_of_the_feed_is_filled_from_there(self, hooks: SupportsWebhooks) -> None:
        webhook = _change(hooks, _add(hooks), after=None)
        assert not hooks.fill_outbox(webhook.id, after="1", to="2", deliveries=[make_delivery()])
        assert hooks.fill_outbox(webhook.id, after=None, to="2", deliveries=[make_delivery()])
        assert not hooks.fill_outbox(webhook.id, after=None, to="3", deliveries=[make_delivery()])
        assert len(_all(hooks, webhook)) == 1

    def test_a_webhook_that_is_elsewhere_is_not_filled(self, hooks: SupportsWebhooks) -> None:
        webhook = _change(hooks, _add(hooks), after="5")
        assert not hooks.fill_outbox(webhook.id, after="4", to="6", deliveries=[make_delivery()])
        assert (hooks.get_webhook(webhook.id), _all(hooks, webhook)) == (webhook, [])

    def test_a_webhook_that_is_disabled_is_not_filled(self, hooks: SupportsWebhooks) -> None:
        webhook = _change(hooks, _add(hooks), enabled=False)
        assert not hooks.fill_outbox(webhook.id, after=webhook.after, to="6", deliveries=[make_delivery()])
        assert (hooks.get_webhook(webhook.id), _all(hooks, webhook)) == (webhook, [])

    def test_a_webhook_that_does_not_exist_is_not_filled(self, hooks: SupportsWebhooks) -> None:
        assert not hooks.fill_outbox(make_webhook().id, after=None, to="6", deliveries=[make_delivery()])

    def test_many_deliveries_are_filled_at_once(self, hooks: SupportsWebhooks) -> None:
        webhook = _add(hooks)
        given = [make_delivery(number) for number in range(10_000)]
        assert [one.event_id for one in _fill(hooks, webhook, *given)] == [one.event_id for one in given]

    @pytest.mark.parametrize("end", [None, _deliver, _fail])
    def test_a_delivery_that_is_there_stays_as_it_is(
        self, hooks: SupportsWebhooks, end: Callable[[Delivery], Delivery] | None
    ) -> None:
        webhook = _add(hooks)
        _fill(hooks, webhook, make_delivery(1))
        if end is not None:
            hooks.settle_deliveries(webhook.id, [end(one) for one in _take(hooks, webhook)])
        (first,) = _all(hooks, webhook)
        again = make_delivery(1, at=NOON + _MINUTE)
        filled = _fill(hooks, webhook, again, make_delivery(2), make_delivery(2, at=NOON + _MINUTE), again)
        assert filled[0] == first
        assert [(one.event_id[-1], one.event_at) for one in filled[1:]] == [("2", NOON)]
        assert hooks.count_deliveries()[webhook.id].pending == (2 if end is None else 1)

    @pytest.mark.parametrize("end", [None, _deliver, _fail])
    def test_a_replay_renews_deliveries_of_its_time_or_later_and_leaves_earlier_ones(
        self, hooks: SupportsWebhooks, end: Callable[[Delivery], Delivery] | None
    ) -> None:
        webhook = _add(hooks)
        given = [make_delivery(n, at=NOON + n * _MILLISECOND) for n in range(4)]
        _fill(hooks, webhook, *given)
        if end is not None:
            hooks.settle_deliveries(webhook.id, [end(one) for one in _take(hooks, webhook, after=_MINUTE)])
        former = _all(hooks, webhook)
        _change(hooks, webhook, replay_since=NOON + 2 * _MILLISECOND)
        later = NOON + timedelta(hours=1)
        present = _fill(hooks, webhook, *(attrs.evolve(one, next_try_at=later) for one in given))
        assert present[:2] == former[:2]
        assert [attrs.evolve(one, id="") for one in present[2:]] == [
            attrs.evolve(one, next_try_at=later) for one in given[2:]
        ]
        assert not {one.id for one in present[2:]} & {one.id for one in former}
        pending = present if end is None else present[2:]
        oldest = pending[0].event_at
        assert hooks.count_deliveries() == {webhook.id: DeliveryCount(pending=len(pending), oldest=oldest)}

    def test_a_delivery_that_was_replayed_while_it_was_taken_is_passed_over(self, hooks: SupportsWebhooks) -> None:
        webhook = _add(hooks, replay_since=NOON)
        _fill(hooks, webhook, make_delivery(1))
        taken = _take(hooks, webhook)
        present = _fill(hooks, webhook, make_delivery(1))
        hooks.settle_deliveries(webhook.id, [_deliver(one) for one in taken])
        assert _all(hooks, webhook) == present
        assert _take(hooks, webhook) == present

    def test_deliveries_are_taken_when_they_are_due(self, hooks: SupportsWebhooks) -> None:
        webhook = _add(hooks)
        filled = _fill(hooks, webhook, *(make_delivery(due_at=NOON + n * _MILLISECOND) for n in (-1, 0, 1)))
        assert _take(hooks, webhook) == filled[:2]
        assert _take(hooks, webhook, after=_MILLISECOND) == filled[2:]

    def test_the_longest_due_is_taken_first_whenever_it_was_added(self, hooks: SupportsWebhooks) -> None:
        webhook = _add(hooks)
        one, two, three = _fill(hooks, webhook, *(make_delivery(due_at=NOON - n * _MINUTE) for n in (1, 2, 0)))
        assert _take(hooks, webhook, limit=2) == [two, one]
        assert _take(hooks, webhook, limit=2) == [three]

    def test_taken_deliveries_are_the_takers_alone_until_its_time_is_over(self, hooks: SupportsWebhooks) -> None:
        webhook = _add(hooks)
        filled = _fill(hooks, webhook, make_delivery(), make_delivery(), make_delivery())
        assert _take(hooks, webhook, limit=2) == filled[:2]
        assert _take(hooks, webhook) == filled[2:]
        assert _take(hooks, webhook, after=_MINUTE - _MILLISECOND) == []
        assert _all(hooks, webhook) == filled
        again = _take(hooks, webhook, after=_MINUTE)
        assert sorted(again, key=lambda one: one.cursor) == sorted(filled, key=lambda one: one.cursor)
        assert _take(hooks, webhook, after=_MINUTE) == []

    def test_a_webhook_that_is_disabled_has_none_to_take(self, hooks: SupportsWebhooks) -> None:
        webhook = _add(hooks)
        filled = _fill(hooks, webhook, make_delivery())
        _change(hooks, webhook, enabled=False)
        assert _take(hooks, webhook) == []
        _change(hooks, webhook, enabled=True)
        assert _take(hooks, webhook) == filled

    def test_a_webhook_has_none_of_anothers(self, hooks: SupportsWebhooks) -> None:
        webhook, other = _add(hooks), _add(hooks)
        filled = _fill(hooks, webhook, make_delivery(1))
        assert (_take(hooks, other), _all(hooks, other)) == ([], [])
        hooks.settle_deliveries(other.id, [_deliver(one) for one in filled])
        assert _take(hooks, webhook) == filled
        assert (_take(hooks, make_webhook()), _all(hooks, make_webhook())) == ([], [])

    @pytest.mark.parametrize("end", [_deliver, _fail])
    def test_what_has_become_of_deliveries_is_stored(
        self, hooks: SupportsWebhooks, end: Callable[[Delivery], Delivery]
    ) -> None:
        webhook = _add(hooks)
        _fill(hooks, webhook, make_delivery(), make_delivery())
        ended = [end(one) for one in _take(hooks, webhook)]
        hooks.settle_deliveries(webhook.id, ended)
        assert _all(hooks, webhook) == ended
        assert _take(hooks, webhook, after=timedelta(days=1)) == []

    def test_a_delivery_that_is_to_be_tried_again_is_due_then_and_free(self, hooks: SupportsWebhooks) -> None:
        webhook = _add(hooks)
        _fill(hooks, webhook, make_delivery())
        (taken,) = _take(hooks, webhook)
        error = "503 Service Unavailable \U0001f4e7 ' \\ " + "x" * 1000
        again = attrs.evolve(taken, tries=1, next_try_at=NOON + timedelta(seconds=5), last_status=503, error=error)
        hooks.settle_deliveries(webhook.id, [again])
        assert _all(hooks, webhook) == [again]
        assert _take(hooks, webhook, after=timedelta(seconds=4)) == []
        assert _take(hooks, webhook, after=timedelta(seconds=5)) == [again]

    def test_what_another_has_ended_meanwhile_is_passed_over(self, hooks: SupportsWebhooks) -> None:
        webhook = _add(hooks)
        _fill(hooks, webhook, make_delivery(), make_delivery())
        late = _take(hooks, webhook)
        (first, second) = sorted(_take(hooks, webhook, after=_MINUTE), key=lambda one: one.cursor)
        hooks.settle_deliveries(webhook.id, [_deliver(first)])
        retried = [attrs.evolve(one, tries=5, next_try_at=NOON) for one in late]
        hooks.settle_deliveries(webhook.id, retried)
        assert sorted(_all(hooks, webhook), key=lambda one: one.cursor) == [
            _deliver(first),
            attrs.evolve(second, tries=5),
        ]
        assert hooks.count_deliveries()[webhook.id].pending == 1
        hooks.settle_deliveries(webhook.id, [_fail(first)])
        assert hooks.count_deliveries()[webhook.id].pending == 1
        assert _all(hooks, webhook, DeliveryState.FAILED) == []

    def test_deliveries_that_are_gone_are_passed_over_and_the_others_stored(self, hooks: SupportsWebhooks) -> None:
        webhook, other = _add(hooks), _add(hooks)
        _fill(hooks, webhook, make_delivery(1), make_delivery(2))
        first, second = _take(hooks, webhook)
        hooks.settle_deliveries(webhook.id, [_deliver(first)])
        assert hooks.delete_deliveries(before=NOON + _MINUTE, limit=10) == 1
        hooks.settle_deliveries(webhook.id, [_deliver(first), make_delivery(3), _fail(second)])
        assert _all(hooks, webhook) == [_fail(second)]
        hooks.delete_webhook(webhook.id)
        hooks.settle_deliveries(webhook.id, [_deliver(second)])
        assert hooks.list_webhooks() == [other]

    def test_deliveries_are_listed_from_the_last_added_page_by_page_and_by_state(self, hooks: SupportsWebhooks) -> None:
        webhook = _add(hooks)
        _fill(hooks, webhook, *(make_delivery() for _ in range(9)))
        taken = _take(hooks, webhook, limit=6)
        hooks.settle_deliveries(webhook.id, [*map(_deliver, taken[::2]), *map(_fail, taken[1::2])])
        everything = _all(hooks, webhook)[::-1]
        for state in (None, *DeliveryState):
            wanted = [one for one in everything if state in (None, one.state)]
            assert len(wanted) == (9 if state is None else 3)
            for limit in (1, 2, 3, 9):
                read = partial(hooks.list_deliveries, webhook.id, limit=limit, state=state)
                assert walk(lambda cursor, read=read: read(cursor=cursor)) == wanted  # type: ignore[misc]
                assert len(read().items) == min(limit, len(wanted))

    def test_a_cursor_stays_usable_while_deliveries_come_and_go(self, hooks: SupportsWebhooks) -> None:
        webhook = _add(hooks)
        filled = _fill(hooks, webhook, *(make_delivery() for _ in range(5)))
        cursor = hooks.list_deliveries(webhook.id, limit=2).next
        hooks.settle_deliveries(webhook.id, [_deliver(one) for one in filled[2:4]])
        hooks.delete_deliveries(before=NOON + _MINUTE, limit=10)
        _fill(hooks, webhook, make_delivery())
        assert hooks.list_deliveries(webhook.id, limit=9, cursor=cursor).items == (filled[1], filled[0])

    @pytest.mark.parametrize("cursor", UNUSABLE_CURSORS)
    def test_an_unusable_cursor_is_an_error(self, hooks: SupportsWebhooks, cursor: str) -> None:
        with pytest.raises(InvalidPaging):
            hooks.list_deliveries(_add(hooks).id, limit=1, cursor=cursor)

    def test_pending_deliveries_are_counted_by_webhook_whether_taken_or_disabled(self, hooks: SupportsWebhooks) -> None:
        webhook, empty = _add(hooks), _add(hooks)
        times = [NOON + n * _MINUTE for n in (2, 1, 3)]
        _fill(hooks, webhook, *(make_delivery(at=at, due_at=NOON + n * _MINUTE) for n, at in enumerate(times)))
        counts = [hooks.count_deliveries()]
        _change(hooks, webhook, enabled=False)
        counts.append(hooks.count_deliveries())
        _change(hooks, webhook, enabled=True)
        taken = _take(hooks, webhook, after=_MINUTE)
        counts.append(hooks.count_deliveries())
        pending = DeliveryCount(pending=3, oldest=times[1])
        assert counts == [{webhook.id: pending, empty.id: DeliveryCount()}] * 3
        hooks.settle_deliveries(webhook.id, [_fail(one) for one in taken if one.event_at == times[1]])
        assert hooks.count_deliveries()[webhook.id] == DeliveryCount(pending=2, oldest=times[0])
        hooks.settle_deliveries(webhook.id, [_deliver(one) for one in _all(hooks, webhook)])
        assert hooks.count_deliveries()[webhook.id] == DeliveryCount()

    def test_ended_deliveries_of_all_webhooks_are_deleted_by_time(self, hooks: SupportsWebhooks) -> None:
        webhooks = [_add(hooks), _add(hooks)]
        for webhook in webhooks:
            _fill(hooks, webhook, make_delivery(), make_delivery(), make_delivery(at=NOON - timedelta(days=1)))
            for place, one in enumerate(_all(hooks, webhook)[:2]):
                hooks.settle_deliveries(webhook.id, [_deliver(one, after=place * _MINUTE)])
        assert hooks.delete_deliveries(before=NOON, limit=10) == 0
        assert hooks.delete_deliveries(before=NOON + _MILLISECOND, limit=10) == 2
        assert [len(_all(hooks, webhook)) for webhook in webhooks] == [2, 2]
        assert hooks.delete_deliveries(before=NOON + timedelta(days=9), limit=10) == 2
        assert [_all(hooks, webhook) for webhook in webhooks] == [
            _all(hooks, webhook, DeliveryState.PENDING) for webhook in webhooks
        ]
        assert [one.pending for one in hooks.count_deliveries().values()] == [1, 1]

    def test_no_more_are_deleted_than_the_limit(self, hooks: SupportsWebhooks) -> None:
        webhook = _add(hooks)
        filled = _fill(hooks, webhook, *(make_delivery() for _ in range(5)))
        hooks.settle_deliveries(webhook.id, [_deliver(one) for one in filled])
        deleted = [hooks.delete_deliveries(before=NOON + _MINUTE, limit=2) for _ in range(4)]
        assert (deleted, _all(hooks, webhook)) == ([2, 2, 1, 0], [])

    def test_an_event_whose_delivery_was_deleted_gets_another_with_a_new_id(self, hooks: SupportsWebhooks) -> None:
        webhook = _add(hooks)
        (former,) = _fill(hooks, webhook, make_delivery(1))
        hooks.settle_deliveries(webhook.id, [_deliver(former)])
        hooks.delete_deliveries(before=NOON + _MINUTE, limit=10)
        (present,) = _fill(hooks, webhook, make_delivery(1))
        assert present.id != former.id
        hooks.settle_deliveries(webhook.id, [_fail(former)])
        assert _all(hooks, webhook) == [present]

    def test_threads_share_an_outbox_without_a_double(self, hooks: SupportsWebhooks) -> None:
        webhook = _add(hooks)
        filled = _fill(hooks, webhook, *(make_delivery() for _ in range(40 * _THREADS)))

        def take_all() -> list[str]:
            mine: list[str] = []
            while some := _take(hooks, webhook, limit=7):
                mine += [one.id for one in some]
                hooks.settle_deliveries(webhook.id, [_deliver(one) for one in some])
            return mine

        taken = [one for mine in at_once([take_all] * _THREADS) for one in mine]
        assert sorted(taken) == sorted(one.id for one in filled)
        assert hooks.count_deliveries()[webhook.id] == DeliveryCount()
        assert len(_all(hooks, webhook, DeliveryState.DELIVERED)) == len(filled)

    def test_of_many_threads_one_fills_an_outbox(self, hooks: SupportsWebhooks) -> None:
        webhook = _add(hooks)
        given = [make_delivery() for _ in range(_THREADS)]
        filled = at_once(
            [
                partial(hooks.fill_outbox, webhook.id, after=webhook.after, to=f"to {n}", deliveries=[one])
                for n, one in enumerate(given)
            ]
        )
        (winner,) = (n for n, was_first in enumerate(filled) if was_first)
        assert [one.event_id for one in _all(hooks, webhook)] == [given[winner].event_id]
        assert hooks.get_webhook(webhook.id).after == f"to {winner}"

    def test_of_many_threads_one_changes_a_webhook(self, hooks: SupportsWebhooks) -> None:
        webhook = _add(hooks)
        values = [attrs.evolve(webhook, url=f"https://{n}.example.com") for n in range(_THREADS)]
        changed = at_once([partial(hooks.change_webhook, webhook, value) for value in values])
        (winner,) = (n for n, was_first in enumerate(changed) if was_first)
        assert hooks.list_webhooks() == [values[winner]]

    @pytest.mark.parametrize("use", _USES.values(), ids=_USES.keys())
    def test_any_use_of_webhooks_after_closing_is_an_error(
        self, hooks: SupportsWebhooks, storage: Storage, use: Callable[[SupportsWebhooks], object]
    ) -> None:
        _add(hooks)
        storage.close()
        with pytest.raises(StorageError) as raised:
            use(hooks)
        assert not isinstance(raised.value, WebhookNotFound)

    def test_any_sequence_of_calls_agrees_with_plain_dicts(self, hooks: SupportsWebhooks, storage: Storage) -> None:
        run_machine(hooks, storage)

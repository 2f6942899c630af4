"""Outboxes of webhooks: a part of an optional ability of storages."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import attrs
import pytest

from mailtrack._errors import InvalidPaging
from mailtrack._webhook import Delivery, DeliveryCount, DeliveryState
from mailtrack.storage import SupportsWebhooks
from mailtrack.testing._contract.helpers import UNUSABLE_CURSORS, at_once, walk
from mailtrack.testing._contract.webhook_helpers import (
    MILLISECOND,
    MINUTE,
    THREADS,
    HooksContract,
    add,
    change,
    deliver,
    fail,
    fill,
    read_all,
    take,
)
from mailtrack.testing._factories import NOON, make_delivery, make_webhook


class OutboxContract(HooksContract):
    """Tests of the methods that fill outboxes, and take and settle deliveries."""

    def test_filled_deliveries_are_read_back_as_given_with_ids(self, hooks: SupportsWebhooks) -> None:
        webhook = add(hooks)
        given = [make_delivery(at=NOON + n * MILLISECOND, due_at=NOON + n * MINUTE) for n in (3, 1, 2)]
        filled = fill(hooks, webhook, *given)
        assert [attrs.evolve(one, id="") for one in filled] == given
        assert len({one.id for one in filled} - {""}) == 3

    def test_filling_moves_the_webhook_and_changes_nothing_else_of_it(self, hooks: SupportsWebhooks) -> None:
        webhook, other = add(hooks), add(hooks)
        for to, deliveries in (("7.1", [make_delivery()]), ("9.2", [])):
            present = hooks.get_webhook(webhook.id)
            assert hooks.fill_outbox(webhook.id, after=present.after, to=to, deliveries=deliveries)
            assert hooks.list_webhooks() == [attrs.evolve(webhook, after=to), other]

    def test_a_webhook_at_the_start_of_the_feed_is_filled_from_there(self, hooks: SupportsWebhooks) -> None:
        webhook = change(hooks, add(hooks), after=None)
        assert not hooks.fill_outbox(webhook.id, after="1", to="2", deliveries=[make_delivery()])
        assert hooks.fill_outbox(webhook.id, after=None, to="2", deliveries=[make_delivery()])
        assert not hooks.fill_outbox(webhook.id, after=None, to="3", deliveries=[make_delivery()])
        assert len(read_all(hooks, webhook)) == 1

    def test_a_webhook_that_is_elsewhere_is_not_filled(self, hooks: SupportsWebhooks) -> None:
        webhook = change(hooks, add(hooks), after="5")
        assert not hooks.fill_outbox(webhook.id, after="4", to="6", deliveries=[make_delivery()])
        assert (hooks.get_webhook(webhook.id), read_all(hooks, webhook)) == (webhook, [])

    def test_a_webhook_that_is_disabled_is_not_filled(self, hooks: SupportsWebhooks) -> None:
        webhook = change(hooks, add(hooks), enabled=False)
        assert not hooks.fill_outbox(webhook.id, after=webhook.after, to="6", deliveries=[make_delivery()])
        assert (hooks.get_webhook(webhook.id), read_all(hooks, webhook)) == (webhook, [])

    def test_a_webhook_that_does_not_exist_is_not_filled(self, hooks: SupportsWebhooks) -> None:
        assert not hooks.fill_outbox(make_webhook().id, after=None, to="6", deliveries=[make_delivery()])

    def test_many_deliveries_are_filled_at_once(self, hooks: SupportsWebhooks) -> None:
        webhook = add(hooks)
        given = [make_delivery(number) for number in range(10_000)]
        assert [one.event_id for one in fill(hooks, webhook, *given)] == [one.event_id for one in given]

    @pytest.mark.parametrize("end", [None, deliver, fail])
    def test_a_delivery_that_is_there_stays_as_it_is(
        self, hooks: SupportsWebhooks, end: Callable[[Delivery], Delivery] | None
    ) -> None:
        webhook = add(hooks)
        fill(hooks, webhook, make_delivery(1))
        if end is not None:
            hooks.settle_deliveries(webhook.id, [end(one) for one in take(hooks, webhook)])
        (first,) = read_all(hooks, webhook)
        again = make_delivery(1, at=NOON + MINUTE)
        filled = fill(hooks, webhook, again, make_delivery(2), make_delivery(2, at=NOON + MINUTE), again)
        assert filled[0] == first
        assert [(one.event_id[-1], one.event_at) for one in filled[1:]] == [("2", NOON)]
        assert hooks.count_deliveries()[webhook.id].pending == (2 if end is None else 1)

    @pytest.mark.parametrize("end", [None, deliver, fail])
    def test_a_replay_renews_deliveries_of_its_time_or_later_and_leaves_earlier_ones(
        self, hooks: SupportsWebhooks, end: Callable[[Delivery], Delivery] | None
    ) -> None:
        webhook = add(hooks)
        given = [make_delivery(n, at=NOON + n * MILLISECOND) for n in range(4)]
        fill(hooks, webhook, *given)
        if end is not None:
            hooks.settle_deliveries(webhook.id, [end(one) for one in take(hooks, webhook, after=MINUTE)])
        former = read_all(hooks, webhook)
        change(hooks, webhook, replay_since=NOON + 2 * MILLISECOND)
        later = NOON + timedelta(hours=1)
        present = fill(hooks, webhook, *(attrs.evolve(one, next_try_at=later) for one in given))
        assert present[:2] == former[:2]
        assert [attrs.evolve(one, id="") for one in present[2:]] == [
            attrs.evolve(one, next_try_at=later) for one in given[2:]
        ]
        assert not {one.id for one in present[2:]} & {one.id for one in former}
        pending = present if end is None else present[2:]
        oldest = pending[0].event_at
        assert hooks.count_deliveries() == {webhook.id: DeliveryCount(pending=len(pending), oldest=oldest)}

    def test_in_a_replay_the_last_of_several_deliveries_of_an_event_is_kept(self, hooks: SupportsWebhooks) -> None:
        webhook = add(hooks, replay_since=NOON)
        filled = fill(hooks, webhook, make_delivery(1), make_delivery(2), make_delivery(1, at=NOON + MINUTE))
        assert [(one.cursor, one.event_at) for one in filled] == [("2", NOON), ("1", NOON + MINUTE)]
        assert hooks.count_deliveries()[webhook.id].pending == 2

    def test_a_delivery_that_was_replayed_while_it_was_taken_is_passed_over(self, hooks: SupportsWebhooks) -> None:
        webhook = add(hooks, replay_since=NOON)
        fill(hooks, webhook, make_delivery(1))
        taken = take(hooks, webhook)
        present = fill(hooks, webhook, make_delivery(1))
        hooks.settle_deliveries(webhook.id, [deliver(one) for one in taken])
        assert read_all(hooks, webhook) == present
        assert take(hooks, webhook) == present

    def test_deliveries_are_taken_when_they_are_due(self, hooks: SupportsWebhooks) -> None:
        webhook = add(hooks)
        filled = fill(hooks, webhook, *(make_delivery(due_at=NOON + n * MILLISECOND) for n in (-1, 0, 1)))
        assert take(hooks, webhook) == filled[:2]
        assert take(hooks, webhook, after=MILLISECOND) == filled[2:]

    def test_the_longest_due_is_taken_first_whenever_it_was_added(self, hooks: SupportsWebhooks) -> None:
        webhook = add(hooks)
        one, two, three = fill(hooks, webhook, *(make_delivery(due_at=NOON - n * MINUTE) for n in (1, 2, 0)))
        assert take(hooks, webhook, limit=2) == [two, one]
        assert take(hooks, webhook, limit=2) == [three]

    def test_taken_deliveries_are_the_takers_alone_until_its_time_is_over(self, hooks: SupportsWebhooks) -> None:
        webhook = add(hooks)
        filled = fill(hooks, webhook, make_delivery(), make_delivery(), make_delivery())
        assert take(hooks, webhook, limit=2) == filled[:2]
        assert take(hooks, webhook) == filled[2:]
        assert take(hooks, webhook, after=MINUTE - MILLISECOND) == []
        assert read_all(hooks, webhook) == filled
        again = take(hooks, webhook, after=MINUTE)
        assert sorted(again, key=lambda one: one.cursor) == sorted(filled, key=lambda one: one.cursor)
        assert take(hooks, webhook, after=MINUTE) == []

    def test_a_webhook_that_is_disabled_has_none_to_take(self, hooks: SupportsWebhooks) -> None:
        webhook = add(hooks)
        filled = fill(hooks, webhook, make_delivery())
        change(hooks, webhook, enabled=False)
        assert take(hooks, webhook) == []
        change(hooks, webhook, enabled=True)
        assert take(hooks, webhook) == filled

    def test_a_webhook_has_none_of_anothers(self, hooks: SupportsWebhooks) -> None:
        webhook, other = add(hooks), add(hooks)
        filled = fill(hooks, webhook, make_delivery(1))
        assert (take(hooks, other), read_all(hooks, other)) == ([], [])
        hooks.settle_deliveries(other.id, [deliver(one) for one in filled])
        assert take(hooks, webhook) == filled
        assert (take(hooks, make_webhook()), read_all(hooks, make_webhook())) == ([], [])

    @pytest.mark.parametrize("end", [deliver, fail])
    def test_what_has_become_of_deliveries_is_stored(
        self, hooks: SupportsWebhooks, end: Callable[[Delivery], Delivery]
    ) -> None:
        webhook = add(hooks)
        fill(hooks, webhook, make_delivery(), make_delivery())
        ended = [end(one) for one in take(hooks, webhook)]
        hooks.settle_deliveries(webhook.id, ended)
        assert read_all(hooks, webhook) == ended
        assert take(hooks, webhook, after=timedelta(days=1)) == []

    def test_a_delivery_that_is_to_be_tried_again_is_due_then_and_free(self, hooks: SupportsWebhooks) -> None:
        webhook = add(hooks)
        fill(hooks, webhook, make_delivery())
        (taken,) = take(hooks, webhook)
        error = "503 Service Unavailable \U0001f4e7 ' \\ " + "x" * 1000
        again = attrs.evolve(taken, tries=1, next_try_at=NOON + timedelta(seconds=5), last_status=503, error=error)
        hooks.settle_deliveries(webhook.id, [again])
        assert read_all(hooks, webhook) == [again]
        assert take(hooks, webhook, after=timedelta(seconds=4)) == []
        assert take(hooks, webhook, after=timedelta(seconds=5)) == [again]

    def test_what_another_has_ended_meanwhile_is_passed_over(self, hooks: SupportsWebhooks) -> None:
        webhook = add(hooks)
        fill(hooks, webhook, make_delivery(), make_delivery())
        late = take(hooks, webhook)
        (first, second) = sorted(take(hooks, webhook, after=MINUTE), key=lambda one: one.cursor)
        hooks.settle_deliveries(webhook.id, [deliver(first)])
        retried = [attrs.evolve(one, tries=5, next_try_at=NOON) for one in late]
        hooks.settle_deliveries(webhook.id, retried)
        assert sorted(read_all(hooks, webhook), key=lambda one: one.cursor) == [
            deliver(first),
            attrs.evolve(second, tries=5),
        ]
        assert hooks.count_deliveries()[webhook.id].pending == 1
        hooks.settle_deliveries(webhook.id, [fail(first)])
        assert hooks.count_deliveries()[webhook.id].pending == 1
        assert read_all(hooks, webhook, DeliveryState.FAILED) == []

    def test_deliveries_that_are_gone_are_passed_over_and_the_others_stored(self, hooks: SupportsWebhooks) -> None:
        webhook, other = add(hooks), add(hooks)
        fill(hooks, webhook, make_delivery(1), make_delivery(2))
        first, second = take(hooks, webhook)
        hooks.settle_deliveries(webhook.id, [deliver(first)])
        assert hooks.delete_deliveries(before=NOON + MINUTE, limit=10) == 1
        hooks.settle_deliveries(webhook.id, [deliver(first), make_delivery(3), fail(second)])
        assert read_all(hooks, webhook) == [fail(second)]
        hooks.delete_webhook(webhook.id)
        hooks.settle_deliveries(webhook.id, [deliver(second)])
        assert hooks.list_webhooks() == [other]

    def test_deliveries_are_listed_from_the_last_added_page_by_page_and_by_state(self, hooks: SupportsWebhooks) -> None:
        webhook = add(hooks)
        fill(hooks, webhook, *(make_delivery() for _ in range(9)))
        taken = take(hooks, webhook, limit=6)
        hooks.settle_deliveries(webhook.id, [*map(deliver, taken[::2]), *map(fail, taken[1::2])])
        everything = read_all(hooks, webhook)[::-1]
        for state in (None, *DeliveryState):
            wanted = [one for one in everything if state in (None, one.state)]
            assert len(wanted) == (9 if state is None else 3)
            for limit in (1, 2, 3, 9):
                read = partial(hooks.list_deliveries, webhook.id, limit=limit, state=state)
                assert walk(lambda cursor, read=read: read(cursor=cursor)) == wanted  # type: ignore[misc]
                assert len(read().items) == min(limit, len(wanted))

    def test_a_cursor_stays_usable_while_deliveries_come_and_go(self, hooks: SupportsWebhooks) -> None:
        webhook = add(hooks)
        filled = fill(hooks, webhook, *(make_delivery() for _ in range(5)))
        cursor = hooks.list_deliveries(webhook.id, limit=2).next
        hooks.settle_deliveries(webhook.id, [deliver(one) for one in filled[2:4]])
        hooks.delete_deliveries(before=NOON + MINUTE, limit=10)
        fill(hooks, webhook, make_delivery())
        assert hooks.list_deliveries(webhook.id, limit=9, cursor=cursor).items == (filled[1], filled[0])

    @pytest.mark.parametrize("cursor", UNUSABLE_CURSORS)
    def test_an_unusable_cursor_is_an_error(self, hooks: SupportsWebhooks, cursor: str) -> None:
        with pytest.raises(InvalidPaging):
            hooks.list_deliveries(add(hooks).id, limit=1, cursor=cursor)

    def test_pending_deliveries_are_counted_by_webhook_whether_taken_or_disabled(self, hooks: SupportsWebhooks) -> None:
        webhook, empty = add(hooks), add(hooks)
        times = [NOON + n * MINUTE for n in (2, 1, 3)]
        fill(hooks, webhook, *(make_delivery(at=at, due_at=NOON + n * MINUTE) for n, at in enumerate(times)))
        counts = [hooks.count_deliveries()]
        change(hooks, webhook, enabled=False)
        counts.append(hooks.count_deliveries())
        change(hooks, webhook, enabled=True)
        taken = take(hooks, webhook, after=MINUTE)
        counts.append(hooks.count_deliveries())
        pending = DeliveryCount(pending=3, oldest=times[1])
        assert counts == [{webhook.id: pending, empty.id: DeliveryCount()}] * 3
        hooks.settle_deliveries(webhook.id, [fail(one) for one in taken if one.event_at == times[1]])
        assert hooks.count_deliveries()[webhook.id] == DeliveryCount(pending=2, oldest=times[0])
        hooks.settle_deliveries(webhook.id, [deliver(one) for one in read_all(hooks, webhook)])
        assert hooks.count_deliveries()[webhook.id] == DeliveryCount()

    def test_ended_deliveries_of_all_webhooks_are_deleted_by_time(self, hooks: SupportsWebhooks) -> None:
        webhooks = [add(hooks), add(hooks)]
        for webhook in webhooks:
            fill(hooks, webhook, make_delivery(), make_delivery(), make_delivery(at=NOON - timedelta(days=1)))
            for place, one in enumerate(read_all(hooks, webhook)[:2]):
                hooks.settle_deliveries(webhook.id, [deliver(one, after=place * MINUTE)])
        assert hooks.delete_deliveries(before=NOON, limit=10) == 0
        assert hooks.delete_deliveries(before=NOON + MILLISECOND, limit=10) == 2
        assert [len(read_all(hooks, webhook)) for webhook in webhooks] == [2, 2]
        assert hooks.delete_deliveries(before=NOON + timedelta(days=9), limit=10) == 2
        assert [read_all(hooks, webhook) for webhook in webhooks] == [
            read_all(hooks, webhook, DeliveryState.PENDING) for webhook in webhooks
        ]
        assert [one.pending for one in hooks.count_deliveries().values()] == [1, 1]

    def test_no_more_are_deleted_than_the_limit(self, hooks: SupportsWebhooks) -> None:
        webhook = add(hooks)
        filled = fill(hooks, webhook, *(make_delivery() for _ in range(5)))
        hooks.settle_deliveries(webhook.id, [deliver(one) for one in filled])
        deleted = [hooks.delete_deliveries(before=NOON + MINUTE, limit=2) for _ in range(4)]
        assert (deleted, read_all(hooks, webhook)) == ([2, 2, 1, 0], [])

    def test_an_event_whose_delivery_was_deleted_gets_another_with_a_new_id(self, hooks: SupportsWebhooks) -> None:
        webhook = add(hooks)
        (former,) = fill(hooks, webhook, make_delivery(1))
        hooks.settle_deliveries(webhook.id, [deliver(former)])
        hooks.delete_deliveries(before=NOON + MINUTE, limit=10)
        (present,) = fill(hooks, webhook, make_delivery(1))
        assert present.id != former.id
        hooks.settle_deliveries(webhook.id, [fail(former)])
        assert read_all(hooks, webhook) == [present]

    def test_threads_share_an_outbox_without_a_double(self, hooks: SupportsWebhooks) -> None:
        webhook = add(hooks)
        filled = fill(hooks, webhook, *(make_delivery() for _ in range(40 * THREADS)))

        def take_all() -> list[str]:
            mine: list[str] = []
            while some := take(hooks, webhook, limit=7):
                mine += [one.id for one in some]
                hooks.settle_deliveries(webhook.id, [deliver(one) for one in some])
            return mine

        taken = [one for mine in at_once([take_all] * THREADS) for one in mine]
        assert sorted(taken) == sorted(one.id for one in filled)
        assert hooks.count_deliveries()[webhook.id] == DeliveryCount()
        assert len(read_all(hooks, webhook, DeliveryState.DELIVERED)) == len(filled)

    def test_of_many_threads_one_fills_an_outbox(self, hooks: SupportsWebhooks) -> None:
        webhook = add(hooks)
        given = [make_delivery() for _ in range(THREADS)]
        filled = at_once(
            [
                partial(hooks.fill_outbox, webhook.id, after=webhook.after, to=f"to {n}", deliveries=[one])
                for n, one in enumerate(given)
            ]
        )
        (winner,) = (n for n, was_first in enumerate(filled) if was_first)
        assert [one.event_id for one in read_all(hooks, webhook)] == [given[winner].event_id]
        assert hooks.get_webhook(webhook.id).after == f"to {winner}"

"""A state machine that drives the webhooks of a storage beside plain dicts, and compares the two at every step."""

from datetime import timedelta
from functools import partial
from typing import Any

import attrs
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from mailtrack._webhook import Delivery, DeliveryState, Webhook
from mailtrack.storage import Storage, SupportsWebhooks
from mailtrack.testing._factories import NOON, make_webhook

_PLACE = st.integers(0, 5)
_EVENTS = st.lists(st.integers(0, 7), min_size=1, max_size=6)
_STATES = st.lists(st.none() | st.sampled_from(DeliveryState), max_size=5)
_MOST_WEBHOOKS = 3
_SECONDS = st.integers(0, 3)
_CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "url": st.sampled_from(["https://a.example.com", "https://b.example.com"]),
        "enabled": st.sampled_from([True, True, False]),
        "replay_since": st.none() | st.integers(0, 7).map(lambda n: NOON + timedelta(seconds=n)),
        "secret": st.sampled_from(["whsec_a", "whsec_b"]),
        "after": st.none() | st.sampled_from(["1", "2"]),
    },
)


class WebhookMachine(RuleBasedStateMachine):
    """Calls the methods of `SupportsWebhooks` in any order, on a storage whose webhooks it deletes first."""

    def __init__(self, hooks: SupportsWebhooks, storage: Storage) -> None:
        super().__init__()
        for webhook in hooks.list_webhooks():
            hooks.delete_webhook(webhook.id)
        self._hooks = hooks
        self._storage = storage
        self._now = NOON
        self._serial = 0
        self._known: dict[str, dict[str, Any]] = {}  # by webhook: its value, former values, deliveries by event
        self._held: list[tuple[str, Delivery]] = []  # all that were ever taken, with their webhooks

    def _pick(self, place: int) -> tuple[str, dict[str, Any]]:
        return list(self._known.items())[place % len(self._known)]

    @initialize(events=_EVENTS)
    def _begin(self, events: list[int]) -> None:
        """Add a webhook, and fill its outbox."""
        self._add()
        self._fill(0, events, 0)

    @precondition(lambda self: len(self._known) < _MOST_WEBHOOKS)
    @rule()
    def _add(self) -> None:
        """Add a webhook."""
        webhook = make_webhook(at=self._now)
        self._hooks.add_webhook(webhook)
        stored = self._hooks.get_webhook(webhook.id)
        assert attrs.evolve(stored, after=None) == webhook
        self._known[webhook.id] = {"value": stored, "former": [], "deliveries": {}}

    @rule(place=_PLACE, changes=_CHANGES)
    def _change(self, place: int, changes: dict[str, Any]) -> None:
        """Change a webhook, and try to change former values of it."""
        _, known = self._pick(place)
        for value in known["former"]:
            if value != known["value"]:
                assert not self._hooks.change_webhook(value, attrs.evolve(value, url="https://late.example.com"))
        changed = attrs.evolve(known["value"], **changes)
        assert self._hooks.change_webhook(known["value"], changed)
        known["former"] = [*known["former"][-2:], known["value"]]
        known["value"] = changed

    @precondition(lambda self: len(self._known) > 1)
    @rule(place=_PLACE)
    def _delete(self, place: int) -> None:
        """Delete a webhook."""
        webhook_id, known = self._pick(place)
        assert self._hooks.delete_webhook(webhook_id) == known["value"]
        del self._known[webhook_id]

    @rule(place=_PLACE, events=_EVENTS, delay=_SECONDS)
    def _fill(self, place: int, events: list[int], delay: int) -> None:
        """Fill an outbox, with events of which some may be there."""
        webhook_id, known = self._pick(place)
        value: Webhook = known["value"]
        self._serial += 1
        due_at, to = self._now + timedelta(seconds=delay - 1), f"{self._serial}.{self._serial}"
        given = [
            Delivery(event_id=f"evt_{n}", cursor=str(n), event_at=NOON + timedelta(seconds=n), next_try_at=due_at)
            for n in events
        ]
        assert self._hooks.fill_outbox(webhook_id, after=value.after, to=to, deliveries=given) == value.enabled
        assert not self._hooks.fill_outbox(webhook_id, after="elsewhere", to="nowhere", deliveries=given)
        if not value.enabled:
            return
        known["value"] = attrs.evolve(value, after=to)
        for one in given:
            present = known["deliveries"].get(one.event_id)
            if present is None or (value.replay_since is not None and one.event_at >= value.replay_since):
                known["deliveries"].pop(one.event_id, None)
                known["deliveries"][one.event_id] = {"value": one, "free_at": NOON, "taken": False}

    @rule(place=_PLACE, limit=st.integers(1, 5), lease=st.integers(1, 3), waited=_SECONDS, states=_STATES)
    def _take_and_settle(
        self, place: int, limit: int, lease: int, waited: int, states: list[DeliveryState | None]
    ) -> None:
        """Take deliveries that are due after some time, and settle some of them."""
        taken = self._take(place, limit, lease, waited)
        for held, state in zip(taken, states, strict=False):
            if state is not None:
                self._settle(held, state, lease)

    def _take(self, place: int, limit: int, lease: int, waited: int) -> list[tuple[str, Delivery]]:
        self._now += timedelta(seconds=waited)
        webhook_id, known = self._pick(place)
        until = self._now + timedelta(seconds=lease)
        taken = self._hooks.take_deliveries(webhook_id, now=self._now, until=until, limit=limit)
        due = {
            one["value"].id: one
            for one in known["deliveries"].values()
            if known["value"].enabled
            and one["value"].state == "pending"
            and max(one["free_at"], one["value"].next_try_at) <= self._now
        }
        assert [due[one.id]["value"] for one in taken] == taken
        assert len({one.id for one in taken}) == len(taken) == min(limit, len(due))
        fresh = [one.next_try_at or NOON for one in taken if not due[one.id]["taken"]]
        left = [one["value"].next_try_at for key, one in due.items() if not one["taken"] and key not in _ids(taken)]
        assert fresh == sorted(fresh)
        assert not fresh or not left or fresh[-1] <= min(left)
        for one in taken:
            due[one.id] |= {"free_at": until, "taken": True}
        held = [(webhook_id, one) for one in taken]
        self._held += held
        return held

    @precondition(lambda self: self._held)
    @rule(first=st.integers(0, 9), state=st.sampled_from(DeliveryState), delay=_SECONDS)
    def _settle_late(self, first: int, state: DeliveryState, delay: int) -> None:
        """Settle deliveries that were taken once: they may be gone, have ended, or be taken by another."""
        for held in self._held[-1 - first :][:4]:
            self._settle(held, state, delay)

    def _settle(self, taken: tuple[str, Delivery], state: DeliveryState, delay: int) -> None:
        webhook_id, held = taken
        pending = state is DeliveryState.PENDING
        settled = attrs.evolve(
            held,
            state=state,
            tries=held.tries + 1,
            next_try_at=self._now + timedelta(seconds=delay) if pending else None,
            last_status=200 + delay,
            error=None if state is DeliveryState.DELIVERED else f"error {self._serial}",
            ended_at=None if pending else self._now,
        )
        self._hooks.settle_deliveries(webhook_id, [settled])
        present = self._known.get(webhook_id, {"deliveries": {}})["deliveries"].get(held.event_id)
        if present is not None and present["value"].id == held.id and present["value"].state == "pending":
            present |= {"value": settled, "free_at": NOON, "taken": False}

    @precondition(lambda self: self._held)
    @rule(waited=_SECONDS, limit=st.integers(1, 5))
    def _delete_old(self, waited: int, limit: int) -> None:
        """Delete deliveries that ended before a time, after a part of what deletions left."""
        self._now += timedelta(seconds=waited)
        assert self._storage.sweep() >= 0
        before = self._now
        old = [
            (known["deliveries"], event_id)
            for known in self._known.values()
            for event_id, one in known["deliveries"].items()
            if one["value"].ended_at is not None and one["value"].ended_at < before
        ]
        assert self._hooks.delete_deliveries(before=before, limit=limit) == min(limit, len(old))
        for webhook_id, known in self._known.items():  # which of them is the storage's choice
            stays = {one.event_id for one in self._read(webhook_id)}
            for deliveries, event_id in old:
                if deliveries is known["deliveries"] and event_id not in stays:
                    del deliveries[event_id]

    def _read(self, webhook_id: str, state: DeliveryState | None = None) -> list[Delivery]:
        found: list[Delivery] = []
        cursor = None
        while True:
            page = self._hooks.list_deliveries(webhook_id, limit=3, cursor=cursor, state=state)
            found += page.items
            cursor = page.next
            if cursor is None:
                return found[::-1]

    @invariant()
    def _compare(self) -> None:
        """Compare all that can be read."""
        assert self._hooks.list_webhooks() == [known["value"] for known in self._known.values()]
        counts = self._hooks.count_deliveries()
        assert list(counts) == list(self._known)
        for webhook_id, known in self._known.items():
            stored = self._read(webhook_id)
            assert len(_ids(stored)) == len(stored)
            for one, present in zip(stored, known["deliveries"].values(), strict=True):
                if not present["value"].id:  # it was just filled
                    assert one.id not in {held.id for owner, held in self._held if owner == webhook_id}
                    present["value"] = attrs.evolve(present["value"], id=one.id)
            assert stored == [one["value"] for one in known["deliveries"].values()]
            for state in DeliveryState:
                assert self._read(webhook_id, state) == [one for one in stored if one.state == state]
            times = [one.event_at for one in stored if one.state == "pending"]
            assert (counts[webhook_id].pending, counts[webhook_id].oldest) == (len(times), min(times, default=None))


def _ids(deliveries: list[Delivery]) -> set[str]:
    return {one.id for one in deliveries}


def run_machine(hooks: SupportsWebhooks, storage: Storage) -> None:
    """Run the machine on a storage, which it uses from the beginning for each example."""
    chosen = settings(
        max_examples=40, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    machine: Any = partial(WebhookMachine, hooks, storage)  # it asks for a class, and takes a function
    run_state_machine_as_test(machine, settings=chosen)

"""`Webhooks`: what a program does with the webhooks of its tracker."""

import os
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from ipaddress import IPv4Network, IPv6Network
from types import EllipsisType
from typing import Any, cast

import attrs

from mailtrack._arguments import check_flag, to_choice, to_id, to_items
from mailtrack._errors import InvalidArgument, WebhookNotFound
from mailtrack._event import FIRSTS, First
from mailtrack._events.feed import iter_events
from mailtrack._events.webhooks.filling import Outboxes
from mailtrack._events.webhooks.guard import check_url
from mailtrack._model import Page, Pixel, VerdictKind
from mailtrack._paging import DEFAULT_LIMIT, check_cursor, check_limit
from mailtrack._times import Clock, to_utc
from mailtrack._webhook import Delivery, DeliveryCount, DeliveryState, Webhook
from mailtrack.storage._abilities import SupportsWebhooks

_OVERLAP = timedelta(hours=24)  # in which the former secret signs, too
_MOST_FORMER = 3  # that sign, where secrets are rotated again and again


class Webhooks:
    """The webhooks of a tracker: URLs to which it sends events while it is started. Thread-safe.

    Where a method takes a webhook, it takes the `Webhook` or its id.

    Args:
        storage: has them.
        find_pixel: returns a pixel by its value or id.
        allow: networks that they may reach though these are not public.
        clock: returns the current time.
        sweep: removes what the deletion of a webhook leaves behind.
    """

    def __init__(
        self,
        storage: SupportsWebhooks,
        find_pixel: Callable[[Pixel | str], Pixel],
        allow: Sequence[IPv4Network | IPv6Network],
        clock: Clock,
        sweep: Callable[[], None],
    ) -> None:
        self._storage = cast(Outboxes, storage)  # every storage has a feed
        self._find_pixel = find_pixel
        self._allow = allow
        self._clock = clock
        self._sweep = sweep

    def add(
        self,
        url: str,
        *,
        first: First = "firstCounted",
        kinds: Iterable[VerdictKind | str] | None = None,
        pixels: Iterable[Pixel | str] | None = None,
    ) -> Webhook:
        """Add a webhook, which gets the events of opens that are stored from now on.

        Args:
            url: an http or https URL. An address in it must be public; a name is looked up when events are sent.
            first: which events: of each recipient the first that counts, the first, or "any": all of all pixels.
            kinds: only events with a verdict of these kinds; by default of those that count.
            pixels: only events of these pixels; by default of all, also of those to come.

        Returns:
            The webhook. Its `secret` signs what it is sent.

        Raises:
            InvalidWebhook: the URL can't be used.
            InvalidArgument: another argument can't be used.
            PixelNotFound: one of the pixels does not exist.
            StorageError: it can't be stored.
        """
        from mailtrack._events.webhooks.signing import new_secret  # only here: it takes a while to load

        webhook = Webhook(
            id=os.urandom(8).hex(),
            url=check_url(url, self._allow),
            first=_check_first(first),
            kinds=_to_kinds(kinds),
            pixels=self._to_pixels(pixels),
            secret=new_secret(),
            created_at=self._clock(),
        )
        self._storage.add_webhook(webhook)
        return self._storage.get_webhook(webhook.id)

    def list(self) -> "list[Webhook]":
        """Return all webhooks, in the order in which they were added."""
        return self._storage.list_webhooks()

    def get(self, webhook: Webhook | str) -> Webhook:
        """Return a webhook as it is now.

        Raises:
            WebhookNotFound: no webhook has this id.
        """
        return self._storage.get_webhook(_to_key(webhook))

    def update(
        self,
        webhook: Webhook | str,
        *,
        url: str | None = None,
        first: First | None = None,
        kinds: Iterable[VerdictKind | str] | EllipsisType | None = ...,
        pixels: Iterable[Pixel | str] | EllipsisType | None = ...,
        enabled: bool | None = None,
    ) -> Webhook:
        """Change what is given of a webhook, and return it as it is now.

        Args:
            webhook: the webhook.
            url: as for `add`.
            first: as for `add`.
            kinds: as for `add`; `None` for those that count.
            pixels: as for `add`; `None` for all.
            enabled: `False` stops it: nothing is sent until it is enabled again. `True` brings it back, also where it
                was disabled for its failures; it then gets what was due, and the events of the meantime.

        Raises:
            WebhookNotFound: no webhook has this id.
            InvalidWebhook: the URL can't be used.
            InvalidArgument: another argument can't be used.
            PixelNotFound: one of the pixels does not exist.
        """
        changes: dict[str, Any] = {}
        if url is not None:
            changes |= {"url": check_url(url, self._allow), "failing_since": None}
        if first is not None:
            changes["first"] = _check_first(first)
        if not isinstance(kinds, EllipsisType):
            changes["kinds"] = _to_kinds(kinds)
        if not isinstance(pixels, EllipsisType):
            changes["pixels"] = self._to_pixels(pixels)
        check_flag(enabled, "enabled")
        if enabled is not None:
            changes |= {"enabled": enabled, "disabled_reason": None}
        if enabled:
            changes["failing_since"] = None

        def change(former: Webhook) -> Webhook:
            kept = {"disabled_reason": former.disabled_reason} if enabled is False and not former.enabled else {}
            return attrs.evolve(former, **changes | kept)

        return self._change(webhook, change)

    def delete(self, webhook: Webhook | str) -> Webhook:
        """Delete a webhook with its deliveries, and return it as it was. What was due is not sent.

        Raises:
            WebhookNotFound: no webhook has this id.
        """
        deleted = self._storage.delete_webhook(_to_key(webhook))
        self._sweep()
        return deleted

    def rotate(self, webhook: Webhook | str) -> Webhook:
        """Give a webhook a new secret. For 24 hours the former one signs, too.

        Where it is rotated again in that time, all that still sign go on for 24 hours, the last three at most.

        Raises:
            WebhookNotFound: no webhook has this id.
        """
        from mailtrack._events.webhooks.signing import new_secret, secrets_of  # only here: it takes a while to load

        secret, now = new_secret(), self._clock()

        def change(former: Webhook) -> Webhook:
            kept = " ".join(secrets_of(former, now)[:_MOST_FORMER])
            return attrs.evolve(former, secret=secret, former_secret=kept, former_until=now + _OVERLAP)

        return self._change(webhook, change)

    def test(self, webhook: Webhook | str) -> Delivery:
        """Send a message of the type `test` now, also where the webhook is disabled, and return what became of it.

        Takes up to 15 seconds. Nothing is stored, and a failure is not tried again.

        Raises:
            WebhookNotFound: no webhook has this id.
        """
        from mailtrack._events.webhooks import schedule  # only here: they take a while to load
        from mailtrack._events.webhooks.client import Client
        from mailtrack._events.webhooks.endpoint import post
        from mailtrack._events.webhooks.messages import to_test_body

        found, now = self.get(webhook), self._clock()
        message_id = f"evt_test_{os.urandom(12).hex()}"
        client = Client(found.url, allow=self._allow)
        try:
            answer = post(client, found, message_id, to_test_body(message_id, now), self._clock)
        finally:
            client.close()
        tried = schedule.after_try(Delivery(event_id=message_id, cursor="", event_at=now), answer, self._clock())
        return tried if answer.error is None else schedule.give_up(tried, answer.error, self._clock())

    def list_deliveries(
        self,
        webhook: Webhook | str,
        *,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
        state: DeliveryState | str | None = None,
    ) -> Page[Delivery]:
        """Return a page of the deliveries of a webhook, the last added first. Those that ended are kept for 30 days.

        Args:
            webhook: the webhook.
            limit: the most deliveries, 1 to 1,000.
            cursor: `Page.next` of the page before.
            state: only those in this state.

        Raises:
            WebhookNotFound: no webhook has this id.
            InvalidPaging: the limit is out of range, or the cursor is not valid.
            InvalidArgument: there is no such state.
        """
        limit, cursor = check_limit(limit), check_cursor(cursor)
        chosen = None if state is None else to_choice(state, DeliveryState, "state")
        return self._storage.list_deliveries(self.get(webhook).id, limit=limit, cursor=cursor, state=chosen)

    def replay(self, webhook: Webhook | str, *, since: datetime) -> None:
        """Send again every event since a time that the webhook's filters take, delivered or not.

        Each keeps its id. They are sent while a tracker is started, and the webhook is enabled.

        Args:
            webhook: the webhook.
            since: an aware time, not in the future.

        Raises:
            WebhookNotFound: no webhook has this id.
            InvalidArgument: `since` has no time zone, or is in the future.
        """
        time = to_utc(since, "since")
        if time > self._clock():
            raise InvalidArgument("since", "must not be in the future")
        place = self._storage.find_feed_place(since=time)

        def change(former: Webhook) -> Webhook:
            if not self._comes_first(former.after, place):
                return attrs.evolve(former, after=place, replay_since=time)
            # It has not got all before that place yet, so it gets that first, with what an earlier replay has left.
            return attrs.evolve(former, replay_since=min(time, former.replay_since or time))

        self._change(webhook, change)

    def count_deliveries(self) -> dict[str, DeliveryCount]:
        """Return the numbers of pending deliveries of all webhooks, by their ids."""
        return self._storage.count_deliveries()

    def _comes_first(self, one: str | None, other: str | None) -> bool:
        """Return whether a place in the feed comes before another, or no event lies between them."""
        behind = next(iter_events(self._storage, other), None)
        return behind is None or any(event.cursor == behind.cursor for event in iter_events(self._storage, one))

    def _change(self, webhook: Webhook | str, change: Callable[[Webhook], Webhook]) -> Webhook:
        while True:  # others may change it at the same time, such as its place in the feed
            former = self.get(webhook)
            present = change(former)
            if self._storage.change_webhook(former, present):
                return present

    def _to_pixels(self, pixels: Iterable[Pixel | str] | None) -> tuple[str, ...] | None:
        if pixels is None:
            return None
        found = tuple(self._find_pixel(one).id for one in to_items(pixels, "pixels"))
        if not found:
            raise InvalidArgument("pixels", "must have at least one, or be None for all")
        return found


def _to_key(webhook: Webhook | str) -> str:
    found = to_id(webhook, Webhook, "webhook")
    if not (found.isascii() and found.isprintable()):  # which not every storage could look up
        raise WebhookNotFound
    return found


def _check_first(first: First) -> First:
    if first not in FIRSTS:
        raise InvalidArgument("first", f"must be one of {', '.join(FIRSTS)}")
    return first


def _to_kinds(kinds: Iterable[VerdictKind | str] | None) -> tuple[VerdictKind, ...] | None:
    if kinds is None:
        return None
    found = tuple(to_choice(one, VerdictKind, "kinds") for one in to_items(kinds, "kinds"))
    if not found:
        raise InvalidArgument("kinds", "must have at least one, or be None for those that count")
    return found

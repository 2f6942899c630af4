"""`Webhook` and `Delivery`: where events are sent, and what became of each."""

import enum
from collections.abc import Iterable
from datetime import datetime

import attrs

from mailtrack._event import First
from mailtrack._model import VerdictKind
from mailtrack._times import to_utc


class DeliveryState(enum.StrEnum):
    """The states of a delivery: it is due, now or later; it arrived; it was given up."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


def _to_kinds(value: Iterable[str] | None) -> frozenset[VerdictKind] | None:
    return None if value is None else frozenset(map(VerdictKind, value))


def _to_ids(value: Iterable[str] | None) -> frozenset[str] | None:
    return None if value is None else frozenset(value)


@attrs.frozen(kw_only=True)
class Webhook:
    """A URL to which events are sent.

    Attributes:
        id: 16 hex digits.
        url: the URL, http or https.
        first: which events of a recipient are sent, over all kinds.
        kinds: only events with a verdict of these kinds; `None` for those that count.
        pixels: only events of these pixels, given by UUID; `None` for all.
        secret: the present secret, `whsec_...`, which signs.
        former_secret: the secret before, `None` without one. Blanks separate several, the last one first, where it was
            rotated again while others still signed.
        former_until: until when these sign, too.
        enabled: whether events are sent.
        disabled_reason: why it was disabled, `None` where it is enabled or was disabled by its owner.
        failing_since: the time of the first failure after the last success, `None` where the last one succeeded.
        created_at: the time of its creation.
        after: the cursor up to which events are in its outbox, `None` for the start of the feed.
        replay_since: events at this time or later go into its outbox again, though they were there; `None` for none.
    """

    id: str
    url: str = attrs.field(repr=False)
    first: First = "firstCounted"
    kinds: frozenset[VerdictKind] | None = attrs.field(default=None, converter=_to_kinds)
    pixels: frozenset[str] | None = attrs.field(default=None, converter=_to_ids)
    secret: str = attrs.field(repr=False)
    former_secret: str | None = attrs.field(default=None, repr=False)
    former_until: datetime | None = attrs.field(default=None, converter=attrs.converters.optional(to_utc))
    enabled: bool = True
    disabled_reason: str | None = None
    failing_since: datetime | None = attrs.field(default=None, converter=attrs.converters.optional(to_utc))
    created_at: datetime = attrs.field(converter=to_utc)
    after: str | None = None
    replay_since: datetime | None = attrs.field(default=None, converter=attrs.converters.optional(to_utc))


@attrs.frozen(kw_only=True)
class Delivery:
    """One event on its way to one webhook.

    It holds no part of the event, which is read when it is sent: what is not stored any more is not sent.

    Attributes:
        id: a number of the storage's as a text, unique within the webhook; "" until it is stored.
        event_id: the id of the event.
        cursor: the cursor of the event.
        event_at: the time of the event.
        state: what has become of it.
        tries: how often it was tried.
        next_try_at: when it is tried next; `None` once it has ended.
        last_status: the HTTP status of the last answer, `None` without one.
        error: why the last try failed, `None` without one.
        ended_at: when it was delivered or given up.
    """

    id: str = ""
    event_id: str
    cursor: str
    event_at: datetime = attrs.field(converter=to_utc)
    state: DeliveryState = attrs.field(default=DeliveryState.PENDING, converter=DeliveryState)
    tries: int = 0
    next_try_at: datetime | None = attrs.field(default=None, converter=attrs.converters.optional(to_utc))
    last_status: int | None = None
    error: str | None = None
    ended_at: datetime | None = attrs.field(default=None, converter=attrs.converters.optional(to_utc))


@attrs.frozen(kw_only=True)
class DeliveryCount:
    """The deliveries of a webhook that are due.

    Attributes:
        pending: their number.
        oldest: the time of the oldest event among them, `None` without any.
    """

    pending: int = 0
    oldest: datetime | None = attrs.field(default=None, converter=attrs.converters.optional(to_utc))

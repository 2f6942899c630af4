"""Webhooks as columns. Their filters are JSON."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import attrs

from mailtrack._times import from_milliseconds, to_milliseconds
from mailtrack._webhook import Webhook

COLUMNS = tuple(field.name for field in attrs.fields(Webhook))
"""The columns of a webhook, in the order of `to_row` and `to_webhook`."""

_TIMES = frozenset({"former_until", "failing_since", "created_at", "replay_since"})
_SETS = frozenset({"kinds", "pixels"})


class Outbox(NamedTuple):
    """What filling the outbox of a webhook needs.

    Attributes:
        webhook: the number of the webhook.
        last: the number of the last delivery that it ever had.
        replay_since: `Webhook.replay_since`, in milliseconds.
    """

    webhook: int
    last: int
    replay_since: int | None


def to_row(webhook: Webhook) -> list[Any]:
    """Return the columns of a webhook."""
    return [_to_stored(getattr(webhook, column)) for column in COLUMNS]


def to_webhook(row: Sequence[Any]) -> Webhook:
    """Return a webhook, given its columns."""
    return Webhook(**{column: _to_value(column, stored) for column, stored in zip(COLUMNS, row, strict=True)})


def _to_stored(value: Any) -> Any:
    if isinstance(value, datetime):
        return to_milliseconds(value)
    return json.dumps(sorted(value)) if isinstance(value, frozenset) else value


def _to_value(column: str, stored: Any) -> Any:
    if stored is None:
        return None
    if column in _TIMES:
        return from_milliseconds(stored)
    if column in _SETS:
        return json.loads(stored)
    return bool(stored) if column == "enabled" else stored

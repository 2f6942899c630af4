"""The bodies of messages: events, and a test, in the JSON of the API."""

import json
from datetime import datetime

from mailtrack import _wire as wire
from mailtrack._event import Event
from mailtrack._times import to_text


def to_body(event: Event) -> bytes:
    """Return the body of an event's message."""
    return _to_json(wire.event(event))


def to_test_body(message_id: str, now: datetime) -> bytes:
    """Return the body of a test: a message of the type `test` without data."""
    return _to_json({"id": message_id, "type": "test", "timestamp": to_text(now), "data": {}})


def _to_json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()

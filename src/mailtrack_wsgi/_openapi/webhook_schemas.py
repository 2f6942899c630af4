"""JSON Schemas of webhooks and deliveries, by name."""

from mailtrack._event import FIRSTS
from mailtrack._model import VerdictKind
from mailtrack._webhook import DeliveryState
from mailtrack_wsgi._context import MAX_PIXELS
from mailtrack_wsgi._openapi.schema_types import (
    DONE,
    PIXEL_KEY_PATTERN,
    WEBHOOK_ID_PATTERN,
    Schema,
    array,
    flag,
    number,
    object_,
    or_null,
    page_of,
    text,
    time,
    url,
)

_FIRST = text(
    "Which opens of a recipient: `any`, each; `first`, the first, also by a machine; `firstCounted`, the first that "
    "counts. `kinds` filters after that.",
    enum=[*FIRSTS],
)
_KINDS = or_null(
    array({"type": "string", "enum": [*VerdictKind]}, "Only opens with these verdicts; `null` for those that count.")
)
_URL = "The URL to which events are sent: http or https, at a public address unless others are allowed."
_PIXELS = "Only opens of these pixels; `null` for all."

_SETTINGS: dict[str, Schema] = {
    "url": text(_URL, minLength=1),
    "first": _FIRST,
    "kinds": _KINDS | {"minItems": 1},
    "pixels": or_null(
        array(
            {"type": "string", "pattern": PIXEL_KEY_PATTERN},
            f"Only opens of these pixels, by UUID or short id, at most {MAX_PIXELS:,}; `null` for all.",
            minItems=1,
            maxItems=MAX_PIXELS,
        )
    ),
}
_WEBHOOK: dict[str, Schema] = {
    "id": text("The webhook's id, 16 hex digits.", pattern=WEBHOOK_ID_PATTERN),
    "url": url(_URL),
    "first": _FIRST,
    "kinds": _KINDS,
    "pixels": or_null(array({"type": "string", "format": "uuid"}, _PIXELS)),
    "enabled": flag("Whether events are sent."),
    "disabledReason": or_null(text("Why failures have disabled it; `null` if they have not.")),
    "failingSince": or_null(time("The first failure since the last success; `null` if the last try succeeded.")),
    "createdAt": time("When it was created."),
}

WEBHOOK_SCHEMAS: dict[str, Schema] = {
    "NewWebhook": {
        "type": "object",
        "description": "A webhook to create.",
        "properties": _SETTINGS,
        "required": ["url"],
        "additionalProperties": False,
    },
    "WebhookChange": {
        "type": "object",
        "description": "What to change of a webhook; what is left out stays.",
        "properties": {
            **_SETTINGS,
            "enabled": flag("Whether events are sent. `true` also brings back what failures have disabled."),
        },
        "minProperties": 1,
        "additionalProperties": False,
    },
    "Webhook": object_("A URL to which events are sent.", **_WEBHOOK),
    "WebhookWithSecret": object_(
        "A webhook with its secret.",
        **_WEBHOOK,
        secret=text("The secret that signs, shown only this once.", pattern="^whsec_[A-Za-z0-9+/=]+$"),
    ),
    "WebhookList": page_of("Webhook", "webhooks, in order of creation"),
    "WebhookDeleted": object_(
        "A webhook was deleted.",
        success=DONE,
        message=text("A message for people.", const="Webhook deleted successfully"),
    ),
    "Delivery": object_(
        "An event on its way to a webhook.",
        id=or_null(text("The delivery's id; `null` for a test, which is not stored.")),
        eventId=text("The id of the event, which is sent as `webhook-id`.", minLength=1),
        state=text(
            "`pending`: it will be tried (again); `delivered`: the endpoint took it; `failed`: it was given up.",
            enum=[*DeliveryState],
        ),
        tries=number("Number of tries."),
        nextTryAt=or_null(time("When it will be tried next; `null` once it has ended.")),
        lastStatus={
            "type": ["integer", "null"],
            "minimum": 100,
            "description": "The HTTP status of the endpoint's last answer; `null` without one.",
        },
        error=or_null(text("Why the last try failed; `null` if none did.")),
    ),
    "DeliveryPage": page_of("Delivery", "deliveries, the last added first"),
    "Replay": {
        "type": "object",
        "description": "Which events to send again.",
        "properties": {
            "since": text("The time of the first open, with an offset from UTC. Not in the future.", format="date-time")
        },
        "required": ["since"],
        "additionalProperties": False,
    },
}
"""Every schema of webhooks by name."""

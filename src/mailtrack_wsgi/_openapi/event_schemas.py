"""JSON Schemas of events, by name."""

from mailtrack_wsgi._openapi.schema_types import (
    EMAIL,
    PIXEL_ID,
    RECIPIENT_ID,
    Schema,
    array,
    flag,
    object_,
    or_null,
    ref,
    text,
    time,
)

EVENT_SCHEMAS: dict[str, Schema] = {
    "Event": object_(
        "An event: an open of any pixel, in the order in which it was stored.",
        id=text("The event's id, always the same. A program that must not act twice on an event remembers it."),
        type=text("The kind of event.", const="open"),
        timestamp=time("When the image was requested."),
        data=ref("EventData", "The open, with what belongs to it."),
    ),
    "EventData": object_(
        "An open, with what belongs to it now.",
        pixel=ref("EventPixel", "Its pixel."),
        recipient={
            "oneOf": [ref("EventRecipient"), {"type": "null"}],
            "description": "Its recipient; `null` if the URL had no token of this pixel, or the recipient was deleted.",
        },
        open=ref("Open", "The open."),
        first=flag("Whether it was the recipient's first open when it was stored."),
        firstCounted=flag("Whether it was the recipient's first open that counts when it was stored."),
    ),
    "EventPixel": object_("The pixel of an event.", id=PIXEL_ID, name=text("Its name.")),
    "EventRecipient": object_(
        "The recipient of an event.",
        id=RECIPIENT_ID,
        email=EMAIL,
        ref=or_null(text("Its reference; `null` without one.")),
        data={"type": ["object", "null"], "description": "Its data; `null` without any."},
    ),
    "EventPage": object_(
        "A page of the feed.",
        items=array(ref("Event"), "The events on it, oldest first."),
        next=text("The value of `after` for the following page, also if there is nothing behind this one yet."),
    ),
}

"""Factories for values of the model. Each call returns a new value, with ids of the forms that mailtrack makes."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any

import attrs

from mailtrack import _ids as ids
from mailtrack import _keys as keys
from mailtrack._events.webhooks.signing import new_secret
from mailtrack._images.check import TRANSPARENT_PNG
from mailtrack._ingest.lines import make_line
from mailtrack._ingest.request import Request
from mailtrack._model import UNJUDGED, UNKNOWN_CLIENT, ApiKey, Client, Hit, Image, Open, Pixel, Recipient, Verdict
from mailtrack._times import to_milliseconds
from mailtrack._webhook import Delivery, Webhook

NOON = datetime(2025, 11, 6, 12, tzinfo=UTC)
"""The default time of every value."""

_serial = count(1)


def make_image(data: bytes | None = None, *, media_type: str = "image/png") -> Image:
    """Make an image. The bytes are not checked."""
    return Image(media_type=media_type, data=TRANSPARENT_PNG.data if data is None else data)


def make_pixel(
    name: str = "Spring launch", *, pixel_id: str | None = None, at: datetime = NOON, image: str | None = None
) -> Pixel:
    """Make a pixel without opens."""
    return Pixel(id=pixel_id or ids.new_pixel_id(), name=name, created_at=at, image=image)


def make_recipient(
    pixel: Pixel,
    email: str | None = None,
    *,
    ref: str | None = None,
    data: Mapping[str, object] | None = None,
    at: datetime = NOON,
) -> Recipient:
    """Make a recipient of a pixel, with a unique address by default."""
    (made,) = make_recipients(pixel, [email or f"reader{next(_serial)}@example.org"], at=at)
    return attrs.evolve(made, ref=ref, data=data)


def make_recipients(pixel: Pixel, emails: Sequence[str], *, at: datetime = NOON) -> list[Recipient]:
    """Make one recipient of a pixel for each address."""
    recipient_ids = ids.new_recipient_ids(pixel.short_id, len(emails))
    return [
        Recipient(id=recipient_id, pixel_id=pixel.id, email=email, token=token, created_at=at)
        for recipient_id, token, email in zip(recipient_ids, ids.new_tokens(len(emails)), emails, strict=True)
    ]


def make_hit(pixel: Pixel | str, *, token: str | None = None, at: datetime = NOON) -> Hit:
    """Make a hit for a pixel, given as such or by its id or short id."""
    return Hit(
        id=ids.new_open_id(to_milliseconds(at)),
        pixel=pixel if isinstance(pixel, str) else pixel.short_id,
        token=token,
        at=at,
        ip="192.0.2.1",
        user_agent="Mozilla/5.0",
        referer="https://mail.example.com/",
    )


def to_line(hit: Hit) -> bytes:
    """Return the line of the spool that becomes a hit, with its line break."""
    request = Request(hit.pixel, hit.token, hit.ip, hit.user_agent, hit.referer, hit.signals)
    return make_line(hit.id, to_milliseconds(hit.at), request)


def make_open(
    pixel: Pixel,
    recipient: Recipient | None = None,
    *,
    open_id: str | None = None,
    at: datetime = NOON,
    signals: Sequence[str] = (),
    verdict: Verdict = UNJUDGED,
    client: Client = UNKNOWN_CLIENT,
    counted: bool = True,
) -> Open:
    """Make an open of a pixel, with or without a recipient."""
    return Open(
        id=open_id or ids.new_open_id(to_milliseconds(at)),
        pixel_id=pixel.id,
        recipient_id=None if recipient is None else recipient.id,
        opened_at=at,
        ip="192.0.2.1",
        user_agent="Mozilla/5.0",
        referer="https://mail.example.com/",
        signals=tuple(signals),
        verdict=verdict,
        client=client,
        counted=counted,
    )


def make_api_key(name: str = "", *, key_id: str | None = None, at: datetime = NOON) -> ApiKey:
    """Make an API key. Its text is random and discarded."""
    return ApiKey(id=key_id or keys.new_key_id(), name=name, digest=keys.to_digest(keys.new_key()), created_at=at)


def make_webhook(*, webhook_id: str | None = None, at: datetime = NOON, **values: Any) -> Webhook:
    """Make a webhook, by default for the first open of each recipient that counts, with a new secret."""
    made: dict[str, Any] = {
        "url": "https://hooks.example.com/opens",
        "secret": new_secret(),
        "created_at": at,
    }
    return Webhook(id=webhook_id or secrets.token_hex(8), **(made | values))


def make_delivery(number: int | None = None, *, at: datetime = NOON, due_at: datetime | None = None) -> Delivery:
    """Make a pending delivery of an event, given as a number or a new one, which is due at its own time by default."""
    number = next(_serial) if number is None else number
    return Delivery(event_id=f"evt_{number:032x}", cursor=str(number), event_at=at, next_try_at=due_at or at)

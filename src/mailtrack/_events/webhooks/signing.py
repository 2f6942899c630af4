"""Secrets and signatures of the Standard Webhooks specification: HMAC-SHA256 over id, time and body, in base64."""

import base64
import binascii
import hmac
import os
from collections.abc import Iterable, Mapping
from datetime import datetime

from mailtrack._errors import InvalidWebhook
from mailtrack._webhook import Webhook

_PREFIX = "whsec_"
_SECRET_BYTES = 24
_LEAST_BYTES, _MOST_BYTES = 24, 64  # by the specification


def new_secret() -> str:
    """Return a new secret: `whsec_` and 24 random bytes in base64."""
    return _PREFIX + base64.b64encode(os.urandom(_SECRET_BYTES)).decode()


def secrets_of(webhook: Webhook, now: datetime) -> list[str]:
    """Return the secrets that sign at a time, the present one first, then the last one before it."""
    former, until = webhook.former_secret, webhook.former_until
    return [webhook.secret, *(former.split() if former is not None and until is not None and now < until else [])]


def make_headers(message_id: str, now: datetime, body: bytes, secrets: Iterable[str]) -> Mapping[str, str]:
    """Return the headers of a message, with a signature by each secret.

    Raises:
        InvalidWebhook: a secret is none.
    """
    timestamp = str(int(now.timestamp()))
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    signatures = (base64.b64encode(hmac.digest(_to_key(one), signed, "sha256")).decode() for one in secrets)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{one}" for one in signatures),
    }


def _to_key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True) if secret.startswith(_PREFIX) else b""
    except (binascii.Error, ValueError):
        key = b""
    if not _LEAST_BYTES <= len(key) <= _MOST_BYTES:
        raise InvalidWebhook("The secret of the webhook is not valid.")
    return key

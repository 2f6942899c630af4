"""The paths below the mount point that more than one module names; `mailtrack._urls` has those of images."""

from urllib.parse import urlencode

from mailtrack._urls import TRACKER_PATH, UPLOADS_PATH

HEALTH = "/healthz"
READINESS = "/readyz"
METRICS = "/metrics"
STATIC = "/static/"
API = "/api/"
PIXELS = "/api/v1/pixels"
RECIPIENTS = "/api/v1/recipients"
EVENTS = "/api/v1/events"
ERASE = "/api/v1/erase"
WEBHOOKS = "/api/v1/webhooks"
WEBHOOKS_PAGE = "/webhooks"
OPENAPI = "/api/v1/openapi.json"

PUBLIC = (TRACKER_PATH, UPLOADS_PATH, STATIC, HEALTH)
"""What every client may request, with all below it if it ends in a slash. docs/access.md lists the same.

Mails load images, and monitors ask for the health. Style sheet and script hold nothing secret, and the page that
reports an error needs them.
"""


def is_public(path: str) -> bool:
    """Return whether a path needs neither a key nor a login."""
    return any(path.startswith(one) if one.endswith("/") else path == one for one in PUBLIC)


def recipients_page(pixel_id: str) -> str:
    """Return the path of the page of a pixel's recipients, with the pixel's short id."""
    return f"/pixels/{pixel_id[:8]}/recipients"


def webhook_page(webhook_id: str) -> str:
    """Return the path of the page of a webhook."""
    return f"{WEBHOOKS_PAGE}/{webhook_id}"


def person_page(email: str) -> str:
    """Return the path of the page of the person with an address."""
    return f"/people?{urlencode({'email': email}, safe='@')}"

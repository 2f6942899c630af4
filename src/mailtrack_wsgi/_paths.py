"""The paths below the mount point that more than one module names; `mailtrack._urls` has those of images."""

from urllib.parse import urlencode

HEALTH = "/healthz"
READINESS = "/readyz"
STATIC = "/static/"
API = "/api/"
PIXELS = "/api/v1/pixels"
RECIPIENTS = "/api/v1/recipients"
ERASE = "/api/v1/erase"
OPENAPI = "/api/v1/openapi.json"


def recipients_page(pixel_id: str) -> str:
    """Return the path of the page of a pixel's recipients, with the pixel's short id."""
    return f"/pixels/{pixel_id[:8]}/recipients"


def person_page(email: str) -> str:
    """Return the path of the page of the person with an address."""
    return f"/people?{urlencode({'email': email}, safe='@')}"

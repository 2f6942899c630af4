"""What the API answers where it can't do what was asked, by HTTP status."""

from http import HTTPStatus
from typing import Any

from mailtrack._images.check import MAX_BYTES as MAX_IMAGE_BYTES
from mailtrack_wsgi._openapi.schemas import ref, text
from mailtrack_wsgi._rate_limit import MINUTES, REQUESTS

_SECONDS = {"type": "integer", "minimum": 1}
_RETRY_AFTER = {"description": "When it is worth trying again, in seconds.", "required": True, "schema": _SECONDS}

RATE_LIMIT_HEADERS = {
    "RateLimit-Policy": {
        "description": "The limit: how many requests (`q`) in how many seconds (`w`).",
        "required": True,
        "schema": text("The policy.", pattern=r'^"generate-tokens";q=\d+;w=\d+$'),
        "example": f'"generate-tokens";q={REQUESTS};w={MINUTES * 60}',
    },
    "RateLimit": {
        "description": "How many requests are left (`r`), and in how many seconds there is one more (`t`).",
        "required": True,
        "schema": text("The state.", pattern=r'^"generate-tokens";r=\d+;t=\d+$'),
        "example": f'"generate-tokens";r={REQUESTS - 1};t={MINUTES * 60}',
    },
}

_REFUSALS: dict[int, tuple[str, str, dict[str, Any]]] = {
    400: ("Something about the request is not valid: the reason says what.", "The body is not valid JSON.", {}),
    401: (
        "Keys are on, and none or a bad one was given.",
        "A valid key is needed.",
        {"WWW-Authenticate": {"description": "How to give a key.", "required": True, "schema": {"type": "string"}}},
    ),
    403: ("A browser asks on behalf of another site.", "Requests from other sites are refused.", {}),
    404: ("It does not exist, or exists no more.", "Pixel not found", {}),
    405: (
        "The path is there, and takes other methods.",
        "The method is not allowed for the requested URL.",
        {"Allow": {"description": "The methods it takes.", "required": True, "schema": {"type": "string"}}},
    ),
    408: ("The body comes too slowly.", "The body comes too slowly.", {}),
    411: ("The request has a body without a `Content-Length`.", "The request needs a Content-Length.", {}),
    413: ("The body or the image is too large.", f"The image must be at most {MAX_IMAGE_BYTES:,} bytes.", {}),
    415: (
        "The body, or the image in it, is of a media type that is not taken.",
        "The body must be application/json in UTF-8.",
        {},
    ),
    429: (
        f"More than {REQUESTS} requests in {MINUTES} minutes, counted for each client whatever their outcome.",
        f"Too many requests. Maximum {REQUESTS} requests per {MINUTES} minutes",
        {"Retry-After": _RETRY_AFTER, **RATE_LIMIT_HEADERS},
    ),
    500: ("Something went wrong on the server; nothing was changed.", "Something went wrong on the server.", {}),
    503: (
        "The server is busy, or its storage is locked, full or out of reach. Opens are still taken.",
        "The storage is not available just now. Try again later.",
        {"Retry-After": _RETRY_AFTER},
    ),
}


def refusal(status: int, *, schema: str = "Error", **more: Any) -> dict[str, Any]:
    """Return an answer in JSON that refuses; `more` goes into its example."""
    description, message, headers = _REFUSALS[status]
    content = {"application/json": {"schema": ref(schema), "example": {"error": message} | more}}
    return {"description": description, "headers": headers, "content": content}


def refusal_page(status: int) -> dict[str, Any]:
    """Return the same answer as a page."""
    content = {"text/html; charset=utf-8": {"schema": {"type": "string"}}}
    return refusal(status) | {"content": content}


def component(status: int) -> str:
    """Return the name under which the components have the answer."""
    return "".join(HTTPStatus(status).phrase.title().split())


REFUSALS = {component(status): refusal(status) for status in _REFUSALS}
"""Every refusal in JSON, by the name that the components have for it."""

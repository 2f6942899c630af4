"""Error responses of the API, by HTTP status."""

from http import HTTPStatus
from typing import Any

from mailtrack._images.check import MAX_BYTES as MAX_IMAGE_BYTES
from mailtrack_wsgi._openapi.schema_types import ref, text
from mailtrack_wsgi._rate_limit import TokenLimit

_SECONDS = {"type": "integer", "minimum": 1}
_RETRY_AFTER = {"description": "Seconds to wait before trying again.", "required": True, "schema": _SECONDS}

_REFUSALS: dict[int, tuple[str, str, dict[str, Any]]] = {
    400: ("The request is not valid; `error` says why.", "The body is not valid JSON.", {}),
    401: (
        "A key is needed, and none or a wrong one was given.",
        "A valid key is needed.",
        {"WWW-Authenticate": {"description": "How to give a key.", "required": True, "schema": {"type": "string"}}},
    ),
    403: (
        "A browser sent the request on behalf of another site, or the application around mailtrack refuses it.",
        "Requests from other sites are refused.",
        {},
    ),
    404: ("It does not exist, or was deleted.", "Pixel not found", {}),
    405: (
        "The path exists, but does not take this method.",
        "The method is not allowed for the requested URL.",
        {"Allow": {"description": "The methods that it takes.", "required": True, "schema": {"type": "string"}}},
    ),
    408: ("The body arrives too slowly.", "The body arrives too slowly.", {}),
    411: ("The request has a body without a `Content-Length`.", "The request needs a Content-Length.", {}),
    413: ("The body or the image is too large.", f"The image must be at most {MAX_IMAGE_BYTES:,} bytes.", {}),
    415: (
        "The media type of the body, or of the image in it, is not accepted.",
        "The body must be application/json in UTF-8.",
        {},
    ),
    500: ("Something went wrong on the server; nothing was changed.", "Something went wrong on the server.", {}),
    501: (
        "The server lacks what this needs: prometheus-client for metrics, for webhooks a storage that keeps them.",
        "Metrics need prometheus-client: pip install 'mailtrack[metrics]'",
        {},
    ),
    503: (
        "The server is busy, or its storage is locked, full or unreachable. Opens are still recorded.",
        "The storage is not available. Try again later.",
        {"Retry-After": _RETRY_AFTER},
    ),
}


def rate_limit_headers(limit: TokenLimit | None) -> dict[str, Any]:
    """Return the headers by which an answer reports a limit and the rest of it; none without a limit."""
    if limit is None:
        return {}
    return {
        "RateLimit-Policy": {
            "description": "The limit: number of requests (`q`) in a window of seconds (`w`).",
            "required": True,
            "schema": text("The policy.", pattern=r'^"generate-tokens";q=\d+;w=\d+$'),
            "example": limit.policy,
        },
        "RateLimit": {
            "description": "Number of requests left (`r`), and seconds until one more is granted (`t`).",
            "required": True,
            "schema": text("The state.", pattern=r'^"generate-tokens";r=\d+;t=\d+$'),
            "example": f'"generate-tokens";r={limit.requests - 1};t={limit.seconds}',
        },
    }


def refusal(status: int, *, schema: str = "Error", **more: Any) -> dict[str, Any]:
    """Return an error response in JSON; `more` is added to its example."""
    description, message, headers = _REFUSALS[status]
    return _refusal(description, headers, {"error": message} | more, schema=schema)


def refusal_page(status: int) -> dict[str, Any]:
    """Return the same error response as a page."""
    content = {"text/html; charset=utf-8": {"schema": {"type": "string"}}}
    return refusal(status) | {"content": content}


def component(status: int) -> str:
    """Return the name of an error response among the components."""
    return "".join(HTTPStatus(status).phrase.title().split())


def make_refusals(limit: TokenLimit | None) -> dict[str, Any]:
    """Return every error response in JSON, by its name among the components.

    Args:
        limit: on requests for tokens; without one, 429 is left out.
    """
    found = {component(status): refusal(status) for status in _REFUSALS}
    if limit:
        found[component(429)] = _refusal(
            f"More than {limit.text} of one client, whatever their outcome.",
            {"Retry-After": _RETRY_AFTER, **rate_limit_headers(limit)},
            {"error": f"Too many requests. Maximum {limit.text}"},
        )
    return found


def _refusal(
    description: str, headers: dict[str, Any], example: dict[str, Any], *, schema: str = "Error"
) -> dict[str, Any]:
    content = {"application/json": {"schema": ref(schema), "example": example}}
    return {"description": description, "headers": headers, "content": content}

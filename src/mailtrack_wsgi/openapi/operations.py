"""What can be asked of the API: every path with its methods, what they take and what they answer."""

from collections.abc import Mapping, Sequence
from typing import Any

from mailtrack.paging import DEFAULT_LIMIT, MAX_LIMIT
from mailtrack.report import DEFAULT_TOP
from mailtrack.storage.protocol import MAX_TOP
from mailtrack_wsgi.bodies import MAX_EMAILS
from mailtrack_wsgi.limits import MINUTES, REQUESTS
from mailtrack_wsgi.openapi.examples import ANN, PIXEL
from mailtrack_wsgi.openapi.refusals import RATE_LIMIT_HEADERS, component, refusal, refusal_page
from mailtrack_wsgi.openapi.schemas import (
    IMAGE_PATTERN,
    PIXEL_KEY_PATTERN,
    RECIPIENT_ID_PATTERN,
    Schema,
    ref,
    text,
)

_Data = dict[str, Any]

IMAGE_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp")

TAGS = [
    {"name": "Tracker", "description": "What mails load."},
    {"name": "Pixels", "description": "A pixel is a tracked mailing and its image."},
    {"name": "Recipients", "description": "A recipient is one address in one pixel, with its token."},
    {"name": "Opens", "description": "What was opened, by whom and when, one by one and in figures."},
    {"name": "Server", "description": "About the server itself."},
]

# What any request may be answered with: a Host header that is none, a key that is missing, a failure.
_ANY = (400, 401, 500, 503)
_CHANGE = (*_ANY, 403)
_BODY = (*_CHANGE, 408, 411, 413, 415)


def _in_path(name: str, description: str, example: str, **schema: Any) -> _Data:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": {"type": "string", **schema},
        "example": example,
    }


def _in_query(name: str, description: str, schema: Schema) -> _Data:
    return {"name": name, "in": "query", "description": description, "schema": schema}


_PIXEL = _in_path("pixel", "The pixel's UUID or short id, in either case.", PIXEL.id, pattern=PIXEL_KEY_PATTERN)
_RECIPIENT = _in_path("recipient", "The recipient's id.", ANN.id, pattern=RECIPIENT_ID_PATTERN)
_PAGING = [
    _in_query(
        "limit",
        f"How many to list at most, 1 to {MAX_LIMIT:,}.",
        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    ),
    _in_query(
        "cursor",
        "What `next` said in the part before; without it, the first part.",
        {"type": "string", "format": "cursor"},
    ),
]
_OPENED = _in_query(
    "opened",
    "Only those that have an open that counts (`true`), or only the others (`false`), whatever machines have fetched.",
    {"type": "boolean"},
)
_RAW = _in_query(
    "raw",
    "`1` leaves cells as they are. Without it, one that a spreadsheet would take for a formula begins with `'`.",
    {"type": "string"},
)


def _operation(
    tag: str,
    name: str,
    summary: str,
    description: str,
    *,
    answers: Mapping[int, _Data],
    refusals: Sequence[int] = (),
    **more: Any,
) -> _Data:
    """Return an operation; what it refuses is told by the components, unless `answers` tells it."""
    told = {status: {"$ref": f"#/components/responses/{component(status)}"} for status in refusals} | {**answers}
    return {
        "operationId": name,
        "tags": [tag],
        "summary": summary,
        "description": description,
        **more,
        "responses": {str(status): told[status] for status in sorted(told)},
    }


def _json(schema: str, description: str, examples: Mapping[str, Any], *, example: str = "", **more: Any) -> _Data:
    content = {"application/json": {"schema": ref(schema), "example": examples[example or schema]}}
    return {"description": description, **more, "content": content}


def _csv(file: str, columns: str, example: str) -> _Data:
    return {
        "description": f"A file with a header row: {columns}. RFC 4180, lines end with CRLF.",
        "headers": {
            "Content-Disposition": {
                "description": "The name of the file.",
                "required": True,
                "schema": text(
                    "The name of the file.", pattern=rf'^attachment; filename="{file}-[0-9a-f-]{{36}}\.csv"$'
                ),
                "example": f'attachment; filename="{file}-{PIXEL.id}.csv"',
            }
        },
        "content": {"text/csv; charset=utf-8": {"schema": {"type": "string"}, "example": example}},
    }


def _body(content: Mapping[str, str], examples: Mapping[str, Any], **more: Any) -> _Data:
    return {
        "required": True,
        "content": {
            media_type: {"schema": ref(schema), "example": examples[schema], **more.get(schema, {})}
            for media_type, schema in content.items()
        },
    }


_IMAGE = {media_type: {"schema": {"type": "string", "contentMediaType": media_type}} for media_type in IMAGE_TYPES}


def _fixed(description: str, value: str) -> _Data:
    return {"description": description, "required": True, "schema": {"type": "string", "const": value}}


_TRACKER_HEADERS = {
    "Cache-Control": _fixed("Nobody may keep the image.", "no-store, no-cache, must-revalidate, max-age=0, private"),
    "Pragma": _fixed("The same for old caches.", "no-cache"),
    "Expires": _fixed("The same for old caches.", "0"),
    "Content-Length": {"description": "Its size in bytes.", "required": True, "schema": {"type": "integer"}},
    "X-Content-Type-Options": _fixed("It is an image and nothing else.", "nosniff"),
    "Cross-Origin-Resource-Policy": _fixed("Every page may show it.", "cross-origin"),
    "Referrer-Policy": _fixed("No address is handed on.", "no-referrer"),
    "X-Robots-Tag": _fixed("Nothing to search.", "noindex"),
}


def make_paths(examples: Mapping[str, Any]) -> dict[str, _Data]:
    """Return every path with its operations.

    Args:
        examples: from `make_examples`.
    """
    return {
        **_tracker_paths(),
        **_pixel_paths(examples),
        **_recipient_paths(examples),
        **_open_paths(examples),
        **_server_paths(examples),
    }


def _tracker_paths() -> dict[str, _Data]:
    return {
        "/tracker/{pixel}.png": {
            "parameters": [
                _in_path("pixel", "The pixel's short id or UUID; any other text names no pixel.", PIXEL.short_id),
                _in_query(
                    "token",
                    "The recipient's token. One that is not of this pixel counts as none.",
                    {"type": "string", "examples": [ANN.token]},
                ),
            ],
            "get": _operation(
                "Tracker",
                "track",
                "Track an open",
                "Answers with an image, always: the pixel's own, or a transparent one of 1×1, also where there is no "
                "such pixel, so that no mail ever shows a broken image. A known pixel's GET is an open, of the "
                "recipient whose token it has. Whatever follows the id in the path means nothing, and the token is "
                "found in a query that a mail program has mangled, too. Other methods are answered with 405 and "
                "`Allow`.",
                security=[],
                answers={200: {"description": "The image.", "headers": _TRACKER_HEADERS, "content": _IMAGE}},
            ),
            "head": _operation(
                "Tracker",
                "peek",
                "Look at an image's headers",
                "The same headers without the image. It is never an open.",
                security=[],
                answers={200: {"description": "The headers of the image.", "headers": _TRACKER_HEADERS}},
            ),
        },
        "/uploads/{image}": {
            "parameters": [
                _in_path(
                    "image",
                    "The name of the file, as `imagePath` tells it.",
                    f"{PIXEL.id}.png",
                    pattern=IMAGE_PATTERN,
                )
            ],
            "get": _operation(
                "Tracker",
                "getUpload",
                "Get a pixel's own image",
                "The image as mails show it, for pages. To ask for it is no open. Errors are told on a page.",
                security=[],
                answers={
                    200: {"description": "The image.", "content": _IMAGE},
                    **{status: refusal_page(status) for status in (400, 404, 500, 503)},
                },
            ),
        },
    }


def _pixel_paths(examples: Mapping[str, Any]) -> dict[str, _Data]:
    return {
        "/api/v1/pixels": {
            "get": _operation(
                "Pixels",
                "listPixels",
                "List pixels",
                "All pixels, the newest first.",
                parameters=_PAGING,
                answers={200: _json("PixelPage", "A part of the list.", examples)},
                refusals=_ANY,
            ),
            "post": _operation(
                "Pixels",
                "createPixel",
                "Create a pixel",
                "Takes the name as JSON or as a form; an image of its own only as a form with a file.",
                requestBody=_body(
                    {
                        "application/json": "NewPixel",
                        "multipart/form-data": "NewPixelWithImage",
                        "application/x-www-form-urlencoded": "NewPixel",
                    },
                    examples,
                    NewPixelWithImage={"encoding": {"image": {"contentType": ", ".join(IMAGE_TYPES)}}},
                ),
                answers={201: _json("Pixel", "The pixel.", examples, example="Created")},
                refusals=_BODY,
            ),
        },
        "/api/v1/pixels/{pixel}": {
            "parameters": [_PIXEL],
            "get": _operation(
                "Pixels",
                "getPixel",
                "Get a pixel",
                "The pixel with its counts.",
                answers={200: _json("Pixel", "The pixel.", examples)},
                refusals=(*_ANY, 404),
            ),
            "delete": _operation(
                "Pixels",
                "deletePixel",
                "Delete a pixel",
                "Deletes the pixel with its opens, recipients, tokens and image: all, or nothing.",
                answers={200: _json("PixelDeleted", "It is deleted.", examples)},
                refusals=(*_CHANGE, 404),
            ),
        },
    }


def _recipient_paths(examples: Mapping[str, Any]) -> dict[str, _Data]:
    return {
        "/api/v1/pixels/{pixel}/generate-tokens": {
            "parameters": [_PIXEL],
            "post": _operation(
                "Recipients",
                "generateTokens",
                "Generate tokens",
                "Makes a token for each distinct address: all, or nothing. An address that the pixel has already keeps "
                f"its token, so a retry is harmless. A client may ask {REQUESTS} times in any {MINUTES} minutes, for "
                f"at most {MAX_EMAILS:,} addresses each time.",
                requestBody=_body({"application/json": "NewTokens"}, examples),
                answers={
                    201: _json("Tokens", "The tokens.", examples, headers=RATE_LIMIT_HEADERS),
                    400: refusal(
                        400,
                        schema="InvalidTokens",
                        error="Invalid email format",
                        invalid=[{"index": 1, "reason": "An email address must have an @-sign."}],
                    ),
                },
                refusals=(*_BODY, 404, 429),
            ),
        },
        "/api/v1/pixels/{pixel}/generate-tokens/csv": {
            "parameters": [_PIXEL],
            "get": _operation(
                "Recipients",
                "exportRecipients",
                "Export recipients",
                "All recipients with their tokens as CSV, in the order of their creation.",
                parameters=[_OPENED, _RAW],
                answers={
                    200: _csv("recipients", "`Email,Token,Tracking URL,Created At`", examples["recipients.csv"]),
                },
                refusals=(*_ANY, 404),
            ),
        },
        "/api/v1/pixels/{pixel}/recipients": {
            "parameters": [_PIXEL],
            "get": _operation(
                "Recipients",
                "listRecipients",
                "List recipients",
                "A pixel's recipients, in the order of their creation.",
                parameters=[*_PAGING, _OPENED],
                answers={200: _json("RecipientPage", "A part of the list.", examples)},
                refusals=(*_ANY, 404),
            ),
        },
        "/api/v1/recipients/{recipient}": {
            "parameters": [_RECIPIENT],
            "delete": _operation(
                "Recipients",
                "deleteRecipient",
                "Delete a recipient",
                "Deletes the address and its token. Its opens stay, for the figures, without the address.",
                answers={200: _json("RecipientDeleted", "It is deleted.", examples)},
                refusals=(*_CHANGE, 404),
            ),
        },
    }


def _open_paths(examples: Mapping[str, Any]) -> dict[str, _Data]:
    return {
        "/api/v1/pixels/{pixel}/opens": {
            "parameters": [_PIXEL],
            "get": _operation(
                "Opens",
                "listOpens",
                "List opens",
                "A pixel's opens, the last arrived first.",
                parameters=_PAGING,
                answers={200: _json("OpenPage", "A part of the list.", examples)},
                refusals=(*_ANY, 404),
            ),
        },
        "/api/v1/pixels/{pixel}/opens/csv": {
            "parameters": [_PIXEL],
            "get": _operation(
                "Opens",
                "exportOpens",
                "Export opens",
                "All opens as CSV, the last arrived first, with the address of those whose recipient exists.",
                parameters=[_RAW],
                answers={
                    200: _csv("opens", f"`{examples['opens.csv'].partition(chr(13))[0]}`", examples["opens.csv"]),
                },
                refusals=(*_ANY, 404),
            ),
        },
        "/api/v1/pixels/{pixel}/report": {
            "parameters": [_PIXEL],
            "get": _operation(
                "Opens",
                "getReport",
                "Get a report",
                "A pixel's figures, at the same cost however many opens it has.",
                parameters=[
                    _in_query(
                        "timeZone",
                        "The IANA time zone in which hours and days begin, such as `Europe/Berlin`.",
                        {"type": "string", "format": "time-zone", "default": "UTC"},
                    ),
                    _in_query(
                        "top",
                        f"How many names and recipients to tell at most, 1 to {MAX_TOP}.",
                        {"type": "integer", "minimum": 1, "maximum": MAX_TOP, "default": DEFAULT_TOP},
                    ),
                ],
                answers={200: _json("Report", "The figures.", examples)},
                refusals=(*_ANY, 404),
            ),
        },
    }


def _server_paths(examples: Mapping[str, Any]) -> dict[str, _Data]:
    return {
        "/healthz": {
            "get": _operation(
                "Server",
                "getHealth",
                "Ask whether the process lives",
                "Does not look at the storage.",
                security=[],
                answers={200: _json("Status", "It lives.", examples)},
                refusals=(400, 500),
            ),
        },
        "/readyz": {
            "get": _operation(
                "Server",
                "getReadiness",
                "Ask whether the storage answers",
                "For whoever sends requests to several servers.",
                answers={200: _json("Status", "It does.", examples)},
                refusals=_ANY,
            ),
        },
        "/api/v1/openapi.json": {
            "get": _operation(
                "Server",
                "getOpenapi",
                "Get this document",
                "This API as an OpenAPI 3.1 document, with the URLs of this server.",
                answers={
                    200: {"description": "The document.", "content": {"application/json": {"schema": ref("Document")}}}
                },
                refusals=_ANY,
            ),
        },
    }

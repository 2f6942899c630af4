"""What can be asked of the API: every path with its methods, what they take and what they answer."""

from collections.abc import Mapping
from typing import Any

from mailtrack._paging import DEFAULT_LIMIT, MAX_LIMIT
from mailtrack.report import DEFAULT_TOP
from mailtrack.storage._protocol import MAX_TOP
from mailtrack_wsgi._bodies import MAX_EMAILS
from mailtrack_wsgi._openapi.errors import RATE_LIMIT_HEADERS, refusal, refusal_page
from mailtrack_wsgi._openapi.examples import ANN, PIXEL
from mailtrack_wsgi._openapi.html_routes import make_page_paths
from mailtrack_wsgi._openapi.parts import (
    ANY,
    BODY,
    CHANGE,
    IN_PIXEL,
    IN_RECIPIENT,
    Data,
    body,
    csv_answer,
    in_path,
    in_query,
    json_answer,
    operation,
)
from mailtrack_wsgi._openapi.schemas import IMAGE_PATTERN, ref
from mailtrack_wsgi._rate_limit import MINUTES, REQUESTS

IMAGE_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp")

TAGS = [
    {"name": "Tracker", "description": "What mails load."},
    {"name": "Pixels", "description": "A pixel is a tracked mailing and its image."},
    {"name": "Recipients", "description": "A recipient is one address in one pixel, with its token."},
    {"name": "Opens", "description": "What was opened, by whom and when, one by one and in figures."},
    {"name": "Pages", "description": "What people look at in a browser. Errors are pages, too."},
    {"name": "Server", "description": "About the server itself."},
]

_PAGING = [
    in_query(
        "limit",
        f"How many to list at most, 1 to {MAX_LIMIT:,}.",
        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    ),
    in_query(
        "cursor",
        "What `next` said in the part before; without it, the first part.",
        {"type": "string", "format": "cursor"},
    ),
]
_OPENED = in_query(
    "opened",
    "Only those that have an open that counts (`true`), or only the others (`false`), whatever machines have fetched.",
    {"type": "boolean"},
)
_RAW = in_query(
    "raw",
    "`1` leaves cells as they are. Without it, one that a spreadsheet would take for a formula begins with `'`.",
    {"type": "string"},
)

_IMAGE = {media_type: {"schema": {"type": "string", "contentMediaType": media_type}} for media_type in IMAGE_TYPES}


def _fixed(description: str, value: str) -> Data:
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


def make_paths(examples: Mapping[str, Any]) -> dict[str, Data]:
    """Return every path with its operations.

    Args:
        examples: from `make_examples`.
    """
    return {
        **_tracker_paths(),
        **_pixel_paths(examples),
        **_recipient_paths(examples),
        **_open_paths(examples),
        **make_page_paths(),
        **_server_paths(examples),
    }


def _tracker_paths() -> dict[str, Data]:
    return {
        "/tracker/{pixel}.png": {
            "parameters": [
                in_path("pixel", "The pixel's short id or UUID; any other text names no pixel.", PIXEL.short_id),
                in_query(
                    "token",
                    "The recipient's token. One that is not of this pixel counts as none.",
                    {"type": "string", "examples": [ANN.token]},
                ),
            ],
            "get": operation(
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
            "head": operation(
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
                in_path(
                    "image",
                    "The name of the file, as `imagePath` tells it.",
                    f"{PIXEL.id}.png",
                    pattern=IMAGE_PATTERN,
                )
            ],
            "get": operation(
                "Tracker",
                "getUpload",
                "Get a pixel's own image",
                "The image as mails show it, for pages. To ask for it is no open. Errors are shown as a page.",
                security=[],
                answers={
                    200: {"description": "The image.", "content": _IMAGE},
                    **{status: refusal_page(status) for status in (400, 404, 500, 503)},
                },
            ),
        },
    }


def _pixel_paths(examples: Mapping[str, Any]) -> dict[str, Data]:
    return {
        "/api/v1/pixels": {
            "get": operation(
                "Pixels",
                "listPixels",
                "List pixels",
                "All pixels, the newest first.",
                parameters=_PAGING,
                answers={200: json_answer("PixelPage", "A part of the list.", examples)},
                refusals=ANY,
            ),
            "post": operation(
                "Pixels",
                "createPixel",
                "Create a pixel",
                "Takes the name as JSON or as a form; an image of its own only as a form with a file.",
                requestBody=body(
                    {
                        "application/json": "NewPixel",
                        "multipart/form-data": "NewPixelWithImage",
                        "application/x-www-form-urlencoded": "NewPixel",
                    },
                    examples,
                    NewPixelWithImage={"encoding": {"image": {"contentType": ", ".join(IMAGE_TYPES)}}},
                ),
                answers={201: json_answer("Pixel", "The pixel.", examples, example="Created")},
                refusals=BODY,
            ),
        },
        "/api/v1/pixels/{pixel}": {
            "parameters": [IN_PIXEL],
            "get": operation(
                "Pixels",
                "getPixel",
                "Get a pixel",
                "The pixel with its counts.",
                answers={200: json_answer("Pixel", "The pixel.", examples)},
                refusals=(*ANY, 404),
            ),
            "delete": operation(
                "Pixels",
                "deletePixel",
                "Delete a pixel",
                "Deletes the pixel with its opens, recipients, tokens and image: all, or nothing.",
                answers={200: json_answer("PixelDeleted", "It is deleted.", examples)},
                refusals=(*CHANGE, 404),
            ),
        },
    }


def _recipient_paths(examples: Mapping[str, Any]) -> dict[str, Data]:
    return {
        "/api/v1/pixels/{pixel}/generate-tokens": {
            "parameters": [IN_PIXEL],
            "post": operation(
                "Recipients",
                "generateTokens",
                "Generate tokens",
                "Makes a token for each distinct address: all, or nothing. An address that the pixel has already keeps "
                f"its token, so a retry is harmless. A client may ask {REQUESTS} times in any {MINUTES} minutes, for "
                f"at most {MAX_EMAILS:,} addresses each time.",
                requestBody=body({"application/json": "NewTokens"}, examples),
                answers={
                    201: json_answer("Tokens", "The tokens.", examples, headers=RATE_LIMIT_HEADERS),
                    400: refusal(
                        400,
                        schema="InvalidTokens",
                        error="Invalid email format",
                        invalid=[{"index": 1, "reason": "An email address must have an @-sign."}],
                    ),
                },
                refusals=(*BODY, 404, 429),
            ),
        },
        "/api/v1/pixels/{pixel}/generate-tokens/csv": {
            "parameters": [IN_PIXEL],
            "get": operation(
                "Recipients",
                "exportRecipients",
                "Export recipients",
                "All recipients with their tokens as CSV, in the order of their creation.",
                parameters=[_OPENED, _RAW],
                answers={
                    200: csv_answer("recipients", "`Email,Token,Tracking URL,Created At`", examples["recipients.csv"]),
                },
                refusals=(*ANY, 404),
            ),
        },
        "/api/v1/pixels/{pixel}/recipients": {
            "parameters": [IN_PIXEL],
            "get": operation(
                "Recipients",
                "listRecipients",
                "List recipients",
                "A pixel's recipients, in the order of their creation.",
                parameters=[*_PAGING, _OPENED],
                answers={200: json_answer("RecipientPage", "A part of the list.", examples)},
                refusals=(*ANY, 404),
            ),
        },
        "/api/v1/recipients/{recipient}": {
            "parameters": [IN_RECIPIENT],
            "delete": operation(
                "Recipients",
                "deleteRecipient",
                "Delete a recipient",
                "Deletes the address and its token. Its opens stay, for the figures, without the address.",
                answers={200: json_answer("RecipientDeleted", "It is deleted.", examples)},
                refusals=(*CHANGE, 404),
            ),
        },
    }


def _open_paths(examples: Mapping[str, Any]) -> dict[str, Data]:
    return {
        "/api/v1/pixels/{pixel}/opens": {
            "parameters": [IN_PIXEL],
            "get": operation(
                "Opens",
                "listOpens",
                "List opens",
                "A pixel's opens, the last arrived first.",
                parameters=_PAGING,
                answers={200: json_answer("OpenPage", "A part of the list.", examples)},
                refusals=(*ANY, 404),
            ),
        },
        "/api/v1/pixels/{pixel}/opens/csv": {
            "parameters": [IN_PIXEL],
            "get": operation(
                "Opens",
                "exportOpens",
                "Export opens",
                "All opens as CSV, the last arrived first, with the address of those whose recipient exists.",
                parameters=[_RAW],
                answers={
                    200: csv_answer("opens", f"`{examples['opens.csv'].partition(chr(13))[0]}`", examples["opens.csv"]),
                },
                refusals=(*ANY, 404),
            ),
        },
        "/api/v1/pixels/{pixel}/report": {
            "parameters": [IN_PIXEL],
            "get": operation(
                "Opens",
                "getReport",
                "Get a report",
                "A pixel's figures, at the same cost however many opens it has.",
                parameters=[
                    in_query(
                        "timeZone",
                        "The IANA time zone in which hours and days begin, such as `Europe/Berlin`.",
                        {"type": "string", "format": "time-zone", "default": "UTC"},
                    ),
                    in_query(
                        "top",
                        f"How many names and recipients to tell at most, 1 to {MAX_TOP}.",
                        {"type": "integer", "minimum": 1, "maximum": MAX_TOP, "default": DEFAULT_TOP},
                    ),
                ],
                answers={200: json_answer("Report", "The figures.", examples)},
                refusals=(*ANY, 404),
            ),
        },
    }


def _server_paths(examples: Mapping[str, Any]) -> dict[str, Data]:
    return {
        "/healthz": {
            "get": operation(
                "Server",
                "getHealth",
                "Ask whether the process lives",
                "Does not look at the storage.",
                security=[],
                answers={200: json_answer("Status", "It lives.", examples)},
                refusals=(400, 500),
            ),
        },
        "/readyz": {
            "get": operation(
                "Server",
                "getReadiness",
                "Ask whether the storage answers",
                "For whoever sends requests to several servers.",
                answers={200: json_answer("Status", "It does.", examples)},
                refusals=ANY,
            ),
        },
        "/api/v1/openapi.json": {
            "get": operation(
                "Server",
                "getOpenapi",
                "Get this document",
                "This API as an OpenAPI 3.1 document, with the URLs of this server.",
                answers={
                    200: {"description": "The document.", "content": {"application/json": {"schema": ref("Document")}}}
                },
                refusals=ANY,
            ),
        },
    }

"""The operations of the API, by path; those of images and pages are in modules of their own."""

from collections.abc import Mapping
from typing import Any

from mailtrack._model import RecipientState
from mailtrack._paging import DEFAULT_LIMIT, MAX_LIMIT
from mailtrack.report import DEFAULT_TOP
from mailtrack.storage._protocol import MAX_TOP
from mailtrack_wsgi import _paths as paths
from mailtrack_wsgi._bodies import MAX_EMAILS
from mailtrack_wsgi._openapi.errors import rate_limit_headers, refusal
from mailtrack_wsgi._openapi.html_routes import make_page_paths
from mailtrack_wsgi._openapi.image_routes import IMAGE_TYPES, make_image_paths
from mailtrack_wsgi._openapi.parts import (
    ANY,
    BODY,
    CHANGE,
    IN_PIXEL,
    IN_RECIPIENT,
    Data,
    body,
    csv_answer,
    in_query,
    json_answer,
    operation,
)
from mailtrack_wsgi._openapi.schemas import ref
from mailtrack_wsgi._rate_limit import TokenLimit

TAGS = [
    {"name": "Tracker", "description": "The images that mails load."},
    {"name": "Pixels", "description": "A pixel is a tracked mailing and its image."},
    {"name": "Recipients", "description": "A recipient is one address in one pixel, with its token."},
    {"name": "Opens", "description": "Single opens, and the figures made of them."},
    {"name": "Pages", "description": "Pages for people. Their errors are pages, too."},
    {"name": "Server", "description": "The server itself."},
]

_PAGING = [
    in_query(
        "limit",
        f"Length of a page, 1 to {MAX_LIMIT:,}.",
        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    ),
    in_query(
        "cursor",
        "The value of `next` on the preceding page; without it, the first page.",
        {"type": "string", "format": "cursor"},
    ),
]
_OPENED = in_query(
    "opened",
    "Only recipients with an open that counts (`true`), or only the others (`false`). Machines do not count.",
    {"type": "boolean"},
)
_STATE = in_query(
    "state",
    "Only recipients in one of these states, separated by commas, such as `scanned,none`: those who have not opened, "
    "without the ones of whom it can't be known. A recipient must fit `opened`, too.",
    {"type": "array", "items": {"type": "string", "enum": [*RecipientState]}, "minItems": 1},
) | {"style": "form", "explode": False}
_COLUMNS = in_query(
    "columns",
    "`all` adds further columns behind the four: `State`, and others in later versions. Read them by their name.",
    {"type": "string", "enum": ["all"]},
)
_RAW = in_query(
    "raw",
    "`1` leaves cells as they are. Without it, a cell that a spreadsheet would run as a formula begins with `'`.",
    {"type": "string"},
)


def make_paths(examples: Mapping[str, Any], limit: TokenLimit | None) -> dict[str, Data]:
    """Return every path with its operations.

    Args:
        examples: from `make_examples`.
        limit: on requests for tokens, `None` without one.
    """
    pixel = f"{paths.PIXELS}/{{pixel}}"
    return {
        **make_image_paths(),
        paths.PIXELS: _pixels(examples),
        pixel: _pixel(examples),
        f"{pixel}/generate-tokens": _generate_tokens(examples, limit),
        f"{pixel}/generate-tokens/csv": _recipients_csv(examples),
        f"{pixel}/sent": _sent(examples),
        f"{pixel}/recipients": _recipients(examples),
        "/api/v1/recipients/{recipient}": _recipient(examples),
        f"{pixel}/opens": _opens(examples),
        f"{pixel}/opens/csv": _opens_csv(examples),
        f"{pixel}/report": _report(examples),
        **make_page_paths(),
        **_server_paths(examples),
    }


def _pixels(examples: Mapping[str, Any]) -> Data:
    return {
        "get": operation(
            "Pixels",
            "listPixels",
            "List pixels",
            "All pixels, the newest first.",
            parameters=_PAGING,
            answers={200: json_answer("PixelPage", "A page of the list.", examples)},
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
    }


def _pixel(examples: Mapping[str, Any]) -> Data:
    return {
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
            "Deletes the pixel with its opens, recipients, tokens and image, all or nothing.",
            answers={200: json_answer("PixelDeleted", "The pixel is deleted.", examples)},
            refusals=(*CHANGE, 404),
        ),
    }


def _generate_tokens(examples: Mapping[str, Any], limit: TokenLimit | None) -> Data:
    limited = f"A client may make {limit.text}. " if limit else ""
    return {
        "parameters": [IN_PIXEL],
        "post": operation(
            "Recipients",
            "generateTokens",
            "Generate tokens",
            "Generates a token for each distinct address, all or nothing. A recipient that the pixel already has keeps "
            f"its token, so a retry is harmless. {limited}A request may hold at most {MAX_EMAILS:,} addresses.",
            requestBody=body({"application/json": "NewTokens"}, examples),
            answers={
                201: json_answer("Tokens", "The tokens.", examples, headers=rate_limit_headers(limit)),
                400: refusal(
                    400,
                    schema="InvalidTokens",
                    error="Invalid email format",
                    invalid=[{"index": 1, "reason": "An email address must have an @-sign."}],
                ),
            },
            refusals=(*BODY, 404, 429) if limit else (*BODY, 404),
        ),
    }


def _recipients_csv(examples: Mapping[str, Any]) -> Data:
    return {
        "parameters": [IN_PIXEL],
        "get": operation(
            "Recipients",
            "exportRecipients",
            "Export recipients",
            "All recipients with their tokens as CSV, in order of creation.",
            parameters=[_OPENED, _STATE, _COLUMNS, _RAW],
            answers={
                200: csv_answer("recipients", "`Email,Token,Tracking URL,Created At`", examples["recipients.csv"]),
            },
            refusals=(*ANY, 404),
        ),
    }


def _sent(examples: Mapping[str, Any]) -> Data:
    return {
        "parameters": [IN_PIXEL],
        "post": operation(
            "Recipients",
            "markSent",
            "Mark mails as sent",
            "Sets when the mails of recipients were sent. Early opens and delays are measured from then, instead of "
            "from the generation of the token. Without a body: all of the pixel, now. Stored opens keep their verdicts "
            "until `mailtrack rejudge`.",
            requestBody=body({"application/json": "Sent"}, examples, required=False),
            answers={200: json_answer("MarkedSent", "The recipients are marked.", examples)},
            refusals=(*BODY, 404),
        ),
    }


def _recipients(examples: Mapping[str, Any]) -> Data:
    return {
        "parameters": [IN_PIXEL],
        "get": operation(
            "Recipients",
            "listRecipients",
            "List recipients",
            "A pixel's recipients, in order of creation.",
            parameters=[*_PAGING, _OPENED, _STATE],
            answers={200: json_answer("RecipientPage", "A page of the list.", examples)},
            refusals=(*ANY, 404),
        ),
    }


def _recipient(examples: Mapping[str, Any]) -> Data:
    return {
        "parameters": [IN_RECIPIENT],
        "delete": operation(
            "Recipients",
            "deleteRecipient",
            "Delete a recipient",
            "Deletes the address and its token. The opens stay in the figures, without the address.",
            answers={200: json_answer("RecipientDeleted", "The recipient is deleted.", examples)},
            refusals=(*CHANGE, 404),
        ),
    }


def _opens(examples: Mapping[str, Any]) -> Data:
    return {
        "parameters": [IN_PIXEL],
        "get": operation(
            "Opens",
            "listOpens",
            "List opens",
            "A pixel's opens, the last recorded first.",
            parameters=_PAGING,
            answers={200: json_answer("OpenPage", "A page of the list.", examples)},
            refusals=(*ANY, 404),
        ),
    }


def _opens_csv(examples: Mapping[str, Any]) -> Data:
    heading = examples["opens.csv"].partition("\r")[0]
    return {
        "parameters": [IN_PIXEL],
        "get": operation(
            "Opens",
            "exportOpens",
            "Export opens",
            "All opens as CSV, the last recorded first, with the address of each recipient that still exists.",
            parameters=[_RAW],
            answers={200: csv_answer("opens", f"`{heading}`", examples["opens.csv"])},
            refusals=(*ANY, 404),
        ),
    }


def _report(examples: Mapping[str, Any]) -> Data:
    return {
        "parameters": [IN_PIXEL],
        "get": operation(
            "Opens",
            "getReport",
            "Get a report",
            "A pixel's figures. The cost does not depend on the number of opens.",
            parameters=[
                in_query(
                    "timeZone",
                    "The IANA time zone in which hours and days begin, such as `Europe/Berlin`.",
                    {"type": "string", "format": "time-zone", "default": "UTC"},
                ),
                in_query(
                    "top",
                    f"Maximum length of each breakdown and of the top recipients, 1 to {MAX_TOP}.",
                    {"type": "integer", "minimum": 1, "maximum": MAX_TOP, "default": DEFAULT_TOP},
                ),
            ],
            answers={200: json_answer("Report", "The figures.", examples)},
            refusals=(*ANY, 404),
        ),
    }


def _server_paths(examples: Mapping[str, Any]) -> dict[str, Data]:
    return {
        paths.HEALTH: {
            "get": operation(
                "Server",
                "getHealth",
                "Check that the process is alive",
                "Does not use the storage.",
                security=[],
                answers={200: json_answer("Status", "The process is alive.", examples)},
                refusals=(400, 500),
            ),
        },
        paths.READINESS: {
            "get": operation(
                "Server",
                "getReadiness",
                "Check that the storage answers",
                "For load balancers.",
                answers={200: json_answer("Status", "The storage answers.", examples)},
                refusals=ANY,
            ),
        },
        paths.OPENAPI: {
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

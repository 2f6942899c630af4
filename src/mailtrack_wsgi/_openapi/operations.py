"""The operations of the API, by path; those of images and pages are in modules of their own."""

from collections.abc import Mapping
from typing import Any

from mailtrack.report import DEFAULT_TOP
from mailtrack.storage._protocol import MAX_TOP
from mailtrack_wsgi import _paths as paths
from mailtrack_wsgi._openapi.html_routes import make_page_paths
from mailtrack_wsgi._openapi.image_routes import IMAGE_TYPES, make_image_paths
from mailtrack_wsgi._openapi.parts import (
    AFTER,
    ANY,
    BODY,
    CHANGE,
    IN_PIXEL,
    KIND,
    LIMIT,
    OF_RECIPIENT,
    PAGING,
    RAW,
    Data,
    body,
    csv_answer,
    in_query,
    json_answer,
    operation,
)
from mailtrack_wsgi._openapi.recipient_routes import make_recipient_paths
from mailtrack_wsgi._openapi.schema_types import ref
from mailtrack_wsgi._openapi.webhook_routes import make_webhook_paths
from mailtrack_wsgi._rate_limit import TokenLimit

TAGS = [
    {"name": "Tracker", "description": "The images that mails load."},
    {"name": "Pixels", "description": "A pixel is a tracked mailing and its image."},
    {"name": "Recipients", "description": "A recipient is one address and one reference in one pixel, with its token."},
    {"name": "Opens", "description": "Single opens, and the figures made of them."},
    {"name": "Events", "description": "The opens of all pixels, for programs that act on them."},
    {
        "name": "Webhooks",
        "description": "A webhook is a URL to which events are sent, signed as Standard Webhooks specifies.",
    },
    {"name": "Pages", "description": "Pages for people. Their errors are pages, too."},
    {"name": "Server", "description": "The server itself."},
]

_METRICS = "text/plain; version=0.0.4; charset=utf-8"
_METRICS_EXAMPLE = """\
# HELP mailtrack_storage_up Whether the storage answers (1) or not (0).
# TYPE mailtrack_storage_up gauge
mailtrack_storage_up 1.0
"""

_SEARCH = in_query(
    "search",
    "Only pixels with this text in their name, in any case. A page may then hold fewer than `limit`, even none, though "
    "another one follows: a search reads 10,000 pixels for each page.",
    {"type": "string"},
)
_ARCHIVED = in_query(
    "archived",
    "`true` lists the archived pixels only; otherwise they are left out.",
    {"type": "boolean", "default": False},
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
        **make_recipient_paths(examples, limit),
        f"{pixel}/opens": _opens(examples),
        f"{pixel}/opens/csv": _opens_csv(examples),
        f"{pixel}/report": _report(examples),
        paths.EVENTS: _events(examples),
        **make_webhook_paths(examples),
        **make_page_paths(examples),
        **_server_paths(examples),
    }


def _pixels(examples: Mapping[str, Any]) -> Data:
    return {
        "get": operation(
            "Pixels",
            "listPixels",
            "List pixels",
            "The pixels, the newest first, without the archived ones.",
            parameters=[*PAGING, _SEARCH, _ARCHIVED],
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
        "patch": operation(
            "Pixels",
            "updatePixel",
            "Change a pixel",
            "Renames the pixel, archives it or brings it back, or sets its note. An archived pixel goes on tracking.",
            requestBody=body({"application/json": "PixelChange"}, examples),
            answers={200: json_answer("Pixel", "The pixel.", examples)},
            refusals=(*BODY, 404),
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


def _opens(examples: Mapping[str, Any]) -> Data:
    return {
        "parameters": [IN_PIXEL],
        "get": operation(
            "Opens",
            "listOpens",
            "List opens",
            "A pixel's opens, the last recorded first.",
            parameters=[*PAGING, KIND, OF_RECIPIENT],
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
            parameters=[RAW],
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


def _events(examples: Mapping[str, Any]) -> Data:
    return {
        "get": operation(
            "Events",
            "listEvents",
            "List events",
            "The opens of all pixels in the order in which they were stored, the oldest first. A program that gives "
            "each answer's `next` as `after` of its next request misses no event and gets none twice. Events are kept "
            "as long as their opens.",
            parameters=[LIMIT, AFTER],
            answers={200: json_answer("EventPage", "A page of the feed.", examples)},
            refusals=ANY,
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
                answers={200: json_answer("Readiness", "The storage answers.", examples)},
                refusals=ANY,
            ),
        },
        paths.METRICS: {
            "get": operation(
                "Server",
                "getMetrics",
                "Get metrics",
                "For Prometheus, in its text format: opens by verdict, the hits in the spool, deliveries to webhooks, "
                "whether the storage answers. No label names a pixel or a person.",
                answers={
                    200: {
                        "description": "The metrics.",
                        "content": {_METRICS: {"schema": {"type": "string"}, "example": _METRICS_EXAMPLE}},
                    }
                },
                refusals=(*ANY, 501),
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

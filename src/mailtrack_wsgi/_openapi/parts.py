"""Builds the parts of operations: parameters, bodies and answers."""

from collections.abc import Mapping, Sequence
from typing import Any

from mailtrack._model import VerdictKind
from mailtrack._paging import DEFAULT_LIMIT, MAX_LIMIT
from mailtrack_wsgi._openapi.errors import component
from mailtrack_wsgi._openapi.examples import ANN, PIXEL, WEBHOOK
from mailtrack_wsgi._openapi.schema_types import (
    PIXEL_KEY_PATTERN,
    RECIPIENT_ID_PATTERN,
    WEBHOOK_ID_PATTERN,
    Schema,
    ref,
    text,
)

Data = dict[str, Any]
"""A part of the document."""

# Error statuses of every operation (a bad Host header, a missing key, a failure), of changes, and of bodies.
ANY = (400, 401, 500, 503)
CHANGE = (*ANY, 403)
BODY = (*CHANGE, 408, 411, 413, 415)


def in_path(name: str, description: str, example: str, **schema: Any) -> Data:
    """Return a parameter that is a part of the path."""
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": {"type": "string", **schema},
        "example": example,
    }


def in_query(name: str, description: str, schema: Schema) -> Data:
    """Return an optional parameter of the query."""
    return {"name": name, "in": "query", "description": description, "schema": schema}


def operation(
    tag: str,
    name: str,
    summary: str,
    description: str,
    *,
    answers: Mapping[int, Data],
    refusals: Sequence[int] = (),
    **more: Any,
) -> Data:
    """Return an operation. `refusals` refer to the error responses among the components; `answers` go before them."""
    documented = {status: {"$ref": f"#/components/responses/{component(status)}"} for status in refusals} | {**answers}
    return {
        "operationId": name,
        "tags": [tag],
        "summary": summary,
        "description": description,
        **more,
        "responses": {str(status): documented[status] for status in sorted(documented)},
    }


def json_answer(schema: str, description: str, examples: Mapping[str, Any], *, example: str = "", **more: Any) -> Data:
    """Return an answer in JSON, with the example of its schema unless another one is named."""
    content = {"application/json": {"schema": ref(schema), "example": examples[example or schema]}}
    return {"description": description, **more, "content": content}


def csv_answer(file: str, columns: str, example: str) -> Data:
    """Return an answer that is a CSV file to download."""
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


def body(content: Mapping[str, str], examples: Mapping[str, Any], *, required: bool = True, **more: Any) -> Data:
    """Return a request's body; `content` names the schema of each media type, `more` adds to that of a schema."""
    return {
        "required": required,
        "content": {
            media_type: {"schema": ref(schema), "example": examples[schema], **more.get(schema, {})}
            for media_type, schema in content.items()
        },
    }


IN_PIXEL = in_path("pixel", "The pixel's UUID or short id, in either case.", PIXEL.id, pattern=PIXEL_KEY_PATTERN)
IN_WEBHOOK = in_path("webhook", "The webhook's id.", WEBHOOK.id, pattern=WEBHOOK_ID_PATTERN)
IN_RECIPIENT = in_path("recipient", "The recipient's id.", ANN.id, pattern=RECIPIENT_ID_PATTERN)

LIMIT = in_query(
    "limit",
    f"Length of a page, 1 to {MAX_LIMIT:,}.",
    {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
)
PAGING = [
    LIMIT,
    in_query(
        "cursor",
        "The value of `next` on the preceding page; without it, the first page.",
        {"type": "string", "format": "cursor"},
    ),
]
AFTER = in_query(
    "after",
    "The value of `next` of the last answer; without it, the first event that is kept.",
    {"type": "string", "format": "cursor"},
)
RAW = in_query(
    "raw",
    "`1` leaves cells as they are. Without it, a cell that a spreadsheet would run as a formula begins with `'`.",
    {"type": "string"},
)
KIND = in_query("kind", "Only opens with this verdict.", {"type": "string", "enum": [*VerdictKind]})
OF_RECIPIENT = in_query(
    "recipient", "Only opens of the recipient with this id.", {"type": "string", "examples": [ANN.id]}
)

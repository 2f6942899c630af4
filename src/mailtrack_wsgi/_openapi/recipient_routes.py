"""The operations of recipients, by path."""

from collections.abc import Mapping
from typing import Any

from mailtrack._model import RecipientState
from mailtrack_wsgi import _paths as paths
from mailtrack_wsgi._bodies import MAX_EMAILS, MAX_TOKENS_BYTES
from mailtrack_wsgi._openapi.errors import rate_limit_headers, refusal
from mailtrack_wsgi._openapi.examples import ANN
from mailtrack_wsgi._openapi.parts import (
    ANY,
    BODY,
    CHANGE,
    IN_PIXEL,
    IN_RECIPIENT,
    PAGING,
    RAW,
    Data,
    body,
    csv_answer,
    in_query,
    json_answer,
    operation,
)
from mailtrack_wsgi._rate_limit import TokenLimit

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
    "`all` adds further columns behind the four: `Reference`, `Recipient ID`, `State`, and others in later versions. "
    "Read them by their name.",
    {"type": "string", "enum": ["all"]},
)
_SEARCH = in_query(
    "search",
    "Only recipients with this text in their address or reference, in any case. A page may then hold fewer than "
    "`limit`, even none, though another one follows: a search reads 10,000 recipients for each page.",
    {"type": "string"},
)
_REF = in_query("ref", "Only recipients with this reference, as written.", {"type": "string", "minLength": 1})
_FILTERS = [_OPENED, _STATE, _SEARCH, _REF]
_EMAIL = in_query("email", "The address, in any case.", {"type": "string", "format": "email"}) | {
    "required": True,
    "example": ANN.email,
}


def make_recipient_paths(examples: Mapping[str, Any], limit: TokenLimit | None) -> dict[str, Data]:
    """Return the paths of recipients with their operations; the arguments are those of `make_paths`."""
    pixel = f"{paths.PIXELS}/{{pixel}}"
    return {
        f"{pixel}/generate-tokens": _generate_tokens(examples, limit),
        f"{pixel}/generate-tokens/csv": _recipients_csv(examples),
        f"{pixel}/sent": _sent(examples),
        f"{pixel}/recipients": _recipients(examples),
        paths.RECIPIENTS: _found(examples),
        f"{paths.RECIPIENTS}/{{recipient}}": _recipient(examples),
        paths.ERASE: _erase(examples),
    }


def _generate_tokens(examples: Mapping[str, Any], limit: TokenLimit | None) -> Data:
    limited = f"A client may make {limit.text}. " if limit else ""
    return {
        "parameters": [IN_PIXEL],
        "post": operation(
            "Recipients",
            "generateTokens",
            "Generate tokens",
            "Generates a token for each distinct address and reference, all or nothing. A recipient that the pixel "
            f"already has keeps its token, so a retry is harmless. {limited}A request may hold at most {MAX_EMAILS:,} "
            f"addresses or recipients, in {MAX_TOKENS_BYTES:,} bytes.",
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
            parameters=[*_FILTERS, _COLUMNS, RAW],
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
            parameters=[*PAGING, *_FILTERS],
            answers={200: json_answer("RecipientPage", "A page of the list.", examples)},
            refusals=(*ANY, 404),
        ),
    }


def _found(examples: Mapping[str, Any]) -> Data:
    return {
        "get": operation(
            "Recipients",
            "findRecipients",
            "Find a person",
            "All recipients with an address, over all pixels, archived or not, the newest first.",
            parameters=[_EMAIL, *PAGING],
            answers={200: json_answer("FoundRecipientPage", "A page of the list.", examples)},
            refusals=ANY,
        ),
    }


def _erase(examples: Mapping[str, Any]) -> Data:
    return {
        "post": operation(
            "Recipients",
            "erasePerson",
            "Erase a person",
            "Deletes all recipients with an address, their tokens and data, over all pixels. Their opens stay in the "
            "figures, without recipient, address, user agent and referer; so do those that come later. If there are "
            "none, or no more, both numbers are 0.",
            requestBody=body({"application/json": "ErasedPerson"}, examples),
            answers={200: json_answer("Erased", "The person is erased.", examples)},
            refusals=BODY,
        ),
    }


def _recipient(examples: Mapping[str, Any]) -> Data:
    return {
        "parameters": [IN_RECIPIENT],
        "get": operation(
            "Recipients",
            "getRecipient",
            "Get a recipient",
            "The recipient with its pixel and its opens.",
            answers={200: json_answer("FoundRecipient", "The recipient.", examples)},
            refusals=(*ANY, 404),
        ),
        "delete": operation(
            "Recipients",
            "deleteRecipient",
            "Delete a recipient",
            "Deletes the address and its token. The opens stay in the figures, without the address.",
            answers={200: json_answer("RecipientDeleted", "The recipient is deleted.", examples)},
            refusals=(*CHANGE, 404),
        ),
    }

"""The operations of pages that others may link or post to."""

from collections.abc import Mapping
from typing import Any

from mailtrack._model import VerdictKind
from mailtrack_wsgi._openapi.errors import refusal_page
from mailtrack_wsgi._openapi.examples import ANN
from mailtrack_wsgi._openapi.parts import ANY, CHANGE, IN_PIXEL, OF_RECIPIENT, Data, in_query, operation
from mailtrack_wsgi._openapi.schema_types import array, ref, text


def _choice(*choices: str) -> Data:
    """Return the schema of an argument that a form sends empty where none is chosen."""
    return {"type": "string", "enum": [*choices, ""]}


_HTML = {"text/html; charset=utf-8": {"schema": {"type": "string"}}}
_NUMBER = {"type": "integer", "minimum": 1, "maximum": 10**18 - 1, "default": 1}
_PAGE = in_query("page", "Number of a page of all opens, 50 on each.", _NUMBER)
_FIGURES = in_query("figures", "The figures to show large.", _choice("counted", "raw"))
_KIND = in_query("kind", "Only opens with this verdict.", _choice(*VerdictKind))
_SEARCH = in_query(
    "search", "Only pixels whose name contains this. An e-mail address leads to the person's page.", {"type": "string"}
)
_ARCHIVED = in_query("archived", "`true` lists archived pixels only.", {"type": "boolean", "default": False})
_SORT = in_query(
    "sort",
    "The order.",
    _choice("newest", "name", "opens", "rate") | {"default": "newest"},
)
_DAY = {"type": "string", "anyOf": [{"format": "date"}, {"maxLength": 0}]}  # empty, as a form sends it: no limit
_FROM = in_query("from", "Only pixels created on this day of UTC or later.", _DAY)
_TO = in_query("to", "Only pixels created on this day of UTC or earlier.", _DAY)
_EMAIL = in_query("email", "The address, in any case.", {"type": "string", "format": "email"}) | {
    "required": True,
    "example": ANN.email,
}
_PAGE_OF_MAILS = in_query("page", "Number of a page of mails, 25 on each.", _NUMBER)
_CURSOR = in_query("cursor", "The cursor in the link to the following page.", {"type": "string", "format": "cursor"})


_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The `ETag` of a page that shows the newest opens. The page asks with it whether there is news.",
    "schema": {"type": "string"},
}
_UNCHANGED: Data = {"description": "The page is as it was."}


def make_page_paths(examples: Mapping[str, Any]) -> dict[str, Data]:
    """Return the paths of pages with their operations."""
    return {
        "/": {"get": _dashboard()},
        "/logs/{pixel}": {"parameters": [IN_PIXEL], "get": _logs()},
        "/pixels/{pixel}/delete": {"parameters": [IN_PIXEL], "post": _deletion()},
        "/people": {"get": _person()},
        "/people/export": {"get": _person_export(examples)},
        "/docs": {"get": _docs()},
    }


def _dashboard() -> Data:
    return operation(
        "Pages",
        "showDashboard",
        "Dashboard",
        "The pixels with their counts, 25 a page, newest first or sorted, and a form to create one.",
        parameters=[_SEARCH, _ARCHIVED, _SORT, _FROM, _TO, _CURSOR],
        answers={303: _TO_PERSON, **_page("The dashboard.", *ANY)},
    )


def _logs() -> Data:
    return operation(
        "Pages",
        "showLogs",
        "Logs of a pixel",
        "The pixel's figures and its opens, newest first, 50 a page. A number past the end shows an empty page with a "
        "link to the last. With `kind` or `recipient`, pages follow by `cursor` instead of `page`.",
        parameters=[_PAGE, _FIGURES, _KIND, OF_RECIPIENT, _CURSOR, _IF_NONE_MATCH],
        answers={304: _UNCHANGED, **_page("The page.", *ANY, 404)},
    )


def _person() -> Data:
    return operation(
        "Pages",
        "showPerson",
        "Mails to a person",
        "The mails to one address over all pixels, newest first, 25 a page, and the newest 50 opens of them. It looks "
        "at the newest 1,000 mails.",
        parameters=[_EMAIL, _PAGE_OF_MAILS],
        answers=_page("The page.", *ANY),
    )


def _person_export(examples: Mapping[str, Any]) -> Data:
    name = {
        "description": "The name of the file.",
        "required": True,
        "schema": text("The name of the file.", const='attachment; filename="person.json"'),
        "example": 'attachment; filename="person.json"',
    }
    recipient = {  # not all properties again: the reference stays short
        "type": "object",
        "description": "A `FoundRecipient`, with its opens.",
        "properties": {"log": array(ref("Open"), "Its opens, the newest first.")},
        "required": ["log"],
    }
    file = {
        "description": "The file.",
        "headers": {"Content-Disposition": name},
        "content": {
            "application/json": {"schema": array(recipient, "The recipients."), "example": examples["PersonExport"]}
        },
    }
    return operation(
        "Pages",
        "exportPerson",
        "All that is stored about a person",
        "A file with all recipients with one address over all pixels, and their opens. The person's page links to it.",
        parameters=[_EMAIL],
        answers={200: file, **_refusals(*ANY)},
    )


def _deletion() -> Data:
    return operation(
        "Pages",
        "submitPixelDeletion",
        "Delete a pixel by form",
        "The form on the confirmation page sends this. Deletes the pixel with its opens, recipients, tokens and image, "
        "all or nothing. The body is not read. A form on another site is refused.",
        answers={303: _TO_DASHBOARD, **_refusals(*CHANGE, 404)},
    )


def _docs() -> Data:
    return operation(
        "Pages",
        "showDocs",
        "This reference",
        "The API reference as a page that loads no script from elsewhere.",
        answers=_page("The reference.", *ANY),
    )


def _redirect(description: str, target: str, pattern: str, example: str) -> Data:
    location = {"description": target, "required": True, "schema": text(target, pattern=pattern), "example": example}
    return {"description": description, "headers": {"Location": location}, "content": _HTML}


_TO_DASHBOARD = _redirect("The pixel is deleted; redirects to the dashboard.", "The path of the dashboard.", "/$", "/")
_TO_PERSON = _redirect(
    "The search is an address; redirects to the person's page.",
    "The path of the page.",
    r"/people\?email=",
    f"/people?email={ANN.email}",
)


def _page(description: str, *refused: int) -> dict[int, Data]:
    return {200: {"description": description, "content": _HTML}, **_refusals(*refused)}


def _refusals(*statuses: int) -> dict[int, Data]:
    return {status: refusal_page(status) for status in statuses}

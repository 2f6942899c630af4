"""The JSON endpoints of webhooks: each reads the request, calls the tracker's webhooks and answers."""

from collections.abc import Collection
from typing import Any

from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Request, Response

from mailtrack import _wire as wire
from mailtrack._errors import InvalidPaging
from mailtrack._event import FIRSTS
from mailtrack._model import Page, VerdictKind
from mailtrack._paging import check_limit
from mailtrack._times import from_text
from mailtrack._webhook import DeliveryState
from mailtrack_wsgi._api import json_response
from mailtrack_wsgi._bodies import read_json
from mailtrack_wsgi._context import Context
from mailtrack_wsgi._query import choice_argument, paging_arguments

_NEW = ("url", "first", "kinds", "pixels")
_CHANGES = (*_NEW, "enabled")
_MOST_DIGITS = 18  # of a cursor, as of those of all lists


def create_webhook(context: Context, request: Request) -> Response:
    """`POST /api/v1/webhooks`."""
    given = _arguments(context, read_json(request.environ), _NEW)
    if "url" not in given:
        raise BadRequest("url is required.")
    return json_response(wire.new_secret(context.webhooks.add(given.pop("url"), **given)), 201)


def list_webhooks(context: Context, request: Request) -> Response:
    """`GET /api/v1/webhooks`: newest first. A cursor is the number of webhooks that are older."""
    paging = paging_arguments(request)
    limit, cursor = check_limit(paging["limit"]), paging["cursor"]
    found = context.webhooks.list()
    if cursor is not None:
        if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= _MOST_DIGITS):
            raise InvalidPaging("The cursor is not valid.")
        del found[int(cursor) :]
    left = len(found) - limit
    page = Page(items=tuple(reversed(found[max(left, 0) :])), next=str(left) if left > 0 else None)
    return json_response(wire.page(page, wire.webhook))


def get_webhook(context: Context, _: Request, webhook: str) -> Response:
    """`GET /api/v1/webhooks/<webhook>`."""
    return json_response(wire.webhook(context.webhooks.get(webhook)))


def update_webhook(context: Context, request: Request, webhook: str) -> Response:
    """`PATCH /api/v1/webhooks/<webhook>`."""
    found = context.webhooks.get(webhook)
    given = _arguments(context, read_json(request.environ), _CHANGES)
    if not given:
        raise BadRequest(f"The body must have some of the keys {_listed(_CHANGES)}.")
    return json_response(wire.webhook(context.webhooks.update(found.id, **given)))


def delete_webhook(context: Context, _: Request, webhook: str) -> Response:
    """`DELETE /api/v1/webhooks/<webhook>`."""
    context.webhooks.delete(webhook)
    return json_response({"success": True, "message": "Webhook deleted successfully"})


def rotate_secret(context: Context, _: Request, webhook: str) -> Response:
    """`POST /api/v1/webhooks/<webhook>/rotate`."""
    return json_response(wire.new_secret(context.webhooks.rotate(webhook)))


def send_test(context: Context, _: Request, webhook: str) -> Response:
    """`POST /api/v1/webhooks/<webhook>/test`."""
    return json_response(wire.delivery(context.webhooks.test(webhook)))


def list_deliveries(context: Context, request: Request, webhook: str) -> Response:
    """`GET /api/v1/webhooks/<webhook>/deliveries`."""
    found = context.webhooks.get(webhook)
    state = choice_argument(request, "state", tuple(DeliveryState))
    page = context.webhooks.list_deliveries(
        found.id, **paging_arguments(request), state=None if state is None else DeliveryState(state)
    )
    return json_response(wire.page(page, wire.delivery))


def replay_webhook(context: Context, request: Request, webhook: str) -> Response:
    """`POST /api/v1/webhooks/<webhook>/replay`."""
    found = context.webhooks.get(webhook)
    given = read_json(request.environ)
    if given.keys() != {"since"}:
        raise BadRequest("The body must have the key since, and no others.")
    since = from_text(given["since"], "since")
    if since > context.tracker.now():
        raise BadRequest("since must not be in the future.")
    context.webhooks.replay(found.id, since=since)
    return json_response(wire.webhook(context.webhooks.get(found.id)), 202)


def _arguments(context: Context, given: dict[str, Any], allowed: Collection[str]) -> dict[str, Any]:
    """Return the settings of a webhook in a body, checked for their types, with the UUIDs of its pixels."""
    if given.keys() - set(allowed):
        raise BadRequest(f"The body must have no other keys than {_listed(allowed)}.")
    if not isinstance(given.get("url", ""), str):
        raise BadRequest("url must be a text.")
    if given.get("first", FIRSTS[0]) not in FIRSTS:
        raise BadRequest(f"first must be one of {', '.join(FIRSTS)}.")
    if not isinstance(given.get("enabled", True), bool):
        raise BadRequest("enabled must be true or false.")
    checked = dict(given)
    if given.get("kinds") is not None:
        checked["kinds"] = _texts(given["kinds"], "kinds")
        if not set(checked["kinds"]) <= set(VerdictKind):
            raise BadRequest(f"kinds must be some of {', '.join(VerdictKind)}.")
    if given.get("pixels") is not None:
        checked["pixels"] = context.find_pixels(_texts(given["pixels"], "pixels"))
    return checked


def _texts(value: Any, name: str) -> list[str]:
    if not (isinstance(value, list) and value and all(isinstance(one, str) for one in value)):
        raise BadRequest(f"{name} must be a list of texts with at least one, or null.")
    return value


def _listed(names: Collection[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}"

"""The JSON endpoints: each reads the request, calls the tracker and answers."""

import json
from collections.abc import Iterator
from functools import partial

from werkzeug.exceptions import BadRequest, TooManyRequests
from werkzeug.wrappers import Request, Response

from mailtrack import _export as export
from mailtrack import _wire as wire
from mailtrack._errors import StorageUnavailable
from mailtrack._model import Page, VerdictKind
from mailtrack._paging import DEFAULT_LIMIT
from mailtrack._pixels import pixels_of
from mailtrack._times import from_text
from mailtrack.report import DEFAULT_TOP
from mailtrack_wsgi._bodies import read_json, read_optional_json, read_pixel_form
from mailtrack_wsgi._context import Context
from mailtrack_wsgi._downloads import download
from mailtrack_wsgi._new_recipients import read_new_recipients
from mailtrack_wsgi._openapi import make_document
from mailtrack_wsgi._query import (
    choice_argument,
    flag_argument,
    number_argument,
    one_argument,
    paging_arguments,
    recipient_filter,
)
from mailtrack_wsgi._security_headers import NO_STORE

_CHANGES = {"name": (str, "a text"), "archived": (bool, "true or false"), "note": (str, "a text")}


def json_response(value: object, status: int = 200, headers: list[tuple[str, str]] | None = None) -> Response:
    """Return an answer in JSON that must not be cached."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Response(body, status, [*NO_STORE.items(), *(headers or [])], content_type="application/json")


def create_pixel(context: Context, request: Request) -> Response:
    """`POST /api/v1/pixels`."""
    form = read_pixel_form(request.environ)
    pixel = context.tracker.create_pixel(form.name, image=form.image)
    return json_response(wire.pixel(pixel, context.urls(request.environ)), 201)


def list_pixels(context: Context, request: Request) -> Response:
    """`GET /api/v1/pixels`."""
    page = context.tracker.list_pixels(
        **paging_arguments(request),
        search=one_argument(request, "search"),
        archived=flag_argument(request, "archived") or False,
    )
    return json_response(wire.page(page, partial(wire.pixel, urls=context.urls(request.environ))))


def get_pixel(context: Context, request: Request, pixel: str) -> Response:
    """`GET /api/v1/pixels/<pixel>`."""
    return json_response(wire.pixel(context.tracker.get_pixel(pixel), context.urls(request.environ)))


def update_pixel(context: Context, request: Request, pixel: str) -> Response:
    """`PATCH /api/v1/pixels/<pixel>`."""
    found = context.tracker.get_pixel(pixel)
    given = read_json(request.environ)
    if not given or given.keys() - _CHANGES.keys():
        raise BadRequest("The body must have some of the keys name, archived and note, and no others.")
    for key, value in given.items():
        kind, text = _CHANGES[key]
        if not isinstance(value, kind):
            raise BadRequest(f"{key} must be {text}.")
    changed = context.tracker.update_pixel(found.id, **given)
    return json_response(wire.pixel(changed, context.urls(request.environ)))


def delete_pixel(context: Context, _: Request, pixel: str) -> Response:
    """`DELETE /api/v1/pixels/<pixel>`."""
    context.delete_pixel(pixel)
    return json_response({"success": True, "message": "Pixel deleted successfully"})


def generate_tokens(context: Context, request: Request, pixel: str) -> Response:
    """`POST /api/v1/pixels/<pixel>/generate-tokens`."""
    environ = request.environ
    allowance = context.ask_limiter(environ)
    headers = allowance.headers if allowance else []
    if allowance and not allowance.granted:
        message = f"Too many requests. Maximum {allowance.limit.text}"
        raise TooManyRequests(response=json_response({"error": message}, 429, headers))
    found = context.tracker.get_pixel(pixel)
    recipients = context.tracker.generate_tokens(found.id, read_new_recipients(environ))
    return json_response(wire.generated_tokens(found, recipients, context.urls(environ)), 201, headers)


def mark_sent(context: Context, request: Request, pixel: str) -> Response:
    """`POST /api/v1/pixels/<pixel>/sent`."""
    found = context.tracker.get_pixel(pixel)
    given = read_optional_json(request.environ)
    if given.keys() - {"recipientIds", "at"}:  # a misspelt one must not mark all recipients
        raise BadRequest("The body must have no other keys than recipientIds and at.")
    chosen, at = given.get("recipientIds"), given.get("at")
    if chosen is not None and not (isinstance(chosen, list) and all(isinstance(one, str) for one in chosen)):
        raise BadRequest("recipientIds must be an array of texts.")
    sent = context.tracker.mark_sent(found.id, chosen, at=None if at is None else from_text(at, "at"))
    return json_response({"success": True, "sent": sent})


def export_recipients(context: Context, request: Request, pixel: str) -> Response:
    """`GET /api/v1/pixels/<pixel>/generate-tokens/csv`."""
    found = context.tracker.get_pixel(pixel)
    pieces = export.recipients_csv(
        found,
        context.tracker.iter_recipients(found.id, **recipient_filter(request)),
        urls=context.urls(request.environ),
        raw=one_argument(request, "raw") == "1",
        all_columns=choice_argument(request, "columns", ("all",)) == "all",
    )
    return _csv_response(context, request, pieces, f"recipients-{found.id}.csv")


def export_opens(context: Context, request: Request, pixel: str) -> Response:
    """`GET /api/v1/pixels/<pixel>/opens/csv`."""
    found = context.tracker.get_pixel(pixel)
    pieces = export.opens_csv(
        context.tracker.iter_opens(found.id),
        get_recipients=context.tracker.get_recipients,
        raw=one_argument(request, "raw") == "1",
    )
    return _csv_response(context, request, pieces, f"opens-{found.id}.csv")


def _csv_response(context: Context, request: Request, pieces: Iterator[bytes], name: str) -> Response:
    return download(context.downloads, request.environ, pieces, name, "text/csv; charset=utf-8")


def get_report(context: Context, request: Request, pixel: str) -> Response:
    """`GET /api/v1/pixels/<pixel>/report`."""
    time_zone = one_argument(request, "timeZone")
    report = context.tracker.report(
        pixel,
        time_zone="UTC" if time_zone is None else time_zone,
        top=number_argument(request, "top", DEFAULT_TOP),
    )
    return json_response(wire.report(report, context.urls(request.environ)))


def list_recipients(context: Context, request: Request, pixel: str) -> Response:
    """`GET /api/v1/pixels/<pixel>/recipients`."""
    found = context.tracker.get_pixel(pixel)
    page = context.tracker.list_recipients(found.id, **paging_arguments(request), **recipient_filter(request))
    return json_response(wire.page(page, partial(wire.recipient, owner=found, urls=context.urls(request.environ))))


def list_opens(context: Context, request: Request, pixel: str) -> Response:
    """`GET /api/v1/pixels/<pixel>/opens`."""
    page = context.tracker.list_opens(
        pixel,
        **paging_arguments(request),
        kind=choice_argument(request, "kind", tuple(VerdictKind)),
        recipient_id=one_argument(request, "recipient"),
    )
    return json_response(wire.page(page, wire.open_))


def list_events(context: Context, request: Request) -> Response:
    """`GET /api/v1/events`."""
    limit = number_argument(request, "limit", DEFAULT_LIMIT)
    page = context.tracker.list_events(limit=limit, after=one_argument(request, "after"))
    return json_response(wire.page(page, wire.event))


def find_recipients(context: Context, request: Request) -> Response:
    """`GET /api/v1/recipients`."""
    email = one_argument(request, "email")
    if not email:
        raise BadRequest("email is required.")
    page = context.tracker.list_found(email, **paging_arguments(request))
    pixels = pixels_of(page.items, context.tracker.get_pixel)
    urls = context.urls(request.environ)
    known = Page(items=tuple(one for one in page.items if one.pixel_id in pixels), next=page.next)  # others are deleted
    return json_response(wire.page(known, lambda one: wire.found_recipient(one, pixels[one.pixel_id], urls)))


def get_recipient(context: Context, request: Request, recipient: str) -> Response:
    """`GET /api/v1/recipients/<recipient>`."""
    found = context.tracker.get_recipient(recipient)
    pixel = context.tracker.get_pixel(found.pixel_id)
    return json_response(wire.found_recipient(found, pixel, context.urls(request.environ)))


def erase(context: Context, request: Request) -> Response:
    """`POST /api/v1/erase`."""
    email = read_json(request.environ).get("email")
    if not isinstance(email, str) or not email:
        raise BadRequest("email is required.")
    erased = context.erase(email)
    return json_response({"success": True, "recipients": erased.recipients, "opens": erased.opens})


def delete_recipient(context: Context, _: Request, recipient: str) -> Response:
    """`DELETE /api/v1/recipients/<recipient>`."""
    deleted = context.tracker.delete_recipient(recipient)
    return json_response({"success": True, "message": "Recipient deleted successfully", "deletedEmail": deleted.email})


def openapi(context: Context, request: Request) -> Response:
    """`GET /api/v1/openapi.json`."""
    return json_response(
        make_document(
            context.urls(request.environ), keyed=context.keyed, login=context.login, limit=context.token_limit
        )
    )


def healthz(_: Context, __: Request) -> Response:
    """`GET /healthz`: the process is alive."""
    return json_response({"status": "ok"})


def readyz(context: Context, _: Request) -> Response:
    """`GET /readyz`: the storage answers."""
    try:
        context.tracker.ping()
    except StorageUnavailable:
        raise
    except Exception as error:  # any fault means that it does not answer
        raise StorageUnavailable(f"{type(error).__name__}: {error}") from error
    replica = context.tracker._get_replica_state()
    return json_response({"status": "ok", **({"replicaLag": replica.lag} if replica else {})})

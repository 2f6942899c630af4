"""The JSON endpoints: read the request, one call of the tracker, answer."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from itertools import chain, islice

from werkzeug.exceptions import BadRequest, TooManyRequests
from werkzeug.wrappers import Request, Response

from mailtrack import _export as export
from mailtrack import _wire as wire
from mailtrack._errors import StorageUnavailable
from mailtrack.report import DEFAULT_TOP
from mailtrack_wsgi._bodies import MAX_EMAILS, read_json, read_pixel_form
from mailtrack_wsgi._context import Site, flag_argument, number_argument, one_argument, paging_arguments
from mailtrack_wsgi._downloads import cut_on_error, cut_when_stalled
from mailtrack_wsgi._openapi import make_document
from mailtrack_wsgi._rate_limit import MINUTES, REQUESTS


def json_response(value: object, status: int = 200, headers: list[tuple[str, str]] | None = None) -> Response:
    """Return an answer in JSON, not to be kept by anybody."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Response(body, status, [("Cache-Control", "no-store"), *(headers or [])], content_type="application/json")


def create_pixel(site: Site, request: Request) -> Response:
    """`POST /api/v1/pixels`."""
    form = read_pixel_form(request.environ)
    pixel = site.tracker.create_pixel(form.name, image=form.image)
    return json_response(wire.pixel(pixel, site.urls(request.environ)), 201)


def list_pixels(site: Site, request: Request) -> Response:
    """`GET /api/v1/pixels`."""
    page = site.tracker.list_pixels(**paging_arguments(request))
    return json_response(wire.page(page, partial(wire.pixel, urls=site.urls(request.environ))))


def get_pixel(site: Site, request: Request, pixel: str) -> Response:
    """`GET /api/v1/pixels/<pixel>`."""
    return json_response(wire.pixel(site.tracker.get_pixel(pixel), site.urls(request.environ)))


def delete_pixel(site: Site, _: Request, pixel: str) -> Response:
    """`DELETE /api/v1/pixels/<pixel>`."""
    site.tracker.delete_pixel(pixel)
    return json_response({"success": True, "message": "Pixel deleted successfully"})


def generate_tokens(site: Site, request: Request, pixel: str) -> Response:
    """`POST /api/v1/pixels/<pixel>/generate-tokens`."""
    environ = request.environ
    allowance = site.ask_limiter(environ)
    if not allowance.granted:
        raise TooManyRequests(
            response=json_response(
                {"error": f"Too many requests. Maximum {REQUESTS} requests per {MINUTES} minutes"},
                429,
                allowance.headers,
            )
        )
    found = site.tracker.get_pixel(pixel)
    emails = read_json(environ).get("emails")
    if not isinstance(emails, list) or not emails:
        raise BadRequest("Emails array is required")
    if len(emails) > MAX_EMAILS:
        raise BadRequest(f"Max {MAX_EMAILS:,} emails allowed")
    recipients = site.tracker.generate_tokens(found.id, emails)
    return json_response(wire.generated_tokens(found, recipients, site.urls(environ)), 201, allowance.headers)


def export_recipients(site: Site, request: Request, pixel: str) -> Response:
    """`GET /api/v1/pixels/<pixel>/generate-tokens/csv`."""
    found = site.tracker.get_pixel(pixel)
    pieces = export.recipients_csv(
        found,
        site.tracker.iter_recipients(found.id, opened=flag_argument(request, "opened")),
        urls=site.urls(request.environ),
        raw=one_argument(request, "raw") == "1",
    )
    return _csv_response(site, request, pieces, f"recipients-{found.id}.csv")


def export_opens(site: Site, request: Request, pixel: str) -> Response:
    """`GET /api/v1/pixels/<pixel>/opens/csv`."""
    found = site.tracker.get_pixel(pixel)
    pieces = export.opens_csv(
        site.tracker.iter_opens(found.id),
        get_recipients=site.tracker.get_recipients,
        raw=one_argument(request, "raw") == "1",
    )
    return _csv_response(site, request, pieces, f"opens-{found.id}.csv")


def _csv_response(site: Site, request: Request, pieces: Iterator[bytes], name: str) -> Response:
    headers = [("Content-Disposition", f'attachment; filename="{name}"'), ("Cache-Control", "no-store")]
    with ExitStack() as stack:
        stack.enter_context(site.downloads)  # it lasts as long as the client reads
        begun = list(islice(pieces, 2))  # the header and the first rows: an error is still answered as such
        cut_when_stalled(request.environ)
        body = cut_on_error(request.environ, chain(begun, pieces))
        turn = stack.pop_all()  # closed once, however often the server closes the answer
    response = Response(body, 200, headers, content_type="text/csv; charset=utf-8")
    response.call_on_close(turn.close)
    return response


def get_report(site: Site, request: Request, pixel: str) -> Response:
    """`GET /api/v1/pixels/<pixel>/report`."""
    time_zone = one_argument(request, "timeZone")
    report = site.tracker.report(
        pixel,
        time_zone="UTC" if time_zone is None else time_zone,
        top=number_argument(request, "top", DEFAULT_TOP),
    )
    return json_response(wire.report(report, site.urls(request.environ)))


def list_recipients(site: Site, request: Request, pixel: str) -> Response:
    """`GET /api/v1/pixels/<pixel>/recipients`."""
    found = site.tracker.get_pixel(pixel)
    page = site.tracker.list_recipients(found.id, **paging_arguments(request), opened=flag_argument(request, "opened"))
    return json_response(wire.page(page, partial(wire.recipient, owner=found, urls=site.urls(request.environ))))


def list_opens(site: Site, request: Request, pixel: str) -> Response:
    """`GET /api/v1/pixels/<pixel>/opens`."""
    return json_response(wire.page(site.tracker.list_opens(pixel, **paging_arguments(request)), wire.open_))


def delete_recipient(site: Site, _: Request, recipient: str) -> Response:
    """`DELETE /api/v1/recipients/<recipient>`."""
    deleted = site.tracker.delete_recipient(recipient)
    return json_response({"success": True, "message": "Recipient deleted successfully", "deletedEmail": deleted.email})


def openapi(site: Site, request: Request) -> Response:
    """`GET /api/v1/openapi.json`."""
    return json_response(make_document(site.urls(request.environ), keyed=site.keyed))


def healthz(_: Site, __: Request) -> Response:
    """`GET /healthz`: the process lives."""
    return json_response({"status": "ok"})


def readyz(site: Site, _: Request) -> Response:
    """`GET /readyz`: the storage answers."""
    try:
        site.tracker.ping()
    except StorageUnavailable:
        raise
    except Exception as error:  # whatever is wrong with it, it does not answer
        raise StorageUnavailable(f"{type(error).__name__}: {error}") from error
    return json_response({"status": "ok"})

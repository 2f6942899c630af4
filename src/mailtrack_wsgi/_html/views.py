"""The HTML endpoints: read the request, one or two calls of the tracker, show a page."""

from http import HTTPStatus
from typing import Any

from werkzeug.exceptions import NotFound
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from mailtrack._errors import InvalidInput, InvalidName
from mailtrack._images.check import MAX_BYTES as MAX_IMAGE_BYTES
from mailtrack._model import VerdictKind
from mailtrack._times import start_of_day
from mailtrack_wsgi import _security_headers as security_headers
from mailtrack_wsgi._bodies import PixelForm, read_pixel_form
from mailtrack_wsgi._context import Site, choice_argument, number_argument, one_argument
from mailtrack_wsgi._html import filters
from mailtrack_wsgi._html.charts import chart_of_days, chart_of_report
from mailtrack_wsgi._html.templating import ASSETS, page_response
from mailtrack_wsgi._openapi import make_document
from mailtrack_wsgi._openapi.page import make_reference

OPENS_ON_PAGE = 50
RECIPIENTS_ON_PAGE = 50
PIXELS_ON_PAGE = 25

_DAYS_ON_DASHBOARD = 14
_FIGURES = ("counted", "raw")


def dashboard(site: Site, request: Request) -> Response:
    """`GET /`: the pixels, and the form to create one."""
    return _dashboard(site, request)


def create_pixel(site: Site, request: Request) -> Response:
    """`POST /pixels`: the submission of the form on the dashboard."""
    form = PixelForm("")
    try:
        form = read_pixel_form(request.environ)
        pixel = site.tracker.create_pixel(form.name, image=form.image)
    except InvalidName as error:
        return _dashboard(site, request, problem=str(error))
    except InvalidInput as error:  # about the image: the name is good, and stays
        return _dashboard(site, request, problem=str(error), name=form.name)
    return redirect(f"{site.root(request.environ)}/pixels/{pixel.short_id}/recipients", 303)


def _dashboard(site: Site, request: Request, *, problem: str | None = None, name: str = "") -> Response:
    search = (one_argument(request, "search") or "").strip() or None
    cursor = one_argument(request, "cursor")
    page = site.tracker.list_pixels(limit=PIXELS_ON_PAGE, cursor=cursor, search=search)
    now = site.tracker.now()
    today = start_of_day(now)
    counted = site.tracker.count_by_day(page.items, since=today - _DAYS_ON_DASHBOARD * filters.DAY)
    charts = {
        pixel.id: chart_of_days(
            {day.day: day.opens for day in counted.get(pixel.id, ())},
            until=today,
            number=_DAYS_ON_DASHBOARD,
        )
        for pixel in page.items
    }
    return page_response(
        "dashboard.html",
        400 if problem else 200,
        root=site.root(request.environ),
        now=now,
        pixels=page.items,
        charts=charts,
        search=search,
        cursor=cursor,
        next=page.next,
        problem=problem,
        name=name,
        max_image_bytes=MAX_IMAGE_BYTES,
    )


def logs(site: Site, request: Request, pixel: str) -> Response:
    """`GET /logs/<pixel>`: the figures of a pixel and its opens, newest first.

    All opens come by page number; those of one verdict or recipient by cursor.
    """
    number = number_argument(request, "page", 1)
    raw = choice_argument(request, "figures", _FIGURES) == "raw"
    kind = choice_argument(request, "kind", tuple(VerdictKind))
    recipient_id = one_argument(request, "recipient") or None
    cursor = one_argument(request, "cursor")
    now = site.tracker.now()
    report = site.tracker.report(pixel)
    found = report.pixel
    filtered = bool(kind or recipient_id)
    last = max(1, -(-found.kept // OPENS_ON_PAGE))
    opens = site.tracker.list_opens(
        found.id,
        limit=OPENS_ON_PAGE,
        cursor=cursor if filtered else None,
        skip=0 if filtered else min(number - 1, last) * OPENS_ON_PAGE,
        kind=VerdictKind(kind) if kind else None,
        recipient_id=recipient_id,
    )
    recipients = site.tracker.get_recipients([recipient_id, *(one.recipient_id for one in opens.items)])
    chosen: dict[str, Any] = {"kind": kind, "recipient": recipient_id, "cursor": cursor if filtered else None}
    return page_response(
        "logs.html",
        root=site.root(request.environ),
        now=now,
        explain=site.tracker.explain,
        report=report,
        pixel=found,
        chart=chart_of_report(report, now=now),
        raw=raw,
        kind=kind,
        recipient_id=recipient_id,
        recipient=recipients.get(recipient_id or ""),
        chosen={"page": number if number > 1 else None, "figures": "raw" if raw else None} | chosen,
        filtered=filtered,
        opens=opens.items,
        recipients=recipients,
        cursor=cursor,
        next=opens.next,
        page=number,
        last=last,
    )


def confirm_pixel(site: Site, request: Request, pixel: str) -> Response:
    """`GET /pixels/<pixel>/deletion`: what will go."""
    found = site.tracker.get_pixel(pixel)
    goes = [
        "the pixel, with all its figures",
        filters.plural(found.opens.raw.number, "open"),
        f"{filters.plural(found.recipients, 'recipient')}, with their tokens",
    ]
    api = f"/api/v1/pixels/{found.id}"
    return page_response(
        "deletion.html",
        root=site.root(request.environ),
        name=found.name,
        goes=[*goes, "its image"] if found.image else goes,
        after="Mails that were sent will show a transparent image.",
        copies=[("the opens", f"{api}/opens/csv"), ("the recipients", f"{api}/generate-tokens/csv")],
        action=f"/pixels/{found.short_id}/delete",
        back=f"/logs/{found.short_id}",
    )


def delete_pixel(site: Site, request: Request, pixel: str) -> Response:
    """`POST /pixels/<pixel>/delete`."""
    site.tracker.delete_pixel(pixel)
    return redirect(f"{site.root(request.environ)}/", 303)


def upload(site: Site, _: Request, image: str) -> Response:
    """`GET /uploads/<image>`: a pixel's own image."""
    found = site.tracker.get_image(image)
    return Response(found.data, 200, security_headers.UPLOAD, content_type=found.media_type)


def docs(site: Site, request: Request) -> Response:
    """`GET /docs`: the reference of the API."""
    document = make_document(site.urls(request.environ), keyed=site.keyed)
    return page_response("docs.html", root=site.root(request.environ), api=make_reference(document))


def static(_: Site, request: Request, name: str) -> Response:
    """`GET /static/<name>`: what pages load. Under the version that they name, it never changes."""
    if name not in ASSETS:
        raise NotFound
    asset = ASSETS[name]
    kept = "max-age=31536000, immutable" if one_argument(request, "v") == asset.version else "max-age=3600"
    return Response(asset.data, 200, [("Cache-Control", kept)], content_type=asset.media_type)


_ERRORS = {
    400: ("That did not work", "Go back and check the form, or the address of this page."),
    401: ("A key is needed", "Where the browser asks, enter any user name, and the key as the password."),
    403: ("Refused", "Open the page here, and try again from there."),
    404: ("Not found", "Check the address of the page."),
    405: ("Not possible", "The page does not take this kind of request."),
    411: ("Not complete", "Try another browser or program."),
    413: ("Too large", "Try a smaller file."),
    415: ("Not supported", "Try another file or program."),
    429: ("Too many requests", ""),
    500: ("Something went wrong", "The error is in the server's log."),
    503: ("Not available right now", "Nothing was lost: opens are still recorded."),
}
_GONE = "It may have been deleted, or the address has a mistake in it."
_SAID_BY_TITLE = frozenset({401, 404, 405, 500, 503})  # a message would only repeat it


def error_page(root: str, status: int, message: str, *, retry_after: str | None = None) -> Response:
    """Return the page that reports an error.

    Args:
        root: the path at which the application is mounted.
        status: the HTTP status.
        message: what is wrong.
        retry_after: in how many seconds it is worth trying again.
    """
    title, advice = _ERRORS.get(status, (HTTPStatus(status).phrase, ""))
    if status == HTTPStatus.NOT_FOUND and message.endswith(" not found"):  # a pixel, a recipient
        title, advice = message, _GONE
    if retry_after:
        advice = f"{advice} Try again in {filters.waiting_time(int(retry_after))}.".strip()
    message = "" if status in _SAID_BY_TITLE else message
    return page_response("error.html", status, root=root, code=status, title=title, message=message, advice=advice)

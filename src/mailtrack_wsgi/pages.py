"""The HTML endpoints: read the request, one or two calls of the tracker, show a page."""

from http import HTTPStatus
from typing import Any

import attrs
from werkzeug.exceptions import NotFound, TooManyRequests
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from mailtrack.errors import InvalidInput, InvalidName
from mailtrack.images import MAX_BYTES as MAX_IMAGE_BYTES
from mailtrack.model import Pixel, VerdictKind
from mailtrack.report import Count
from mailtrack.times import start_of_day
from mailtrack_wsgi import address_lists, headers, views
from mailtrack_wsgi.address_lists import Rejected
from mailtrack_wsgi.bodies import MAX_EMAILS, PixelForm, read_pixel_form, read_recipients_form
from mailtrack_wsgi.charts import chart_of_days, chart_of_report
from mailtrack_wsgi.limits import MINUTES, REQUESTS
from mailtrack_wsgi.openapi import make_document
from mailtrack_wsgi.reference import make_reference
from mailtrack_wsgi.site import Site, choice_argument, number_argument, one_argument
from mailtrack_wsgi.templating import ASSETS, page_response

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
    counted = site.tracker.count_by_day(page.items, since=today - _DAYS_ON_DASHBOARD * views.DAY)
    charts = {
        pixel.id: chart_of_days(
            {day.day: Count(day.counted, day.opens) for day in counted.get(pixel.id, ())},
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
    last = max(1, -(-found.opens.number // OPENS_ON_PAGE))
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


@attrs.frozen(kw_only=True)
class _Result:
    """What became of a list of addresses.

    Attributes:
        taken: how many addresses were taken.
        added: how many recipients there are more.
        rejected: the lines that were not taken.
        problem: what is wrong with the list as a whole.
    """

    taken: int = 0
    added: int = 0
    rejected: tuple[Rejected, ...] = ()
    problem: str | None = None

    @property
    def present(self) -> int:
        """How many of the addresses were there already."""
        return max(self.taken - self.added, 0)


def recipients(site: Site, request: Request, pixel: str) -> Response:
    """`GET /pixels/<pixel>/recipients`: the recipients, and what to put into mails."""
    return _recipients(site, request, site.tracker.get_pixel(pixel))


def add_recipients(site: Site, request: Request, pixel: str) -> Response:
    """`POST /pixels/<pixel>/recipients`: the submission of the form there. What is valid is taken."""
    allowance = site.ask_limiter(request.environ)
    if not allowance.granted:
        raise TooManyRequests(
            f"Recipients can be added {REQUESTS} times in {MINUTES} minutes.", retry_after=allowance.reset
        )
    found = site.tracker.get_pixel(pixel)
    form = read_recipients_form(request.environ)
    texts = [form.emails] if form.file is None else [form.emails, address_lists.decode(form.file)]
    lists = [address_lists.parse(text) for text in texts]
    addresses = dict.fromkeys(address for one in lists for address in one.addresses)
    rejected = tuple(line for one in lists for line in one.rejected)
    if len(addresses) > MAX_EMAILS:
        result = _Result(problem=f"At most {MAX_EMAILS:,} addresses can be added at once.")
    elif not addresses:
        result = _Result(rejected=rejected, problem=None if rejected else "Paste some addresses, or choose a file.")
    else:
        site.tracker.generate_tokens(found.id, addresses)
        after = site.tracker.get_pixel(found.id)
        result = _Result(taken=len(addresses), added=after.recipients - found.recipients, rejected=rejected)
        found = after
    return _recipients(site, request, found, result)


def _recipients(site: Site, request: Request, found: Pixel, result: _Result | None = None) -> Response:
    opened = choice_argument(request, "opened", ("true", "false"))
    cursor = one_argument(request, "cursor")
    page = site.tracker.list_recipients(
        found.id, limit=RECIPIENTS_ON_PAGE, cursor=cursor, opened=None if opened is None else opened == "true"
    )
    url = site.urls(request.environ).tracking(found)
    size = "" if found.image else ' width="1" height="1" border="0"'
    return page_response(
        "recipients.html",
        200 if result is None or result.taken else 400,
        root=site.root(request.environ),
        now=site.tracker.now(),
        pixel=found,
        result=result,
        url=url,
        snippet=f'<img src="{url}?token=TOKEN"{size} alt="">',
        max_emails=MAX_EMAILS,
        opened=opened,
        recipients=page.items,
        cursor=cursor,
        next=page.next,
    )


def confirm_recipient(site: Site, request: Request, recipient: str) -> Response:
    """`GET /recipients/<recipient>/deletion`: what will go."""
    found = site.tracker.get_recipient(recipient)
    back = f"/pixels/{found.pixel_id[:8]}/recipients"
    return page_response(
        "deletion.html",
        root=site.root(request.environ),
        name=found.email,
        goes=["the address", "its token: further opens of the mail are counted without a recipient"],
        after=f"The {views.plural(found.opens.number, 'open')} of this recipient will be kept, without the address."
        if found.opens.number
        else "",
        copies=[("the recipients", f"/api/v1/pixels/{found.pixel_id}/generate-tokens/csv")],
        action=f"/recipients/{found.id}/delete",
        back=back,
    )


def delete_recipient(site: Site, request: Request, recipient: str) -> Response:
    """`POST /recipients/<recipient>/delete`."""
    deleted = site.tracker.delete_recipient(recipient)
    return redirect(f"{site.root(request.environ)}/pixels/{deleted.pixel_id[:8]}/recipients", 303)


def confirm_pixel(site: Site, request: Request, pixel: str) -> Response:
    """`GET /pixels/<pixel>/deletion`: what will go."""
    found = site.tracker.get_pixel(pixel)
    goes = [
        "the pixel, with all its figures",
        views.plural(found.opens.number, "open"),
        f"{views.plural(found.recipients, 'recipient')}, with their tokens",
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
    return Response(found.data, 200, headers.UPLOAD, content_type=found.media_type)


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
        advice = f"{advice} Try again in {views.waiting_time(int(retry_after))}.".strip()
    message = "" if status in _SAID_BY_TITLE else message
    return page_response("error.html", status, root=root, code=status, title=title, message=message, advice=advice)

"""The HTML endpoints: read the request, one call of the tracker, show a page."""

from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from mailtrack.errors import InvalidInput
from mailtrack.times import to_text
from mailtrack_wsgi.bodies import read_pixel_form
from mailtrack_wsgi.site import Site, number_argument, one_argument

OPENS_ON_PAGE = 50

# Nothing but our own style sheet and images; no script at all.
_CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

_templates = Environment(
    loader=PackageLoader("mailtrack_wsgi"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters["time"] = lambda value: f"{value:%Y-%m-%d %H:%M:%S}"
_templates.filters["iso"] = to_text
_templates.filters["count"] = lambda value: f"{value:,}"

_stylesheet = (files("mailtrack_wsgi") / "static" / "style.css").read_bytes()


def page_response(template: str, status: int = 200, **values: Any) -> Response:
    """Return a page made from a template."""
    headers = [
        ("Content-Security-Policy", _CONTENT_SECURITY_POLICY),
        ("Referrer-Policy", "same-origin"),
        ("Cache-Control", "no-store"),
        ("X-Robots-Tag", "noindex"),
    ]
    return Response(
        _templates.get_template(template).render(values), status, headers, content_type="text/html; charset=utf-8"
    )


def dashboard(site: Site, request: Request) -> Response:
    """`GET /`: the pixels, and the form to create one."""
    return _dashboard(site, request)


def create_pixel(site: Site, request: Request) -> Response:
    """`POST /pixels`: the submission of the form on the dashboard."""
    try:
        form = read_pixel_form(request.environ)
        pixel = site.tracker.create_pixel(form.name, image=form.image)
    except InvalidInput as error:
        return _dashboard(site, request, problem=str(error))
    return redirect(f"{site.root(request.environ)}/logs/{pixel.short_id}", 303)


def _dashboard(site: Site, request: Request, problem: str | None = None) -> Response:
    page = site.tracker.list_pixels(cursor=one_argument(request, "cursor"))
    return page_response(
        "dashboard.html",
        400 if problem else 200,
        root=site.root(request.environ),
        pixels=page.items,
        next=page.next,
        problem=problem,
    )


def logs(site: Site, request: Request, pixel: str) -> Response:
    """`GET /logs/<pixel>`: the opens of a pixel, newest first."""
    number = number_argument(request, "page", 1)
    found = site.tracker.get_pixel(pixel)
    last = max(1, -(-found.opens.number // OPENS_ON_PAGE))
    skip = min(number - 1, last) * OPENS_ON_PAGE
    opens = site.tracker.list_opens(found.id, limit=OPENS_ON_PAGE, skip=skip).items
    return page_response(
        "logs.html",
        root=site.root(request.environ),
        pixel=found,
        url=site.urls(request.environ).tracking(found),
        opens=opens,
        recipients=site.tracker.get_recipients(found_open.recipient_id for found_open in opens),
        page=number,
        last=last,
    )


def delete_pixel(site: Site, request: Request, pixel: str) -> Response:
    """`POST /pixels/<pixel>/delete`."""
    site.tracker.delete_pixel(pixel)
    return redirect(f"{site.root(request.environ)}/", 303)


def upload(site: Site, _: Request, image: str) -> Response:
    """`GET /uploads/<image>`: a pixel's own image."""
    found = site.tracker.get_image(image)
    headers = [
        ("Content-Security-Policy", "default-src 'none'; sandbox"),
        ("Cross-Origin-Resource-Policy", "cross-origin"),
        ("Cache-Control", "no-cache"),
    ]
    return Response(found.data, 200, headers, content_type=found.media_type)


def stylesheet(_: Site, __: Request) -> Response:
    """`GET /static/style.css`."""
    return Response(_stylesheet, 200, [("Cache-Control", "max-age=3600")], content_type="text/css; charset=utf-8")


def error_page(root: str, status: int, message: str) -> Response:
    """Return the page that tells of an error."""
    return page_response("error.html", status, root=root, title=HTTP_STATUS_CODES[status], message=message)

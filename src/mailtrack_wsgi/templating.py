"""How a template becomes an answer, and the files that pages load."""

from hashlib import sha256
from importlib.resources import files
from typing import Any

import attrs
from jinja2 import Environment, PackageLoader, StrictUndefined
from werkzeug.wrappers import Response

from mailtrack.times import to_text
from mailtrack_wsgi import headers, views


@attrs.frozen
class Asset:
    """A file that pages load."""

    data: bytes
    media_type: str
    version: str


def _load(name: str, media_type: str) -> Asset:
    data = (files("mailtrack_wsgi") / "static" / name).read_bytes()
    return Asset(data, media_type, sha256(data).hexdigest()[:12])


ASSETS = {
    "style.css": _load("style.css", "text/css; charset=utf-8"),
    "page.js": _load("page.js", "text/javascript; charset=utf-8"),
}

_templates = Environment(
    loader=PackageLoader("mailtrack_wsgi"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.globals.update(
    assets={name: f"{name}?v={asset.version}" for name, asset in ASSETS.items()}, kinds=views.KINDS, query=views.query
)
_templates.filters.update(
    client=views.client_name,
    count=lambda value: f"{value:,}",
    duration=views.duration,
    exact=views.exact_time,
    excerpt=views.excerpt,
    iso=to_text,
    kind=views.kind_name,
    percentage=views.percentage,
    plural=views.plural,
    relative=views.relative_time,
    short_name=views.short_name,
    verdict=views.verdict_name,
    zoneless=views.zoneless_time,
)


def page_response(template: str, status: int = 200, **values: Any) -> Response:
    """Return a page made from a template."""
    text = _templates.get_template(template).render(values)
    return Response(text, status, headers.PAGE, content_type="text/html; charset=utf-8")

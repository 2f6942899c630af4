"""Renders templates, and holds the files that pages load."""

import re
from functools import partial
from hashlib import sha256
from importlib.resources import files
from typing import Any

import attrs
from jinja2 import Environment, PackageLoader, StrictUndefined
from werkzeug.wrappers import Response

from mailtrack._rate_text import rate_figures
from mailtrack._text import plural
from mailtrack._times import to_text
from mailtrack._urls import UPLOADS_PATH
from mailtrack.report import rate_of
from mailtrack_wsgi import _paths as paths
from mailtrack_wsgi import _security_headers as security_headers
from mailtrack_wsgi._html import filters


@attrs.frozen
class Asset:
    """A file that pages load; its version changes with its content."""

    data: bytes
    media_type: str
    version: str


def _load(name: str, media_type: str) -> Asset:
    data = (files("mailtrack_wsgi._html") / "static" / name).read_bytes()
    return Asset(data, media_type, sha256(data).hexdigest()[:12])


def _compress(style: Asset) -> Asset:
    """Return a style sheet without comments, and without blanks around braces, semicolons and commas."""
    data = re.sub(rb"\s*([{};,])\s*", rb"\1", re.sub(rb"/\*.*?\*/", b"", style.data, flags=re.DOTALL))
    return attrs.evolve(style, data=data)


ASSETS = {
    "style.css": _compress(_load("style.css", "text/css; charset=utf-8")),
    "page.js": _load("page.js", "text/javascript; charset=utf-8"),
    "live.js": _load("live.js", "text/javascript; charset=utf-8"),  # uses the former
}

_templates = Environment(
    loader=PackageLoader("mailtrack_wsgi._html"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.globals.update(
    api_pixels=paths.PIXELS,
    api_recipients=paths.RECIPIENTS,
    assets={name: f"{paths.STATIC}{name}?v={asset.version}" for name, asset in ASSETS.items()},
    delivery_states=filters.DELIVERIES,
    firsts=filters.FIRSTS,
    kinds=filters.KINDS,
    openapi=paths.OPENAPI,
    person_page=paths.person_page,
    query=filters.query,
    webhook_page=paths.webhook_page,
    webhooks_page=paths.WEBHOOKS_PAGE,
    uploads=UPLOADS_PATH,
)
_templates.filters.update(
    client=filters.client_name,
    count=lambda value: f"{value:,}",
    duration=filters.duration,
    exact=filters.exact_time,
    excerpt=filters.excerpt,
    iso=to_text,
    kind=filters.kind_name,
    machines=filters.machines,
    percentage=filters.percentage,
    plain=filters.plain_text,
    plural=plural,
    rate=rate_of,
    rate_figures=partial(rate_figures, to_text=filters.percentage),
    relative=filters.relative_time,
    short_name=filters.short_name,
    state=filters.state_name,
    until=filters.time_until,
    verdict=filters.verdict_name,
    webhook_name=filters.webhook_name,
    webhook_state=filters.webhook_state,
    zoneless=filters.zoneless_time,
)


def page_response(template: str, status: int = 200, **values: Any) -> Response:
    """Return a page from a template and its values."""
    text = _templates.get_template(template).render(values)
    return Response(text, status, security_headers.PAGE, content_type="text/html; charset=utf-8")

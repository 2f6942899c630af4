"""Who may do what."""

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from werkzeug.exceptions import Forbidden

from mailtrack.urls import Urls

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def refuse_cross_site(environ: "WSGIEnvironment", urls: Urls) -> None:
    """Refuse a change that a browser makes on behalf of another site.

    `Sec-Fetch-Site` decides where the browser sends it; else an `Origin` must be ours. Programs send neither.

    Raises:
        Forbidden: the request comes from another site.
    """
    if environ["REQUEST_METHOD"] in SAFE_METHODS:
        return
    site = environ.get("HTTP_SEC_FETCH_SITE")
    origin = environ.get("HTTP_ORIGIN")
    if site is not None:
        allowed = site.lower() in ("same-origin", "none")
    else:
        allowed = origin is None or origin.lower() in _own_origins(environ, urls)
    if not allowed:
        raise Forbidden("Requests from other sites are refused.")


def _own_origins(environ: "WSGIEnvironment", urls: Urls) -> set[str]:
    base = urlsplit(urls.base)
    return {
        f"{base.scheme}://{base.netloc}".lower(),
        f"{environ['wsgi.url_scheme']}://{environ.get('HTTP_HOST', '')}".lower(),
    }

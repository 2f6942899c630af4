"""The application: which path leads where, and what every error looks like."""

import logging
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from functools import cached_property
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from werkzeug.exceptions import HTTPException, Unauthorized
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from mailtrack._arguments import to_whole
from mailtrack._errors import (
    ImageTooLarge,
    InvalidArgument,
    InvalidEmails,
    InvalidInput,
    InvalidSetting,
    NotFound,
    StorageUnavailable,
    UnsupportedImage,
)
from mailtrack._tracker import Tracker
from mailtrack_wsgi import _api as api
from mailtrack_wsgi import _beacon as beacon
from mailtrack_wsgi._auth import CHALLENGES, SAFE_METHODS, Gate, known_keys, refuse_cross_site, refuse_other_hosts
from mailtrack_wsgi._bodies import MAX_PROBLEMS
from mailtrack_wsgi._concurrency import Share
from mailtrack_wsgi._context import Site
from mailtrack_wsgi._html import recipients as recipients_page
from mailtrack_wsgi._html import views as pages
from mailtrack_wsgi._mount import Mount
from mailtrack_wsgi._proxies import Proxies
from mailtrack_wsgi._rate_limit import TokenLimiter
from mailtrack_wsgi._security_headers import harden

_logger = logging.getLogger(__name__)

_PIXEL = "/api/v1/pixels/<pixel>"

_routes = Map(
    [
        Rule("/", methods=["GET"], endpoint=pages.dashboard),
        Rule("/pixels", methods=["POST"], endpoint=pages.create_pixel),
        Rule("/pixels/<pixel>/delete", methods=["POST"], endpoint=pages.delete_pixel),
        Rule("/pixels/<pixel>/deletion", methods=["GET"], endpoint=pages.confirm_pixel),
        Rule("/pixels/<pixel>/recipients", methods=["GET"], endpoint=recipients_page.recipients),
        Rule("/pixels/<pixel>/recipients", methods=["POST"], endpoint=recipients_page.add_recipients),
        Rule("/recipients/<recipient>/deletion", methods=["GET"], endpoint=recipients_page.confirm_recipient),
        Rule("/recipients/<recipient>/delete", methods=["POST"], endpoint=recipients_page.delete_recipient),
        Rule("/logs/<pixel>", methods=["GET"], endpoint=pages.logs),
        Rule("/uploads/<image>", methods=["GET"], endpoint=pages.upload),
        Rule("/docs", methods=["GET"], endpoint=pages.docs),
        Rule("/static/<name>", methods=["GET"], endpoint=pages.static),
        Rule("/healthz", methods=["GET"], endpoint=api.healthz),
        Rule("/readyz", methods=["GET"], endpoint=api.readyz),
        Rule("/api/v1/pixels", methods=["POST"], endpoint=api.create_pixel),
        Rule("/api/v1/pixels", methods=["GET"], endpoint=api.list_pixels),
        Rule(_PIXEL, methods=["GET"], endpoint=api.get_pixel),
        Rule(_PIXEL, methods=["DELETE"], endpoint=api.delete_pixel),
        Rule(f"{_PIXEL}/generate-tokens", methods=["POST"], endpoint=api.generate_tokens),
        Rule(f"{_PIXEL}/generate-tokens/csv", methods=["GET"], endpoint=api.export_recipients),
        Rule(f"{_PIXEL}/recipients", methods=["GET"], endpoint=api.list_recipients),
        Rule(f"{_PIXEL}/opens", methods=["GET"], endpoint=api.list_opens),
        Rule(f"{_PIXEL}/opens/csv", methods=["GET"], endpoint=api.export_opens),
        Rule(f"{_PIXEL}/report", methods=["GET"], endpoint=api.get_report),
        Rule("/api/v1/recipients/<recipient>", methods=["DELETE"], endpoint=api.delete_recipient),
        Rule("/api/v1/openapi.json", methods=["GET"], endpoint=api.openapi),
    ],
    strict_slashes=False,
    merge_slashes=False,
)

_UNAVAILABLE = "The storage is not available just now. Try again later."
_JSON_PATHS = ("/api/", "/healthz", "/readyz")


def create_app(
    tracker: Tracker,
    *,
    api_keys: Iterable[str] | None = None,
    stored_keys: bool = False,
    hosts: Iterable[str] | None = None,
    trusted_proxies: int = 0,
    rate_limit_storage: str | None = None,
    max_slow: int = 2,  # with the next, three of the four threads that servers commonly have
    max_downloads: int = 1,
) -> "Application":
    """Make the WSGI application of a tracker, to be served by itself or mounted under any path.

    What judging opens needs is loaded here, once in a process, which takes some tenths of a second: the first mail that
    is opened should not wait for it.

    Args:
        tracker: does the work. It may be shared by several applications.
        api_keys: keys, as they are sent, of which one is needed for everything but the tracker, uploads and
            `/healthz`. Without these and `stored_keys` nothing asks for a key.
        stored_keys: whether the keys that `Tracker.keys.create` and `mailtrack keys create` have stored do as well.
            With it a key is needed even while none is stored.
        hosts: under which names, in lower case and without ports, all but the tracker answers; under any, if not given.
            An application without keys that only its own machine reaches needs them: a web site that a browser there
            shows may let its own name lead to that machine.
        trusted_proxies: how many proxies stand before the application, each of which adds to `X-Forwarded-For`,
            `-Proto` and `-Host`. With 0 these headers mean nothing.
        rate_limit_storage: where requests for tokens are counted: `memory://` (each process for itself),
            `sqlite:///file` or `redis://host:port`. If not given, a file beside that of the tracker's storage, and
            memory where the storage has none.
        max_slow: how many requests that change something may be answered at once in one process, as they last as long
            as their client or the storage takes. Others are answered with 503, so that the rest of the server's threads
            is there for the tracker.
        max_downloads: the same of requests that stream a file. On Linux, one whose client reads nothing for 30 seconds
            is cut. `max_slow` and `max_downloads` together should be less than the threads of a process.

    Raises:
        InvalidSetting: `api_keys` is empty, or has one that can't be sent; `hosts` is one text; `rate_limit_storage`
            can't be used; `max_slow` or `max_downloads` is below 1, or `trusted_proxies` below 0.
        InvalidArgument: `tracker` is no tracker.
    """
    if not hasattr(tracker, "database_file"):
        raise InvalidArgument("tracker", "must be a Tracker")
    if isinstance(hosts, str | bytes):
        raise InvalidSetting("hosts", "must be several names, as in [name]")
    for name, most in (("max_slow", max_slow), ("max_downloads", max_downloads)):
        if to_whole(most, 1, 1_000_000) is None:
            raise InvalidSetting(name, "must be at least 1")
    if to_whole(trusted_proxies or 0, 0, 1_000_000) is None:
        raise InvalidSetting("trusted_proxies", "must be a whole number of at least 0")
    verifiers = [] if api_keys is None else [known_keys(api_keys)]
    if stored_keys:
        verifiers.append(tracker.keys.find)
    if rate_limit_storage is None:
        file = tracker.database_file
        rate_limit_storage = "memory://" if file is None else f"sqlite:///{file}.limits"
    try:
        tracker.prepare()
    except Exception:  # it will be tried again, and mails get their images all the same
        _logger.exception("What judging opens needs can't be loaded.")
    site = Site(
        tracker=tracker,
        proxies=Proxies(trusted_proxies),
        limiter=TokenLimiter(rate_limit_storage),
        share=Share(max_slow),
        downloads=Share(max_downloads),
        keyed=bool(verifiers),
    )
    return Application(
        _Dispatcher(site, Gate(verifiers) if verifiers else None, None if hosts is None else frozenset(hosts))
    )


class Application:
    """The WSGI application that `create_app` makes. Thread-safe; it may be made before a server forks.

    Attributes:
        wsgi_app: answers every request. Assign it to wrap it in middleware, `app.wsgi_app = Middleware(app.wsgi_app)`;
            the application itself stays what it is.
    """

    wsgi_app: WSGIApplication

    def __init__(self, wsgi_app: WSGIApplication) -> None:
        self.wsgi_app = wsgi_app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request by `wsgi_app`."""
        return self.wsgi_app(environ, start_response)


class _Dispatcher:
    """Answers every request: finds its endpoint, and makes an answer of every error."""

    def __init__(self, site: Site, gate: Gate | None, hosts: frozenset[str] | None) -> None:
        self._site = site
        self._gate = gate
        self._hosts = hosts
        self._beacon = beacon.Beacon(site.tracker, site.proxies.address)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        if not environ.get("PATH_INFO", "").startswith(beacon.PATH):
            environ = self._settle(environ)
        if environ.get("PATH_INFO", "").startswith(beacon.PATH):
            return self._beacon(environ, start_response)
        response = self._answer(environ)
        harden(response)
        return response(environ, start_response)

    @cached_property
    def _mount(self) -> Mount:
        return Mount(self._site.tracker.urls, _is_route)

    def _settle(self, environ: WSGIEnvironment) -> WSGIEnvironment:
        try:
            return self._mount.settle(environ)
        except Exception:  # noqa: BLE001  # what is wrong with the tracker shows where the request is answered
            return environ

    def _answer(self, environ: WSGIEnvironment) -> Response:
        try:
            if self._hosts is not None:
                refuse_other_hosts(environ, self._hosts)
            refuse_cross_site(environ, self._site)  # first: another site must not make the browser ask for a key
            if self._gate is not None:
                self._gate.check(environ)
            endpoint, arguments = _routes.bind_to_environ(environ).match()
            self._site.urls(environ)  # raises where the Host is malformed, before anything is done
            answer: Callable[..., Response] = endpoint
            with nullcontext() if environ["REQUEST_METHOD"] in SAFE_METHODS else self._site.share:
                return answer(self._site, Request(environ), **arguments)
        except Exception as error:  # noqa: BLE001  # the one place where every error becomes an answer
            return self._refusal(environ, error)

    def _refusal(self, environ: WSGIEnvironment, error: Exception) -> Response:
        if isinstance(error, HTTPException) and error.response is not None:
            return error.response  # type: ignore[return-value]  # only our own endpoints attach one
        status, message, headers = _describe(error)
        if environ.get("PATH_INFO", "").startswith(_JSON_PATHS):
            content: dict[str, Any] = {"error": message}
            if isinstance(error, InvalidEmails):
                content["invalid"] = [
                    {"index": problem.index, "reason": problem.reason} for problem in error.problems[:MAX_PROBLEMS]
                ]
            response = api.json_response(content, status)
        else:
            response = pages.error_page(
                self._root(environ), status, message, retry_after=dict(headers).get("Retry-After")
            )
        response.headers.extend(headers)
        return response

    def _root(self, environ: WSGIEnvironment) -> str:
        try:
            return self._site.root(environ)
        except HTTPException:
            return ""


def _is_route(path: str, method: str) -> bool:
    """Return whether a path leads somewhere by a method."""
    return _routes.bind("").test(path, method)


def _describe(error: Exception) -> tuple[int, str, list[tuple[str, str]]]:
    """Return the status, the message and the headers that an error is answered with: the only such mapping."""
    match error:
        case Unauthorized():
            return 401, error.description, CHALLENGES
        case HTTPException():
            headers = [(name, value) for name, value in error.get_headers() if name in ("Allow", "Retry-After")]
            return error.code or 500, error.description or error.name, headers
        case NotFound():
            return 404, str(error), []
        case ImageTooLarge():
            return 413, str(error), []
        case UnsupportedImage():
            return 415, str(error), []
        case InvalidEmails():
            return 400, error.summary, []  # nothing that was given is repeated
        case InvalidInput():
            return 400, str(error), []
        case StorageUnavailable():
            _logger.warning("The storage is not available: %s", error)
            return 503, _UNAVAILABLE, [("Retry-After", str(error.retry_after))]
        case OSError():  # a storage of a third party; bodies that can't be read are a `BadRequest`
            _logger.error("The storage is not available.", exc_info=error)
            return 503, _UNAVAILABLE, [("Retry-After", "1")]
        case _:
            _logger.error("A request failed.", exc_info=error)
            return 500, "Something went wrong on the server.", []

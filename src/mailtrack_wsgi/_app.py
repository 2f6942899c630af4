"""The application: its routes, and the one mapping from errors to answers."""

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
    InvalidRecipients,
    InvalidSetting,
    NotFound,
    StorageUnavailable,
    UnsupportedImage,
)
from mailtrack._tracker import Tracker
from mailtrack._urls import TRACKER_PATH, UPLOADS_PATH
from mailtrack_wsgi import _api as api
from mailtrack_wsgi import _paths as paths
from mailtrack_wsgi import _webhooks_api as webhooks_api
from mailtrack_wsgi._auth import (
    CHALLENGES,
    SAFE_METHODS,
    Gate,
    check_authorize,
    make_verifier,
    refuse_cross_site,
    refuse_other_hosts,
)
from mailtrack_wsgi._beacon import Beacon
from mailtrack_wsgi._bodies import MAX_PROBLEMS
from mailtrack_wsgi._concurrency import ConcurrencyLimit
from mailtrack_wsgi._context import Context
from mailtrack_wsgi._html import people as people_page
from mailtrack_wsgi._html import recipients as recipients_page
from mailtrack_wsgi._html import settings as settings_page
from mailtrack_wsgi._html import views as pages
from mailtrack_wsgi._html import webhook as webhook_page
from mailtrack_wsgi._html import webhooks as webhooks_page
from mailtrack_wsgi._html.errors import error_page
from mailtrack_wsgi._metrics import metrics
from mailtrack_wsgi._mount import Mount
from mailtrack_wsgi._openapi import page as reference_page
from mailtrack_wsgi._proxies import Proxies
from mailtrack_wsgi._rate_limit import DEFAULT_LIMIT, TokenLimiter, limits_file
from mailtrack_wsgi._security_headers import harden

_logger = logging.getLogger(__name__)

_PIXEL = f"{paths.PIXELS}/<pixel>"
_WEBHOOK = f"{paths.WEBHOOKS}/<webhook>"

_routes = Map(
    [
        Rule("/", methods=["GET"], endpoint=pages.dashboard),
        Rule("/pixels", methods=["POST"], endpoint=pages.create_pixel),
        Rule("/pixels/<pixel>/delete", methods=["POST"], endpoint=pages.delete_pixel),
        Rule("/pixels/<pixel>/deletion", methods=["GET"], endpoint=pages.confirm_pixel),
        Rule("/pixels/<pixel>/settings", methods=["GET"], endpoint=settings_page.settings),
        Rule("/pixels/<pixel>/settings", methods=["POST"], endpoint=settings_page.change_pixel),
        Rule("/pixels/<pixel>/archive", methods=["POST"], endpoint=settings_page.archive_pixel),
        Rule("/pixels/<pixel>/unarchive", methods=["POST"], endpoint=settings_page.unarchive_pixel),
        Rule("/pixels/<pixel>/recipients", methods=["GET"], endpoint=recipients_page.recipients),
        Rule("/pixels/<pixel>/recipients", methods=["POST"], endpoint=recipients_page.add_recipients),
        Rule("/people", methods=["GET"], endpoint=people_page.person),
        Rule("/people/export", methods=["GET"], endpoint=people_page.export_person),
        Rule("/people/erasure", methods=["GET"], endpoint=people_page.confirm_person),
        Rule("/people/erase", methods=["POST"], endpoint=people_page.erase_person),
        Rule("/recipients/<recipient>/deletion", methods=["GET"], endpoint=recipients_page.confirm_recipient),
        Rule("/recipients/<recipient>/delete", methods=["POST"], endpoint=recipients_page.delete_recipient),
        Rule("/webhooks", methods=["GET"], endpoint=webhooks_page.webhooks),
        Rule("/webhooks", methods=["POST"], endpoint=webhooks_page.add_webhook),
        Rule("/webhooks/<webhook>", methods=["GET"], endpoint=webhook_page.webhook),
        Rule("/webhooks/<webhook>", methods=["POST"], endpoint=webhook_page.change_webhook),
        Rule("/webhooks/<webhook>/deletion", methods=["GET"], endpoint=webhook_page.confirm_webhook),
        Rule("/webhooks/<webhook>/delete", methods=["POST"], endpoint=webhook_page.delete_webhook),
        Rule("/logs/<pixel>", methods=["GET"], endpoint=pages.logs),
        Rule(f"{UPLOADS_PATH}<image>", methods=["GET"], endpoint=pages.upload),
        Rule("/docs", methods=["GET"], endpoint=reference_page.docs),
        Rule(f"{paths.STATIC}<name>", methods=["GET"], endpoint=pages.static),
        Rule(paths.HEALTH, methods=["GET"], endpoint=api.healthz),
        Rule(paths.READINESS, methods=["GET"], endpoint=api.readyz),
        Rule(paths.METRICS, methods=["GET"], endpoint=metrics),
        Rule(paths.PIXELS, methods=["POST"], endpoint=api.create_pixel),
        Rule(paths.PIXELS, methods=["GET"], endpoint=api.list_pixels),
        Rule(_PIXEL, methods=["GET"], endpoint=api.get_pixel),
        Rule(_PIXEL, methods=["PATCH"], endpoint=api.update_pixel),
        Rule(_PIXEL, methods=["DELETE"], endpoint=api.delete_pixel),
        Rule(f"{_PIXEL}/generate-tokens", methods=["POST"], endpoint=api.generate_tokens),
        Rule(f"{_PIXEL}/generate-tokens/csv", methods=["GET"], endpoint=api.export_recipients),
        Rule(f"{_PIXEL}/sent", methods=["POST"], endpoint=api.mark_sent),
        Rule(f"{_PIXEL}/recipients", methods=["GET"], endpoint=api.list_recipients),
        Rule(f"{_PIXEL}/opens", methods=["GET"], endpoint=api.list_opens),
        Rule(f"{_PIXEL}/opens/csv", methods=["GET"], endpoint=api.export_opens),
        Rule(f"{_PIXEL}/report", methods=["GET"], endpoint=api.get_report),
        Rule(paths.RECIPIENTS, methods=["GET"], endpoint=api.find_recipients),
        Rule(f"{paths.RECIPIENTS}/<recipient>", methods=["GET"], endpoint=api.get_recipient),
        Rule(f"{paths.RECIPIENTS}/<recipient>", methods=["DELETE"], endpoint=api.delete_recipient),
        Rule(paths.EVENTS, methods=["GET"], endpoint=api.list_events),
        Rule(paths.ERASE, methods=["POST"], endpoint=api.erase),
        Rule(paths.WEBHOOKS, methods=["POST"], endpoint=webhooks_api.create_webhook),
        Rule(paths.WEBHOOKS, methods=["GET"], endpoint=webhooks_api.list_webhooks),
        Rule(_WEBHOOK, methods=["GET"], endpoint=webhooks_api.get_webhook),
        Rule(_WEBHOOK, methods=["PATCH"], endpoint=webhooks_api.update_webhook),
        Rule(_WEBHOOK, methods=["DELETE"], endpoint=webhooks_api.delete_webhook),
        Rule(f"{_WEBHOOK}/rotate", methods=["POST"], endpoint=webhooks_api.rotate_secret),
        Rule(f"{_WEBHOOK}/test", methods=["POST"], endpoint=webhooks_api.send_test),
        Rule(f"{_WEBHOOK}/deliveries", methods=["GET"], endpoint=webhooks_api.list_deliveries),
        Rule(f"{_WEBHOOK}/replay", methods=["POST"], endpoint=webhooks_api.replay_webhook),
        Rule(paths.OPENAPI, methods=["GET"], endpoint=api.openapi),
    ],
    strict_slashes=False,
    merge_slashes=False,
)

_UNAVAILABLE = "The storage is not available. Try again later."
_JSON_PATHS = (paths.API, paths.HEALTH, paths.READINESS, paths.METRICS)


def create_app(
    tracker: Tracker,
    *,
    api_keys: Iterable[str] | None = None,
    stored_keys: bool = False,
    authorize: Callable[[WSGIEnvironment], bool | str] | None = None,
    hosts: Iterable[str] | None = None,
    trusted_proxies: int = 0,
    token_limit: str | None = DEFAULT_LIMIT,  # for each client
    rate_limit_storage: str | None = None,
    max_slow: int = 2,  # with the next, three of the four threads that servers commonly have
    max_downloads: int = 1,
) -> "Application":
    """Make the WSGI application of a tracker, to be served on its own or mounted under any path.

    Loads what judging opens needs, once in a process, which takes some tenths of a second: the first mail that is
    opened should not wait for it.

    Args:
        tracker: does the work. Several applications may share it.
        api_keys: keys, as clients send them. With these or `stored_keys`, everything but the tracker, uploads and
            `/healthz` needs one; without both, nothing does unless `authorize` is given.
        stored_keys: whether keys stored by `Tracker.keys.create` and `mailtrack keys create` are valid. With it a key
            is needed even while none is stored.
        authorize: your application's own login. It is called with the WSGI environment of each request that has no
            valid key, except for the tracker, uploads, `/static/` and `/healthz`; its `PATH_INFO` is the path below the
            mount point. `True` lets the request in. A `str` is a URL to redirect to: a path on this host, or an http or
            https URL. Anything else is `403`, and so is an exception, which is logged. It must be thread-safe, and must
            not read the body.
        hosts: the host names that are answered, in lower case and without ports; any by default. The tracker answers
            under every name. An application without keys that only its own machine reaches needs them: a web site in a
            browser on that machine may point its own name there.
        trusted_proxies: number of proxies in front of the application, each of which adds to `X-Forwarded-For`,
            `-Proto` and `-Host`. With 0 these headers are ignored.
        token_limit: how often each client may generate tokens and add recipients, as the library `limits` writes it:
            `10/15minutes`, `100/hour`. `None` switches the limit off.
        rate_limit_storage: where these requests are counted: `memory://` (each process for itself),
            `sqlite:///file`, or `redis://host:port` or `valkey://host:port` for several machines. By default a file
            beside that of the tracker's storage, beside its spool if the storage has none, or memory without both.
        max_slow: number of requests that change something and run at once in one process, since they last as long as
            their client or the storage takes. Further ones are answered with 503, which keeps the server's other
            threads free for the tracker.
        max_downloads: the same for requests that stream a file. On Linux, one whose client reads nothing for 30 seconds
            is cut. `max_slow` and `max_downloads` together should be less than the threads of a process.

    Returns:
        The application. To add middleware, assign its `wsgi_app`.

    Raises:
        InvalidSetting: `api_keys` is empty, or has a key that can't be sent; `authorize` is not a function, or is an
            asynchronous one; `hosts` is a single text; `token_limit` or `rate_limit_storage` can't be used; `max_slow`
            or `max_downloads` is below 1, or `trusted_proxies` below 0.
        InvalidArgument: `tracker` is not a tracker.
    """
    _check_options(
        tracker, hosts=hosts, trusted_proxies=trusted_proxies, max_slow=max_slow, max_downloads=max_downloads
    )
    check_authorize(authorize)
    verifiers = [] if api_keys is None else [make_verifier(api_keys)]
    if stored_keys:
        verifiers.append(tracker.keys.find)
    context = Context(
        tracker=tracker,
        proxies=Proxies(trusted_proxies),
        limiter=_make_limiter(tracker, token_limit, rate_limit_storage),
        changes=ConcurrencyLimit(max_slow),
        downloads=ConcurrencyLimit(max_downloads),
        keyed=bool(verifiers) and authorize is None,
        login=authorize is not None,
    )
    try:
        tracker.prepare()
    except Exception:  # it will be tried again, and mails get their images anyway
        _logger.exception("The data that judging opens needs can't be loaded.")
    gate = None
    if verifiers or authorize is not None:
        gate = Gate(verifiers, authorize, remembered=tracker.keys._find_kept)
    return Application(_Dispatcher(context, gate, None if hosts is None else frozenset(hosts)).answer)


def _check_options(tracker: object, *, hosts: object, trusted_proxies: int, max_slow: int, max_downloads: int) -> None:
    if not hasattr(tracker, "database_file"):
        raise InvalidArgument("tracker", "must be a Tracker")
    if isinstance(hosts, str | bytes):
        raise InvalidSetting("hosts", "must be several names, as in [name]")
    for name, most in (("max_slow", max_slow), ("max_downloads", max_downloads)):
        if to_whole(most, 1, 1_000_000) is None:
            raise InvalidSetting(name, "must be at least 1")
    if to_whole(trusted_proxies or 0, 0, 1_000_000) is None:
        raise InvalidSetting("trusted_proxies", "must be a whole number of at least 0")


def _make_limiter(tracker: Tracker, limit: str | None, url: str | None) -> TokenLimiter | None:
    if url is None:
        file = tracker.database_file or tracker.spool_folder
        url = "memory://" if file is None else f"sqlite:///{limits_file(file)}"
    return None if limit is None else TokenLimiter(url, limit)


class Application:
    """The WSGI application that `create_app` makes. Thread-safe; it may be made before a server forks.

    Attributes:
        wsgi_app: answers every request. Assign it to add middleware, `app.wsgi_app = Middleware(app.wsgi_app)`; the
            application keeps its type and attributes.
    """

    wsgi_app: WSGIApplication

    def __init__(self, wsgi_app: WSGIApplication) -> None:
        self.wsgi_app = wsgi_app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request by `wsgi_app`."""
        return self.wsgi_app(environ, start_response)


class _Dispatcher:
    """Answers every request: finds its endpoint, and makes an answer of every error."""

    def __init__(self, context: Context, gate: Gate | None, hosts: frozenset[str] | None) -> None:
        self._context = context
        self._gate = gate
        self._hosts = hosts
        self._beacon = Beacon(context.tracker, context.proxies.address, context.proxies.is_surely_https)

    def answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request, as WSGI applications do."""
        if not environ.get("PATH_INFO", "").startswith(TRACKER_PATH):
            environ = self._settle(environ)
            if not environ.get("PATH_INFO", "").startswith(TRACKER_PATH):
                response = self._answer(environ)
                harden(response)
                return response(environ, start_response)
        return self._beacon(environ, start_response)

    @cached_property
    def _mount(self) -> Mount:
        return Mount(self._context.tracker.urls, is_route)

    def _settle(self, environ: WSGIEnvironment) -> WSGIEnvironment:
        try:
            return self._mount.settle(environ)
        except Exception:  # noqa: BLE001  # a fault of the tracker is reported where the request is answered
            return environ

    def _answer(self, environ: WSGIEnvironment) -> Response:
        try:
            if self._hosts is not None:
                refuse_other_hosts(environ, self._hosts)
            # Before keys are checked: another site must not make the browser ask for one.
            refuse_cross_site(environ, proxies=self._context.proxies, urls=self._context.tracker.urls)
            if self._gate is not None:
                self._gate.check(environ)
            endpoint, arguments = _routes.bind_to_environ(environ).match()
            self._context.urls(environ)  # raises if the Host is malformed, before anything is done
            answer: Callable[..., Response] = endpoint
            with nullcontext() if environ["REQUEST_METHOD"] in SAFE_METHODS else self._context.changes:
                return answer(self._context, Request(environ), **arguments)
        except Exception as error:  # noqa: BLE001  # the one place where every error becomes an answer
            return self._refusal(environ, error)

    def _refusal(self, environ: WSGIEnvironment, error: Exception) -> Response:
        if isinstance(error, HTTPException) and error.response is not None:
            return error.response  # type: ignore[return-value]  # only our own endpoints attach one
        status, message, headers = _describe(error)
        if environ.get("PATH_INFO", "").startswith(_JSON_PATHS):
            content: dict[str, Any] = {"error": message}
            if isinstance(error, InvalidEmails | InvalidRecipients):
                content["invalid"] = [
                    {"index": problem.index, "reason": problem.reason} for problem in error.problems[:MAX_PROBLEMS]
                ]
            response = api.json_response(content, status)
        else:
            response = error_page(self._root(environ), status, message, retry_after=dict(headers).get("Retry-After"))
        response.headers.extend(headers)
        return response

    def _root(self, environ: WSGIEnvironment) -> str:
        try:
            return self._context.root(environ)
        except HTTPException:
            return ""


def is_route(path: str, method: str) -> bool:
    """Return whether a route takes a path and a method."""
    return _routes.bind("").test(path, method)


def is_own_path(path: str) -> bool:
    """Return whether a path is one of the tracker, a page or the API, with any method."""
    return path.startswith(TRACKER_PATH) or bool(_routes.bind("").allowed_methods(path))


def _describe(error: Exception) -> tuple[int, str, list[tuple[str, str]]]:
    """Return the status, message and headers that an error is answered with: the only such mapping."""
    match error:
        case Unauthorized():
            return 401, error.description, CHALLENGES
        case HTTPException():
            headers = [
                (name, value) for name, value in error.get_headers() if name in ("Allow", "Location", "Retry-After")
            ]
            return error.code or 500, error.description or error.name, headers
        case NotFound():
            return 404, str(error), []
        case ImageTooLarge():
            return 413, str(error), []
        case UnsupportedImage():
            return 415, str(error), []
        case InvalidEmails() | InvalidRecipients():
            return 400, error.summary, []  # which repeats no input
        case InvalidInput():
            return 400, str(error), []
        case StorageUnavailable():
            _logger.warning("The storage is not available: %s", error)
            return 503, _UNAVAILABLE, [("Retry-After", str(error.retry_after))]
        case OSError():  # of a third party's storage; a body that can't be read is a `BadRequest`
            _logger.error("The storage is not available.", exc_info=error)
            return 503, _UNAVAILABLE, [("Retry-After", "1")]
        case _:
            _logger.error("A request failed.", exc_info=error)
            return 500, "Something went wrong on the server.", []

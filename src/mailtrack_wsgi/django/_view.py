"""The view: hands Django's request to the WSGI application, and its answer back."""

import logging
from collections.abc import AsyncIterator, Iterable
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from mailtrack._errors import StorageError
from mailtrack._images.check import TRANSPARENT_PNG
from mailtrack._urls import TRACKER_PATH
from mailtrack_wsgi._beacon import HEADERS
from mailtrack_wsgi._paths import is_public
from mailtrack_wsgi.django._access import REQUEST
from mailtrack_wsgi.django._site import get_site

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_logger = logging.getLogger(__name__)


@csrf_exempt  # the application refuses what other sites send, and reads its bodies itself
@login_not_required  # the application asks for the login where one is needed
def pages(request: HttpRequest, path: str = "", **_: object) -> HttpResponseBase:
    """Answer a request by the application, started with the first one in each process.

    Args:
        request: the request.
        path: the path below the mount point, without its first slash.
    """
    own = f"/{path.removeprefix('/')}"
    try:
        app = get_site().start()
    except Exception as error:
        if own.startswith(TRACKER_PATH):
            _logger.exception("The tracker can't be opened; a mail gets its image, but the open is not recorded.")
            return _Uncookied(TRANSPARENT_PNG.data, content_type=TRANSPARENT_PNG.media_type, headers=HEADERS)
        if not isinstance(error, StorageError):
            raise
        _logger.exception("The storage can't be opened.")
        return HttpResponse("The storage is not available. Try again later.", status=503, headers={"Retry-After": "5"})
    head: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], _: object = None) -> Any:
        head[:] = [status, headers]

    pieces = app(_environ(request, path, own), start_response)
    return _respond(request, head[0], head[1], pieces, cookies=not is_public(own))


def _environ(request: HttpRequest, path: str, own: str) -> "WSGIEnvironment":
    """Return the WSGI environment of a request, which may have come by ASGI."""
    mount = request.path_info[: len(request.path_info) - len(path)]
    return {
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "",
        **request.META,
        **_host(request),
        "SCRIPT_NAME": _wsgi_text(f"{request.META.get('SCRIPT_NAME', '')}{mount}".rstrip("/")),
        "PATH_INFO": _wsgi_text(own),
        "wsgi.url_scheme": request.scheme,
        "wsgi.input": request,  # it reads up to the declared length, also what middleware has read before
        REQUEST: request,
    }


def _host(request: HttpRequest) -> dict[str, str]:
    """Return the header with the host as the settings of the project see it, for example behind a proxy."""
    try:
        return {"HTTP_HOST": request.get_host()}
    except DisallowedHost:  # which is the middleware's to refuse: the tracker answers under every name
        return {}


def _wsgi_text(text: str) -> str:
    """Return a text as WSGI has it (PEP 3333): the bytes of its UTF-8, decoded as Latin-1."""
    return text.encode().decode("latin-1")


def _respond(
    request: HttpRequest, status: str, headers: list[tuple[str, str]], pieces: Iterable[bytes], *, cookies: bool
) -> HttpResponseBase:
    code, _, reason = status.partition(" ")
    response: HttpResponseBase
    if any(name.lower() == "content-length" for name, _ in headers):
        try:
            response = (HttpResponse if cookies else _Uncookied)(b"".join(pieces))
        finally:
            _close(pieces)
    else:
        response = StreamingHttpResponse(_AsyncPieces(pieces) if isinstance(request, ASGIRequest) else pieces)
    response.status_code, response.reason_phrase = HTTPStatus(int(code)), reason
    del response["Content-Type"]
    for name, value in headers:
        response[name] = f"{response[name]}, {value}" if name in response else value
    return response


class _Uncookied(HttpResponse):
    """A response that no middleware can add a cookie to."""

    def set_cookie(self, *_: object, **__: object) -> None:
        """Do nothing."""


class _AsyncPieces:
    """The pieces of a body for ASGI, one at a time: given a synchronous iterable, Django would read all of it first."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        iterator = iter(self._pieces)
        while (piece := await sync_to_async(partial(next, iterator, None))()) is not None:
            yield piece

    def close(self) -> None:
        """Close the body. Django does so when the response ends, and when the client leaves."""
        _close(self._pieces)


def _close(pieces: Iterable[bytes]) -> None:
    if close := getattr(pieces, "close", None):
        close()

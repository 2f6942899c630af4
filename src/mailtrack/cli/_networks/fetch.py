"""`fetch`: gets a list over HTTPS, whole or not at all."""

import http.client
import time
import urllib.error
import urllib.request
from concurrent.futures import Future
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from mailtrack._threads import BackgroundThread
from mailtrack._version import __version__
from mailtrack.cli._networks.failure import UpdateFailed

MAX_BYTES = 64 * 1024 * 1024  # Apple's list takes 10 MB
TIMEOUT = 60.0  # seconds, for all of it
_STALL = 20.0  # seconds without a byte
_PIECE = 65_536
_NOT_MODIFIED = 304
_LATE = "the server did not answer in time"
_LOCAL_HOSTS = {"127.0.0.1", "localhost"}


class Answer(NamedTuple):
    """The answer of a server.

    Attributes:
        data: the list; `None` if it is unchanged.
        tags: the headers for the next request, by name.
    """

    data: bytes | None
    tags: dict[str, str]


def fetch(
    url: str, *, tags: dict[str, str] | None = None, timeout: float = TIMEOUT, max_bytes: int = MAX_BYTES
) -> Answer:
    """Get a list from `https://...`, or from `http://127.0.0.1` and `http://localhost`.

    Args:
        url: where it is.
        tags: those of the last answer, if an unchanged list is not needed again.
        timeout: the limit for all of it, from the look-up of the name to the last byte, in seconds.
        max_bytes: the limit on its size as sent.

    Raises:
        UpdateFailed: it can't be got, is cut, or is too large.
    """
    _check(url)
    future: Future[Answer] = Future()

    def run() -> None:
        try:
            future.set_result(_get(url, tags or {}, timeout, max_bytes))
        except Exception as error:  # noqa: BLE001  # the caller gets it
            future.set_exception(error)

    # The library limits single steps only: a slow look-up of the name and headers that come byte by byte pass. A thread
    # that is left behind ends with the command.
    BackgroundThread(run, name="mailtrack-fetch").start()
    try:
        return future.result(timeout)
    except TimeoutError:
        raise UpdateFailed(_LATE) from None


def _get(url: str, tags: dict[str, str], timeout: float, max_bytes: int) -> Answer:
    deadline = time.monotonic() + timeout
    headers = {"User-Agent": f"mailtrack/{__version__}", "Accept-Encoding": "gzip", **tags}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310  # checked
    # A local server is never asked through a proxy.
    proxies = [urllib.request.ProxyHandler({})] if _is_local(url) else []
    opener = urllib.request.build_opener(_Redirects, *proxies)
    try:
        with opener.open(request, timeout=min(timeout, _STALL)) as response:
            data = _read(response, deadline, max_bytes)
            found = {"If-None-Match": response.headers["ETag"], "If-Modified-Since": response.headers["Last-Modified"]}
            return Answer(data, {name: value for name, value in found.items() if value})
    except urllib.error.HTTPError as error:
        with error:
            if error.code == _NOT_MODIFIED and tags:
                return Answer(None, tags)
            raise UpdateFailed(f"the server answered {error.code} {error.reason}".rstrip()) from None
    except TimeoutError:
        raise UpdateFailed(_LATE) from None
    except urllib.error.URLError as error:
        raise UpdateFailed(_reason(error.reason)) from None
    except (OSError, http.client.HTTPException) as error:
        raise UpdateFailed(_reason(error)) from None


def _check(url: str) -> None:
    if not _is_allowed(url):
        raise UpdateFailed("only https:// is allowed, and http:// on 127.0.0.1 and localhost")


def _is_allowed(url: str) -> bool:
    return url.startswith("https://") or (url.startswith("http://") and _is_local(url))


def _is_local(url: str) -> bool:
    return urlsplit(url).hostname in _LOCAL_HOSTS


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to HTTPS, and those from HTTP to HTTP on this machine."""

    def redirect_request(self, req: urllib.request.Request, *args: Any) -> urllib.request.Request | None:
        """Return the request for the new URL, the last argument; the first is the response."""
        response, *_, newurl = args
        if not newurl.startswith("https://") and not (req.type == "http" and _is_allowed(newurl)):
            response.close()
            raise UpdateFailed("the server redirects to a URL without https://")
        return super().redirect_request(req, *args)


def _read(response: http.client.HTTPResponse, deadline: float, max_bytes: int) -> bytes:
    data = bytearray()
    while piece := response.read1(_PIECE):
        data += piece
        if len(data) > max_bytes:
            raise UpdateFailed(f"it is larger than {max_bytes:,} bytes")
        if time.monotonic() > deadline:
            raise TimeoutError
    if response.length:
        raise UpdateFailed(f"only {len(data):,} bytes of it came, and {response.length:,} are missing")
    return bytes(data)


def _reason(error: object) -> str:
    if isinstance(error, TimeoutError):
        return _LATE
    return f"it can't be fetched: {getattr(error, 'strerror', None) or error}"

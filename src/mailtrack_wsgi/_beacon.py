"""`GET /tracker/<pixel>.png`: from the request of a mail program to `Tracker.record`.

Plain WSGI, without framework objects. Every request gets an image, whatever fails.
"""

import logging
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from mailtrack._errors import StorageError
from mailtrack._images.check import TRANSPARENT_PNG
from mailtrack._model import Image
from mailtrack._text import MAX_TEXT_LENGTH
from mailtrack._tracker import Tracker
from mailtrack._urls import TRACKER_PATH
from mailtrack_wsgi._tracker_urls import find_pixel, find_token

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_logger = logging.getLogger(__name__)

HEADERS = {
    "Cache-Control": "no-store, no-cache, must-revalidate, max-age=0, private",
    "Pragma": "no-cache",
    "Expires": "0",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}
"""Headers of every image that the tracker sends, besides its type and length."""


def _headers(image: Image) -> list[tuple[str, str]]:
    return [*HEADERS.items(), ("Content-Type", image.media_type), ("Content-Length", str(len(image.data)))]


_TRANSPARENT_HEADERS = _headers(TRANSPARENT_PNG)

_PREFIX = len(TRACKER_PATH)

_HINTED_VERSION = re.compile(r'"Chromium";\s?v="(\d{1,4})')
_NAMED_VERSION = re.compile(r"Chrome/(\d{1,4})")

# Headers by which clients announce that no person has asked to see the image yet.
_PURPOSES = ("HTTP_SEC_PURPOSE", "HTTP_PURPOSE", "HTTP_X_PURPOSE", "HTTP_X_MOZ")


class Beacon:
    """The tracker's endpoint, a WSGI application for the paths below `/tracker/`.

    Args:
        tracker: records the hits.
        client_address: returns a request's IP address.
        is_surely_https: returns whether the client used HTTPS, `False` where that is not known.
    """

    def __init__(
        self,
        tracker: Tracker,
        client_address: "Callable[[WSGIEnvironment], str | None]",
        is_surely_https: "Callable[[WSGIEnvironment], bool]",
    ) -> None:
        self._tracker = tracker
        self._client_address = client_address
        self._is_surely_https = is_surely_https
        self._failures = 0
        self._silent_until = 0.0

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> list[bytes]:
        """Answer a request, and record it if it is a `GET` of a pixel."""
        method = environ["REQUEST_METHOD"]
        if method not in ("GET", "HEAD"):
            body = b"Method not allowed\n"
            start_response(
                "405 Method Not Allowed",
                [("Allow", "GET, HEAD"), ("Content-Type", "text/plain"), ("Content-Length", str(len(body)))],
            )
            return [body]
        name = environ["PATH_INFO"][_PREFIX:]
        pixel = find_pixel(name)
        image = self._image_of(pixel)
        if method == "GET":
            self._record(pixel, name, environ)
        start_response("200 OK", _TRANSPARENT_HEADERS.copy() if image is TRANSPARENT_PNG else _headers(image))
        return [image.data] if method == "GET" else []

    def _image_of(self, pixel: str) -> Image:
        try:
            return self._tracker.get_pixel_image(pixel)
        except Exception as error:  # noqa: BLE001  # a mail gets an image, whatever fails
            self._complain("A pixel's image can't be looked up; the transparent one is sent instead", error)
            return TRANSPARENT_PNG

    def _record(self, pixel: str, name: str, environ: "WSGIEnvironment") -> None:
        try:
            self._tracker.record(
                pixel,
                token=find_token(environ.get("QUERY_STRING", ""), name),
                ip=self._client_address(environ),
                user_agent=_text(environ.get("HTTP_USER_AGENT", "")),
                referer=_text(environ.get("HTTP_REFERER", "")),
                signals=self._signals(environ),
            )
        except Exception as error:  # noqa: BLE001  # a mail gets an image, whatever fails
            self._complain("A hit can't be recorded; its image is sent anyway", error)

    def _signals(self, environ: "WSGIEnvironment") -> list[str]:
        """Return the judge's signals that are in the headers of a request."""
        signals = [] if "HTTP_ACCEPT_LANGUAGE" in environ else ["no-language"]
        destination = environ.get("HTTP_SEC_FETCH_DEST")
        is_https = destination is not None or self._is_surely_https(environ)  # browsers send it over HTTPS only
        if is_https and destination is None:
            signals.append("no-fetch-metadata")
        elif destination == "document":
            signals.append("navigation")
        hints = environ.get("HTTP_SEC_CH_UA")
        if hints is not None:
            signals += _signals_of_hints(hints, environ.get("HTTP_USER_AGENT", ""))
        elif is_https and "Chrome/" in environ.get("HTTP_USER_AGENT", ""):
            signals.append("no-client-hints")
        if "HTTP_RANGE" in environ:
            signals.append("range")
        for header in _PURPOSES:
            if header in environ:
                purpose = environ[header].lower()
                signals += [signal for signal in ("prefetch", "preview") if signal in purpose]
        return signals

    def _complain(self, what: str, error: Exception) -> None:
        """Log a failure, at most once a second: there may be thousands under load."""
        self._failures += 1
        now = time.monotonic()
        if now >= self._silent_until:
            self._silent_until = now + 1.0
            unexpected = not isinstance(error, StorageError)
            _logger.error("%s (failures so far: %d): %s", what, self._failures, error, exc_info=unexpected)


def _signals_of_hints(hints: str, user_agent: str) -> list[str]:
    """Return the signals of `Sec-CH-UA`. A tool that replaces a browser's user agent often leaves its hints.

    Only browsers based on Chromium send the header. Its version in there is that of their user agent (WICG, "User-Agent
    Client Hints").
    """
    signals = ["headless-hint"] if "HeadlessChrome" in hints else []
    hinted, named = _HINTED_VERSION.search(hints), _NAMED_VERSION.search(user_agent)
    if hinted and (named is None or named[1] != hinted[1]):
        signals.append("forged-hint")
    return signals


def _text(header: str) -> str:
    """Return a header's text: WSGI decodes its bytes as Latin-1, clients send UTF-8."""
    if header.isascii():
        return header
    return header[: MAX_TEXT_LENGTH * 4].encode("latin-1", "replace").decode("utf-8", "replace")

"""Finds the application's own part of a request's path, whatever prefix a proxy has left in front of it."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes, urlsplit

from mailtrack._urls import TRACKER_PATH, Urls

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


class Mount:
    """Finds the path that a request is for, with the path of the base URL in front of it or without.

    A proxy may strip that path, pass it on, strip a part of it, or double the slash behind it.

    Args:
        urls: the URLs below the base URL, `None` if it is not known.
        is_route: returns whether a path and a method lead to a page or to the API.
    """

    def __init__(self, urls: Urls | None, is_route: Callable[[str, str], bool]) -> None:
        before = ""
        for name in filter(None, urlsplit(urls.base if urls else "").path.split("/")):
            before = f"(?:{before}/+{re.escape(unquote_to_bytes(name).decode('latin-1'))})?"
        self._before = re.compile(rf"{before}(?=/|\Z)")
        self._tracker = re.compile(f"{before}/+{TRACKER_PATH[1:-1]}/+", re.IGNORECASE)
        self._is_route = is_route

    def settle(self, environ: "WSGIEnvironment") -> "WSGIEnvironment":
        """Return the environment of a request with the application's own path as its `PATH_INFO`.

        A path that already leads somewhere is unchanged, and so is `SCRIPT_NAME`: with a base URL, no URL is made from
        it.
        """
        path = environ.get("PATH_INFO", "")
        own = self._own(path, environ["REQUEST_METHOD"])
        return environ if own == path else {**environ, "PATH_INFO": own}

    def _own(self, path: str, method: str) -> str:
        if tracker := self._tracker.match(path):
            return TRACKER_PATH + path[tracker.end() :]
        if path.startswith("//"):
            path = "/" + path.lstrip("/")
        before = self._before.match(path)
        if before and before.end() and not self._is_route(path, method):
            path = "/" + path[before.end() :].lstrip("/")
        return path

"""The application's own part of a request's path, whatever a proxy has left before it."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes, urlsplit

from mailtrack._urls import Urls
from mailtrack_wsgi._beacon import PATH

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


class Mount:
    """Finds what a request is for, below the path of the base URL or without it.

    A proxy may strip that path, pass it on, strip a part of it, or double the slash behind it.

    Args:
        urls: the URLs below the base URL, `None` where it is not known.
        is_route: returns whether a path and a method lead to a page or to the API.
    """

    def __init__(self, urls: Urls | None, is_route: Callable[[str, str], bool]) -> None:
        before = ""
        for name in filter(None, urlsplit(urls.base if urls else "").path.split("/")):
            before = f"(?:{before}/+{re.escape(unquote_to_bytes(name).decode('latin-1'))})?"
        self._before = re.compile(rf"{before}(?=/|\Z)")
        self._tracker = re.compile(f"{before}/+{PATH[1:-1]}/+", re.IGNORECASE)
        self._is_route = is_route

    def settle(self, environ: "WSGIEnvironment") -> "WSGIEnvironment":
        """Return the environment of a request with the application's own path as its `PATH_INFO`.

        A path that leads somewhere as it is stays as it is. `SCRIPT_NAME` stays too: with a base URL, no URL is made
        from it.
        """
        path = environ.get("PATH_INFO", "")
        own = self._own(path, environ["REQUEST_METHOD"])
        return environ if own == path else {**environ, "PATH_INFO": own}

    def _own(self, path: str, method: str) -> str:
        if tracker := self._tracker.match(path):
            return PATH + path[tracker.end() :]
        if path.startswith("//"):
            path = "/" + path.lstrip("/")
        before = self._before.match(path)
        if before and before.end() and not self._is_route(path, method):
            path = "/" + path[before.end() :].lstrip("/")
        return path

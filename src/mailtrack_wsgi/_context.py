"""What every endpoint is given."""

from collections.abc import Collection
from typing import TYPE_CHECKING, TypedDict
from urllib.parse import urlsplit

import attrs
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Request

from mailtrack._errors import InvalidPaging
from mailtrack._paging import DEFAULT_LIMIT
from mailtrack._tracker import Tracker
from mailtrack._urls import Urls
from mailtrack_wsgi._concurrency import Share
from mailtrack_wsgi._proxies import Proxies
from mailtrack_wsgi._rate_limit import Allowance, TokenLimiter

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


KEY = "mailtrack.key"
"""Where the WSGI environment tells the id of the key that a request was made with."""


@attrs.frozen(kw_only=True)
class Site:
    """The parts that an application is made of, and whether it asks for keys.

    Requests that change something take their turns with `share`, those that stream a file with `downloads`.
    """

    tracker: Tracker
    proxies: Proxies
    limiter: TokenLimiter
    share: Share
    downloads: Share
    keyed: bool

    def urls(self, environ: "WSGIEnvironment") -> Urls:
        """Return the URLs to print: below the tracker's base URL, else as the request reached us."""
        return self.tracker.urls or self.proxies.urls(environ)

    def root(self, environ: "WSGIEnvironment") -> str:
        """Return the path at which the world sees this application, for links; "" at the top of a host."""
        return urlsplit(self.urls(environ).base).path

    def ask_limiter(self, environ: "WSGIEnvironment") -> Allowance:
        """Count a request for tokens for its key, else for its address, and tell whether it may go on."""
        return self.limiter.ask(self.proxies.address(environ), key=environ.get(KEY))

    def remember(self, environ: "WSGIEnvironment", digest: str) -> None:
        """Remember for some minutes that the client of a request sent this."""
        self.limiter.remember(digest, self.proxies.address(environ), key=environ.get(KEY))

    def remembers(self, environ: "WSGIEnvironment", digest: str) -> bool:
        """Return whether the client of a request sent this some minutes ago."""
        return self.limiter.remembers(digest, self.proxies.address(environ), key=environ.get(KEY))


def one_argument(request: Request, name: str) -> str | None:
    """Return an argument of the query, `None` where it is missing.

    Raises:
        InvalidPaging: it is given more than once.
        BadRequest: the query is not UTF-8.
    """
    try:
        values = request.args.getlist(name)
    except UnicodeDecodeError:
        raise BadRequest("The query is not valid.") from None
    if len(values) > 1:
        raise InvalidPaging(f"{name} must be given once.")
    return values[0] if values else None


def number_argument(request: Request, name: str, default: int) -> int:
    """Return an argument of the query that is a whole number of at least 1.

    Raises:
        InvalidPaging: it is none, or given more than once.
    """
    value = one_argument(request, name)
    if value is None:
        return default
    if not (value.isascii() and value.isdigit() and len(value) <= 18 and int(value) >= 1):
        raise InvalidPaging(f"{name} must be a whole number of at least 1.")
    return int(value)


def count_argument(request: Request, name: str) -> int | None:
    """Return an argument of the query that is a whole number, `None` where it is missing.

    Raises:
        InvalidPaging: it is none, or given more than once.
    """
    value = one_argument(request, name)
    if value is not None and not (value.isascii() and value.isdigit() and len(value) <= 18):
        raise InvalidPaging(f"{name} must be a whole number.")
    return None if value is None else int(value)


def choice_argument(request: Request, name: str, choices: Collection[str]) -> str | None:
    """Return an argument of the query that is one of some words, `None` where it is missing or empty.

    Raises:
        InvalidPaging: it is another one, or given more than once.
    """
    value = one_argument(request, name) or None
    if value is not None and value not in choices:
        raise InvalidPaging(f"{name} must be one of {', '.join(choices)}.")
    return value


def flag_argument(request: Request, name: str) -> bool | None:
    """Return an argument of the query that is `true` or `false`, `None` where it is missing.

    Raises:
        InvalidPaging: it is neither, or given more than once.
    """
    value = one_argument(request, name)
    if value not in (None, "true", "false"):
        raise InvalidPaging(f"{name} must be true or false.")
    return None if value is None else value == "true"


class Paging(TypedDict):
    """Which part of a list a request asks for, as the tracker's lists take it."""

    limit: int
    cursor: str | None


def paging_arguments(request: Request) -> Paging:
    """Return `limit` and `cursor` of the query.

    Raises:
        InvalidPaging: one is malformed, or given more than once.
    """
    return {
        "limit": number_argument(request, "limit", DEFAULT_LIMIT),
        "cursor": one_argument(request, "cursor"),
    }

"""Access: keys, a login of the host's, the names that are answered, and changes on behalf of another site."""

import inspect
import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from werkzeug.datastructures import Authorization
from werkzeug.exceptions import BadRequest, Forbidden, HTTPException, Unauthorized

from mailtrack._errors import InvalidSetting, StorageError
from mailtrack._keys import find_key, from_text
from mailtrack._model import ApiKey
from mailtrack._times import now
from mailtrack._urls import Urls
from mailtrack_wsgi import _paths as paths
from mailtrack_wsgi._proxies import Proxies

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_logger = logging.getLogger(__name__)

KEY = "mailtrack.key"
"""Entry of the WSGI environment that holds the id of the API key that a request was made with."""

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

# Programs take the first, browsers react to the second. Werkzeug's `WWWAuthenticate` would write the realm without
# quotation marks, which RFC 9110 (11.5) does not let servers do.
CHALLENGES = [("WWW-Authenticate", f'{scheme} realm="mailtrack"') for scheme in ("Bearer", "Basic")]

_DEFAULT_PORTS = {"http": ":80", "https": ":443"}

Verify = Callable[[str], ApiKey | None]
"""Returns the key that a text is, `None` if it is not one."""

Authorize = Callable[["WSGIEnvironment"], bool | str]
"""Returns `True` for a request that the host application lets in, or the URL of its login; anything else refuses."""

NOT_ALLOWED = "You are not allowed to see this."


def make_verifier(texts: Iterable[str]) -> Verify:
    """Return a verifier for a fixed set of keys. Only their hashes are kept.

    Raises:
        InvalidSetting: there are none, or one is empty, or has blanks or characters that are not ASCII.
    """
    if isinstance(texts, str | bytes):
        raise InvalidSetting("api_keys", "must be several keys, as in [key]")
    given = list(texts)
    if not given:
        raise InvalidSetting("api_keys", "must hold at least one key; leave it out to need none")
    if not all(map(_can_be_key, given)):
        raise InvalidSetting("api_keys", "must hold texts of printable ASCII, without blanks")
    at = now()
    return partial(find_key, keys=[from_text(text, at=at) for text in given])


def _can_be_key(text: object) -> bool:
    return isinstance(text, str) and text.isascii() and text.isprintable() and text.split() == [text]


class LoginNeeded(HTTPException):
    """The host application sends a request to its login.

    Args:
        url: where to.
    """

    code = 302  # as the login pages of frameworks do it; browsers follow with GET
    description = "A login is needed."

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def get_headers(self, *_: object) -> list[tuple[str, str]]:
        """Return the header that leads to the login."""
        return [("Location", self._url)]


def check_authorize(authorize: object) -> None:
    """Check that `authorize` can be called.

    Raises:
        InvalidSetting: it is no function, or an asynchronous one, whose answer would never be `True`.
    """
    if authorize is not None and (not callable(authorize) or inspect.iscoroutinefunction(authorize)):
        raise InvalidSetting("authorize", "must be a function, and no asynchronous one")


class Gate:
    """Lets in requests with a valid key, and those that the host application lets in. Thread-safe.

    Args:
        verifiers: asked in order; a key that one of them knows is valid.
        authorize: asked about requests without a valid key. `None` if only keys count.
        remembered: asked in place of a verifier that fails, only for metrics, which are to say that the storage fails.
    """

    def __init__(
        self, verifiers: Sequence[Verify], authorize: Authorize | None, *, remembered: Verify = lambda _: None
    ) -> None:
        self._verifiers = verifiers
        self._authorize = authorize
        self._remembered = remembered

    def check(self, environ: "WSGIEnvironment") -> None:
        """Check a request, and write the id of its key into its environment. Public paths need nothing.

        Raises:
            Unauthorized: it has no key, or a wrong one, and only keys count.
            LoginNeeded: the host application redirects it.
            Forbidden: the host application refuses it.
            StorageError: the keys can't be read.
        """
        if paths.is_public(environ.get("PATH_INFO", "")):
            return
        text = _given_key(environ)
        for verify in self._verifiers if text else ():
            try:
                key = verify(text)
            except StorageError:
                key = self._remembered(text) if environ.get("PATH_INFO") == paths.METRICS else None
                if key is None:
                    raise
            if key:
                environ[KEY] = key.id
                return
        if self._authorize is None:
            raise Unauthorized("A valid key is needed.")
        _ask(self._authorize, environ)


def _ask(authorize: Authorize, environ: "WSGIEnvironment") -> None:
    try:
        answer: object = authorize(environ)
    except Exception:
        _logger.exception("`authorize` failed, so the request is refused.")
        answer = False
    if isinstance(answer, str):
        if _can_lead(answer):
            raise LoginNeeded(answer)
        _logger.error(
            "`authorize` returned a text that is no URL, so the request is refused. Return a path or http URL."
        )
    if answer is not True:
        raise Forbidden(NOT_ALLOWED)


def _can_lead(url: str) -> bool:
    """Return whether a text is a path of this host, or an http URL. Others would lead elsewhere by mistake."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    is_path = url.startswith("/") and url[1:2] not in ("/", "\\")  # which browsers take for the start of a host
    is_one_line = url.isprintable() and " " not in url
    return is_one_line and (is_path or (parts.scheme in _DEFAULT_PORTS and bool(parts.hostname)))


def _given_key(environ: "WSGIEnvironment") -> str:
    """Return the text that a request gives as its key, "" without one."""
    if "HTTP_X_API_KEY" in environ:  # before Authorization, which a proxy may want for itself
        return str(environ["HTTP_X_API_KEY"])
    header = environ.get("HTTP_AUTHORIZATION", "")
    try:
        given = Authorization.from_header(header)
    except ValueError:  # Basic with characters that are not ASCII
        return ""
    if given is None or given.type not in ("basic", "bearer"):
        return ""
    if given.type == "basic":
        return given.password or ""
    # Werkzeug reads `a=b` as parameters, and a key may hold an equals sign.
    return header.partition(" ")[2].strip(" \t") if given.token is None else given.token


def refuse_other_hosts(environ: "WSGIEnvironment", hosts: Collection[str]) -> None:
    """Refuse a request whose `Host` is none of these names.

    A web site may point its own name at the operator's machine (DNS rebinding). To a browser both are then the same
    site, so its pages may read and change everything there. The browser still sends the name; programs may send none.

    Raises:
        BadRequest: it names another host.
    """
    host = environ.get("HTTP_HOST")
    try:
        allowed = not host or urlsplit(f"//{host}").hostname in hosts
    except ValueError:  # brackets around something that is not an address
        allowed = False
    if not allowed:
        raise BadRequest("The server does not answer under this name. Set its base URL, or make a key.")


def refuse_cross_site(environ: "WSGIEnvironment", *, proxies: Proxies, urls: Urls | None) -> None:
    """Refuse a change that a browser makes on behalf of another site.

    A browser that knows a key sends it with every request, so a key is no protection here. `Sec-Fetch-Site` decides if
    the browser sends it, which it does over https and to its own machine; otherwise an `Origin` must be ours. Programs
    send neither.

    Args:
        environ: the request.
        proxies: reads the origin that the request was sent to.
        urls: the URLs below the base URL, `None` if it is not known.

    Raises:
        Forbidden: the request comes from another site.
    """
    if environ["REQUEST_METHOD"] in SAFE_METHODS:
        return
    fetch_site = environ.get("HTTP_SEC_FETCH_SITE")
    origin = environ.get("HTTP_ORIGIN")
    if fetch_site is not None:
        allowed = fetch_site.lower() in ("same-origin", "none")
    else:
        allowed = origin is None or _is_ours(origin.lower(), environ, proxies, urls)
    if not allowed:
        raise Forbidden("Requests from other sites are refused.")


def _is_ours(origin: str, environ: "WSGIEnvironment", proxies: Proxies, urls: Urls | None) -> bool:
    """Return whether an origin is that of the base URL, or the one that this request was sent to."""
    if urls is not None and origin == _to_origin(urls):
        return True
    try:
        return origin == _to_origin(proxies.urls(environ))
    except BadRequest:  # a malformed Host matches no origin
        return False


def _to_origin(urls: Urls) -> str:
    """Return an origin as browsers write it: in lower case, without the default port of its scheme."""
    base = urlsplit(urls.base)
    return f"{base.scheme}://{base.netloc.lower().removesuffix(_DEFAULT_PORTS[base.scheme])}"

"""Who may do what: keys, and changes that a browser makes on behalf of another site."""

from base64 import b64decode
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from werkzeug.exceptions import BadRequest, Forbidden, Unauthorized

from mailtrack._errors import InvalidSetting
from mailtrack._keys import find_key, from_text
from mailtrack._model import ApiKey
from mailtrack._times import now
from mailtrack._urls import Urls
from mailtrack_wsgi._context import KEY, Site

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

# What needs no key. The tracker comes before all this; style sheet and script are nobody's secret, and the page that
# asks for a key needs them.
_OPEN_PATHS = ("/uploads/", "/static/")
_HEALTH = "/healthz"

# A program takes the first, a browser asks for what the second wants.
CHALLENGES = [("WWW-Authenticate", f'{scheme} realm="mailtrack"') for scheme in ("Bearer", "Basic")]

_DEFAULT_PORTS = {"http": ":80", "https": ":443"}

Verify = Callable[[str], ApiKey | None]
"""Returns the key that a text is, `None` where it is none."""


def known_keys(texts: Iterable[str]) -> Verify:
    """Return what knows some keys; of each only its hash is kept.

    Raises:
        InvalidSetting: there is none, or one is empty, or has blanks or characters that are not ASCII.
    """
    if isinstance(texts, str | bytes):
        raise InvalidSetting("api_keys", "must be several keys, as in [key]")
    given = list(texts)
    if not given:
        raise InvalidSetting("api_keys", "must hold at least one key; leave it out to ask for none")
    if not all(map(_can_be_key, given)):
        raise InvalidSetting("api_keys", "must hold texts of printable ASCII, without blanks")
    at = now()
    return partial(find_key, keys=[from_text(text, at=at) for text in given])


def _can_be_key(text: object) -> bool:
    return isinstance(text, str) and text.isascii() and text.isprintable() and text.split() == [text]


class Gate:
    """Lets in who has a key. Thread-safe.

    Args:
        verifiers: each knows some keys.
    """

    def __init__(self, verifiers: Sequence[Verify]) -> None:
        self._verifiers = verifiers

    def check(self, environ: "WSGIEnvironment") -> None:
        """Return where a request has a key, and write the key's id into its environment, or where it needs none.

        Raises:
            Unauthorized: it has none, or a wrong one.
            StorageError: the keys can't be read.
        """
        path = environ.get("PATH_INFO", "")
        if path == _HEALTH or path.startswith(_OPEN_PATHS):
            return
        text = _given_key(environ)
        for verify in self._verifiers if text else ():
            if key := verify(text):
                environ[KEY] = key.id
                return
        raise Unauthorized("A valid key is needed.")


def _given_key(environ: "WSGIEnvironment") -> str:
    """Return what a request gives as its key, "" where it gives none. It is taken as it is, blanks included."""
    if "HTTP_X_API_KEY" in environ:  # before Authorization, which a proxy may want for itself
        return str(environ["HTTP_X_API_KEY"])
    scheme, _, value = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() == "bearer":
        return str(value)
    if scheme.lower() == "basic":
        try:
            return b64decode(value, validate=True).decode("latin-1").partition(":")[2]
        except ValueError:
            return ""
    return ""


def refuse_other_hosts(environ: "WSGIEnvironment", hosts: Collection[str]) -> None:
    """Refuse a request under a name that is none of these.

    A site may let its own name lead to the operator's machine (DNS rebinding). To a browser that is the same site then,
    so it lets its pages read and change all that is there. The browser still says the name; programs may say none.

    Raises:
        BadRequest: it names another host.
    """
    host = environ.get("HTTP_HOST")
    try:
        allowed = not host or urlsplit(f"//{host}").hostname in hosts
    except ValueError:  # brackets around no address
        allowed = False
    if not allowed:
        raise BadRequest("The server does not answer under this name. Set its base URL, or make a key.")


def refuse_cross_site(environ: "WSGIEnvironment", site: Site) -> None:
    """Refuse a change that a browser makes on behalf of another site.

    A browser that knows a key sends it along, whoever asks it to, so a key is no protection here. `Sec-Fetch-Site`
    decides where the browser sends it, which it does over https and to this machine; else an `Origin` must be ours.
    Programs send neither.

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
        allowed = origin is None or _is_ours(origin.lower(), environ, site)
    if not allowed:
        raise Forbidden("Requests from other sites are refused.")


def _is_ours(origin: str, environ: "WSGIEnvironment", site: Site) -> bool:
    """Tell whether an origin is that of the base URL, or the one that this request was sent to."""
    if site.tracker.urls is not None and origin == _to_origin(site.tracker.urls):
        return True
    try:
        return origin == _to_origin(site.proxies.urls(environ))
    except BadRequest:  # a malformed Host is nobody's
        return False


def _to_origin(urls: Urls) -> str:
    """Return an origin as browsers write it: in lower case, without the port that goes without saying."""
    base = urlsplit(urls.base)
    return f"{base.scheme}://{base.netloc.lower().removesuffix(_DEFAULT_PORTS[base.scheme])}"

"""`open_mail`: load the images of a message as a mail program or a machine does."""

import email
import email.policy
import io
import ipaddress
import zlib
from email.message import EmailMessage, Message
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urlsplit
from wsgiref.types import WSGIApplication
from wsgiref.util import setup_testing_defaults

import attrs

from mailtrack._arguments import check_type
from mailtrack._errors import InvalidArgument


@attrs.frozen
class _Client:
    """A program that loads images.

    Attributes:
        network: where its requests come from.
        headers: what it sends.
    """

    network: str
    headers: dict[str, str]


_PEOPLE = "198.18.0.0/15"  # for measurements, RFC 2544
_CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
)
_LANGUAGE = {"Accept-Language": "en-US,en;q=0.5"}

# Networks and user agents: docs/verdicts.md names their sources.
_CLIENTS = {
    "thunderbird": _Client(
        _PEOPLE,
        {
            "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Thunderbird/128.3.1",
            "Accept": "image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5",
            "Sec-Fetch-Dest": "image",
            "Sec-Fetch-Mode": "no-cors",
            "Sec-Fetch-Site": "cross-site",
            **_LANGUAGE,
        },
    ),
    "outlook": _Client(
        _PEOPLE,
        {
            "User-Agent": "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; WOW64; Trident/8.0; .NET4.0C; .NET4.0E; "
            ".NET CLR 2.0.50727; .NET CLR 3.0.30729; .NET CLR 3.5.30729; Microsoft Outlook 16.0.6366; ms-office; "
            "MSOffice 16)",
            "Accept": "*/*",
            **_LANGUAGE,
        },
    ),
    "apple-mail": _Client(
        _PEOPLE,
        {
            "User-Agent": "Mail/3826.500.181.1.5 CFNetwork/3826.500.111.1.1 Darwin/24.4.0",
            "Accept": "image/webp,image/avif,image/jxl,image/heic,video/*;q=0.8,image/png,image/*;q=0.8,*/*;q=0.5",
            **_LANGUAGE,
        },
    ),
    "gmail": _Client(
        "66.249.80.0/20",
        {"User-Agent": "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"},
    ),
    "apple-privacy": _Client("17.58.0.0/16", {"User-Agent": "Mozilla/5.0", "Accept": "*/*"}),
    "scanner": _Client("40.107.0.0/16", {"User-Agent": _CHROME, "Accept": "*/*"}),
}


def open_mail(message: Message, app: WSGIApplication, client: str = "thunderbird") -> dict[str, str]:
    """Load the images in a message as a mail program or a machine does, for tests of your own program.

    The requests go into the application without a server. Each message is loaded from an address of its own, as people
    have it, or from one in the networks of the proxy or machine.

    Args:
        message: a message as it was handed over for sending. Nothing in it changes.
        app: the WSGI application that serves its images: that of `mailtrack_wsgi.create_app`, or one that it is mounted
            in. It gets the paths of the URLs as they are.
        client: "thunderbird", "outlook" and "apple-mail" are programs of people, "gmail" is its proxy when a person
            looks at the mail; "apple-privacy" loads the images of all mails, "scanner" is a security gateway. Without
            rules of your own, the verdicts are human for the first three, then proxy, prefetch and scanner.

    Returns:
        The status of each image's response, such as "200 OK", by its URL, in the order of the HTML; empty for a message
        without HTML.

    Raises:
        ValueError: there is no such client.
    """
    check_type(message, Message, "message")
    if client not in _CLIENTS:
        raise InvalidArgument("client", f"must be one of {', '.join(_CLIENTS)}")
    images = _Images()
    images.feed(_html_of(message))
    images.close()
    return {url: _load(app, url, _CLIENTS[client]) for url in images.urls}


class _Images(HTMLParser):
    """Collects the URLs of images in HTML, each once."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: dict[str, None] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        url = (dict(reversed(attrs)).get("src") or "").strip() if tag == "img" else ""
        if url.lower().startswith(("http://", "https://")):
            self.urls[url] = None


def _html_of(message: Message) -> str:
    """Return the HTML of a message as it arrives, "" without any."""
    sent = email.message_from_bytes(message.as_bytes(), _class=EmailMessage, policy=email.policy.default)
    part = sent.get_body(("html",))
    if part is None:
        return ""
    try:
        return str(part.get_content())
    except LookupError:  # a charset that Python does not know
        return bytes(part.get_payload(decode=True)).decode("latin-1")


def _load(app: WSGIApplication, url: str, client: _Client) -> str:
    """Request an image, and return the status of the response."""
    parts = urlsplit(url)
    network = ipaddress.ip_network(client.network)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(parts.path, "latin-1") or "/",
        "QUERY_STRING": parts.query,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": parts.hostname,
        "SERVER_PORT": str(parts.port or (443 if parts.scheme == "https" else 80)),
        "REMOTE_ADDR": str(network[zlib.crc32(url.encode()) % network.num_addresses]),
        "HTTP_HOST": parts.netloc.rpartition("@")[2],
        "wsgi.url_scheme": parts.scheme,
        "wsgi.input": io.BytesIO(),
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in client.headers.items()},
    }
    setup_testing_defaults(environ)
    statuses: list[str] = []

    def start_response(status: str, _headers: Any, _exc_info: Any = None, /) -> Any:
        statuses.append(status)
        return lambda _data: None

    pieces = app(environ, start_response)
    try:
        for _ in pieces:
            pass
    finally:
        if close := getattr(pieces, "close", None):
            close()
    return statuses[-1]

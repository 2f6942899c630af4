"""The client's address and our own URLs as a request has them, through exactly as many proxies as are trusted."""

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

import attrs
from werkzeug.exceptions import BadRequest

from mailtrack._errors import InvalidSetting
from mailtrack._text import parse_ip
from mailtrack._urls import Urls

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?", re.ASCII)
_IPV4_WITH_PORT = re.compile(r"([0-9.]{7,15}):[0-9]{1,5}", re.ASCII)
_IPV6_IN_BRACKETS = re.compile(r"\[([^\]]{2,64})\](?::[0-9]{1,5})?", re.ASCII)


@attrs.frozen
class Proxies:
    """Reads the headers that trusted proxies add to a request.

    Each proxy adds one value at the end of `X-Forwarded-For`, `-Proto` and `-Host`, or replaces the header. Headers
    are counted one by one: with `trusted` proxies, the value that counts is that many from the end, or the first if
    there are fewer. Clients can forge every value before it.

    Attributes:
        trusted: number of proxies in front of the application.
    """

    trusted: int = 0

    def address(self, environ: "WSGIEnvironment") -> str | None:
        """Return the client's IP address in canonical form, or `None` if it can't be known."""
        if self.trusted:
            forwarded = self._forwarded(environ, "FOR")
            if forwarded is not None and (address := _parse_forwarded_address(forwarded)):
                return address
        return parse_ip(environ.get("REMOTE_ADDR"))

    def is_surely_https(self, environ: "WSGIEnvironment") -> bool:
        """Return whether the client used HTTPS. Without a trusted proxy's word, the scheme behind one is not known."""
        if not self.trusted:
            return bool(environ.get("wsgi.url_scheme") == "https")
        forwarded = environ.get("HTTP_X_FORWARDED_PROTO")
        if forwarded is None or forwarded == "https":  # nearly always
            return forwarded is not None
        return (self._forwarded(environ, "PROTO") or "").lower() == "https"

    def urls(self, environ: "WSGIEnvironment") -> Urls:
        """Return the URLs as this request was addressed.

        Raises:
            BadRequest: the `Host` header is malformed.
        """
        scheme = environ["wsgi.url_scheme"]
        host = environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
        if self.trusted:
            scheme = (self._forwarded(environ, "PROTO") or scheme).lower()  # RFC 9110, 4.2.3: schemes have no case
            host = self._forwarded(environ, "HOST") or host
        if scheme not in ("http", "https") or not _HOST.fullmatch(host):
            raise BadRequest("The Host header is not valid.")
        path = quote(environ.get("SCRIPT_NAME", "").encode("latin-1"), safe="/-._~!$&()*+,;=:")
        try:
            return Urls(f"{scheme}://{host}{path}")
        except InvalidSetting:  # a bad port, brackets around something that is not an address
            raise BadRequest("The Host header is not valid.") from None

    def _forwarded(self, environ: "WSGIEnvironment", what: str) -> str | None:
        value = environ.get(f"HTTP_X_FORWARDED_{what}", "")
        if "," not in value:  # nearly always
            return value.strip() or None
        values = value.rsplit(",", self.trusted)
        return values[-min(self.trusted, len(values))].strip() or None


def _parse_forwarded_address(text: str) -> str | None:
    if address := parse_ip(text):
        return address
    match = _IPV4_WITH_PORT.fullmatch(text) or _IPV6_IN_BRACKETS.fullmatch(text)
    return parse_ip(match[1]) if match else None

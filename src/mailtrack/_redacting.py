"""`redact`: texts without the passwords of the URLs in them, for outputs and logs."""

import re

HIDDEN = "***"
"""What stands in place of a password."""

# A scheme, and what follows up to a blank, a quotation mark or a bracket, none of which a URL contains.
_URL = re.compile(r"""(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<rest>[^\s"'<>]+)""", re.IGNORECASE)
_SECRET = re.compile(r"(?P<name>[?&;][^=&;#]*(?:pass|secret|token|pwd)[^=&;#]*=)[^&;#]+", re.IGNORECASE)
_WEB = frozenset({"http", "https"})


def redact(text: str) -> str:
    """Return a text, such as the URL of a database or a driver's message, without the passwords of URLs in it.

    `***` stands in place of each password before the host, of each parameter whose name contains "pass", "secret",
    "token" or "pwd", and in URLs of web pages also of the user's name, which may be a key. A password with characters
    that a URL must escape is hidden as well, if need be with more than it.
    """
    return _URL.sub(_redact_found, text)


def redact_url(url: str) -> str:
    """Return a URL as `redact` does, with nothing around it: whatever characters its password has, it is hidden."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}://{_redact_rest(scheme, rest)}" if separator else url


def _redact_found(found: re.Match[str]) -> str:
    return f"{found['scheme']}://{_redact_rest(found['scheme'], found['rest'])}"


def _redact_rest(scheme: str, rest: str) -> str:
    return _SECRET.sub(_hide, _redact_user(scheme.strip().lower(), rest))


def _redact_user(scheme: str, rest: str) -> str:
    if rest.startswith("/"):  # a file
        return rest
    # The last "@" before the query, or the last of all: a password may contain "/", "?" or "@" by mistake.
    end = rest.partition("?")[0].rfind("@")
    if end < 0:
        end = rest.rfind("@")
    if end < 0:
        return rest
    user, separator, _ = rest[:end].partition(":")
    if scheme in _WEB:
        return f"{HIDDEN}{rest[end:]}"
    return f"{user}:{HIDDEN}{rest[end:]}" if separator else rest


def _hide(found: re.Match[str]) -> str:
    return f"{found['name']}{HIDDEN}"

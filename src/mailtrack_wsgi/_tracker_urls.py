"""Finds the pixel and the token in a tracker URL, also where mail programs, templates or gateways have mangled it."""

import re
from urllib.parse import unquote

from mailtrack import _ids as ids

_MAX_LENGTH = 2048  # of a query or a path: a token takes 42, senders add little, and the rest is not read
_MAX_QUOTED = 3  # link rewriters quote what is already quoted

_PIXEL_LENGTHS = (8 + len(".png"), 36 + len(".png"))
_TOKEN_LENGTH = 36

# A pixel's UUID or short id at the start, followed by anything. In front of it may be the remains of a doubled slash,
# of a base URL whose path ends in `/tracker`, or of an opening bracket.
_PIXEL = re.compile(
    r"[^0-9a-z]*(?:tracker[^0-9a-z]+)*([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{8})(?![0-9a-f])",
    re.ASCII | re.IGNORECASE,
)
_BREAK = re.compile(r"[=\s]+")  # soft line breaks of quoted-printable
_UNDERSCORE = re.compile(r"tok(?:=5f|&#95;|&#x5f;)")  # as quoted-printable and HTML escape it
_WITHIN = re.compile(r"[^0-9a-z_]+")  # soft line breaks and hyphens, zero-width characters, backslashes


def find_pixel(name: str) -> str:
    """Return the id of the pixel that is named by the part of a path behind `/tracker/`, "" without one.

    Anything behind the id is ignored: other endings, slashes, and characters of the surrounding text.
    """
    if len(name) in _PIXEL_LENGTHS and name.endswith(".png"):
        return name[:-4]
    name = name[:_MAX_LENGTH]
    found = _PIXEL.match(name) or _PIXEL.match(_BREAK.sub("", name))
    return found[1] if found else ""


def find_token(query: str, name: str = "") -> str | None:
    """Return the token of a tracker URL, or `None`.

    That is the first `token` argument if it is whole. Otherwise a token is recognised by its form, since mail programs
    escape what precedes it, add what follows it, or escape the question mark, which makes it a part of the path.

    Args:
        query: the query string, still quoted.
        name: the part of the path behind `/tracker/`.
    """
    if len(query) == _TOKEN_LENGTH + 6 and query.startswith("token=tok_"):
        return query[6:].lower()  # some gateways change the case of URLs
    if not query and len(name) < _TOKEN_LENGTH:
        return None
    for part in query[:_MAX_LENGTH].split("&"):
        if part.startswith("token="):
            if token := ids.parse_token(unquote(part[6:])):
                return token
            break
    return _search(query) or _search(name)


def _search(text: str) -> str | None:
    text = text[:_MAX_LENGTH].lower()
    for _ in range(_MAX_QUOTED):
        if token := ids.find_token(text):
            return token
        if "%" not in text:
            break
        text = unquote(text).lower()
    return ids.find_token(_WITHIN.sub("", _UNDERSCORE.sub("tok_", text)))

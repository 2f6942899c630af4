"""Which pixel and which token a tracker URL names, as mail programs, templates and gateways have left it."""

import re
from urllib.parse import unquote

from mailtrack import _ids as ids

_MAX_LENGTH = 2048  # of a query or a path: a token takes 42; what senders add is short, and more is not worth reading
_MAX_QUOTED = 3  # a link rewriter quotes what is quoted already

_PIXEL_LENGTHS = (8 + len(".png"), 36 + len(".png"))
_TOKEN_LENGTH = 36

# A pixel's UUID or short id at the start, whatever follows; before it, what a doubled slash, a base URL whose path ends
# in `/tracker`, or an opening bracket leaves.
_PIXEL = re.compile(
    r"[^0-9a-z]*(?:tracker[^0-9a-z]+)*([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{8})(?![0-9a-f])",
    re.ASCII | re.IGNORECASE,
)
_BREAK = re.compile(r"[=\s]+")  # of a line in quoted-printable
_UNDERSCORE = re.compile(r"tok(?:=5f|&#95;|&#x5f;)")  # in quoted-printable and HTML
_WITHIN = re.compile(r"[^0-9a-z_]+")  # such breaks, and what lets a word be broken or says that a sign is meant as such


def find_pixel(name: str) -> str:
    """Return the id of the pixel that the part of a path behind `/tracker/` names, "" where there is none.

    What follows the id means nothing: other endings, slashes, and what mail programs take along from the text around.
    """
    if len(name) in _PIXEL_LENGTHS and name.endswith(".png"):
        return name[:-4]
    name = name[:_MAX_LENGTH]
    found = _PIXEL.match(name) or _PIXEL.match(_BREAK.sub("", name))
    return found[1] if found else ""


def find_token(query: str, name: str = "") -> str | None:
    """Return the token of a tracker URL, or `None`.

    That is the first `token` argument where it is whole. Else a token is known by its form, since mail programs escape
    what is before it, take along what follows it, or escape the question mark, so that it is a part of the path.

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

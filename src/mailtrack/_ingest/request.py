"""`Request`: the parts of a request for a pixel's image, as one value."""

from collections.abc import Collection
from typing import NamedTuple

from mailtrack import _ids as ids
from mailtrack._model import HEADER_SIGNALS
from mailtrack._text import clean_text, parse_ip


class Request(NamedTuple):
    """The parts of a request for a pixel's image, cleaned.

    The fields are those of a `Hit` of the same names. It is a tuple because one is made for each open before its image
    is served, and a `Hit` takes three times as long.
    """

    pixel: str
    token: str | None = None
    ip: str | None = None
    user_agent: str = ""
    referer: str = ""
    signals: tuple[str, ...] = ()


def clean_request(
    pixel: str, token: str | None, ip: str | None, user_agent: str | None, referer: str | None, signals: Collection[str]
) -> Request | None:
    """Return the parts of a request as a `Request`, or `None` if `pixel` can't be the id or short id of a pixel.

    A token or address of a wrong form becomes `None`, texts are cleaned, and signals other than `HEADER_SIGNALS` are
    dropped.
    """
    key = ids.parse_pixel_key(pixel)
    if key is None:
        return None
    parts = (
        key,
        ids.parse_token(token),
        parse_ip(ip),
        clean_text(user_agent) if user_agent else "",
        clean_text(referer) if referer else "",
        # A list, since a generator takes twice as long.
        tuple([signal for signal in HEADER_SIGNALS if signal in signals]) if signals else (),
    )
    return tuple.__new__(Request, parts)  # as `Request(*parts)`, in half the time

"""The tag of a pixel: make one, and recognise older ones of the same tracker."""

import html
import re

import attrs

from mailtrack._arguments import check_type, to_whole
from mailtrack._errors import InvalidArgument
from mailtrack._urls import TRACKER_PATH, is_http_url
from mailtrack.mail._tokens import SPACE

MAX_SIDE = 65_535
"""The largest width and height of an image, in pixels."""

_ATTRIBUTE = re.compile(
    rf"""([^{SPACE}/>][^{SPACE}/>=]*+)(?:[{SPACE}]*+=[{SPACE}]*+(?:"([^"]*+)"|'([^']*+)'|([^{SPACE}>]*+)))?+"""
)
_ORIGIN = re.compile(r"https?://[^/?#]*", re.IGNORECASE)
_IGNORED = dict.fromkeys(map(ord, "\t\n\r"))  # in URLs, as the URL Standard says


def pixel_tag(url: str, size: tuple[int, int] | None = None) -> str:
    """Return the HTML tag that shows a pixel's image, for templates that have a place for it.

    Args:
        url: what `Tracker.tracking_url` returns, or another absolute http or https URL of ASCII characters.
        size: the width and height of the pixel's own image, each 1 to 65,535 pixels; by default those of the
            transparent one.

    Returns:
        ASCII text, `<img src="..." width="1" height="1" border="0" alt="">`, with the URL escaped.

    Raises:
        InvalidArgument: the URL or the size can't be used.
    """
    check_type(url, str, "url")
    if not is_http_url(url):
        raise InvalidArgument("url", "must be an absolute http or https URL, as Tracker.tracking_url returns it")
    width, height = (1, 1) if size is None else _check_size(size)
    return f'<img src="{html.escape(url)}" width="{width}" height="{height}" border="0" alt="">'


def _check_size(size: tuple[int, int]) -> tuple[int, int]:
    try:
        width, height = (to_whole(side, 1, MAX_SIDE) for side in size)
    except (TypeError, ValueError):
        width = height = None
    if width is None or height is None:
        raise InvalidArgument("size", f"must be a width and a height, each 1 to {MAX_SIDE:,} pixels")
    return width, height


@attrs.frozen
class TrackerImages:
    """Recognises the URLs of one tracker's images.

    Attributes:
        start: what such URLs begin with: the base URL and the tracker's path, or any other URL without its query.
        marker: a text that is in each of them.
    """

    start: str
    marker: str

    @classmethod
    def of(cls, url: str) -> "TrackerImages":
        """Return the images of the tracker that has made a URL."""
        location = re.split("[?#]", url, maxsplit=1)[0]
        base, path, _ = location.rpartition(TRACKER_PATH)
        if path:
            return cls(_normalize(base) + path, TRACKER_PATH)
        return cls(_normalize(location), location.rpartition("/")[2])

    def may_be_in(self, html: str) -> bool:
        """Return whether a text may have one of the URLs, also where each of its characters may be escaped."""
        return self.marker in html or "&#" in html

    def has(self, url: str) -> bool:
        """Return whether a URL is that of an image."""
        url = _normalize(url)
        behind = url[len(self.start) : len(self.start) + 1]
        return url.startswith(self.start) and (self.start.endswith(TRACKER_PATH) or behind in ("", "?", "#"))


def source_of(tag: str) -> str:
    """Return the URL in an `img` tag, "" without one. Of several `src` the first counts, as in browsers."""
    for name, *values in _ATTRIBUTE.findall(tag, len("<img")):
        if name.lower() == "src":
            try:
                return html.unescape("".join(values)).translate(_IGNORED).strip(SPACE)
            except ValueError:  # a numeric character reference with more digits than Python converts
                return ""
    return ""


def _normalize(url: str) -> str:
    """Return a URL with its scheme and host, which have no case, in lower case."""
    found = _ORIGIN.match(url)
    return found[0].lower() + url[found.end() :] if found else url

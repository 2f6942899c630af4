"""`Urls`: the URLs of pixels below one base URL."""

from urllib.parse import urlsplit

import attrs

from mailtrack._arguments import check_type
from mailtrack._errors import InvalidSetting
from mailtrack._model import Pixel, Recipient

TRACKER_PATH = "/tracker/"
"""Path of the images that mails load, below the base URL."""

UPLOADS_PATH = "/uploads/"
"""Path of pixels' own images, below the base URL."""

RECIPIENT_QUERY = "?token="
"""Stands between the URL of a pixel's image and a recipient's token."""


def is_http_url(value: str) -> bool:
    """Return whether a text is an absolute http or https URL of printable ASCII characters, without blanks."""
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False
    return usable and value.isascii() and value.isprintable() and " " not in value


def check_base_url(value: str) -> str:
    """Return a base URL without a slash at its end.

    Raises:
        InvalidSetting: it is not an absolute http or https URL, or has a query, a fragment, a user or blanks.
    """
    if not isinstance(value, str):
        raise InvalidSetting("base_url", "must be text")
    if not is_http_url(value) or any(char in value for char in "\"'<>\\^`{|}?#@"):
        raise InvalidSetting(
            "base_url", "must be an absolute http or https URL, such as https://mail.example.com/track"
        )
    return value.rstrip("/")


@attrs.frozen
class Urls:
    """Makes the URLs of one deployment.

    Attributes:
        base: the public URL where mailtrack is mounted, without a slash at its end.
    """

    base: str = attrs.field(converter=check_base_url)

    def tracking(self, pixel: Pixel, recipient: Recipient | None = None) -> str:
        """Return the URL of a pixel's image, with a recipient's token or without one.

        It takes values, not ids: `Tracker.tracking_url` looks those up.

        Raises:
            InvalidArgument: an argument is of another type.
        """
        check_type(pixel, Pixel, "pixel")
        if recipient is not None:
            check_type(recipient, Recipient, "recipient")
        url = f"{self.base}{TRACKER_PATH}{pixel.short_id}.png"
        return url if recipient is None else f"{url}{RECIPIENT_QUERY}{recipient.token}"

    def logs(self, pixel: Pixel) -> str:
        """Return the URL of the page that shows a pixel's opens.

        Raises:
            InvalidArgument: `pixel` is not a `Pixel`.
        """
        check_type(pixel, Pixel, "pixel")
        return f"{self.base}/logs/{pixel.short_id}"

"""Jinja: a global that puts a pixel's tag into the template of a mail."""

import logging
from collections.abc import Callable

from markupsafe import Markup

from mailtrack._images.check import measure
from mailtrack._model import Pixel, Recipient
from mailtrack._tracker import Tracker
from mailtrack.mail._tag import pixel_tag

__all__ = ["pixel_global"]

_logger = logging.getLogger(__name__)


def pixel_global(tracker: Tracker) -> Callable[..., Markup]:
    """Return a function for the globals of a Jinja environment, which templates of mails call for the pixel's tag.

        environment.globals["mailtrack_pixel"] = pixel_global(tracker)

    In a template, `{{ mailtrack_pixel(recipient) }}` is the `<img>` with the recipient's token, and
    `{{ mailtrack_pixel(pixel=pixel) }}` one that belongs to no recipient; `pixel` may be an id. If a tag can't be
    made, for example because the storage is away or the tracker has no `base_url`, that is logged, and the template is
    rendered without it: a mail goes out whatever happens to tracking.

    Args:
        tracker: makes the URLs.
    """

    def mailtrack_pixel(recipient: Recipient | None = None, pixel: Pixel | str | None = None) -> Markup:
        try:
            return Markup(_make_tag(tracker, recipient, pixel))  # noqa: S704  # its URL is escaped
        except Exception:
            _logger.exception("A pixel's tag can't be made, so a template is rendered without it.")
            return Markup()

    return mailtrack_pixel


def _make_tag(tracker: Tracker, recipient: Recipient | None, pixel: Pixel | str | None) -> str:
    if pixel is None:
        if not isinstance(recipient, Recipient):
            raise TypeError("mailtrack_pixel needs a Recipient, or a pixel")
        pixel = recipient.pixel_id
    owner = tracker.get_pixel(pixel)
    size = measure(tracker.get_pixel_image(owner)) if owner.image else None
    return pixel_tag(tracker.tracking_url(owner, recipient), size)

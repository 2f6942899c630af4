"""Puts a pixel into one of Django's messages, which goes out whatever happens to that."""

import copy
import logging
from collections.abc import Sequence
from email.utils import getaddresses
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailAlternative, EmailMessage, EmailMultiAlternatives

from mailtrack._errors import InvalidInput, MailtrackError, MessageNotTrackable
from mailtrack._images.check import measure
from mailtrack._model import NewRecipient, Pixel
from mailtrack._tracker import Tracker
from mailtrack.mail._embed import embed
from mailtrack_wsgi.django._settings import read
from mailtrack_wsgi.django._site import get_site

_logger = logging.getLogger(__name__)

ATTRIBUTE = "mailtrack"
"""Attribute of a message: `False` to leave it untracked, or a mapping with some of `pixel`, `ref` and `data`."""


def tracked(message: EmailMessage) -> EmailMessage:
    """Return a copy of a message with a pixel for its recipient, or the message itself where that fails. Never raises.

    A message that is not to be tracked is returned as it is.
    """
    wanted = getattr(message, ATTRIBUTE, None)
    if wanted is False:
        return message
    try:
        return _track(message, **(wanted or {}))
    except Exception as error:  # noqa: BLE001  # the mail goes out, whatever fails
        log_failure(error)
        return message


def log_failure(error: Exception) -> None:
    """Log why a mail has no pixel, without addresses."""
    if isinstance(error, MessageNotTrackable):
        _logger.info("A mail goes out untracked: %s.", error.reason)
    elif isinstance(error, InvalidInput):  # whose text may have an address in it
        _logger.warning("A mail goes out untracked: %s.", type(error).__name__)
    else:
        expected = isinstance(error, MailtrackError | ImproperlyConfigured)
        _logger.error("A mail goes out untracked: %s", error, exc_info=not expected)


def carry_back(sent: EmailMessage, message: EmailMessage) -> None:
    """Give a message what a backend has set on its tracked copy, such as the status of its delivery."""
    before = vars(message)
    for name, value in vars(sent).items() if sent is not message else ():
        if name not in ("body", "alternatives") and before.get(name) is not value:
            setattr(message, name, value)


def _track(message: EmailMessage, pixel: Pixel | str | None = None, **of_recipient: Any) -> EmailMessage:
    if not any(_is_html(*alternative) for alternative in _alternatives(message)) and not _has_html_body(message):
        raise MessageNotTrackable("it has no HTML part")
    new = NewRecipient(_find_address(message), **of_recipient)
    site = get_site()
    owner, recipient = site.pixels.add_recipient(pixel or read("pixel"), new)
    made = _embed(message, site.tracker.tracking_url(owner, recipient), find_size(site.tracker, owner))
    try:
        site.tracker.mark_sent(owner, [recipient])
    except MailtrackError as error:  # the judge then takes the time of the token
        _logger.warning("The time of a mail can't be stored: %s", error)
    return made


def find_size(tracker: Tracker, pixel: Pixel) -> tuple[int, int] | None:
    """Return the width and height of a pixel's own image, `None` if it has none."""
    return measure(tracker.get_pixel_image(pixel)) if pixel.image else None


def _find_address(message: EmailMessage) -> str:
    """Return the one address that a message goes to."""
    found = {address.lower(): address for _, address in getaddresses(map(str, message.recipients())) if address}
    if len(found) != 1:
        raise MessageNotTrackable(f"it goes to {len(found)} addresses")
    return next(iter(found.values()))


def _embed(message: EmailMessage, url: str, size: tuple[int, int] | None) -> EmailMessage:
    """Return a copy of a message with a tag in all its HTML, of which a mail program shows one."""
    made = copy.copy(message)
    if _has_html_body(message):
        made.body = embed(str(message.body), url, size=size)
    if isinstance(made, EmailMultiAlternatives):
        made.alternatives = [
            EmailAlternative(embed(str(content), url, size=size), kind) if _is_html(content, kind) else one
            for one in made.alternatives
            for content, kind in [one]
        ]
    return made


def _alternatives(message: EmailMessage) -> Sequence[tuple[object, str]]:
    return message.alternatives if isinstance(message, EmailMultiAlternatives) else ()


def _is_html(content: object, kind: object) -> bool:
    return str(kind).partition(";")[0].strip().lower() == "text/html" and not isinstance(content, bytes)


def _has_html_body(message: EmailMessage) -> bool:
    return message.content_subtype == "html" and bool(message.body)

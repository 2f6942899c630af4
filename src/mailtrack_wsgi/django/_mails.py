"""Puts pixels into Django's messages, which go out whatever happens to that."""

import copy
import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from email.utils import getaddresses

from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailAlternative, EmailMessage, EmailMultiAlternatives

from mailtrack._errors import InvalidInput, MailtrackError, MessageNotTrackable
from mailtrack._images.check import measure
from mailtrack._model import NewRecipient, Pixel, Recipient
from mailtrack._tracker import Tracker
from mailtrack.mail._embed import embed
from mailtrack_wsgi.django._settings import read
from mailtrack_wsgi.django._site import get_site

_logger = logging.getLogger(__name__)

ATTRIBUTE = "mailtrack"
"""Attribute of a message: `False` to leave it untracked, or a mapping with some of `pixel`, `ref` and `data`."""


def track_all(messages: Iterable[EmailMessage]) -> list[EmailMessage]:
    """Return for each message a copy with a pixel for its recipient, or the message itself where that fails.

    Never raises. The recipients are marked as sent: the messages are to be sent now.
    """
    sent: list[EmailMessage] = []
    recipients: defaultdict[str, list[Recipient]] = defaultdict(list)
    for message in messages:
        try:
            made, recipient = _track(message)
        except Exception as error:  # noqa: BLE001  # the mail goes out, whatever fails
            log_failure(error)
            made, recipient = message, None
        sent.append(made)
        if recipient is not None:
            recipients[recipient.pixel_id].append(recipient)
    for pixel_id, of_pixel in recipients.items():
        try:
            get_site().pixels.mark_sent(pixel_id, of_pixel)
        except Exception as error:  # noqa: BLE001  # the judge then takes the times of their tokens
            _logger.error("The sent times of mails can't be stored (%d mails): %s", len(of_pixel), error)
    return sent


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


def _track(message: EmailMessage) -> tuple[EmailMessage, Recipient | None]:
    """Return a tracked copy of a message and its recipient, or the message alone if it is not to be tracked."""
    wanted = getattr(message, ATTRIBUTE, None)
    if wanted is False:
        return message, None
    if not any(_is_html(*alternative) for alternative in _alternatives(message)) and not _has_html_body(message):
        raise MessageNotTrackable("it has no HTML part")
    options = dict(wanted or {})
    pixel = options.pop("pixel", None) or read("pixel")
    new = NewRecipient(_find_address(message), **options)
    site = get_site()
    owner, recipient = site.pixels.add_recipient(pixel, new)
    url = site.tracker.tracking_url(owner, recipient)
    return _embed(message, url, find_size(site.tracker, owner)), recipient


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

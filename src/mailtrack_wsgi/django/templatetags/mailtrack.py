"""`{% load mailtrack %}`: the tag of a pixel, for templates of mails."""

from django import template
from django.utils.safestring import SafeString, mark_safe

from mailtrack._model import NewRecipient, Pixel, Recipient
from mailtrack.mail._tag import pixel_tag
from mailtrack_wsgi.django._mails import find_size, log_failure
from mailtrack_wsgi.django._settings import read
from mailtrack_wsgi.django._site import get_site

register: template.Library = template.Library()


@register.simple_tag
def mailtrack_pixel(recipient: Recipient | str | None = None, pixel: Pixel | str | None = None) -> SafeString:
    """Return the `<img>` of a pixel. If it can't be made, that is logged, and the mail goes without.

    Args:
        recipient: the recipient of the mail, or the address, which then gets a token; without it, opens of the mail
            belong to no recipient.
        pixel: the pixel, its id or its name; by default that of the recipient, or of `MAILTRACK_PIXEL`.
    """
    try:
        return mark_safe(_make_tag(recipient, pixel))  # noqa: S308  # its URL is escaped
    except Exception as error:  # noqa: BLE001  # the mail goes out, whatever fails
        log_failure(error)
        return SafeString()


def _make_tag(recipient: Recipient | str | None, pixel: Pixel | str | None) -> str:
    site = get_site()
    if isinstance(recipient, Recipient):
        owner, found = site.tracker.get_pixel(recipient.pixel_id), recipient
    elif recipient is None:
        owner, found = site.pixels.find(pixel or read("pixel")), None
    else:
        owner, found = site.pixels.add_recipient(pixel or read("pixel"), NewRecipient(recipient))
    return pixel_tag(site.tracker.tracking_url(owner, found), find_size(site.tracker, owner))

"""`track`: make a message that goes to one person show a pixel."""

from collections.abc import Mapping
from email.message import Message
from typing import Literal, overload

from mailtrack._arguments import check_type
from mailtrack._errors import InvalidArgument, MessageNotTrackable
from mailtrack._images.check import measure
from mailtrack._model import NewRecipient, Pixel, Recipient
from mailtrack._tracker import Tracker
from mailtrack.mail._embed import log_if_clipped
from mailtrack.mail._parts import check_text, find_address, find_html
from mailtrack.mail._places import TOP, apply, find_edits
from mailtrack.mail._tag import pixel_tag
from mailtrack.mail._transfer import read_content


@overload
def track(
    message: Message,
    tracker: Tracker,
    pixel: Pixel | str,
    ref: str | None = None,
    data: Mapping[str, object] | None = None,
    recipient: Recipient | str | None = None,
    *,
    missing_ok: Literal[False] = False,
) -> Recipient: ...
@overload
def track(
    message: Message,
    tracker: Tracker,
    pixel: Pixel | str,
    ref: str | None = None,
    data: Mapping[str, object] | None = None,
    recipient: Recipient | str | None = None,
    *,
    missing_ok: bool,
) -> Recipient | None: ...
def track(
    message: Message,
    tracker: Tracker,
    pixel: Pixel | str,
    ref: str | None = None,
    data: Mapping[str, object] | None = None,
    recipient: Recipient | str | None = None,
    *,
    missing_ok: bool = False,
) -> Recipient | None:
    """Put a pixel's tag into the HTML part of a message, and return the recipient whose token is in it.

    The message goes to one person: its one address in To, Cc and Bcc together gets a token, if it has none for this
    reference yet. The tag goes to the top, as by `embed`, with the size of the pixel's own image. The part keeps its
    charset and transfer encoding, and everything else in the message stays as it is. Tracking again replaces the tag.

    A message that is refused is left as it was, and no recipient is created.

    Args:
        message: an `EmailMessage`, or another `email.message.Message`, made by a program or parsed. Sign it afterwards.
        tracker: a tracker with a `base_url`.
        pixel: the pixel.
        ref: a reference for the recipient, as of `NewRecipient`.
        data: data for the recipient, likewise.
        recipient: a recipient of this pixel, whose token is taken, whatever the addresses are. Then there is no `ref`
            and no `data`.
        missing_ok: whether to return `None` for a message without an HTML part, instead of raising.

    Raises:
        MessageNotTrackable: the message has no HTML part, not one address, is signed or encrypted, or has an HTML part
            that can't be changed without damage.
        InvalidEmails: the address is not valid.
        InvalidRecipients: the reference or the data is not valid.
        PixelNotFound: no pixel has this id.
        RecipientNotFound: no recipient has this id.
        InvalidSetting: the tracker was made without `base_url`.
        InvalidArgument: another argument can't be used.
        StorageError: the recipient can't be stored.
    """
    check_type(message, Message, "message")
    check_type(tracker, Tracker, "tracker")
    if recipient is not None and (ref is not None or data is not None):
        raise InvalidArgument("recipient", "can't be given together with ref or data")
    part = find_html(message)
    if part is None:
        if missing_ok:
            return None
        raise MessageNotTrackable("it has no HTML part")
    content = read_content(part)
    check_text(content.html)
    owner = pixel if isinstance(pixel, Pixel) else tracker.get_pixel(pixel)
    size = measure(tracker.get_pixel_image(owner)) if owner.image else None
    url = tracker.tracking_url(owner)
    edits = find_edits(content.html, url, pixel_tag(url, size), TOP)
    content.edit(edits)  # what can fail fails here, before a recipient is created
    if recipient is None:
        new = NewRecipient(find_address(message), ref, data)
        (found,) = tracker.generate_tokens(owner, [new])
    else:
        found = recipient if isinstance(recipient, Recipient) else tracker.get_recipient(recipient)
    tag = pixel_tag(tracker.tracking_url(owner, found), size)
    edits = [edit._replace(text=edit.text and tag) for edit in edits]
    if apply(content.html, edits) != content.html:  # else the part has this tag already
        part.set_payload(content.edit(edits))
    log_if_clipped(len(content.html) + len(tag))
    return found

"""`embed`: put the tag of a pixel into HTML."""

import logging

from mailtrack._arguments import check_type
from mailtrack._errors import InvalidArgument
from mailtrack.mail._places import TOP, apply, find_edits
from mailtrack.mail._tag import pixel_tag

_logger = logging.getLogger("mailtrack.mail")

CLIPPED_BYTES = 102_000
"""Gmail shows about so many bytes of a mail's HTML ("102 kB"), and hides the rest behind a link."""


def embed(html: str, url: str, where: str = TOP, *, size: tuple[int, int] | None = None) -> str:
    """Return the HTML of a mail with the tag of a pixel's image. All other characters stay as they are.

    Older tags of the same tracker, as in quoted replies, are removed wherever they stand outside comments, so that
    embedding twice is embedding once. The tag never stands in a comment, script, style, attribute, title, textarea or
    the like. The time is linear in the length of the text, whatever is in it.

    Gmail clips HTML of more than 102 kB. That is logged as a warning by the logger `mailtrack.mail`: a tag at the top
    works nevertheless, one behind the limit only where a person asks for the rest of the mail.

    Args:
        html: a whole document or a part of one, also with broken markup.
        url: what `Tracker.tracking_url` returns. Older tags are those with the same base URL.
        where: "top" is behind the start tag of the body, or without one behind doctype and head; "bottom" is before the
            last end tag of a body, or without one at the end. Any other text is a placeholder, such as `{{ pixel }}`:
            the tag replaces the first one.
        size: the width and height of the pixel's own image, for `pixel_tag`.

    Raises:
        InvalidArgument: an argument can't be used; as to `where`, such a placeholder does not occur, or only in
            comments, tags and the like.
    """
    check_type(html, str, "html")
    check_type(where, str, "where")
    if not where:
        raise InvalidArgument("where", 'must be "top", "bottom" or the text of a placeholder')
    edits = find_edits(html, url, pixel_tag(url, size), where)
    embedded = apply(html, edits)
    if len(embedded) * 4 > CLIPPED_BYTES:  # at most four bytes each
        log_if_clipped(len(embedded.encode("utf-8", "surrogatepass")))
    return embedded


def log_if_clipped(size: int) -> None:
    """Log a warning if Gmail does not show all of an HTML text of so many bytes."""
    if size > CLIPPED_BYTES:
        _logger.warning(
            "The HTML of a mail has %d kB. Gmail hides what is behind 102 kB, and loads no image there.", size // 1000
        )

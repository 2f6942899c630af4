"""The page of a person: the mails to one address over all pixels, and their opens."""

from collections.abc import Iterable, Sequence
from contextlib import suppress

from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from mailtrack._errors import InvalidEmail, PixelNotFound
from mailtrack._model import Open, Pixel, Recipient
from mailtrack._paging import MAX_LIMIT
from mailtrack._recipients import to_address
from mailtrack._tracker import Tracker
from mailtrack_wsgi import _paths as paths
from mailtrack_wsgi._context import Context
from mailtrack_wsgi._html.templating import page_response
from mailtrack_wsgi._query import number_argument, one_argument

MAILS_ON_PAGE = 25
OPENS_ON_PAGE = 50
MAX_MAILS = MAX_LIMIT
"""Number of mails, the newest, that the page looks at: one query."""


def person(context: Context, request: Request) -> Response:
    """`GET /people?email=<address>`: the mails to an address, and their opens, the newest first."""
    number = number_argument(request, "page", 1)
    email = to_address((one_argument(request, "email") or "").strip())
    found = context.tracker.list_found(email, limit=MAX_MAILS)
    end = number * MAILS_ON_PAGE
    mails = found.items[end - MAILS_ON_PAGE : end]
    opens = _newest_opens(context.tracker, found.items)
    pixels = _pixels(context.tracker, {mail.pixel_id for mail in mails} | {one.pixel_id for one in opens})
    return page_response(
        "person.html",
        root=context.root(request.environ),
        now=context.tracker.now(),
        explain=context.tracker.explain,
        email=found.items[0].email if found.items else email,
        found=found.items,
        last=max((one.opens.counted.last for one in found.items if one.opens.counted.last), default=None),
        cut=found.next is not None,
        mails=[one for one in mails if one.pixel_id in pixels],
        opens=[one for one in opens if one.pixel_id in pixels],
        recipients={one.id: one for one in found.items},
        pixels=pixels,
        most_opens=OPENS_ON_PAGE,
        number=number,
        more=end < len(found.items),
    )


def redirect_to_person(context: Context, request: Request, text: str | None) -> Response | None:
    """Return the redirect to the page of the person with an address, `None` where a text is no address."""
    try:
        email = to_address((text or "").strip())
    except InvalidEmail:
        return None
    return redirect(f"{context.root(request.environ)}{paths.person_page(email)}", 303)


def _newest_opens(tracker: Tracker, mails: Iterable[Recipient]) -> Sequence[Open]:
    """Return the newest opens of some mails, read from the mail opened last on, until no other can be newer."""
    newest: list[Open] = []
    opened = [(one.opens.raw.last, one) for one in mails if one.opens.raw.last]
    for last, mail in sorted(opened, key=lambda pair: pair[0], reverse=True):
        if len(newest) == OPENS_ON_PAGE and newest[-1].opened_at >= last:
            break
        with suppress(PixelNotFound):  # deleted meanwhile
            newest += tracker.list_opens(mail.pixel_id, limit=OPENS_ON_PAGE, recipient_id=mail).items
        newest = sorted(newest, key=lambda one: one.opened_at, reverse=True)[:OPENS_ON_PAGE]
    return newest


def _pixels(tracker: Tracker, pixel_ids: Iterable[str]) -> dict[str, Pixel]:
    found = {}
    for pixel_id in pixel_ids:
        with suppress(PixelNotFound):  # deleted meanwhile
            found[pixel_id] = tracker.get_pixel(pixel_id)
    return found

"""The page of a person: the mails to one address over all pixels, and their opens."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from urllib.parse import urlencode

from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from mailtrack._errors import InvalidEmail, PixelNotFound
from mailtrack._everything import everything
from mailtrack._model import Open, Pixel, Recipient
from mailtrack._paging import MAX_LIMIT, walk
from mailtrack._recipients import to_address
from mailtrack._text import plural
from mailtrack._tracker import Tracker
from mailtrack._urls import Urls
from mailtrack_wsgi import _paths as paths
from mailtrack_wsgi._bodies import read_text_form
from mailtrack_wsgi._context import Context
from mailtrack_wsgi._downloads import download
from mailtrack_wsgi._html.templating import page_response
from mailtrack_wsgi._query import count_argument, number_argument, one_argument

MAILS_ON_PAGE = 25
OPENS_ON_PAGE = 50
MAX_MAILS = MAX_LIMIT
"""Number of mails, the newest, that the page looks at: one query."""


def person(context: Context, request: Request) -> Response:
    """`GET /people?email=<address>`: the mails to an address, and their opens, the newest first.

    After an erasure, the query has its outcome instead (`?erased=13&opens=41`).
    """
    erased = count_argument(request, "erased")
    if erased is not None:
        kept = count_argument(request, "opens") or 0
        return page_response("erased.html", root=context.root(request.environ), erased=erased, opens=kept)
    number = number_argument(request, "page", 1)
    email = _address_argument(request)
    found = context.tracker.list_found(email, limit=MAX_MAILS)
    end = number * MAILS_ON_PAGE
    mails = found.items[end - MAILS_ON_PAGE : end]
    opens = _newest_opens(context.tracker, found.items)
    pixels = _pixels(context.tracker, {mail.pixel_id for mail in mails} | {one.pixel_id for one in opens})
    return page_response(
        "person.html",
        root=context.root(request.environ),
        lag=context.lag,
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


def export_person(context: Context, request: Request) -> Response:
    """`GET /people/export?email=<address>`: all that is stored about a person, as a JSON file."""
    pieces = _everything(context.tracker, _address_argument(request), context.urls(request.environ))
    return download(context.downloads, request.environ, pieces, "person.json", "application/json")


def _everything(tracker: Tracker, email: str, urls: Urls) -> Iterator[bytes]:
    """Return a JSON array of the recipients with an address and their opens, a recipient a line, in pieces."""
    begin = "[\n"
    for one in walk(lambda cursor: tracker.list_found(email, limit=MAX_LIMIT, cursor=cursor)):
        with suppress(PixelNotFound):  # deleted meanwhile
            yield (begin + json.dumps(everything(tracker, one, urls), ensure_ascii=False)).encode()
            begin = ",\n"
    yield b"\n]\n" if begin == ",\n" else b"[]\n"


def confirm_person(context: Context, request: Request) -> Response:
    """`GET /people/erasure?email=<address>`: asks for confirmation."""
    found = context.tracker.list_found(_address_argument(request), limit=MAX_MAILS)
    if not found.items:
        return person(context, request)
    email = found.items[0].email
    most = "at least " if found.next else ""
    return page_response(
        "deletion.html",
        root=context.root(request.environ),
        verb="Erase",
        name=email,
        deleted=[
            f"the address, in all pixels: {most}{plural(len(found.items), 'recipient')}",
            "their references, data and tokens",
            "addresses, programs and referrers of their opens",
        ],
        after="Their opens will be kept without a recipient. The figures stay, with fewer recipients.",
        copies=[("the data of this address", f"{paths.RECIPIENTS}?{urlencode({'email': email, 'limit': MAX_LIMIT})}")],
        action="/people/erase",
        fields={"email": email},
        back=paths.person_page(email),
    )


def erase_person(context: Context, request: Request) -> Response:
    """`POST /people/erase`: the form on that page."""
    erased = context.erase(read_text_form(request.environ, "email").get("email", ""))
    outcome = urlencode({"erased": erased.recipients, "opens": erased.opens})
    return redirect(f"{context.root(request.environ)}/people?{outcome}", 303)


def _address_argument(request: Request) -> str:
    return to_address((one_argument(request, "email") or "").strip())


def redirect_to_person(context: Context, request: Request, text: str | None) -> Response | None:
    """Return the redirect to the page of the person with an address, `None` where a text is no address."""
    if not text or "@" not in text:
        return None
    try:
        email = to_address(text.strip())
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

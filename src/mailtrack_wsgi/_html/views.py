"""The pages of pixels and the files that pages load: each endpoint reads the request, calls the tracker and answers."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Self

import attrs
from werkzeug.exceptions import NotFound
from werkzeug.http import unquote_etag
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from mailtrack._errors import InvalidInput, InvalidName
from mailtrack._images.check import MAX_BYTES as MAX_IMAGE_BYTES
from mailtrack._model import Pixel, VerdictKind
from mailtrack._text import plural
from mailtrack._times import start_of_day
from mailtrack_wsgi import _paths as paths
from mailtrack_wsgi import _security_headers as security_headers
from mailtrack_wsgi._bodies import PixelForm, read_pixel_form
from mailtrack_wsgi._context import Context
from mailtrack_wsgi._html import filters
from mailtrack_wsgi._html.charts import Chart, chart_of_days, chart_of_report
from mailtrack_wsgi._html.people import redirect_to_person
from mailtrack_wsgi._html.pixel_list import PixelList
from mailtrack_wsgi._html.templating import ASSETS, page_response
from mailtrack_wsgi._query import form_choice_argument, number_argument, one_argument

OPENS_ON_PAGE = 50

_DAYS_ON_DASHBOARD = 14
_FIGURES = ("counted", "raw")


def dashboard(context: Context, request: Request) -> Response:
    """`GET /`: the pixels, and a form to create one. A search for an address leads to the page of the person."""
    return redirect_to_person(context, request, one_argument(request, "search")) or _dashboard(context, request)


def create_pixel(context: Context, request: Request) -> Response:
    """`POST /pixels`: the form on the dashboard."""
    form = PixelForm("")
    try:
        form = read_pixel_form(request.environ)
        pixel = context.tracker.create_pixel(form.name, image=form.image)
    except InvalidName as error:
        return _dashboard(context, request, problem=str(error))
    except InvalidInput as error:  # the image is at fault, so the form keeps the name
        return _dashboard(context, request, problem=str(error), name=form.name)
    return redirect(f"{context.root(request.environ)}{paths.recipients_page(pixel.id)}", 303)


def _dashboard(context: Context, request: Request, *, problem: str | None = None, name: str = "") -> Response:
    chosen = PixelList.of(request)
    part = chosen.read(context.tracker)
    newcomer = chosen == PixelList() and not (part.pixels or context.tracker.list_pixels(limit=1, archived=None).items)
    now = context.tracker.now()
    return page_response(
        "dashboard.html",
        400 if problem else 200,
        root=context.root(request.environ),
        lag=context.lag,
        now=now,
        chosen=chosen,
        search=chosen.search,
        newcomer=newcomer,
        part=part,
        charts=_charts(context, part.pixels, now),
        troubled=context.troubled_webhooks(),
        problem=problem,
        name=name,
        max_image_bytes=MAX_IMAGE_BYTES,
    )


def _charts(context: Context, pixels: Sequence[Pixel], now: datetime) -> dict[str, Chart]:
    """Return the small charts of the dashboard, by the id of their pixel."""
    today = start_of_day(now)
    counts = context.tracker.count_by_day(pixels, since=today - _DAYS_ON_DASHBOARD * filters.DAY)
    return {
        pixel.id: chart_of_days(
            {day.day: day.opens for day in counts.get(pixel.id, ())},
            until=today,
            number=_DAYS_ON_DASHBOARD,
        )
        for pixel in pixels
    }


@attrs.frozen(kw_only=True)
class _Selection:
    """The part of a log that a request asks for.

    Attributes:
        number: number of the page of all opens, from 1.
        raw: whether raw figures are shown large.
        kind: the only verdict to list, `None` for all.
        recipient_id: the only recipient to list, `None` for all.
        cursor: where a filtered list continues.
    """

    number: int
    raw: bool
    kind: VerdictKind | None
    recipient_id: str | None
    cursor: str | None

    @classmethod
    def of(cls, request: Request) -> Self:
        """Read the query of a request."""
        kind = form_choice_argument(request, "kind", tuple(VerdictKind))
        recipient_id, cursor = one_argument(request, "recipient") or None, one_argument(request, "cursor")
        return cls(
            number=number_argument(request, "page", 1),
            raw=form_choice_argument(request, "figures", _FIGURES) == "raw",
            kind=VerdictKind(kind) if kind else None,
            recipient_id=recipient_id,
            cursor=cursor,
        )

    @property
    def filtered(self) -> bool:
        """Whether only some opens are listed: their pages follow by cursor, those of all opens by number."""
        return bool(self.kind or self.recipient_id)

    @property
    def newest(self) -> bool:
        """Whether the page shows the newest opens, and so keeps itself up to date."""
        return self.number == 1 and not self.cursor

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments for links that keep the selection."""
        return {
            "page": self.number if self.number > 1 else None,
            "figures": "raw" if self.raw else None,
            "kind": self.kind.value if self.kind else None,
            "recipient": self.recipient_id,
            "cursor": self.cursor if self.filtered else None,
        }


def logs(context: Context, request: Request, pixel: str) -> Response:
    """`GET /logs/<pixel>`: the figures of a pixel and its opens, the newest first."""
    selection = _Selection.of(request)
    now = context.tracker.now()
    tag = None
    if selection.newest:
        tag = _tag_of(context.tracker.get_pixel(pixel), now)
        if request.if_none_match.contains_weak(unquote_etag(tag)[0] or ""):
            return Response(status=304, headers=[*security_headers.NO_STORE.items(), ("ETag", tag)])
    report = context.tracker.report(pixel)
    found = report.pixel
    if tag:  # what the page shows may be older, where it comes from a replica
        tag = _tag_of(found, now)
    last = max(1, -(-found.kept // OPENS_ON_PAGE))
    opens = context.tracker.list_opens(
        found.id,
        limit=OPENS_ON_PAGE,
        cursor=selection.cursor if selection.filtered else None,
        skip=0 if selection.filtered else min(selection.number - 1, last) * OPENS_ON_PAGE,
        kind=selection.kind,
        recipient_id=selection.recipient_id,
    )
    recipient_id = selection.recipient_id
    recipients = context.tracker.get_recipients([recipient_id, *(one.recipient_id for one in opens.items)])
    response = page_response(
        "logs.html",
        root=context.root(request.environ),
        lag=context.lag,
        now=now,
        tag=tag,
        explain=context.tracker.explain,
        report=report,
        pixel=found,
        chart=chart_of_report(report, now=now),
        selection=selection,
        recipient=recipients.get(recipient_id or ""),
        opens=opens.items,
        recipients=recipients,
        next=opens.next,
        last=last,
    )
    if tag:
        response.headers["ETag"] = tag
    return response


def _tag_of(pixel: Pixel, now: datetime) -> str:
    """Return a tag that changes with the pixel's counts, and each minute, since the page says how long ago things were.

    The page asks for itself every few seconds. Comparing tags costs the reading of one row.
    """
    known = f"{attrs.astuple(pixel, recurse=True)} {now:%Y-%m-%dT%H:%M}"
    return f'W/"{sha256(known.encode()).hexdigest()[:24]}"'


def confirm_pixel(context: Context, request: Request, pixel: str) -> Response:
    """`GET /pixels/<pixel>/deletion`: asks for confirmation."""
    found = context.tracker.get_pixel(pixel)
    deleted = [
        "the pixel, with all its figures",
        plural(found.opens.raw.number, "open"),
        f"{plural(found.recipients, 'recipient')}, with their tokens",
    ]
    api = f"{paths.PIXELS}/{found.id}"
    return page_response(
        "deletion.html",
        root=context.root(request.environ),
        name=found.name,
        deleted=[*deleted, "its image"] if found.image else deleted,
        after="Mails already sent will show a transparent image instead.",
        copies=[("the opens", f"{api}/opens/csv"), ("the recipients", f"{api}/generate-tokens/csv")],
        action=f"/pixels/{found.short_id}/delete",
        back=f"/logs/{found.short_id}",
    )


def delete_pixel(context: Context, request: Request, pixel: str) -> Response:
    """`POST /pixels/<pixel>/delete`."""
    context.delete_pixel(pixel)
    return redirect(f"{context.root(request.environ)}/", 303)


def upload(context: Context, _: Request, image: str) -> Response:
    """`GET /uploads/<image>`: a pixel's own image."""
    found = context.tracker.get_image(image)
    return Response(found.data, 200, security_headers.UPLOAD, content_type=found.media_type)


def static(_: Context, request: Request, name: str) -> Response:
    """`GET /static/<name>`: the files of pages. They name a version, under which a file never changes."""
    if name not in ASSETS:
        raise NotFound
    asset = ASSETS[name]
    kept = "max-age=31536000, immutable" if one_argument(request, "v") == asset.version else "max-age=3600"
    return Response(asset.data, 200, [("Cache-Control", kept)], content_type=asset.media_type)

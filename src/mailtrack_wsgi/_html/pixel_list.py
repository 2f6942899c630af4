"""`PixelList`: the part of all pixels that the dashboard shows, and the links to other parts."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple, Self, cast, get_args

import attrs
from werkzeug.wrappers import Request

from mailtrack._errors import InvalidPaging
from mailtrack._model import Pixel, PixelOrder
from mailtrack._tracker import Tracker
from mailtrack_wsgi._html.filters import DAY, query
from mailtrack_wsgi._query import flag_argument, form_choice_argument, one_argument

PIXELS_ON_PAGE = 25


class Part(NamedTuple):
    """The pixels on one page, and the link to the following page."""

    pixels: Sequence[Pixel]
    link: str | None


@attrs.frozen(kw_only=True)
class PixelList:
    """A list of pixels.

    Attributes:
        search: only pixels with this in their name, `None` for all.
        archived: whether the archived pixels are listed instead of the others.
        order: the order, `None` for the newest first.
        first: the first day of creation, in UTC.
        last: the last day of creation, in UTC.
        cursor: where the list continues.
    """

    search: str | None = None
    archived: bool = False
    order: PixelOrder | None = None
    first: date | None = None
    last: date | None = None
    cursor: str | None = None

    @classmethod
    def of(cls, request: Request) -> Self:
        """Read the query of a request."""
        return cls(
            search=(one_argument(request, "search") or "").strip() or None,
            archived=bool(flag_argument(request, "archived")),
            order=cast(PixelOrder | None, form_choice_argument(request, "sort", get_args(PixelOrder))),
            first=_day_argument(request, "from"),
            last=_day_argument(request, "to"),
            cursor=one_argument(request, "cursor"),
        )

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments for links that keep the list."""
        archived = "true" if self.archived else None
        return {"search": self.search, "archived": archived, "sort": self.order, "from": self.first, "to": self.last}

    @property
    def narrowed(self) -> bool:
        """Whether some pixels are left out."""
        return bool(self.search or self.first or self.last)

    @property
    def continued(self) -> bool:
        """Whether this is not the first page of its list."""
        return bool(self.cursor)

    def read(self, tracker: Tracker) -> Part:
        """Return the pixels to show."""
        page = tracker.list_pixels(
            limit=PIXELS_ON_PAGE,
            cursor=self.cursor,
            search=self.search,
            archived=self.archived,
            order=self.order or "newest",
            since=_start(self.first),
            before=_start(self.last, later=DAY),
        )
        return Part(page.items, page.next and query(self.arguments, cursor=page.next))


def _start(day: date | None, later: timedelta = timedelta()) -> datetime | None:
    """Return the start of a day, or some time later; the end of time where that is after the last day."""
    if day is None:
        return None
    start = datetime.combine(day, time.min, UTC)
    return start + min(later, datetime.max.replace(tzinfo=UTC) - start)


def _day_argument(request: Request, name: str) -> date | None:
    value = one_argument(request, name)
    try:
        return date.fromisoformat(value) if value else None
    except ValueError:
        raise InvalidPaging(f"{name} must be a day, as 2025-11-06.") from None

"""`PixelList`: the part of all pixels that the dashboard shows, and the links to other parts."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any, NamedTuple, Self, TypedDict

import attrs
from werkzeug.wrappers import Request

from mailtrack._errors import InvalidPaging
from mailtrack._model import Pixel
from mailtrack._paging import MAX_LIMIT
from mailtrack._tracker import Tracker
from mailtrack.report import Rate
from mailtrack_wsgi._html.filters import query
from mailtrack_wsgi._query import flag_argument, form_choice_argument, number_argument, one_argument

PIXELS_ON_PAGE = 25
SORTED_AT_ONCE = MAX_LIMIT
"""Number of pixels, the newest, that are sorted or looked through for a time of creation: one query."""

_KEYS: dict[str, Callable[[Pixel], Any]] = {
    "name": lambda pixel: pixel.name.casefold(),
    "opens": lambda pixel: -pixel.opens.counted.number,
    "rate": lambda pixel: -(Rate.of(pixel).counted or 0) if pixel.recipients else 1,
}


class _Filters(TypedDict):
    search: str | None
    archived: bool


class Part(NamedTuple):
    """The pixels on one page, the link to the following page, and whether older pixels were not looked at."""

    pixels: Sequence[Pixel]
    link: str | None = None
    cut: bool = False


@attrs.frozen(kw_only=True)
class PixelList:
    """A list of pixels.

    Attributes:
        search: only pixels with this in their name, `None` for all.
        archived: whether the archived pixels are listed instead of the others.
        order: "name", "opens" or "rate"; `None` is the newest first.
        first: the first day of creation, in UTC.
        last: the last day of creation, in UTC.
        cursor: where a list of the newest first continues.
        number: number of the page of any other list, from 1.
    """

    search: str | None = None
    archived: bool = False
    order: str | None = None
    first: date | None = None
    last: date | None = None
    cursor: str | None = None
    number: int = 1

    @classmethod
    def of(cls, request: Request) -> Self:
        """Read the query of a request."""
        return cls(
            search=(one_argument(request, "search") or "").strip() or None,
            archived=bool(flag_argument(request, "archived")),
            order=form_choice_argument(request, "sort", ("newest", *_KEYS)),
            first=_day_argument(request, "from"),
            last=_day_argument(request, "to"),
            cursor=one_argument(request, "cursor"),
            number=number_argument(request, "page", 1),
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
        return bool(self.cursor) or self.number > 1

    def read(self, tracker: Tracker) -> Part:
        """Return the pixels to show."""
        filters: _Filters = {"search": self.search, "archived": self.archived}
        if not (self.order in _KEYS or self.first or self.last):
            page = tracker.list_pixels(limit=PIXELS_ON_PAGE, cursor=self.cursor, **filters)
            return Part(page.items, page.next and query(self.arguments, cursor=page.next))
        page = tracker.list_pixels(limit=SORTED_AT_ONCE, **filters)
        found = [pixel for pixel in page.items if self._has_day(pixel.created_at.date())]
        if self.order in _KEYS:
            found.sort(key=_KEYS[self.order])
        end = self.number * PIXELS_ON_PAGE
        link = query(self.arguments, page=self.number + 1) if end < len(found) else None
        return Part(found[end - PIXELS_ON_PAGE : end], link, page.next is not None)

    def _has_day(self, day: date) -> bool:
        return (self.first or date.min) <= day <= (self.last or date.max)


def _day_argument(request: Request, name: str) -> date | None:
    value = one_argument(request, name)
    try:
        return date.fromisoformat(value) if value else None
    except ValueError:
        raise InvalidPaging(f"{name} must be a day, as 2025-11-06.") from None

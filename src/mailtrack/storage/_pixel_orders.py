"""The orders of lists of pixels: where a pixel stands in one, cursors for that, and how a page is cut."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from datetime import datetime
from typing import Literal, NamedTuple, Self

import attrs

from mailtrack._errors import InvalidPaging
from mailtrack._model import PixelOrder
from mailtrack._times import to_milliseconds
from mailtrack.storage import _cursors as cursors

RATE_UNIT = 1_000_000
"""Rates are compared in millionths."""

Order = PixelOrder | Literal["created"]

_NUMBER = re.compile(r"-?[0-9]{1,18}")
_EVER = 10**17  # milliseconds from 1970 either way


class Place(NamedTuple):
    """Where a pixel stands: names ascend, other keys descend, and of equal ones the last added comes first.

    Attributes:
        key: what the order compares: the number of the pixel ("newest"), milliseconds ("created"), the folded name,
            opens that count, or millionths of the recipients (-1 without any).
        number: the number of the pixel, in order of addition.
    """

    key: int | str
    number: int


@attrs.frozen(kw_only=True)
class Choice:
    """Which pixels to list, and in which order.

    Attributes:
        order: the order.
        search: only those with this in their folded name.
        archived: only those that are archived or not, all with `None`.
        since: only those created then or later, in milliseconds.
        before: only those created before.
    """

    order: Order
    search: str | None
    archived: bool | None
    since: int = -_EVER
    before: int = _EVER

    @classmethod
    def of(
        cls,
        order: PixelOrder,
        search: str | None,
        archived: bool | None,
        since: datetime | None,
        before: datetime | None,
    ) -> Self:
        """Return the choice that the arguments of `Storage.list_pixels` make."""
        by_time = since is not None or before is not None
        return cls(
            order="created" if order == "newest" and by_time else order,
            search=None if search is None else search.casefold(),
            archived=archived,
            since=-_EVER if since is None else to_milliseconds(since),
            before=_EVER if before is None else to_milliseconds(before),
        )

    @property
    def ends_early(self) -> bool:
        """Whether a page may have to pass over many pixels to find some that fit."""
        return self.search is not None or (self.order != "created" and (self.since, self.before) != (-_EVER, _EVER))

    def to_place(self, cursor: str) -> Place:
        """Return the place of a cursor.

        Raises:
            InvalidPaging: it is no cursor of this order.
        """
        if self.order == "newest":
            number = cursors.to_place(cursor)
            return Place(number, number)
        key, _, place = cursor.partition("~")
        try:
            text = urlsafe_b64decode(key.encode("ascii")).decode() if self.order == "name" else None
        except ValueError:
            raise InvalidPaging("The cursor is not valid.") from None
        if text is None and not _NUMBER.fullmatch(key):
            raise InvalidPaging("The cursor is not valid.")
        return Place(int(key) if text is None else text, cursors.to_place(place))

    def to_cursor(self, place: Place) -> str:
        """Return the cursor for a place."""
        if self.order == "newest":
            return cursors.from_place(place.number)
        key = urlsafe_b64encode(place.key.encode()).decode() if isinstance(place.key, str) else place.key
        return f"{key}~{place.number}"

    def cut(self, rows: Iterable[tuple[Place, bool]], limit: int, at_once: int) -> tuple[list[int], str | None]:
        """Return the numbers of the pixels on a page, and the cursor of the following one, if there is one.

        Args:
            rows: the places from the beginning of the page, and whether their pixels fit; no more than needed are read.
            limit: the maximum number of pixels.
            at_once: the number of places that a page looks at.
        """
        chosen: list[Place] = []
        last = None
        for seen, (place, fits) in enumerate(rows):
            if seen == at_once or (fits and len(chosen) == limit):
                last = chosen[-1] if len(chosen) == limit else last
                break
            chosen += [place] if fits else []
            last = place
        else:
            last = None
        return [place.number for place in chosen], None if last is None else self.to_cursor(last)

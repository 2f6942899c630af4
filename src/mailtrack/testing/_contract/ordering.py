"""Tests of the orders of lists of pixels."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import partial
from itertools import cycle, islice
from typing import Any

import pytest

from mailtrack._errors import InvalidPaging
from mailtrack._model import Page, Pixel, PixelOrder
from mailtrack.storage import Storage
from mailtrack.testing._contract.helpers import UNUSABLE_CURSORS, add_recipients, walk
from mailtrack.testing._factories import NOON, make_open, make_pixel

_NAMES = ("Spring", "spring", "Autumn", "STRASSE", "stra\u00dfe", "\U0001f600", "\u00c4rger", "1")
_ORDERS: tuple[PixelOrder, ...] = ("newest", "name", "opens", "rate")
_DAY = timedelta(days=1)

every_order = pytest.mark.parametrize("order", _ORDERS)


class OrderingContract:
    """Tests of `order`, `since` and `before` of `list_pixels`."""

    @every_order
    @pytest.mark.parametrize("limit", [1, 2, 5, 12, 13, 1000])
    @pytest.mark.parametrize("archived", [False, True, None])
    def test_pages_in_an_order_make_the_whole_list(
        self, storage: Storage, order: PixelOrder, limit: int, archived: bool | None
    ) -> None:
        expected = _sorted(order, [one for one in _add(storage) if archived in (None, one.archived)])
        get_page = partial(storage.list_pixels, limit=limit, order=order, archived=archived)
        assert _names(walk(lambda cursor: get_page(cursor=cursor))) == _names(expected)

    @every_order
    @pytest.mark.parametrize(("since", "before"), [(1, 3), (None, 2), (2, None), (3, 3), (-99, 99)])
    @pytest.mark.parametrize("search", [None, "str"])
    def test_only_pixels_of_some_time_are_listed_in_any_order(
        self, storage: Storage, order: PixelOrder, since: int | None, before: int | None, search: str | None
    ) -> None:
        start, end = (None if day is None else NOON + day * _DAY for day in (since, before))
        expected = [
            one
            for one in _add(storage)
            if (start is None or start <= one.created_at) and (end is None or one.created_at < end)
            if (search or "") in one.name.casefold()
        ]
        expected = _sorted("created" if order == "newest" else order, expected)
        get_page = partial(
            storage.list_pixels, limit=2, order=order, archived=None, since=start, before=end, search=search
        )
        assert _names(walk(lambda cursor: get_page(cursor=cursor))) == _names(expected)

    @every_order
    def test_a_cursor_stays_usable_when_its_pixel_is_deleted(self, storage: Storage, order: PixelOrder) -> None:
        expected = _sorted(order, _add(storage))
        page = storage.list_pixels(limit=4, order=order, archived=None)
        for one in page.items:
            storage.delete_pixel(one.id)
        rest = storage.list_pixels(limit=99, order=order, archived=None, cursor=page.next)
        assert _names(rest.items) == _names(expected[4:])

    def test_a_renamed_pixel_stands_at_its_new_name(self, storage: Storage) -> None:
        pixels = _add(storage)
        storage.update_pixel(pixels[0].id, name="zz top")
        found = storage.list_pixels(limit=99, order="name", archived=None)
        assert [one.name for one in found.items][-3:] == ["zz top", "\u00c4rger", "\U0001f600"]

    @pytest.mark.parametrize("cursor", [*UNUSABLE_CURSORS, "~", "1~", "~-1", "1~x", "\u00e9~1"])
    @pytest.mark.parametrize("order", ["name", "opens", "rate"])
    def test_an_unusable_cursor_of_an_order_is_refused(self, storage: Storage, order: PixelOrder, cursor: str) -> None:
        with pytest.raises(InvalidPaging):
            storage.list_pixels(limit=1, order=order, cursor=cursor)

    @every_order
    def test_without_pixels_an_order_has_none(self, storage: Storage, order: PixelOrder) -> None:
        assert storage.list_pixels(limit=1, order=order, before=NOON) == Page(items=())


def _add(storage: Storage) -> list[Pixel]:
    """Add pixels with equal and different names, times, opens and rates, some archived; return them as they are."""
    added = []
    for number, name in enumerate(islice(cycle(_NAMES), 13)):
        pixel = make_pixel(name, at=NOON + (number * 7 % 5) * _DAY)
        storage.add_pixel(pixel)
        recipients = add_recipients(storage, pixel, number % 4)
        openers = [*recipients[: number % 3], None][: number % 5]
        storage.add_opens([make_open(pixel, one, counted=number % 7 > 0) for one in openers])
        if number % 3 == 1:
            storage.update_pixel(pixel.id, archived=True)
        added.append(storage.get_pixel(pixel.id))
    return added


def _sorted(order: str, pixels: list[Pixel]) -> list[Pixel]:
    keys: dict[str, Callable[[Pixel], Any]] = {
        "newest": lambda _: 0,
        "created": lambda one: -one.created_at.timestamp(),
        "name": lambda one: one.name.casefold(),
        "opens": lambda one: -one.opens.counted.number,
        "rate": lambda one: -one.opened.counted / one.recipients if one.recipients else 1,
    }
    newest_first = pixels[::-1]
    return sorted(newest_first, key=keys[order])


def _names(pixels: Iterable[Pixel]) -> list[tuple[str, str]]:
    return [(one.name, one.id) for one in pixels]

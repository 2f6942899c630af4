"""Tests of changes of pixels."""

from functools import partial
from typing import Any

import attrs
import pytest

from mailtrack._errors import PixelNotFound
from mailtrack._model import Pixel
from mailtrack.storage import Storage
from mailtrack.testing._contract.full_scan import everything
from mailtrack.testing._contract.helpers import add_pixel, add_recipients, namesake, walk
from mailtrack.testing._factories import make_hit, make_open, make_pixel


class ChangingContract:
    """Tests of `update_pixel`, and of lists with and without archived pixels."""

    @pytest.mark.parametrize(
        "changes", [{"name": "Zo\u00eb's"}, {"archived": True}, {"note": "Two\nlines"}, {"name": "A", "note": "B"}, {}]
    )
    def test_what_is_given_changes_and_the_rest_stays(self, storage: Storage, changes: dict[str, Any]) -> None:
        pixel, other = add_pixel(storage), add_pixel(storage)
        recipients = add_recipients(storage, pixel, 2)
        storage.add_opens([make_open(pixel, recipients[0])])
        before = everything(storage, pixel)[:3]
        storage.update_pixel(pixel.id, **changes)
        assert everything(storage, pixel)[:3] == (attrs.evolve(before[0], **changes), *before[1:])
        assert storage.get_pixel(other.id) == other

    def test_a_change_can_be_undone(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        storage.update_pixel(pixel.id, name="Other", archived=True, note="Note")
        storage.update_pixel(pixel.id, name=pixel.name, archived=False, note="")
        assert storage.get_pixel(pixel.id) == pixel

    def test_a_pixel_is_found_by_its_new_name_only(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        storage.update_pixel(pixel.id, name="STRASSE")
        assert [one.id for one in storage.list_pixels(limit=9, search="stra\u00dfe").items] == [pixel.id]
        assert storage.list_pixels(limit=9, search=pixel.name).items == ()

    def test_a_pixel_that_does_not_exist_can_not_be_changed(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        for pixel_id in (make_pixel().id, namesake(pixel)):
            with pytest.raises(PixelNotFound):
                storage.update_pixel(pixel_id, name="Other")
        assert storage.get_pixel(pixel.id) == pixel

    @pytest.mark.parametrize(("archived", "places"), [(False, [4, 2, 0]), (True, [3, 1]), (None, [4, 3, 2, 1, 0])])
    def test_archived_pixels_are_listed_only_where_asked_for(
        self, storage: Storage, archived: bool | None, places: list[int]
    ) -> None:
        pixels = _five(storage)
        for search in (None, "launch"):
            get_page = partial(storage.list_pixels, limit=1, search=search, archived=archived)
            found = walk(lambda cursor: get_page(cursor=cursor))  # noqa: B023  # called at once
            assert [one.id for one in found] == [pixels[place].id for place in places]

    def test_by_default_archived_pixels_are_left_out(self, storage: Storage) -> None:
        _five(storage)
        assert not any(one.archived for one in storage.list_pixels(limit=9).items)

    def test_an_archived_pixel_goes_on_tracking(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        storage.update_pixel(pixel.id, archived=True)
        (recipient,) = add_recipients(storage, pixel, 1)
        (target,) = storage.resolve([make_hit(pixel, token=recipient.token)])
        assert target is not None
        assert target.recipient_id == recipient.id
        storage.add_opens([make_open(pixel, recipient)])
        assert storage.get_pixel(pixel.short_id).opens.raw.number == 1


def _five(storage: Storage) -> list[Pixel]:
    """Add five pixels, of which the second and the fourth are archived."""
    pixels = [add_pixel(storage) for _ in range(5)]
    for one in pixels[1::2]:
        storage.update_pixel(one.id, archived=True)
    return pixels

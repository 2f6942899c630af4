"""Tests of finding a person over all pixels."""

from datetime import timedelta

import pytest

from mailtrack._errors import InvalidPaging
from mailtrack._model import Page, Recipient
from mailtrack.storage import Storage
from mailtrack.testing._contract.helpers import UNUSABLE_CURSORS, add_pixel, all_recipients, walk
from mailtrack.testing._factories import NOON, make_open, make_recipient


class FindingContract:
    """Tests of `find_recipients`."""

    @pytest.mark.parametrize("limit", [1, 2, 3, 1000])
    def test_a_person_is_found_over_all_pixels_and_references_the_newest_first(
        self, storage: Storage, limit: int
    ) -> None:
        given = _add_person(storage)
        newest = sorted(given, key=lambda one: one.created_at, reverse=True)
        for email in ("ann@example.org", "ANN@example.org"):
            assert _find(storage, email, limit=limit) == newest

    def test_of_the_same_time_the_last_added_comes_first(self, storage: Storage) -> None:
        first, second = add_pixel(storage), add_pixel(storage)
        late = storage.add_recipients(second.id, [make_recipient(second, "ann@example.org", ref=one) for one in "ab"])
        early = storage.add_recipients(first.id, [make_recipient(first, "ann@example.org", ref=one) for one in "ab"])
        assert _find(storage, "ann@example.org") == [*reversed(late), *reversed(early)]

    def test_others_are_not_found(self, storage: Storage) -> None:
        _add_person(storage)
        pixel = add_pixel(storage)
        others = ["annx@example.org", "an@example.org", "ann@example.com", "a%@example.org", "\u00e4nn@example.org"]
        storage.add_recipients(pixel.id, [make_recipient(pixel, email) for email in others])
        assert [_find(storage, email)[0].email for email in others] == others
        assert _find(storage, "nobody@example.org") == []

    def test_a_person_comes_with_its_opens_and_data(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (ann,) = storage.add_recipients(pixel.id, [make_recipient(pixel, "ann@example.org", ref="a", data={"n": 1})])
        storage.add_opens([make_open(pixel, ann)])
        assert _find(storage, "ann@example.org") == all_recipients(storage, pixel)

    def test_deleted_recipients_and_those_of_deleted_pixels_are_not_found(self, storage: Storage) -> None:
        given = _add_person(storage)
        storage.delete_recipient(given[0].id)
        storage.delete_pixel(given[-1].pixel_id)
        kept = [one for one in given[1:] if one.pixel_id != given[-1].pixel_id]
        assert {one.id for one in _find(storage, "ann@example.org")} == {one.id for one in kept}

    def test_a_page_does_not_move_when_others_are_added_and_deleted(self, storage: Storage) -> None:
        given = sorted(_add_person(storage), key=lambda one: one.created_at, reverse=True)
        page = storage.find_recipients("ann@example.org", limit=2)
        pixel = add_pixel(storage)
        storage.add_recipients(pixel.id, [make_recipient(pixel, "ann@example.org", at=NOON + timedelta(days=99))])
        storage.delete_recipient(given[1].id)
        assert storage.find_recipients("ann@example.org", limit=2, cursor=page.next).items == tuple(given[2:4])

    @pytest.mark.parametrize("cursor", [*UNUSABLE_CURSORS, "1.2", "1.2.3.4", "1.-2.3", "1.2.x"])
    def test_an_unusable_cursor_is_refused(self, storage: Storage, cursor: str) -> None:
        _add_person(storage)
        with pytest.raises(InvalidPaging):
            storage.find_recipients("ann@example.org", limit=2, cursor=cursor)

    def test_an_empty_storage_has_no_one(self, storage: Storage) -> None:
        assert storage.find_recipients("ann@example.org", limit=2) == Page(items=())


def _add_person(storage: Storage) -> list[Recipient]:
    """Add a person to three pixels among others, with times in no order."""
    given = []
    for number, email in enumerate(("ann@example.org", "Ann@example.org", "ANN@example.org")):
        pixel = add_pixel(storage)
        storage.add_recipients(pixel.id, [make_recipient(pixel), make_recipient(pixel)])
        for place, ref in enumerate((None, "a", "b")):
            at = NOON + timedelta(hours=7 * number % 5, minutes=5 * place % 3)
            given += storage.add_recipients(pixel.id, [make_recipient(pixel, email, ref=ref, at=at)])
    return given


def _find(storage: Storage, email: str, *, limit: int = 1000) -> list[Recipient]:
    return walk(lambda cursor: storage.find_recipients(email, limit=limit, cursor=cursor))

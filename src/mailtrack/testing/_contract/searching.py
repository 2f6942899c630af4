"""Tests of searches for recipients."""

import pytest

from mailtrack._model import Page, Pixel, Recipient, RecipientState
from mailtrack.storage import Storage
from mailtrack.testing._contract.helpers import add_pixel, namesake, search_all
from mailtrack.testing._factories import make_open, make_pixel, make_recipient

_GIVEN = [
    ("Ann@example.org", None),
    ("bob@example.org", "INV-1"),
    ("ann@example.com", "INV-2"),
    ("cem@example.org", "inv-2"),
    ("j\u00dcrgen@example.org", "Stra\u00dfe 100%"),
]


class SearchingContract:
    """Tests of the filters of `list_recipients`."""

    @pytest.mark.parametrize(
        ("text", "places"),
        [
            ("ann", [0, 2]),
            ("ANN@EXAMPLE.ORG", [0]),
            ("inv", [1, 2, 3]),
            ("-2", [2, 3]),
            ("J\u00fcRG", [4]),
            ("STRASSE", [4]),
            ("%", [4]),
            ("_", []),
            ("", [0, 1, 2, 3, 4]),
            ("example.orgINV", []),
        ],
    )
    def test_recipients_are_found_by_a_part_of_their_address_or_reference(
        self, storage: Storage, text: str, places: list[int]
    ) -> None:
        pixel, given = _add(storage)
        for limit in (1, 2, 1000):
            assert search_all(storage, pixel, text, limit=limit) == [given[place] for place in places]

    @pytest.mark.parametrize(("ref", "places"), [("INV-2", [2]), ("inv-2", [3]), ("INV", []), ("", [])])
    def test_recipients_are_listed_by_their_reference(self, storage: Storage, ref: str, places: list[int]) -> None:
        pixel, given = _add(storage)
        assert storage.list_recipients(pixel.id, limit=9, ref=ref).items == tuple(given[place] for place in places)

    def test_recipients_with_the_same_reference_come_in_pages(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        given = [make_recipient(pixel, ref="ab"[number % 2]) for number in range(10)]
        storage.add_recipients(pixel.id, given)
        page = storage.list_recipients(pixel.id, limit=3, ref="b")
        assert page.items == (given[1], given[3], given[5])
        rest = storage.list_recipients(pixel.id, limit=3, ref="b", cursor=page.next)
        assert rest == Page(items=(given[7], given[9]))

    def test_all_filters_hold_together(self, storage: Storage) -> None:
        pixel, given = _add(storage)
        storage.add_opens([make_open(pixel, one) for one in given[:3]])
        opened = [RecipientState.OPENED]
        found = storage.list_recipients(pixel.id, limit=9, states=opened, search="ANN", ref="INV-2").items
        assert [one.id for one in found] == [given[2].id]
        assert [one.id for one in storage.list_recipients(pixel.id, limit=9, states=opened, search="inv").items] == [
            given[1].id,
            given[2].id,
        ]
        assert storage.list_recipients(pixel.id, limit=9, states=[], search="inv").items == ()

    def test_a_search_of_many_recipients_finds_all_in_the_end(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        given = [make_recipient(pixel, f"{number}@example.org") for number in range(10_050)]
        storage.add_recipients(pixel.id, given)
        assert search_all(storage, pixel, "9999@", limit=2) == [given[9999]]
        assert search_all(storage, pixel, "10049@", limit=2) == [given[10_049]]
        assert search_all(storage, pixel, "no such text", limit=2) == []

    def test_a_pixel_that_does_not_exist_has_nothing_to_find(self, storage: Storage) -> None:
        pixel, _ = _add(storage)
        for pixel_id in (make_pixel().id, namesake(pixel)):
            assert storage.list_recipients(pixel_id, limit=1, search="ann") == Page(items=())
            assert storage.list_recipients(pixel_id, limit=1, ref="INV-1") == Page(items=())


def _add(storage: Storage) -> tuple[Pixel, list[Recipient]]:
    pixel = add_pixel(storage)
    given = [make_recipient(pixel, email, ref=ref) for email, ref in _GIVEN]
    return pixel, storage.add_recipients(pixel.id, given)

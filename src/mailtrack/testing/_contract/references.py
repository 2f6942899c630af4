"""Tests of references and data of recipients."""

import pickle
from typing import Any

import pytest

from mailtrack._model import Recipient
from mailtrack.storage import Storage
from mailtrack.testing._contract.helpers import add_pixel, all_recipients
from mailtrack.testing._factories import make_hit, make_open, make_recipient

_DATA: dict[str, Any] = {
    "name": "Zo\u00eb \U0001f4e7",
    "paid": True,
    "sum": 12.5,
    "year": 2**53 + 1,
    "none": None,
    "items": [{"": '"\\'}, []],
}


class ReferencesContract:
    """Tests of `Recipient.ref` and `Recipient.data`."""

    def test_one_address_with_several_references_is_several_recipients(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        given = [make_recipient(pixel, "ann@example.org", ref=ref) for ref in (None, "INV-1", "INV-2", "inv-1", " ")]
        assert storage.add_recipients(pixel.id, given) == given
        assert all_recipients(storage, pixel) == given
        assert storage.get_pixel(pixel.id).recipients == 5
        hits = [make_hit(pixel, token=one.token) for one in given]
        assert [one and one.recipient_id for one in storage.resolve(hits)] == [one.id for one in given]

    @pytest.mark.parametrize("ref", [None, "INV-1", "'; --", "\U0001f4e7" * 128, "\u00c5", "%", "0"])
    def test_an_address_and_a_reference_that_are_there_return_the_recipient_that_has_them(
        self, storage: Storage, ref: str | None
    ) -> None:
        pixel = add_pixel(storage)
        given = [make_recipient(pixel, "Ann@example.org", ref=one) for one in (ref, "another")]
        storage.add_recipients(pixel.id, given)
        again = [make_recipient(pixel, "aNN@example.org", ref=one) for one in ("another", ref)]
        assert storage.add_recipients(pixel.id, again) == given[::-1]
        assert all_recipients(storage, pixel) == given

    def test_references_are_compared_as_written(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        refs = ("a", "A", "a ", "\u00e4", "a\u0308", "1", "1.0", "01")
        given = [make_recipient(pixel, "ann@example.org", ref=ref) for ref in refs]
        assert storage.add_recipients(pixel.id, given) == given

    def test_old_and_new_references_are_returned_in_the_order_given(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        old = storage.add_recipients(pixel.id, [make_recipient(pixel, "ann@example.org", ref=ref) for ref in "bd"])
        given = [make_recipient(pixel, "ann@example.org", ref=ref) for ref in "edcba"]
        assert storage.add_recipients(pixel.id, given) == [given[0], old[1], given[2], old[0], given[4]]
        assert "".join(one.ref or "" for one in all_recipients(storage, pixel)) == "bdeca"

    def test_data_is_read_back_as_it_was_given(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        given = [make_recipient(pixel, data=data) for data in (_DATA, {}, None)]
        storage.add_recipients(pixel.id, given)
        found = all_recipients(storage, pixel)
        assert [one.data and dict(one.data) for one in found] == [_DATA, {}, None]
        assert list(found[0].data or ()) == list(_DATA)
        assert found == given == list(storage.get_recipients([one.id for one in given]).values())

    def test_data_given_again_replaces_the_former(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (old,) = storage.add_recipients(pixel.id, [make_recipient(pixel, "ann@example.org", ref="a", data=_DATA)])
        for data in ({"new": 1}, {}):
            (found,) = storage.add_recipients(pixel.id, [make_recipient(pixel, "ANN@example.org", ref="a", data=data)])
            assert (found.id, found.data) == (old.id, data)
            assert all_recipients(storage, pixel) == [found]

    def test_data_that_is_not_given_again_stays(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        old = storage.add_recipients(pixel.id, [make_recipient(pixel, "ann@example.org", data=_DATA)])
        assert storage.add_recipients(pixel.id, [make_recipient(pixel, "ann@example.org")]) == old
        assert all_recipients(storage, pixel) == old

    def test_data_is_replaced_only_where_it_was_given(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        refs = (None, "a", "b")
        storage.add_recipients(
            pixel.id, [make_recipient(pixel, "ann@example.org", ref=one, data=_DATA) for one in refs]
        )
        storage.add_recipients(pixel.id, [make_recipient(pixel, "bob@example.org", ref="a", data=_DATA)])
        storage.add_recipients(pixel.id, [make_recipient(pixel, "ann@example.org", ref="a", data={"n": 1})])
        assert [one.data for one in all_recipients(storage, pixel)] == [_DATA, {"n": 1}, _DATA, _DATA]

    def test_a_recipient_with_data_can_be_hashed_and_pickled(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        storage.add_recipients(pixel.id, [make_recipient(pixel, ref="a", data=_DATA)])
        (found,) = all_recipients(storage, pixel)
        assert {found} == {pickle.loads(pickle.dumps(found))}  # noqa: S301  # made here

    def test_a_deleted_reference_leaves_the_others(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        given = [make_recipient(pixel, "ann@example.org", ref=ref, data=_DATA) for ref in (None, "a", "b")]
        storage.add_recipients(pixel.id, given)
        storage.add_opens([make_open(pixel, one) for one in given])
        deleted = storage.delete_recipient(given[1].id)
        assert (deleted.ref, deleted.data) == ("a", _DATA)
        assert [one.id for one in all_recipients(storage, pixel)] == [given[0].id, given[2].id]
        new = make_recipient(pixel, "ann@example.org", ref="a")
        assert storage.add_recipients(pixel.id, [new]) == [new]

    def test_ten_thousand_references_of_one_address_are_added_at_once(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        given = [make_recipient(pixel, "ann@example.org", ref=f"INV-{number}") for number in range(10_000)]
        assert storage.add_recipients(pixel.id, given) == given
        found: list[Recipient] = all_recipients(storage, pixel)
        assert found == given

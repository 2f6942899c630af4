"""Tests of recipients."""

from datetime import timedelta

import attrs
import pytest

from mailtrack._counts import OpenSpan, OpenSpans
from mailtrack._errors import InvalidPaging, PixelNotFound, RecipientNotFound
from mailtrack._model import Page, RecipientState, Target
from mailtrack.storage import Storage
from mailtrack.testing._contract.helpers import (
    UNUSABLE_CURSORS,
    add_pixel,
    add_recipients,
    all_opens,
    all_recipients,
    hours_of,
    namesake,
    walk,
)
from mailtrack.testing._factories import NOON, make_hit, make_open, make_pixel, make_recipient, make_recipients


class RecipientsContract:
    """Tests of the methods for recipients."""

    def test_added_recipients_are_returned_and_read_back(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        given = make_recipients(
            pixel, ["ann@example.org", "bücher@bücher.example"], at=NOON + timedelta(milliseconds=7)
        )
        assert storage.add_recipients(pixel.id, given) == given
        assert storage.get_recipients([one.id for one in given]) == {one.id: one for one in given}

    def test_an_address_that_is_there_returns_the_recipient_that_has_it(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (old,) = storage.add_recipients(pixel.id, [make_recipient(pixel, "ann@example.org")])
        assert storage.add_recipients(pixel.id, [make_recipient(pixel, "ann@example.org")]) == [old]

    def test_old_and_new_addresses_are_returned_in_the_order_given(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        old = storage.add_recipients(pixel.id, make_recipients(pixel, ["b@example.org", "d@example.org"]))
        given = make_recipients(pixel, [f"{name}@example.org" for name in "edcba"])
        assert storage.add_recipients(pixel.id, given) == [given[0], old[1], given[2], old[0], given[4]]

    def test_new_addresses_among_old_ones_go_to_the_end_in_the_order_given(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        storage.add_recipients(pixel.id, make_recipients(pixel, ["b@example.org", "d@example.org"]))
        storage.add_recipients(pixel.id, make_recipients(pixel, [f"{name}@example.org" for name in "edcba"]))
        assert "".join(one.email[0] for one in all_recipients(storage, pixel)) == "bdeca"

    def test_the_recipient_that_was_there_comes_with_its_opens(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (old,) = storage.add_recipients(pixel.id, [make_recipient(pixel, "ann@example.org")])
        storage.add_opens([make_open(pixel, old)])
        (again,) = storage.add_recipients(pixel.id, [make_recipient(pixel, "ann@example.org")])
        assert again.opens.raw == OpenSpan(number=1, first=NOON, last=NOON)

    def test_adding_again_changes_nothing(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        given = make_recipients(pixel, ["ann@example.org", "bob@example.org"])
        storage.add_recipients(pixel.id, given)
        storage.add_recipients(pixel.id, make_recipients(pixel, ["bob@example.org", "ann@example.org"]))
        assert all_recipients(storage, pixel) == given
        assert storage.get_pixel(pixel.id).recipients == 2

    def test_addresses_that_differ_by_a_character_are_different(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        names = ("ann@example.org", "an@example.org", "ann@example.or", "ann%@example.org", "ann_@example.org")
        given = make_recipients(pixel, names)
        assert storage.add_recipients(pixel.id, given) == given

    @pytest.mark.parametrize(
        ("first", "second"),
        [("Ann@example.org", "aNN@example.org"), ("J\u00dcRGEN@example.org", "j\u00fcrgen@example.org")],
        ids=["ASCII", "another letter"],
    )
    def test_addresses_that_differ_in_case_are_one_kept_as_first_written(
        self, storage: Storage, first: str, second: str
    ) -> None:
        pixel = add_pixel(storage)
        (old,) = storage.add_recipients(pixel.id, [make_recipient(pixel, first)])
        other = make_recipient(pixel, "bob@example.org")
        assert storage.add_recipients(pixel.id, [make_recipient(pixel, second), other]) == [old, other]
        assert [one.email for one in all_recipients(storage, pixel)] == [first, "bob@example.org"]

    def test_an_address_that_was_deleted_can_be_added_in_another_case(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (old,) = storage.add_recipients(pixel.id, [make_recipient(pixel, "Ann@example.org")])
        storage.delete_recipient(old.id)
        new = make_recipient(pixel, "ann@example.org")
        assert storage.add_recipients(pixel.id, [new]) == [new]

    def test_one_address_in_two_pixels_is_two_recipients(self, storage: Storage) -> None:
        pixels = [add_pixel(storage), add_pixel(storage)]
        added = [storage.add_recipients(one.id, [make_recipient(one, "ann@example.org")])[0] for one in pixels]
        assert [all_recipients(storage, one) for one in pixels] == [[added[0]], [added[1]]]

    def test_the_order_given_is_the_order_of_creation_whatever_the_times(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        given = [make_recipient(pixel, f"{name}@example.org", at=NOON - timedelta(days=ord(name))) for name in "qaz"]
        storage.add_recipients(pixel.id, given)
        assert all_recipients(storage, pixel) == given

    def test_a_pixel_knows_how_many_recipients_it_has(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        add_recipients(storage, pixel, 3)
        add_recipients(storage, pixel, 5)
        assert storage.get_pixel(pixel.id).recipients == 5

    def test_ten_thousand_recipients_are_added_at_once(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        given = add_recipients(storage, pixel, 10_000)
        assert all_recipients(storage, pixel) == given

    def test_adding_none_returns_none(self, storage: Storage) -> None:
        assert storage.add_recipients(add_pixel(storage).id, []) == []

    def test_recipients_of_a_pixel_that_does_not_exist_are_refused(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        stranger = make_pixel()
        with pytest.raises(PixelNotFound):
            storage.add_recipients(stranger.id, [make_recipient(stranger)])
        with pytest.raises(PixelNotFound):
            storage.add_recipients(namesake(pixel), [make_recipient(pixel)])
        assert all_recipients(storage, pixel) == []

    def test_what_the_caller_does_to_its_list_does_not_reach_the_storage(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        given = make_recipients(pixel, ["ann@example.org"])
        returned = storage.add_recipients(pixel.id, given)
        expected = list(given)
        given.clear()
        returned.clear()
        assert all_recipients(storage, pixel) == expected

    def test_unknown_ids_are_left_out(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (recipient,) = add_recipients(storage, pixel, 1)
        unknown = [make_recipient(pixel).id, make_recipient(make_pixel()).id]
        assert storage.get_recipients([*unknown, recipient.id]) == {recipient.id: recipient}

    def test_recipients_of_several_pixels_are_found_together(self, storage: Storage) -> None:
        found = [add_recipients(storage, add_pixel(storage), 1)[0] for _ in range(3)]
        assert storage.get_recipients({one.id for one in found}) == {one.id: one for one in found}

    def test_no_ids_find_nothing(self, storage: Storage) -> None:
        assert storage.get_recipients([]) == {}

    @pytest.mark.parametrize("limit", [1, 2, 5, 6, 1000])
    def test_pages_of_recipients_make_the_whole_list(self, storage: Storage, limit: int) -> None:
        pixel = add_pixel(storage)
        given = add_recipients(storage, pixel, 6)
        assert walk(lambda cursor: storage.list_recipients(pixel.id, limit=limit, cursor=cursor)) == given

    def test_a_page_of_recipients_does_not_move_when_some_before_it_are_deleted(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        given = add_recipients(storage, pixel, 4)
        cursor = storage.list_recipients(pixel.id, limit=2).next
        storage.delete_recipient(given[0].id)
        storage.delete_recipient(given[1].id)
        assert storage.list_recipients(pixel.id, limit=2, cursor=cursor).items == (given[2], given[3])

    def test_a_recipient_does_not_take_the_place_of_a_deleted_one(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        add_recipients(storage, pixel, 1)
        (last,) = storage.add_recipients(pixel.id, [make_recipient(pixel)])
        storage.add_recipients(pixel.id, [gone := make_recipient(pixel)])
        cursor = storage.list_recipients(pixel.id, limit=2).next
        for one in (last, gone):
            storage.delete_recipient(one.id)
        (new,) = storage.add_recipients(pixel.id, [make_recipient(pixel)])
        assert storage.list_recipients(pixel.id, limit=9, cursor=cursor) == Page(items=(new,))

    def test_a_full_last_page_of_recipients_has_no_next(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        given = add_recipients(storage, pixel, 4)
        storage.add_opens([make_open(pixel, one) for one in given[::2]])
        assert storage.list_recipients(pixel.id, limit=4).next is None
        for state in (RecipientState.OPENED, RecipientState.NONE):
            page = storage.list_recipients(pixel.id, limit=2, states=[state])
            assert (len(page.items), page.next) == (2, None)

    def test_recipients_of_a_deleted_pixel_are_not_those_of_one_with_the_same_short_id(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (old,) = add_recipients(storage, pixel, 1)
        storage.delete_pixel(pixel.id)
        storage.add_pixel(other := make_pixel(pixel_id=namesake(pixel)))
        assert storage.get_recipients([old.id]) == {}
        (new,) = add_recipients(storage, other, 1)
        assert storage.get_recipients([old.id, new.id]) == {new.id: new}
        with pytest.raises(RecipientNotFound):
            storage.delete_recipient(old.id)

    def test_recipients_added_meanwhile_come_after_the_others(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        given = add_recipients(storage, pixel, 2)
        cursor = storage.list_recipients(pixel.id, limit=1).next
        (new,) = storage.add_recipients(pixel.id, [make_recipient(pixel)])
        assert storage.list_recipients(pixel.id, limit=9, cursor=cursor).items == (given[1], new)

    @pytest.mark.parametrize(("states", "expected"), [(["opened"], "bd"), (["none"], "ac"), (None, "abcd")])
    def test_recipients_are_listed_by_whether_they_opened(
        self, storage: Storage, states: list[str] | None, expected: str
    ) -> None:
        chosen = None if states is None else [RecipientState(one) for one in states]
        pixel = add_pixel(storage)
        given = storage.add_recipients(pixel.id, make_recipients(pixel, [f"{name}@example.org" for name in "abcd"]))
        storage.add_opens([make_open(pixel, given[3]), make_open(pixel, given[1]), make_open(pixel, given[1])])
        found = walk(lambda cursor: storage.list_recipients(pixel.id, limit=1, cursor=cursor, states=chosen))
        assert "".join(one.email[0] for one in found) == expected

    def test_a_pixel_that_does_not_exist_has_no_recipients(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        add_recipients(storage, pixel, 1)
        for pixel_id in (make_pixel().id, namesake(pixel)):
            assert storage.list_recipients(pixel_id, limit=1) == Page(items=())

    @pytest.mark.parametrize("cursor", UNUSABLE_CURSORS)
    def test_an_unusable_cursor_of_recipients_is_refused(self, storage: Storage, cursor: str) -> None:
        with pytest.raises(InvalidPaging):
            storage.list_recipients(add_pixel(storage).id, limit=1, cursor=cursor)

    def test_deleting_a_recipient_returns_it_as_it_was(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (recipient,) = add_recipients(storage, pixel, 1)
        storage.add_opens([make_open(pixel, recipient)])
        span = OpenSpan(number=1, first=NOON, last=NOON)
        as_it_was = attrs.evolve(recipient, opens=OpenSpans(counted=span, raw=span))
        assert storage.delete_recipient(recipient.id) == as_it_was

    def test_a_deleted_recipient_is_gone(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        gone, kept = add_recipients(storage, pixel, 2)
        storage.delete_recipient(gone.id)
        assert storage.get_recipients([gone.id, kept.id]) == {kept.id: kept}
        assert all_recipients(storage, pixel) == [kept]
        assert storage.get_pixel(pixel.id).recipients == 1

    def test_a_deleted_token_finds_no_recipient(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (recipient,) = add_recipients(storage, pixel, 1)
        storage.delete_recipient(recipient.id)
        assert storage.resolve([make_hit(pixel, token=recipient.token)]) == [Target(pixel_id=pixel.id)]

    def test_the_opens_of_a_deleted_recipient_stay_without_its_token(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        gone, kept = add_recipients(storage, pixel, 2)
        storage.add_opens([make_open(pixel, gone), make_open(pixel, kept)])
        storage.delete_recipient(gone.id)
        found = [(one.recipient_id, one.token) for one in all_opens(storage, pixel)]
        assert found == [(kept.id, kept.token), (gone.id, None)]

    def test_the_counts_of_a_pixel_stay_when_a_recipient_is_deleted(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (recipient,) = add_recipients(storage, pixel, 1)
        storage.add_opens([make_open(pixel, recipient)])
        before = storage.get_pixel(pixel.id).opens, hours_of(storage, pixel)
        storage.delete_recipient(recipient.id)
        assert (storage.get_pixel(pixel.id).opens, hours_of(storage, pixel)) == before

    def test_an_address_added_again_after_its_deletion_is_a_new_recipient(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        old, other = add_recipients(storage, pixel, 2)
        storage.add_opens([make_open(pixel, old)])
        storage.delete_recipient(old.id)
        new = make_recipient(pixel, old.email)
        assert storage.add_recipients(pixel.id, [new]) == [new]
        assert all_recipients(storage, pixel) == [other, new]
        assert [one.token for one in all_opens(storage, pixel)] == [None]

    def test_deleting_a_recipient_that_does_not_exist_is_an_error(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        for recipient in (make_recipient(pixel), make_recipient(make_pixel())):
            with pytest.raises(RecipientNotFound):
                storage.delete_recipient(recipient.id)

    def test_deleting_a_recipient_twice_is_an_error(self, storage: Storage) -> None:
        (recipient,) = add_recipients(storage, add_pixel(storage), 1)
        storage.delete_recipient(recipient.id)
        with pytest.raises(RecipientNotFound):
            storage.delete_recipient(recipient.id)

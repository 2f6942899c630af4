"""Finding a person over all pixels, and changing pixels, by the tracker."""

from typing import Any

import pytest

from mailtrack import (
    InvalidArgument,
    InvalidEmail,
    InvalidName,
    InvalidNote,
    InvalidPaging,
    NewRecipient,
    Pixel,
    PixelNotFound,
    Tracker,
)
from mailtrack.storage import open_storage
from mailtrack.testing import FakeClock

ANN = "ann@example.org"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def tracker(clock: FakeClock) -> Any:
    with open_storage("memory://") as storage:
        yield Tracker(storage, clock=clock)


@pytest.fixture
def pixel(tracker: Tracker) -> Pixel:
    return tracker.create_pixel("Invoices")


class TestFinding:
    def test_a_person_is_found_in_all_pixels_the_newest_first(
        self, tracker: Tracker, pixel: Pixel, clock: FakeClock
    ) -> None:
        old = tracker.generate_tokens(pixel, [NewRecipient(ANN, "a"), "bob@example.org"])
        clock.advance(hours=1)
        new = tracker.generate_tokens(tracker.create_pixel("Other"), ["Ann@example.org"])
        clock.advance(hours=1)
        newest = tracker.generate_tokens(pixel, [NewRecipient(ANN, "b")])
        found = [*newest, *new, old[0]]
        assert tracker.find_recipients("ANN@Example.ORG") == found
        page = tracker.list_found(ANN, limit=2)
        assert [*page.items, *tracker.list_found(ANN, cursor=page.next).items] == found

    def test_an_address_of_a_special_domain_is_found_whatever_the_tracker_accepts(self, tracker: Tracker) -> None:
        assert tracker.find_recipients("ann@shop.test") == []

    @pytest.mark.parametrize("email", ["", "ann", "a@b@c.org", "@", "x" * 1_000_000])
    def test_what_is_no_address_is_refused(self, tracker: Tracker, email: str) -> None:
        for call in (tracker.find_recipients, tracker.list_found):
            with pytest.raises(InvalidEmail):
                call(email)

    @pytest.mark.parametrize("email", [None, 7, b"ann@example.org"])
    def test_what_is_no_text_is_refused(self, tracker: Tracker, email: Any) -> None:
        with pytest.raises(InvalidArgument, match=r"^email must be a str"):
            tracker.find_recipients(email)

    def test_limits_and_cursors_are_checked(self, tracker: Tracker) -> None:
        for arguments in ({"limit": 0}, {"limit": 1001}, {"cursor": "x"}, {"cursor": 7}):
            with pytest.raises(InvalidPaging):
                tracker.list_found(ANN, **arguments)  # type: ignore[arg-type]  # what a caller may pass


class TestSearching:
    def test_recipients_are_searched_and_filtered(self, tracker: Tracker, pixel: Pixel) -> None:
        ann, _, inv = tracker.generate_tokens(pixel, [ANN, "bob@example.org", NewRecipient(ANN, "INV-1")])
        assert tracker.list_recipients(pixel, search="ANN").items == (ann, inv)
        assert list(tracker.iter_recipients(pixel, search="inv")) == [inv]
        assert list(tracker.iter_recipients(pixel, ref="INV-1", opened=False)) == [inv]

    @pytest.mark.parametrize("text", ["\0", "\ud800", "x" * 1000, "a\nb"])
    def test_what_no_recipient_can_have_finds_none(self, tracker: Tracker, pixel: Pixel, text: str) -> None:
        tracker.generate_tokens(pixel, [ANN])
        assert tracker.list_recipients(pixel, search=text).items == ()
        assert tracker.list_recipients(pixel, ref=text).items == ()

    @pytest.mark.parametrize("name", ["search", "ref"])
    def test_what_is_no_text_is_refused(self, tracker: Tracker, pixel: Pixel, name: str) -> None:
        with pytest.raises(InvalidArgument, match=rf"^{name} must be a str"):
            tracker.list_recipients(pixel, **{name: 7})  # type: ignore[arg-type]  # what a caller may pass


class TestChanging:
    def test_a_pixel_is_renamed_archived_and_annotated(self, tracker: Tracker, pixel: Pixel) -> None:
        changed = tracker.update_pixel(pixel.short_id, name="  Other ", archived=True, note=" One\r\nTwo\t3 \n")
        assert (changed.name, changed.archived, changed.note) == ("Other", True, "One\nTwo\t3")
        assert tracker.get_pixel(pixel) == changed
        assert tracker.update_pixel(pixel, archived=False).note == "One\nTwo\t3"

    def test_archived_pixels_are_listed_only_where_asked_for(self, tracker: Tracker, pixel: Pixel) -> None:
        other = tracker.create_pixel("Other")
        archived = tracker.update_pixel(pixel, archived=True)
        assert tracker.list_pixels().items == (other,)
        assert tracker.list_pixels(archived=True, search="inv").items == (archived,)
        assert tracker.list_pixels(archived=None).items == tuple(tracker.iter_pixels()) == (other, archived)

    @pytest.mark.parametrize("name", ["", "  ", "x" * 257, "a\nb", 7])
    def test_a_bad_name_is_refused_and_nothing_changes(self, tracker: Tracker, pixel: Pixel, name: Any) -> None:
        with pytest.raises(InvalidName):
            tracker.update_pixel(pixel, name=name, archived=True)
        assert tracker.get_pixel(pixel) == pixel

    @pytest.mark.parametrize("note", ["x" * 2001, "\0", "a\x1bb", "\ud800", 7])
    def test_a_bad_note_is_refused_and_nothing_changes(self, tracker: Tracker, pixel: Pixel, note: Any) -> None:
        with pytest.raises(InvalidNote):
            tracker.update_pixel(pixel, note=note, archived=True)
        assert tracker.get_pixel(pixel) == pixel

    def test_a_note_of_two_thousand_characters_is_taken(self, tracker: Tracker, pixel: Pixel) -> None:
        assert len(tracker.update_pixel(pixel, note="\U0001f4e7" * 2000).note) == 2000

    def test_flags_must_be_flags(self, tracker: Tracker, pixel: Pixel) -> None:
        with pytest.raises(InvalidArgument, match=r"^archived must be True, False or None$"):
            tracker.update_pixel(pixel, archived="no")  # type: ignore[arg-type]  # what a caller may pass
        with pytest.raises(InvalidArgument, match=r"^archived must be True, False or None$"):
            tracker.list_pixels(archived="no")  # type: ignore[arg-type]  # what a caller may pass

    def test_an_unknown_pixel_can_not_be_changed(self, tracker: Tracker) -> None:
        with pytest.raises(PixelNotFound):
            tracker.update_pixel("a1b2c3d4", archived=True)

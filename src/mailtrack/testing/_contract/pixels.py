"""Tests of pixels and their images."""

from datetime import timedelta

import pytest

from mailtrack._errors import ImageNotFound, InvalidPaging, PixelNotFound, ShortIdTaken
from mailtrack._model import Page
from mailtrack.storage import Storage
from mailtrack.testing._contract.helpers import UNUSABLE_CURSORS, add_pixel, add_recipients, hours_of, namesake, walk
from mailtrack.testing._factories import NOON, make_hit, make_image, make_open, make_pixel


class PixelsContract:
    """Tests of the methods for pixels and images."""

    def test_a_pixel_is_read_back_by_its_uuid(self, storage: Storage) -> None:
        pixel = make_pixel(image="a.png")
        storage.add_pixel(pixel)
        assert storage.get_pixel(pixel.id) == pixel

    def test_a_pixel_is_read_back_by_its_short_id(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        assert storage.get_pixel(pixel.short_id) == pixel

    @pytest.mark.parametrize("name", ["x" * 256, 'Müller & Söhne\'s "best"', "\U0001f4e7 100% _ ? $1 \\", "\ufffd"])
    def test_a_name_comes_back_as_given(self, storage: Storage, name: str) -> None:
        pixel = make_pixel(name)
        storage.add_pixel(pixel)
        assert storage.get_pixel(pixel.id).name == name

    def test_times_are_kept_to_the_millisecond(self, storage: Storage) -> None:
        pixel = make_pixel(at=NOON + timedelta(milliseconds=1))
        storage.add_pixel(pixel)
        assert storage.get_pixel(pixel.id).created_at == NOON + timedelta(milliseconds=1)

    def test_a_pixel_that_does_not_exist_is_not_found(self, storage: Storage) -> None:
        add_pixel(storage)
        other = make_pixel()
        for key in (other.id, other.short_id):
            with pytest.raises(PixelNotFound):
                storage.get_pixel(key)

    def test_another_uuid_with_the_same_short_id_is_not_found(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        with pytest.raises(PixelNotFound):
            storage.get_pixel(namesake(pixel))

    def test_a_taken_short_id_is_refused(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        with pytest.raises(ShortIdTaken):
            storage.add_pixel(make_pixel(pixel_id=namesake(pixel)))

    def test_a_refused_pixel_leaves_nothing(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        with pytest.raises(ShortIdTaken):
            storage.add_pixel(make_pixel("Another", pixel_id=namesake(pixel)), make_image())
        assert storage.list_pixels(limit=10) == Page(items=(pixel,))
        with pytest.raises(ImageNotFound):
            storage.get_image(pixel.id)

    def test_an_empty_list_has_no_next_page(self, storage: Storage) -> None:
        assert storage.list_pixels(limit=1) == Page(items=())

    def test_pixels_are_listed_the_last_added_first_whatever_their_times(self, storage: Storage) -> None:
        pixels = [make_pixel(at=NOON + timedelta(days=days)) for days in (2, 0, 3, 1)]
        for pixel in pixels:
            storage.add_pixel(pixel)
        assert storage.list_pixels(limit=10).items == tuple(reversed(pixels))

    @pytest.mark.parametrize("limit", [1, 2, 5, 6, 1000])
    def test_pages_of_pixels_make_the_whole_list(self, storage: Storage, limit: int) -> None:
        pixels = [add_pixel(storage) for _ in range(6)]
        assert walk(lambda cursor: storage.list_pixels(limit=limit, cursor=cursor)) == pixels[::-1]

    def test_a_full_last_page_of_pixels_has_no_next(self, storage: Storage) -> None:
        for _ in range(3):
            add_pixel(storage)
        assert storage.list_pixels(limit=3).next is None

    def test_a_page_of_pixels_does_not_move_when_pixels_are_added(self, storage: Storage) -> None:
        pixels = [add_pixel(storage) for _ in range(4)]
        cursor = storage.list_pixels(limit=2).next
        add_pixel(storage)
        assert storage.list_pixels(limit=2, cursor=cursor).items == (pixels[1], pixels[0])

    @pytest.mark.parametrize("deleted", [3, 2])
    def test_a_page_of_pixels_does_not_move_when_pixels_before_it_are_deleted(
        self, storage: Storage, deleted: int
    ) -> None:
        pixels = [add_pixel(storage) for _ in range(4)]
        cursor = storage.list_pixels(limit=2).next
        storage.delete_pixel(pixels[deleted].id)
        assert storage.list_pixels(limit=2, cursor=cursor).items == (pixels[1], pixels[0])

    def test_a_page_of_pixels_closes_up_when_its_own_are_deleted(self, storage: Storage) -> None:
        pixels = [add_pixel(storage) for _ in range(4)]
        cursor = storage.list_pixels(limit=1).next
        storage.delete_pixel(pixels[2].id)
        assert storage.list_pixels(limit=2, cursor=cursor).items == (pixels[1], pixels[0])

    def test_a_pixel_does_not_take_the_place_of_a_deleted_one(self, storage: Storage) -> None:
        pixels = [add_pixel(storage) for _ in range(3)]
        cursor = storage.list_pixels(limit=1).next
        for pixel in pixels[1:]:
            storage.delete_pixel(pixel.id)
        add_pixel(storage)
        assert storage.list_pixels(limit=9, cursor=cursor) == Page(items=(pixels[0],))

    def test_a_cursor_stays_usable_when_everything_after_it_is_deleted(self, storage: Storage) -> None:
        pixels = [add_pixel(storage) for _ in range(2)]
        cursor = storage.list_pixels(limit=1).next
        storage.delete_pixel(pixels[0].id)
        assert storage.list_pixels(limit=1, cursor=cursor) == Page(items=())

    @pytest.mark.parametrize("cursor", UNUSABLE_CURSORS)
    def test_an_unusable_cursor_of_pixels_is_refused(self, storage: Storage, cursor: str) -> None:
        with pytest.raises(InvalidPaging):
            storage.list_pixels(limit=1, cursor=cursor)

    @pytest.mark.parametrize("search", ["Launch", "LAUNCH", "g l", "strasse", "STRASSE", "Straße", "ß", "", "100%"])
    def test_pixels_are_found_by_a_part_of_their_name_whatever_its_case(self, storage: Storage, search: str) -> None:
        names = ["Spring launch", "Post in der Straße", "100% _off_", "LAUNCHES"]
        for name in names:
            storage.add_pixel(make_pixel(name))
        expected = [name for name in reversed(names) if search.casefold() in name.casefold()]
        assert [one.name for one in storage.list_pixels(limit=9, search=search).items] == expected
        assert [
            one.name for one in walk(lambda cursor: storage.list_pixels(limit=1, cursor=cursor, search=search))
        ] == expected

    @pytest.mark.parametrize("search", ["summer", "%", "_", "*", "\\", "' OR 1=1 --", "x" * 256])
    def test_a_search_finds_nothing_else(self, storage: Storage, search: str) -> None:
        add_pixel(storage)
        assert storage.list_pixels(limit=9, search=search) == Page(items=())

    @pytest.mark.parametrize("cursor", UNUSABLE_CURSORS)
    def test_an_unusable_cursor_of_a_search_is_refused(self, storage: Storage, cursor: str) -> None:
        with pytest.raises(InvalidPaging):
            storage.list_pixels(limit=1, cursor=cursor, search="Spring")

    def test_listed_pixels_have_their_counts_as_of_now(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        add_recipients(storage, pixel, 2)
        storage.add_opens([make_open(pixel)])
        (listed,) = storage.list_pixels(limit=1).items
        assert (listed.recipients, listed.opens.raw.number) == (2, 1)

    def test_a_deleted_pixel_is_gone(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        storage.delete_pixel(pixel.id)
        assert storage.list_pixels(limit=1).items == ()
        for key in (pixel.id, pixel.short_id):
            with pytest.raises(PixelNotFound):
                storage.get_pixel(key)

    def test_what_a_deleted_pixel_owned_is_gone(self, storage: Storage) -> None:
        pixel = make_pixel(image="a.png")
        storage.add_pixel(pixel, make_image())
        (recipient,) = add_recipients(storage, pixel, 1)
        storage.add_opens([make_open(pixel, recipient)])
        storage.delete_pixel(pixel.id)
        assert storage.get_recipients([recipient.id]) == {}
        assert storage.list_recipients(pixel.id, limit=1).items == ()
        assert storage.list_opens(pixel.id, limit=1).items == ()
        with pytest.raises(PixelNotFound):
            storage.get_figures(pixel.id, top=1)
        assert storage.resolve([make_hit(pixel, token=recipient.token)]) == [None]
        with pytest.raises(ImageNotFound):
            storage.get_image(pixel.id)

    def test_deleting_a_pixel_leaves_the_others_as_they_are(self, storage: Storage) -> None:
        pixel, other = make_pixel(), make_pixel()
        storage.add_pixel(pixel, make_image(b"gone"))
        storage.add_pixel(other, make_image(b"kept"))
        recipients = add_recipients(storage, other, 2)
        storage.add_opens([make_open(other, recipients[0])])
        before = storage.list_opens(other.id, limit=9), storage.get_figures(other.id, top=1)
        storage.delete_pixel(pixel.id)
        assert storage.get_image(other.id).data == b"kept"
        assert [one.id for one in storage.list_recipients(other.id, limit=9).items] == [one.id for one in recipients]
        assert before == (storage.list_opens(other.id, limit=9), storage.get_figures(other.id, top=1))

    def test_a_pixel_made_again_after_its_deletion_begins_with_nothing(self, storage: Storage) -> None:
        pixel = make_pixel()
        storage.add_pixel(pixel, make_image())
        (recipient,) = add_recipients(storage, pixel, 1)
        storage.add_opens([make_open(pixel, recipient)])
        storage.delete_pixel(pixel.id)
        storage.add_pixel(pixel)
        assert storage.get_pixel(pixel.id) == pixel
        assert storage.list_recipients(pixel.id, limit=1).items == ()
        assert storage.list_opens(pixel.id, limit=1).items == ()
        assert hours_of(storage, pixel) == ()

    def test_deleting_a_pixel_that_does_not_exist_is_an_error(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        for pixel_id in (make_pixel().id, namesake(pixel)):
            with pytest.raises(PixelNotFound):
                storage.delete_pixel(pixel_id)
        assert storage.get_pixel(pixel.id) == pixel

    def test_deleting_a_pixel_twice_is_an_error(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        storage.delete_pixel(pixel.id)
        with pytest.raises(PixelNotFound):
            storage.delete_pixel(pixel.id)

    def test_a_short_id_stands_for_a_pixel_only_where_the_contract_says_so(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        add_recipients(storage, pixel, 1)
        storage.add_opens([make_open(pixel)])
        with pytest.raises(PixelNotFound):
            storage.add_recipients(pixel.short_id, [])
        with pytest.raises(PixelNotFound):
            storage.delete_pixel(pixel.short_id)
        assert storage.list_recipients(pixel.short_id, limit=1).items == ()
        assert storage.list_opens(pixel.short_id, limit=1).items == ()
        with pytest.raises(PixelNotFound):
            storage.get_figures(pixel.short_id, top=1)

    def test_an_image_comes_back_byte_for_byte_by_either_id(self, storage: Storage) -> None:
        pixel = make_pixel(image="a.webp")
        image = make_image(bytes(range(256)) * 4096, media_type="image/webp")
        storage.add_pixel(pixel, image)
        assert storage.get_image(pixel.id) == image
        assert storage.get_image(pixel.short_id) == image

    def test_a_pixel_without_image_has_none(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        with pytest.raises(ImageNotFound):
            storage.get_image(pixel.id)

    def test_a_pixel_that_does_not_exist_has_no_image(self, storage: Storage) -> None:
        pixel = make_pixel(image="a.png")
        storage.add_pixel(pixel, make_image())
        for key in (make_pixel().id, make_pixel().short_id, namesake(pixel)):
            with pytest.raises(ImageNotFound):
                storage.get_image(key)

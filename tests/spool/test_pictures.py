"""What pixels show, kept for a second: the way of an open does not wait for the storage."""

import sys

import pytest

from mailtrack import StorageError, StorageUnavailable
from mailtrack._errors import ImageNotFound
from mailtrack._images import cache as module
from mailtrack._images.cache import Pictures
from mailtrack._images.check import TRANSPARENT_PNG
from mailtrack.testing import make_image
from mailtrack.testing._contract.helpers import at_once


class Shop:
    """A storage of images that counts how often it is asked, and a clock."""

    def __init__(self) -> None:
        self.now = 100.0
        self.images = {"a": make_image(b"first")}
        self.error: Exception | None = None
        self.asked: list[str] = []
        self.pictures = Pictures(self.load, lambda: self.now)

    def load(self, key: str):
        self.asked.append(key)
        if self.error is not None:
            raise self.error
        if key not in self.images:
            raise ImageNotFound
        return self.images[key]

    def show(self, key: str = "a") -> bytes:
        return self.pictures.get(key).data


@pytest.fixture
def shop() -> Shop:
    return Shop()


class TestKeeping:
    def test_a_picture_is_asked_for_once_a_second(self, shop: Shop) -> None:
        for after in (100.0, 100.0, 100.999, 101.0, 101.999):
            shop.now = after
            assert shop.show() == b"first"
        assert shop.asked == ["a", "a"]

    def test_what_has_no_image_of_its_own_shows_the_transparent_one(self, shop: Shop) -> None:
        assert shop.pictures.get("b") is TRANSPARENT_PNG

    def test_that_is_kept_as_well(self, shop: Shop) -> None:
        shop.show("b")
        shop.show("b")
        assert shop.asked == ["b"]

    def test_a_deleted_one_is_gone_after_a_second(self, shop: Shop) -> None:
        shop.show()
        del shop.images["a"]
        shop.now += 0.999
        assert shop.show() == b"first"
        shop.now += 0.001
        assert shop.show() == TRANSPARENT_PNG.data

    def test_one_that_is_to_be_forgotten_is_gone_at_once(self, shop: Shop) -> None:
        shop.show()
        del shop.images["a"]
        shop.pictures.forget("a")
        assert shop.show() == TRANSPARENT_PNG.data

    def test_forgetting_what_is_not_kept_is_harmless(self, shop: Shop) -> None:
        shop.pictures.forget("b")
        assert shop.show() == b"first"


class TestFailing:
    @pytest.mark.parametrize("error", [StorageUnavailable("locked"), StorageError("damaged")])
    def test_while_the_storage_fails_what_was_shown_is_shown_on(self, shop: Shop, error: Exception) -> None:
        shop.show()
        shop.error = error
        for _ in range(100):
            shop.now += 0.5
            assert shop.show() == b"first"

    def test_what_was_never_shown_is_the_transparent_one(self, shop: Shop) -> None:
        shop.error = StorageUnavailable("locked")
        assert shop.show() == TRANSPARENT_PNG.data

    def test_a_failing_storage_is_asked_once_a_second_whatever_is_to_be_shown(self, shop: Shop) -> None:
        shop.error = StorageUnavailable("locked")
        for after in (100.0, 100.5, 100.999, 101.0, 101.5):
            shop.now = after
            for key in "abc":
                shop.show(key)
        assert shop.asked == ["a", "a"]

    def test_the_second_begins_when_the_storage_has_given_up(self, shop: Shop) -> None:
        def load(key: str):
            shop.now += 5  # it was waited for
            return Shop.load(shop, key)

        shop.pictures = Pictures(load, lambda: shop.now)
        shop.error = StorageUnavailable("locked")
        for _ in range(3):
            shop.show()
            shop.now += 0.3
        assert shop.asked == ["a"]

    def test_when_it_answers_again_the_new_one_is_shown_within_a_second(self, shop: Shop) -> None:
        shop.show()
        shop.now, shop.error = 102.0, StorageUnavailable("locked")
        shop.show()
        shop.error, shop.images["a"] = None, make_image(b"second")
        shop.now += 1
        assert shop.show() == b"second"

    def test_it_is_told_of(self, shop: Shop, caplog) -> None:
        shop.error = StorageUnavailable("locked")
        shop.show()
        assert caplog.messages == ["A pixel's image can't be looked up: locked"]

    def test_other_errors_are_the_callers(self, shop: Shop) -> None:
        shop.error = ZeroDivisionError()
        with pytest.raises(ZeroDivisionError):
            shop.show()


class TestBounds:
    @pytest.fixture(autouse=True)
    def _small(self, monkeypatch) -> None:
        monkeypatch.setattr(module, "MAX_BYTES", 5000)
        monkeypatch.setattr(module, "_OVERHEAD", 1000)

    def kept(self, shop: Shop, keys: str) -> str:
        shop.asked.clear()
        for key in reversed(keys):  # what is asked for again drops the oldest, so the newest come first
            shop.show(key)
        return "".join(key for key in keys if key not in shop.asked)

    def test_the_oldest_are_dropped_when_it_is_full(self, shop: Shop) -> None:
        shop.images = {key: make_image(b"x" * 250) for key in "abcdef"}
        for key in "abcdef":
            shop.show(key)
        assert self.kept(shop, "cdef") == "cdef"
        assert self.kept(shop, "ab") == ""

    def test_pixels_without_an_image_count_too(self, shop: Shop) -> None:
        for key in "stuvwxyz":
            shop.show(key)
        assert self.kept(shop, "wxyz") == "wxyz"
        assert self.kept(shop, "stu") == ""

    def test_what_was_forgotten_makes_room(self, shop: Shop) -> None:
        shop.images = {key: make_image(b"x" * 250) for key in "abcde"}
        for key in "abcd":
            shop.show(key)
        shop.pictures.forget("b")
        shop.show("e")
        assert self.kept(shop, "acde") == "acde"

    def test_one_that_is_larger_than_all_the_room_is_kept_alone(self, shop: Shop) -> None:
        shop.images = {key: make_image(b"x" * 10_000) for key in "ab"}
        shop.show("a")
        shop.show("b")
        assert self.kept(shop, "b") == "b"
        assert self.kept(shop, "a") == ""

    def test_looking_the_same_one_up_again_takes_no_more_room(self, shop: Shop) -> None:
        shop.images = {key: make_image(b"x" * 250) for key in "abcd"}
        for _ in range(50):
            shop.now += 1
            for key in "abcd":
                shop.show(key)
        assert self.kept(shop, "abcd") == "abcd"

    def test_nor_do_threads_that_look_it_up_at_once(self, shop: Shop) -> None:
        shop.images = {key: make_image(b"x" * 250) for key in "abcd"}

        def show() -> None:
            for _ in range(2000):
                shop.now += 1
                shop.show("a")

        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            at_once([show] * 4)
        finally:
            sys.setswitchinterval(interval)
        for key in "bcd":
            shop.show(key)
        shop.now = 0
        assert self.kept(shop, "abcd") == "abcd"

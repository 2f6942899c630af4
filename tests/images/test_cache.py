"""The image cache keeps images for a second, so that serving one does not wait for the storage."""

import sys

import pytest

from mailtrack import StorageError, StorageUnavailable
from mailtrack._errors import ImageNotFound
from mailtrack._images import cache as module
from mailtrack._images.cache import ImageCache
from mailtrack._images.check import TRANSPARENT_PNG
from mailtrack.testing import make_image
from mailtrack.testing._contract.helpers import at_once


class FakeStorage:
    """A storage of images that counts how often it is asked, and a clock."""

    def __init__(self) -> None:
        self.now = 100.0
        self.images = {"a": make_image(b"first")}
        self.error: Exception | None = None
        self.asked: list[str] = []
        self.cache = ImageCache(self.load, lambda: self.now)

    def load(self, key: str):
        self.asked.append(key)
        if self.error is not None:
            raise self.error
        if key not in self.images:
            raise ImageNotFound
        return self.images[key]

    def show(self, key: str = "a") -> bytes:
        return self.cache.get(key).data


@pytest.fixture
def storage() -> FakeStorage:
    return FakeStorage()


class TestKeeping:
    def test_an_image_is_loaded_once_a_second(self, storage: FakeStorage) -> None:
        for after in (100.0, 100.0, 100.999, 101.0, 101.999):
            storage.now = after
            assert storage.show() == b"first"
        assert storage.asked == ["a", "a"]

    def test_a_pixel_without_an_image_gets_the_transparent_one(self, storage: FakeStorage) -> None:
        assert storage.cache.get("b") is TRANSPARENT_PNG

    def test_the_transparent_image_is_cached_as_well(self, storage: FakeStorage) -> None:
        storage.show("b")
        storage.show("b")
        assert storage.asked == ["b"]

    def test_a_deleted_image_disappears_after_a_second(self, storage: FakeStorage) -> None:
        storage.show()
        del storage.images["a"]
        storage.now += 0.999
        assert storage.show() == b"first"
        storage.now += 0.001
        assert storage.show() == TRANSPARENT_PNG.data

    def test_a_forgotten_image_disappears_at_once(self, storage: FakeStorage) -> None:
        storage.show()
        del storage.images["a"]
        storage.cache.forget("a")
        assert storage.show() == TRANSPARENT_PNG.data

    def test_forgetting_an_unknown_key_does_nothing(self, storage: FakeStorage) -> None:
        storage.cache.forget("b")
        assert storage.show() == b"first"


class TestFailing:
    @pytest.mark.parametrize("error", [StorageUnavailable("locked"), StorageError("damaged")])
    def test_cached_images_stay_in_use_while_the_storage_fails(self, storage: FakeStorage, error: Exception) -> None:
        storage.show()
        storage.error = error
        for _ in range(100):
            storage.now += 0.5
            assert storage.show() == b"first"

    def test_an_image_that_was_never_loaded_is_the_transparent_one(self, storage: FakeStorage) -> None:
        storage.error = StorageUnavailable("locked")
        assert storage.show() == TRANSPARENT_PNG.data

    def test_a_failing_storage_is_queried_once_a_second_for_all_keys(self, storage: FakeStorage) -> None:
        storage.error = StorageUnavailable("locked")
        for after in (100.0, 100.5, 100.999, 101.0, 101.5):
            storage.now = after
            for key in "abc":
                storage.show(key)
        assert storage.asked == ["a", "a"]

    def test_the_second_begins_when_the_storage_has_failed(self, storage: FakeStorage) -> None:
        def load(key: str):
            storage.now += 5  # the time-out
            return FakeStorage.load(storage, key)

        storage.cache = ImageCache(load, lambda: storage.now)
        storage.error = StorageUnavailable("locked")
        for _ in range(3):
            storage.show()
            storage.now += 0.3
        assert storage.asked == ["a"]

    def test_a_new_image_appears_within_a_second_of_the_storages_recovery(self, storage: FakeStorage) -> None:
        storage.show()
        storage.now, storage.error = 102.0, StorageUnavailable("locked")
        storage.show()
        storage.error, storage.images["a"] = None, make_image(b"second")
        storage.now += 1
        assert storage.show() == b"second"

    def test_a_failure_is_logged(self, storage: FakeStorage, caplog) -> None:
        storage.error = StorageUnavailable("locked")
        storage.show()
        assert caplog.messages == ["A pixel's image can't be looked up: locked"]

    def test_other_errors_are_raised(self, storage: FakeStorage) -> None:
        storage.error = ZeroDivisionError()
        with pytest.raises(ZeroDivisionError):
            storage.show()


class TestBounds:
    @pytest.fixture(autouse=True)
    def _small(self, monkeypatch) -> None:
        monkeypatch.setattr(module, "MAX_BYTES", 5000)
        monkeypatch.setattr(module, "_OVERHEAD", 1000)

    def kept(self, storage: FakeStorage, keys: str) -> str:
        storage.asked.clear()
        for key in reversed(keys):  # a miss drops the oldest, so the newest come first
            storage.show(key)
        return "".join(key for key in keys if key not in storage.asked)

    def test_a_full_cache_drops_the_oldest_images(self, storage: FakeStorage) -> None:
        storage.images = {key: make_image(b"x" * 250) for key in "abcdef"}
        for key in "abcdef":
            storage.show(key)
        assert self.kept(storage, "cdef") == "cdef"
        assert self.kept(storage, "ab") == ""

    def test_pixels_without_an_image_count_too(self, storage: FakeStorage) -> None:
        for key in "stuvwxyz":
            storage.show(key)
        assert self.kept(storage, "wxyz") == "wxyz"
        assert self.kept(storage, "stu") == ""

    def test_a_forgotten_image_frees_its_space(self, storage: FakeStorage) -> None:
        storage.images = {key: make_image(b"x" * 250) for key in "abcde"}
        for key in "abcd":
            storage.show(key)
        storage.cache.forget("b")
        storage.show("e")
        assert self.kept(storage, "acde") == "acde"

    def test_an_image_larger_than_the_cache_is_kept_alone(self, storage: FakeStorage) -> None:
        storage.images = {key: make_image(b"x" * 10_000) for key in "ab"}
        storage.show("a")
        storage.show("b")
        assert self.kept(storage, "b") == "b"
        assert self.kept(storage, "a") == ""

    def test_loading_an_image_again_takes_no_more_space(self, storage: FakeStorage) -> None:
        storage.images = {key: make_image(b"x" * 250) for key in "abcd"}
        for _ in range(50):
            storage.now += 1
            for key in "abcd":
                storage.show(key)
        assert self.kept(storage, "abcd") == "abcd"

    def test_neither_do_threads_that_load_it_at_once(self, storage: FakeStorage) -> None:
        storage.images = {key: make_image(b"x" * 250) for key in "abcd"}

        def show() -> None:
            for _ in range(2000):
                storage.now += 1
                storage.show("a")

        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            at_once([show] * 4)
        finally:
            sys.setswitchinterval(interval)
        for key in "bcd":
            storage.show(key)
        storage.now = 0
        assert self.kept(storage, "abcd") == "abcd"

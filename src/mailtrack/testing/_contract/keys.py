"""Tests of API keys."""

from datetime import timedelta
from functools import partial

import pytest

from mailtrack._errors import KeyNotFound, StorageError
from mailtrack.storage import Storage
from mailtrack.testing._contract.helpers import add_pixel, at_once
from mailtrack.testing._factories import NOON, make_api_key

_THREADS = 8


class KeysContract:
    """Tests of the methods for API keys."""

    def test_at_first_there_are_no_keys(self, storage: Storage) -> None:
        assert storage.list_keys() == []

    @pytest.mark.parametrize("name", ["", "x" * 256, 'Müller & Söhne\'s "best"', "\U0001f4e7 100% _ ? $1 \\"])
    def test_a_key_is_read_back_as_given(self, storage: Storage, name: str) -> None:
        key = make_api_key(name, at=NOON + timedelta(milliseconds=1))
        storage.add_key(key)
        assert storage.list_keys() == [key]

    def test_keys_are_listed_in_the_order_in_which_they_were_added_whatever_their_times(self, storage: Storage) -> None:
        keys = [make_api_key(at=NOON + timedelta(days=days)) for days in (2, 0, 3, 1)]
        for key in keys:
            storage.add_key(key)
        assert storage.list_keys() == keys

    def test_a_key_whose_id_is_taken_is_refused_and_leaves_the_other(self, storage: Storage) -> None:
        key = make_api_key()
        storage.add_key(key)
        with pytest.raises(StorageError):
            storage.add_key(make_api_key("Another", key_id=key.id))
        assert storage.list_keys() == [key]

    def test_a_deleted_key_is_returned_and_gone(self, storage: Storage) -> None:
        keys = [make_api_key() for _ in range(3)]
        for key in keys:
            storage.add_key(key)
        assert storage.delete_key(keys[1].id) == keys[1]
        assert storage.list_keys() == [keys[0], keys[2]]

    def test_deleting_a_key_that_does_not_exist_is_an_error(self, storage: Storage) -> None:
        key = make_api_key()
        storage.add_key(key)
        with pytest.raises(KeyNotFound):
            storage.delete_key(make_api_key().id)
        assert storage.list_keys() == [key]

    def test_a_key_is_deleted_once(self, storage: Storage) -> None:
        key = make_api_key()
        storage.add_key(key)
        storage.delete_key(key.id)
        with pytest.raises(KeyNotFound):
            storage.delete_key(key.id)

    def test_keys_and_pixels_are_nothing_to_each_other(self, storage: Storage) -> None:
        key, pixel = make_api_key(), add_pixel(storage)
        storage.add_key(key)
        storage.delete_pixel(pixel.id)
        assert storage.list_keys() == [key]

    def test_a_list_of_keys_is_the_callers_own(self, storage: Storage) -> None:
        storage.add_key(make_api_key())
        storage.list_keys().clear()
        assert len(storage.list_keys()) == 1

    def test_no_key_of_many_threads_is_lost(self, storage: Storage) -> None:
        keys = [make_api_key() for _ in range(_THREADS)]
        at_once([partial(storage.add_key, key) for key in keys])
        assert sorted(key.id for key in storage.list_keys()) == sorted(key.id for key in keys)

    def test_of_many_threads_one_deletes_a_key(self, storage: Storage) -> None:
        key = make_api_key()
        storage.add_key(key)

        def delete() -> bool:
            try:
                storage.delete_key(key.id)
            except KeyNotFound:
                return False
            return True

        assert sorted(at_once([delete] * _THREADS)) == [False] * (_THREADS - 1) + [True]

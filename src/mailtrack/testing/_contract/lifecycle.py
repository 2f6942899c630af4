"""Tests of opening and closing."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from mailtrack._errors import StorageError
from mailtrack.storage import Storage
from mailtrack.testing._contract.helpers import add_pixel, add_recipients, make_judgement
from mailtrack.testing._factories import make_api_key, make_hit, make_image, make_open, make_pixel, make_recipient

_PIXEL = make_pixel()
_RECIPIENT = make_recipient(_PIXEL)

_USES: dict[str, Callable[[Storage], object]] = {
    "add_pixel": lambda storage: storage.add_pixel(_PIXEL, make_image()),
    "get_pixel": lambda storage: storage.get_pixel(_PIXEL.id),
    "list_pixels": lambda storage: storage.list_pixels(limit=1),
    "delete_pixel": lambda storage: storage.delete_pixel(_PIXEL.id),
    "get_image": lambda storage: storage.get_image(_PIXEL.id),
    "add_recipients": lambda storage: storage.add_recipients(_PIXEL.id, [_RECIPIENT]),
    "get_recipients": lambda storage: storage.get_recipients([_RECIPIENT.id]),
    "list_recipients": lambda storage: storage.list_recipients(_PIXEL.id, limit=1),
    "delete_recipient": lambda storage: storage.delete_recipient(_RECIPIENT.id),
    "resolve": lambda storage: storage.resolve([make_hit(_PIXEL)]),
    "add_opens": lambda storage: storage.add_opens([make_open(_PIXEL)]),
    "list_opens": lambda storage: storage.list_opens(_PIXEL.id, limit=1),
    "get_figures": lambda storage: storage.get_figures(_PIXEL.id, top=1),
    "list_events": lambda storage: storage.list_events(limit=1),
    "get_events": lambda storage: storage.get_events([]),
    "get_feed_end": lambda storage: storage.get_feed_end(),
    "find_feed_place": lambda storage: storage.find_feed_place(since=_PIXEL.created_at),
    "add_reader": lambda storage: storage.add_reader("crm"),
    "take_reader": lambda storage: storage.take_reader("crm", "owner", now=_PIXEL.created_at, until=_PIXEL.created_at),
    "rejudge": lambda storage: storage.rejudge(_PIXEL.id, [make_judgement(make_open(_PIXEL))]),
    "count_by_day": lambda storage: storage.count_by_day([_PIXEL.id], since=_PIXEL.created_at),
    "count_opens": lambda storage: storage.count_opens(_PIXEL.id, before=_PIXEL.created_at),
    "purge_opens": lambda storage: storage.purge_opens(_PIXEL.id, before=_PIXEL.created_at, limit=1),
    "add_key": lambda storage: storage.add_key(make_api_key()),
    "list_keys": lambda storage: storage.list_keys(),
    "delete_key": lambda storage: storage.delete_key(make_api_key().id),
    "ping": lambda storage: storage.ping(),
}


class LifecycleContract:
    """Tests of opening, closing and use as a context manager."""

    def test_it_is_a_storage(self, storage: Storage) -> None:
        assert isinstance(storage, Storage)

    def test_as_a_context_manager_it_gives_itself(self, storage: Storage) -> None:
        with storage as entered:
            assert entered is storage

    def test_as_a_context_manager_it_closes_itself(self, storage: Storage) -> None:
        with storage:
            storage.ping()
        with pytest.raises(StorageError):
            storage.ping()

    def test_as_a_context_manager_it_lets_errors_through_and_closes_itself(self, storage: Storage) -> None:
        with pytest.raises(ZeroDivisionError), storage:
            raise ZeroDivisionError
        with pytest.raises(StorageError):
            storage.ping()

    def test_an_open_storage_answers(self, storage: Storage) -> None:
        storage.ping()

    def test_closing_twice_is_harmless(self, storage: Storage) -> None:
        storage.close()
        storage.close()

    @pytest.mark.parametrize("use", _USES.values(), ids=_USES.keys())
    def test_any_use_after_closing_is_an_error(self, storage: Storage, use: Callable[[Storage], object]) -> None:
        add_pixel(storage)
        storage.close()
        with pytest.raises(StorageError):
            use(storage)

    def test_a_thread_that_used_it_before_finds_it_closed(self, storage: Storage) -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(storage.ping).result()
            storage.close()
            with pytest.raises(StorageError):
                pool.submit(storage.ping).result()

    def test_its_repr_shows_no_address_and_no_token(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (recipient,) = add_recipients(storage, pixel, 1)
        assert recipient.email not in repr(storage)
        assert recipient.token not in repr(storage)

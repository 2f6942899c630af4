"""Backups: an optional ability of storages."""

from pathlib import Path

import pytest

from mailtrack._model import Pixel
from mailtrack.storage import Storage, SupportsBackup
from mailtrack.testing._contract.full_scan import assert_scan, everything, some_opens
from mailtrack.testing._contract.helpers import (
    add_pixel,
    add_recipients,
    all_events,
    all_opens,
    at_once,
    require_ability,
)
from mailtrack.testing._factories import make_api_key, make_image, make_open, make_pixel


class BackupContract:
    """Tests every sentence of `mailtrack.storage.SupportsBackup`. Optional.

    Add it to the bases of your subclass of `StorageContract` if your storage implements `SupportsBackup`.
    """

    @pytest.fixture(name="backed_up")
    def _backed_up(self, storage: Storage) -> SupportsBackup:
        """Return the storage, which must support backups."""
        require_ability(storage, SupportsBackup)
        assert isinstance(storage, SupportsBackup)
        return storage

    @pytest.fixture(name="file")
    def _file(self, tmp_path: Path) -> Path:
        """Return an empty file that only its owner can read, in a folder of its own."""
        folder = tmp_path / "copy of a storage"
        folder.mkdir()
        file = folder / "a copy's file?.db"
        file.touch(mode=0o600)
        return file

    @pytest.fixture(name="filled")
    def _filled(self, storage: Storage) -> Pixel:
        """Return a pixel of the storage that has something of everything."""
        pixel = make_pixel(image="a.png")
        storage.add_pixel(pixel, make_image())
        storage.add_opens(some_opens(pixel, add_recipients(storage, pixel, 9), 90))
        storage.add_key(make_api_key("Nightly export"))
        return pixel

    def test_a_copy_is_as_the_storage_was(
        self, storage: Storage, backed_up: SupportsBackup, filled: Pixel, file: Path
    ) -> None:
        before = everything(storage, filled), storage.list_keys(), storage.get_image(filled.id)
        with backed_up.copy_to(file) as copy:
            storage.delete_pixel(filled.id)
            assert (everything(copy, filled), copy.list_keys(), copy.get_image(filled.id)) == before

    def test_a_copy_takes_what_the_storage_takes_and_neither_changes_the_other(
        self, storage: Storage, backed_up: SupportsBackup, filled: Pixel, file: Path
    ) -> None:
        before = everything(storage, filled)
        with backed_up.copy_to(file) as copy:
            copy.add_opens([make_open(filled)])
            later = add_pixel(copy)
            assert copy.list_pixels(limit=1).items == (later,)
            assert copy.get_pixel(filled.id).opens.raw.number == 91
            assert_scan(copy, filled)
        assert everything(storage, filled) == before
        assert len(storage.list_pixels(limit=9).items) == 1

    def test_events_of_a_copy_come_behind_all_cursors_that_the_storage_has_given(
        self, storage: Storage, backed_up: SupportsBackup, filled: Pixel, file: Path
    ) -> None:
        with backed_up.copy_to(file) as copy:
            later = storage.add_opens([make_open(filled) for _ in range(3)])
            events = all_events(storage)[-len(later) :]
            end = storage.get_feed_end()
            for after in (*(one.cursor for one in events), end):
                assert all_events(copy, after=after) == []
            added = copy.add_opens([make_open(filled)])
            for after in (*(one.cursor for one in events), end):
                assert [one.open.id for one in all_events(copy, after=after)] == [added[0].id]

    def test_an_empty_storage_has_a_copy(self, backed_up: SupportsBackup, file: Path) -> None:
        with backed_up.copy_to(file) as copy:
            assert copy.list_pixels(limit=9).items == ()

    @pytest.mark.usefixtures("filled")
    def test_a_closed_copy_is_in_its_one_file_with_its_mode(self, backed_up: SupportsBackup, file: Path) -> None:
        with backed_up.copy_to(file) as copy:
            add_pixel(copy)
        assert list(file.parent.iterdir()) == [file]
        assert file.stat().st_mode & 0o777 == 0o600
        assert file.stat().st_size > 0

    def test_a_copy_that_is_made_while_others_write_is_of_one_moment(
        self, storage: Storage, backed_up: SupportsBackup, filled: Pixel, file: Path
    ) -> None:
        def write() -> int:
            for _ in range(20):
                storage.add_opens([make_open(filled) for _ in range(5)])
            return 0

        def copy() -> int:
            with backed_up.copy_to(file) as copied:
                assert_scan(copied, filled)
                return len(all_opens(copied, filled))

        _, found = at_once([write, copy])
        assert found in range(90, 191, 5)

"""Settings: an optional ability of storages."""

from functools import partial

import pytest

from mailtrack._errors import StorageError
from mailtrack.storage import Storage, SupportsSettings
from mailtrack.testing._contract.helpers import add_pixel, at_once, require_ability

_THREADS = 8


class SettingsContract:
    """Tests every sentence of `mailtrack.storage.SupportsSettings`. Optional.

    Add it to the bases of your subclass of `StorageContract` if your storage implements `SupportsSettings`.
    """

    @pytest.fixture(name="settings")
    def _settings(self, storage: Storage) -> SupportsSettings:
        """Return the storage, which must keep settings."""
        require_ability(storage, SupportsSettings)
        assert isinstance(storage, SupportsSettings)
        return storage

    def test_at_first_there_are_no_settings(self, settings: SupportsSettings) -> None:
        assert settings.get_setting("base_url") is None

    @pytest.mark.parametrize("value", ["", "https://mail.example.com/track", "x" * 4096, "\U0001f4e7 100% _ ? $1 ' \\"])
    def test_a_setting_is_read_back_as_given(self, settings: SupportsSettings, value: str) -> None:
        settings.set_setting("base_url", value)
        assert settings.get_setting("base_url") == value

    def test_a_setting_replaces_the_former_one(self, settings: SupportsSettings) -> None:
        for value in ("first", "second"):
            settings.set_setting("base_url", value)
        assert settings.get_setting("base_url") == "second"

    def test_none_removes_a_setting_and_no_other(self, settings: SupportsSettings) -> None:
        for name in ("base_url", "Base_URL"):
            settings.set_setting(name, name)
        settings.set_setting("base_url", None)
        assert (settings.get_setting("base_url"), settings.get_setting("Base_URL")) == (None, "Base_URL")

    def test_removing_a_setting_that_does_not_exist_is_harmless(self, settings: SupportsSettings) -> None:
        settings.set_setting("base_url", None)
        assert settings.get_setting("base_url") is None

    def test_settings_are_apart_from_all_else(self, settings: SupportsSettings, storage: Storage) -> None:
        settings.set_setting("base_url", "https://mail.example.com")
        pixel = add_pixel(storage)
        storage.delete_pixel(pixel.id)
        assert settings.get_setting("base_url") == "https://mail.example.com"
        assert (storage.list_pixels(limit=10).items, storage.list_keys()) == ((), [])

    def test_of_many_threads_one_sets_the_last(self, settings: SupportsSettings) -> None:
        values = [f"{number}" * 1000 for number in range(_THREADS)]
        at_once([partial(settings.set_setting, "base_url", value) for value in values])
        assert settings.get_setting("base_url") in values

    def test_after_close_settings_raise(self, settings: SupportsSettings, storage: Storage) -> None:
        storage.close()
        with pytest.raises(StorageError):
            settings.get_setting("base_url")
        with pytest.raises(StorageError):
            settings.set_setting("base_url", "x")

"""Local files: an optional ability of storages."""

from pathlib import Path

import pytest

from mailtrack.storage import Storage, SupportsLocalFile
from mailtrack.testing._contract.helpers import add_pixel, require_ability


class LocalFileContract:
    """Tests every sentence of `mailtrack.storage.SupportsLocalFile`. Optional.

    Add it to the bases of your subclass of `StorageContract` if your storage implements `SupportsLocalFile`.
    """

    @pytest.fixture(name="local")
    def _local(self, storage: Storage) -> SupportsLocalFile:
        """Return the storage, which must have a local file."""
        require_ability(storage, SupportsLocalFile)
        assert isinstance(storage, SupportsLocalFile)
        return storage

    def test_its_path_leads_to_a_file(self, local: SupportsLocalFile) -> None:
        assert isinstance(local.path, Path)
        assert local.path.is_file()

    def test_its_path_stays_the_same(self, local: SupportsLocalFile, storage: Storage) -> None:
        path = local.path
        add_pixel(storage)
        assert local.path == path
        storage.close()
        assert local.path == path

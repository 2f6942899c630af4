import importlib.metadata
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from mailtrack import InvalidSetting, StorageError, open_storage
from mailtrack.storage import ENTRY_POINT_GROUP
from mailtrack.storage.memory import MemoryStorage
from mailtrack.storage.sqlite import SQLiteStorage


class TestBundledSchemes:
    def test_memory(self) -> None:
        with open_storage("memory://") as storage:
            assert isinstance(storage, MemoryStorage)

    def test_each_memory_is_its_own(self) -> None:
        assert open_storage("memory://") is not open_storage("memory://")

    def test_sqlite(self, tmp_path: Path) -> None:
        with open_storage(f"sqlite:///{tmp_path / 'mail.db'}") as storage:
            assert isinstance(storage, SQLiteStorage)

    @pytest.mark.parametrize("url", ["Memory://", "MEMORY://"])
    def test_a_scheme_is_read_in_either_case(self, url: str) -> None:
        assert isinstance(open_storage(url), MemoryStorage)

    def test_a_file_that_cannot_be_used_is_an_error_of_ours(self, tmp_path: Path) -> None:
        with pytest.raises(StorageError):
            open_storage(f"sqlite:///{tmp_path / 'none' / 'mail.db'}")


class TestRefusedUrls:
    @pytest.mark.parametrize(
        "url",
        [
            "",
            "mail.db",
            "://",
            "://mail.db",
            "memory:",
            "memory://name",
            "sqlite:",
            "sqlite:mail.db",
            "sqlite://",
            "sqlite://mail.db",
            "sqlite:///",
            "sqlite:///:memory:",
            "sqlite:///a\x00b",
            "nothing-like-it://",
        ],
    )
    def test_a_url_that_names_no_storage(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
        monkeypatch.chdir(tmp_path)
        with pytest.raises(InvalidSetting) as caught:
            open_storage(url)
        assert caught.value.name == "database"
        assert list(tmp_path.iterdir()) == []

    def test_the_error_does_not_repeat_it(self) -> None:
        with pytest.raises(InvalidSetting) as caught:
            open_storage("zebra://user:secret@host")
        assert "secret" not in str(caught.value)


def open_elsewhere(url: str) -> MemoryStorage:
    storage = MemoryStorage()
    storage.url = url
    return storage


class TestEntryPoints:
    @pytest.fixture(autouse=True)
    def _installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Elsewhere(EntryPoint):
            def load(self) -> object:
                return open_elsewhere

        def entry_points(*, group: str, name: str) -> list[EntryPoint]:
            known = [Elsewhere("elsewhere", "x:y", ENTRY_POINT_GROUP), Elsewhere("memory", "x:y", ENTRY_POINT_GROUP)]
            return [one for one in known if (one.group, one.name) == (group, name)]

        monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)

    def test_the_group_is_the_documented_one(self) -> None:
        assert ENTRY_POINT_GROUP == "mailtrack.storage"

    def test_a_scheme_of_another_distribution_gets_the_whole_url(self) -> None:
        assert open_storage("elsewhere://host/name?x=1").url == "elsewhere://host/name?x=1"

    def test_bundled_schemes_go_first(self) -> None:
        assert not hasattr(open_storage("memory://"), "url")

    def test_an_unknown_scheme_is_refused(self) -> None:
        with pytest.raises(InvalidSetting, match="no installed storage"):
            open_storage("nowhere://")

"""`open_storage`: the storage for each URL, and the URLs that are refused."""

import importlib.metadata
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from mailtrack import DatabaseNotFound, InvalidSetting, StorageError, open_storage
from mailtrack.storage import ENTRY_POINT_GROUP
from mailtrack.storage._memory import MemoryStorage
from mailtrack.storage._sqlite import SQLiteStorage


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


class TestWithoutCreating:
    def test_a_missing_file_is_refused_with_its_whole_path_and_not_made(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        with pytest.raises(DatabaseNotFound) as caught:
            open_storage("sqlite:///mail.db", create=False)
        assert str(caught.value) == f"No database at {tmp_path / 'mail.db'}."
        assert caught.value.place == str(tmp_path / "mail.db")
        assert list(tmp_path.iterdir()) == []

    def test_a_missing_folder_is_refused_likewise(self, tmp_path: Path) -> None:
        with pytest.raises(DatabaseNotFound, match="No database at"):
            open_storage(f"sqlite:///{tmp_path / 'none' / 'mail.db'}", create=False)

    def test_a_file_that_exists_is_opened(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path / 'mail.db'}"
        open_storage(url).close()
        with open_storage(url, create=False) as storage:
            storage.ping()

    def test_memory_opens_as_ever(self) -> None:
        with open_storage("memory://", create=False) as storage:
            storage.ping()


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


def open_with_care(url: str, *, create: bool = True) -> MemoryStorage:
    if not create:
        raise DatabaseNotFound("the other end")
    return open_elsewhere(url)


class TestEntryPoints:
    @pytest.fixture(autouse=True)
    def _installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Elsewhere(EntryPoint):
            def load(self) -> object:
                return open_with_care if self.name == "careful" else open_elsewhere

        def entry_points(*, group: str, name: str) -> list[EntryPoint]:
            names = ("elsewhere", "careful", "memory")
            known = [Elsewhere(each, "x:y", ENTRY_POINT_GROUP) for each in names]
            return [one for one in known if (one.group, one.name) == (group, name)]

        monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)

    def test_the_group_is_the_documented_one(self) -> None:
        assert ENTRY_POINT_GROUP == "mailtrack.storage"

    def test_a_scheme_of_another_distribution_gets_the_whole_url(self) -> None:
        assert open_storage("elsewhere://host/name?x=1").url == "elsewhere://host/name?x=1"

    def test_a_function_that_takes_create_is_given_it(self) -> None:
        assert open_storage("careful://host").url == "careful://host"
        with pytest.raises(DatabaseNotFound, match="No database at the other end"):
            open_storage("careful://host", create=False)

    def test_one_that_takes_only_the_url_opens_as_ever(self) -> None:
        assert open_storage("elsewhere://host", create=False).url == "elsewhere://host"

    def test_bundled_schemes_go_first(self) -> None:
        assert not hasattr(open_storage("memory://"), "url")

    def test_an_unknown_scheme_is_refused(self) -> None:
        with pytest.raises(InvalidSetting, match="no installed storage"):
            open_storage("nowhere://")

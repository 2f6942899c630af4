"""A storage of one's own: a class that implements the Protocol, its optional abilities, and the suite for it."""

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self, assert_type

import pytest

from mailtrack import (
    ApiKey,
    Count,
    DayCount,
    Erased,
    Event,
    Hit,
    Image,
    Open,
    Page,
    Pixel,
    Recipient,
    RecipientState,
    Tracker,
    VerdictKind,
)
from mailtrack.report import Report, make_report
from mailtrack.storage import Figures, Judgement, Storage, SupportsBackup, SupportsSettings, Target
from mailtrack.testing import (
    BackupContract,
    FakeClock,
    SettingsContract,
    StorageContract,
    make_open,
    make_pixel,
    make_recipient,
    storage_machine,
)


class OwnStorage:
    """Implements `Storage` without inheriting from it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add_pixel(self, pixel: Pixel, image: Image | None = None) -> None: ...
    def get_pixel(self, key: str) -> Pixel:
        return make_pixel(pixel_id=key)

    def list_pixels(
        self,
        *,
        limit: int,
        cursor: str | None = None,
        search: str | None = None,
        archived: bool | None = False,
        order: str = "newest",
        since: datetime | None = None,
        before: datetime | None = None,
    ) -> Page[Pixel]:
        return Page(items=())

    def update_pixel(
        self, pixel_id: str, *, name: str | None = None, archived: bool | None = None, note: str | None = None
    ) -> None: ...

    def delete_pixel(self, pixel_id: str) -> None: ...
    def sweep(self) -> int:
        return 0

    def get_image(self, key: str) -> Image:
        return Image(media_type="image/png", data=b"")

    def add_recipients(self, pixel_id: str, recipients: Sequence[Recipient]) -> list[Recipient]:
        return list(recipients)

    def get_recipients(self, recipient_ids: Collection[str]) -> dict[str, Recipient]:
        return {}

    def list_recipients(
        self,
        pixel_id: str,
        *,
        limit: int,
        cursor: str | None = None,
        states: Collection[RecipientState] | None = None,
        search: str | None = None,
        ref: str | None = None,
    ) -> Page[Recipient]:
        return Page(items=(), next="1")

    def find_recipients(self, email: str, *, limit: int, cursor: str | None = None) -> Page[Recipient]:
        return Page(items=())

    def mark_sent(self, pixel_id: str, recipient_ids: Collection[str] | None, *, at: datetime) -> int:
        return 0

    def delete_recipient(self, recipient_id: str) -> Recipient:
        return make_recipient(make_pixel())

    def erase(self, email: str) -> Erased:
        return Erased(recipients=0, opens=0)

    def resolve(self, hits: Sequence[Hit]) -> list[Target | None]:
        return [Target(pixel_id=hit.pixel) for hit in hits]

    def add_opens(self, opens: Sequence[Open]) -> list[Open]:
        return list(opens)

    def list_opens(
        self,
        pixel_id: str,
        *,
        limit: int,
        cursor: str | None = None,
        skip: int = 0,
        kind: VerdictKind | None = None,
        recipient_id: str | None = None,
    ) -> Page[Open]:
        return Page(items=(make_open(make_pixel()),))

    def count_by_day(self, pixel_ids: Collection[str], *, since: datetime) -> dict[str, list[DayCount]]:
        return {}

    def count_by_kind(self) -> dict[VerdictKind, Count]:
        return {}

    def get_figures(self, pixel_id: str, *, top: int) -> Figures:
        return Figures(pixel=self.get_pixel(pixel_id), hours=(), facets=(), delays=(), top=())

    def rejudge(self, pixel_id: str, judgements: Sequence[Judgement]) -> int:
        return len(judgements)

    def count_opens(self, pixel_id: str, *, before: datetime) -> int:
        return 0

    def purge_opens(self, pixel_id: str, *, before: datetime, limit: int) -> int:
        return 0

    def list_events(self, *, limit: int, after: str | None = None, first: str = "any") -> Page[Event]:
        return Page(items=(), next="0")

    def get_events(self, cursors: Collection[str]) -> dict[str, Event]:
        return {}

    def get_feed_end(self) -> str:
        return "0"

    def find_feed_place(self, *, since: datetime) -> str | None:
        return None

    def add_reader(self, name: str) -> None: ...
    def take_reader(self, name: str, owner: str, *, now: datetime, until: datetime) -> str | None:
        return None

    def move_reader(self, name: str, owner: str, after: str, *, until: datetime) -> bool:
        return False

    def add_key(self, key: ApiKey) -> None: ...
    def list_keys(self) -> list[ApiKey]:
        return []

    def delete_key(self, key_id: str) -> ApiKey:
        raise NotImplementedError

    def ping(self) -> None: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def copy_to(self, file: Path) -> Storage:
        return OwnStorage(file)

    def get_setting(self, name: str) -> str | None:
        return name

    def set_setting(self, name: str, value: str | None) -> None: ...


class Half:
    """Implements one method only."""

    def get_pixel(self, key: str) -> Pixel:
        return make_pixel(pixel_id=key)


storage: Storage = OwnStorage(Path("own.db"))
backup: SupportsBackup = OwnStorage(Path("own.db"))
settings: SupportsSettings = OwnStorage(Path("own.db"))
half: Storage = Half()  # type: ignore[assignment]
tracker = Tracker(OwnStorage(Path("own.db")), clock=FakeClock())
assert_type(make_report(storage.get_figures("0", top=1), zone=UTC), Report)


class TestOwnStorage(StorageContract):
    """As docs/storages.md tells authors to write it."""

    @pytest.fixture
    def storage(self, tmp_path: Path) -> Iterator[Storage]:
        with OwnStorage(tmp_path / "own.db") as storage:
            yield storage


class TestOwnBackup(BackupContract):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> Storage:
        return OwnStorage(tmp_path / "own.db")


class TestOwnSettings(SettingsContract):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> Storage:
        return OwnStorage(tmp_path / "own.db")


TestOwnMachine = storage_machine(lambda: OwnStorage(Path("own.db")))
storage_machine(OwnStorage)  # type: ignore[arg-type]

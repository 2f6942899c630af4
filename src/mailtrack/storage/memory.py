"""A storage in the memory of one process: for tests, and for what need not last."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, Self

import attrs

from mailtrack.errors import (
    ImageNotFound,
    InvalidSetting,
    PixelNotFound,
    RecipientNotFound,
    ShortIdTaken,
    StorageError,
)
from mailtrack.model import Hit, HourCount, Image, Open, Page, Pixel, Recipient, T, Target, VerdictKind
from mailtrack.storage import cursors
from mailtrack.storage.forks import ForkSafeLock
from mailtrack.times import start_of_hour

if TYPE_CHECKING:
    from collections.abc import Iterator


def open_url(url: str) -> "MemoryStorage":
    """Open a new, empty storage for `memory://`."""
    if url.lower() != "memory://":
        raise InvalidSetting("database", "a memory storage takes nothing after memory://")
    return MemoryStorage()


@attrs.define
class _Shelf:
    """All that belongs to one pixel."""

    place: int
    pixel: Pixel
    image: Image | None
    recipients: dict[int, Recipient] = attrs.Factory(dict)  # by place, in order
    last_recipient: int = 0
    by_id: dict[str, int] = attrs.Factory(dict)
    by_email: dict[str, int] = attrs.Factory(dict)
    by_token: dict[str, int] = attrs.Factory(dict)
    opens: list[Open] = attrs.Factory(list)
    open_ids: set[str] = attrs.Factory(set)
    hours: Counter[tuple[datetime, VerdictKind]] = attrs.Factory(Counter)


class MemoryStorage:
    """A `Storage` in the memory of this process; a forked child has a copy of its own."""

    def __init__(self) -> None:
        self._lock = ForkSafeLock()
        self._shelves: dict[str, _Shelf] = {}  # by short id, in order of creation
        self._last_place = 0
        self._closed = False

    def __repr__(self) -> str:
        return f"<MemoryStorage pixels={len(self._shelves)}>"

    def add_pixel(self, pixel: Pixel, image: Image | None = None) -> None:
        with self._opened():
            if pixel.short_id in self._shelves:
                raise ShortIdTaken
            self._last_place += 1
            self._shelves[pixel.short_id] = _Shelf(self._last_place, pixel, image)

    def get_pixel(self, key: str) -> Pixel:
        with self._opened():
            return self._snapshot(self._require(self._find(key)))

    def list_pixels(self, *, limit: int, cursor: str | None = None) -> Page[Pixel]:
        before = None if cursor is None else cursors.to_place(cursor)
        with self._opened():
            found = (
                (shelf.place, self._snapshot(shelf))
                for shelf in reversed(self._shelves.values())
                if before is None or shelf.place < before
            )
            return _page(found, limit)

    def delete_pixel(self, pixel_id: str) -> None:
        with self._opened():
            shelf = self._require(self._owner(pixel_id))
            del self._shelves[shelf.pixel.short_id]

    def get_image(self, key: str) -> Image:
        with self._opened():
            shelf = self._find(key)
            if shelf is None or shelf.image is None:
                raise ImageNotFound
            return shelf.image

    def add_recipients(self, pixel_id: str, recipients: Sequence[Recipient]) -> list[Recipient]:
        with self._opened():
            shelf = self._require(self._owner(pixel_id))
            return [self._add_recipient(shelf, recipient) for recipient in recipients]

    def get_recipients(self, recipient_ids: Collection[str]) -> dict[str, Recipient]:
        with self._opened():
            found = {}
            for recipient_id in recipient_ids:
                shelf = self._shelves.get(recipient_id[:8])
                if shelf and recipient_id in shelf.by_id:
                    found[recipient_id] = shelf.recipients[shelf.by_id[recipient_id]]
            return found

    def list_recipients(
        self, pixel_id: str, *, limit: int, cursor: str | None = None, opened: bool | None = None
    ) -> Page[Recipient]:
        after = 0 if cursor is None else cursors.to_place(cursor)
        with self._opened():
            shelf = self._owner(pixel_id)
            found = (
                (place, recipient)
                for place, recipient in (shelf.recipients.items() if shelf else ())
                if place > after and (opened is None or opened == (recipient.opens.number > 0))
            )
            return _page(found, limit)

    def delete_recipient(self, recipient_id: str) -> Recipient:
        with self._opened():
            shelf = self._shelves.get(recipient_id[:8])
            place = shelf.by_id.pop(recipient_id, None) if shelf else None
            if shelf is None or place is None:
                raise RecipientNotFound
            recipient = shelf.recipients.pop(place)
            del shelf.by_email[recipient.email], shelf.by_token[recipient.token]
            return recipient

    def resolve(self, hits: Sequence[Hit]) -> list[Target | None]:
        with self._opened():
            return [self._resolve(hit) for hit in hits]

    def add_opens(self, opens: Sequence[Open]) -> int:
        with self._opened():
            return sum(self._add_open(new) for new in opens)

    def list_opens(self, pixel_id: str, *, limit: int, cursor: str | None = None, skip: int = 0) -> Page[Open]:
        before = None if cursor is None else cursors.to_place(cursor)
        with self._opened():
            shelf = self._owner(pixel_id)
            if shelf is None:
                return Page(items=())
            end = len(shelf.opens) if before is None else min(before, len(shelf.opens))
            end = max(end - skip, 0)
            start = max(end - limit, 0)
            items = tuple(self._with_token(shelf, found) for found in reversed(shelf.opens[start:end]))
            return Page(items=items, next=cursors.from_place(start) if start else None)

    def count_by_hour(self, pixel_id: str) -> list[HourCount]:
        with self._opened():
            shelf = self._owner(pixel_id)
            counts = shelf.hours.items() if shelf else ()
            return [HourCount(hour=hour, kind=kind, opens=opens) for (hour, kind), opens in sorted(counts)]

    def ping(self) -> None:
        with self._opened():
            pass

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._shelves.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _opened(self) -> "Iterator[None]":
        with self._lock:
            if self._closed:
                raise StorageError("The storage is closed.")
            yield

    def _find(self, key: str) -> _Shelf | None:
        shelf = self._shelves.get(key[:8])
        return shelf if shelf and key in (shelf.pixel.id, shelf.pixel.short_id) else None

    def _owner(self, pixel_id: str) -> _Shelf | None:
        shelf = self._shelves.get(pixel_id[:8])
        return shelf if shelf and pixel_id == shelf.pixel.id else None

    @staticmethod
    def _require(shelf: _Shelf | None) -> _Shelf:
        if shelf is None:
            raise PixelNotFound
        return shelf

    @staticmethod
    def _snapshot(shelf: _Shelf) -> Pixel:
        return attrs.evolve(shelf.pixel, recipients=len(shelf.recipients))

    @staticmethod
    def _add_recipient(shelf: _Shelf, recipient: Recipient) -> Recipient:
        place = shelf.by_email.get(recipient.email)
        if place is not None:
            return shelf.recipients[place]
        shelf.last_recipient += 1
        place = shelf.last_recipient
        shelf.recipients[place] = recipient
        shelf.by_id[recipient.id] = shelf.by_email[recipient.email] = shelf.by_token[recipient.token] = place
        return recipient

    def _resolve(self, hit: Hit) -> Target | None:
        shelf = self._find(hit.pixel)
        if shelf is None:
            return None
        place = None if hit.token is None else shelf.by_token.get(hit.token)
        if place is None:
            return Target(pixel_id=shelf.pixel.id)
        recipient = shelf.recipients[place]
        return Target(pixel_id=shelf.pixel.id, recipient_id=recipient.id, token_made_at=recipient.created_at)

    def _add_open(self, new: Open) -> bool:
        shelf = self._owner(new.pixel_id)
        if shelf is None or new.id in shelf.open_ids:
            return False
        shelf.open_ids.add(new.id)
        shelf.opens.append(new)
        shelf.hours[start_of_hour(new.opened_at), new.verdict.kind] += 1
        shelf.pixel = attrs.evolve(shelf.pixel, opens=shelf.pixel.opens.with_open(new.opened_at))
        place = None if new.recipient_id is None else shelf.by_id.get(new.recipient_id)
        if place is not None:
            recipient = shelf.recipients[place]
            shelf.recipients[place] = attrs.evolve(recipient, opens=recipient.opens.with_open(new.opened_at))
        return True

    @staticmethod
    def _with_token(shelf: _Shelf, found: Open) -> Open:
        place = None if found.recipient_id is None else shelf.by_id.get(found.recipient_id)
        return attrs.evolve(found, token=None if place is None else shelf.recipients[place].token)


def _page(found: Iterable[tuple[int, T]], limit: int) -> Page[T]:
    """Cut a page from what is found in order, each with its place; a next page exists where something is left."""
    rows = list(islice(found, limit + 1))
    more = len(rows) > limit
    rows = rows[:limit]
    return Page(items=tuple(item for _, item in rows), next=cursors.from_place(rows[-1][0]) if more else None)

"""`MemoryStorage`: the methods of `Storage` over the data of each pixel, behind one lock."""

import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from types import TracebackType
from typing import Self

import attrs

from mailtrack import _forking as forking
from mailtrack._counts import Count
from mailtrack._errors import (
    ImageNotFound,
    KeyNotFound,
    PixelNotFound,
    RecipientNotFound,
    ShortIdTaken,
    StorageError,
)
from mailtrack._event import Event, First
from mailtrack._figures import DayCount, Figures
from mailtrack._model import (
    ApiKey,
    Erased,
    Hit,
    Image,
    Judgement,
    Open,
    Page,
    Pixel,
    PixelOrder,
    Recipient,
    RecipientState,
    Target,
    VerdictKind,
)
from mailtrack._webhook import Delivery, DeliveryCount, DeliveryState, Webhook
from mailtrack.storage import _cursors as cursors
from mailtrack.storage._memory import pixel_lists
from mailtrack.storage._memory.feed import MemoryFeed
from mailtrack.storage._memory.pixel_data import PixelData
from mailtrack.storage._memory.webhooks import MemoryWebhooks
from mailtrack.storage._pixel_orders import Choice
from mailtrack.storage._protocol import SEARCHED_AT_ONCE


class MemoryStorage:
    """A `Storage` in the memory of this process; a forked child has a copy of its own."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._pixels: dict[str, PixelData] = {}  # by short id, in order of creation
        self._last_place = 0
        self._feed = MemoryFeed()
        self._webhooks = MemoryWebhooks()
        self._added: dict[VerdictKind, Count] = {}
        self._keys: dict[str, ApiKey] = {}  # by id, in order of creation
        self._settings: dict[str, str] = {}
        self._closed = False
        forking.watch(self)

    def __repr__(self) -> str:
        return f"<MemoryStorage pixels={len(self._pixels)}>"

    def add_pixel(self, pixel: Pixel, image: Image | None = None) -> None:
        with self._opened():
            if pixel.short_id in self._pixels:
                raise ShortIdTaken
            self._last_place += 1
            self._pixels[pixel.short_id] = PixelData(self._last_place, image, pixel)

    def get_pixel(self, key: str) -> Pixel:
        with self._opened():
            return self._require(self._find(key)).pixel

    def list_pixels(
        self,
        *,
        limit: int,
        cursor: str | None = None,
        search: str | None = None,
        archived: bool | None = False,
        order: PixelOrder = "newest",
        since: datetime | None = None,
        before: datetime | None = None,
    ) -> Page[Pixel]:
        choice = Choice.of(order, search, archived, since, before)
        with self._opened():
            return pixel_lists.get_page(self._pixels.values(), choice, limit, cursor)

    def update_pixel(
        self, pixel_id: str, *, name: str | None = None, archived: bool | None = None, note: str | None = None
    ) -> None:
        given = {"name": name, "archived": archived, "note": note}
        with self._opened():
            data = self._require(self._owner(pixel_id))
            data.update({field: value for field, value in given.items() if value is not None})

    def delete_pixel(self, pixel_id: str) -> None:
        with self._opened():
            data = self._require(self._owner(pixel_id))
            del self._pixels[data.id[:8]]
            data.delete_opens()
            self._feed.forget_gone(data)

    def sweep(self) -> int:
        with self._opened():
            return 0

    def get_image(self, key: str) -> Image:
        with self._opened():
            data = self._find(key)
            if data is None or data.image is None:
                raise ImageNotFound
            return data.image

    def add_recipients(self, pixel_id: str, recipients: Sequence[Recipient]) -> list[Recipient]:
        with self._opened():
            data = self._require(self._owner(pixel_id))
            return [data.add_recipient(recipient) for recipient in recipients]

    def get_recipients(self, recipient_ids: Collection[str]) -> dict[str, Recipient]:
        with self._opened():
            pixels = ((key, self._pixels.get(key[:8])) for key in recipient_ids)
            found = ((key, data.get_recipient(key)) for key, data in pixels if data)
            return {key: recipient for key, recipient in found if recipient}

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
        after = 0 if cursor is None else cursors.to_place(cursor)
        wanted = "" if search is None else search.casefold()
        with self._opened():
            data = self._owner(pixel_id)
            if data is None:
                return Page(items=())
            recipients = data.iter_recipients(after=after)
            seen = recipients if search is None else islice(recipients, SEARCHED_AT_ONCE)
            found = (
                (place, one)
                for place, one in seen
                if (states is None or one.state in states)
                and ref in (None, one.ref)
                and (wanted in one.email.casefold() or wanted in (one.ref or "").casefold())
            )
            page = cursors.cut_page(found, limit)
            rest = None if search is None or page.next is not None else next(recipients, None)
            return page if rest is None else attrs.evolve(page, next=cursors.from_place(rest[0] - 1))

    def find_recipients(self, email: str, *, limit: int, cursor: str | None = None) -> Page[Recipient]:
        before = None if cursor is None else cursors.to_places(cursor)
        with self._opened():
            found = sorted(
                (item for data in self._pixels.values() for item in data.find_recipients(email)),
                key=lambda item: item[0],
                reverse=True,
            )
            rest = [item for item in found if before is None or item[0] < before]
            return cursors.cut_long_page(rest[: limit + 1], limit)

    def mark_sent(self, pixel_id: str, recipient_ids: Collection[str] | None, *, at: datetime) -> int:
        with self._opened():
            return self._require(self._owner(pixel_id)).mark_sent(recipient_ids, at)

    def delete_recipient(self, recipient_id: str) -> Recipient:
        with self._opened():
            data = self._pixels.get(recipient_id[:8])
            if data is None:
                raise RecipientNotFound
            return data.delete_recipient(recipient_id)

    def erase(self, email: str) -> Erased:
        with self._opened():
            found = [data.erase(email) for data in self._pixels.values()]
            return Erased(recipients=sum(one.recipients for one in found), opens=sum(one.opens for one in found))

    def resolve(self, hits: Sequence[Hit]) -> list[Target | None]:
        with self._opened():
            found = ((hit, self._find(hit.pixel)) for hit in hits)
            return [data.resolve(hit.token) if data else None for hit, data in found]

    def add_opens(self, opens: Sequence[Open]) -> list[Open]:
        with self._opened():
            stored = (self._add_open(data, new) for new in opens if (data := self._owner(new.pixel_id)))
            return [one for one in stored if one is not None]

    def _add_open(self, data: PixelData, new: Open) -> Open | None:
        stored = data.add_open(new)
        if stored is not None:
            self._feed.add(data, data.last_open, stored.opened_at)
            kind = stored.verdict.kind
            self._added[kind] = self._added.get(kind, Count()) + Count(int(stored.counted), 1)
        return stored

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
        last = None if cursor is None else cursors.to_place(cursor)
        with self._opened():
            data = self._owner(pixel_id)
            if data is None:
                return Page(items=())
            found = (
                (place, one)
                for place, one in islice(data.iter_opens(last=last), skip, None)
                if kind in (None, one.verdict.kind) and recipient_id in (None, one.recipient_id)
            )
            return cursors.cut_page(found, limit, begins_with_cursor=True)

    def count_by_day(self, pixel_ids: Collection[str], *, since: datetime) -> dict[str, list[DayCount]]:
        with self._opened():
            pixels = [data for pixel_id in pixel_ids if (data := self._owner(pixel_id))]
            counted = {data.id: data.count_by_day(since) for data in pixels}
            return {pixel_id: days for pixel_id, days in counted.items() if days}

    def count_by_kind(self) -> dict[VerdictKind, Count]:
        with self._opened():
            return dict(self._added)

    def get_figures(self, pixel_id: str, *, top: int) -> Figures:
        with self._opened():
            return self._require(self._owner(pixel_id)).get_figures(top)

    def rejudge(self, pixel_id: str, judgements: Sequence[Judgement]) -> int:
        with self._opened():
            data = self._owner(pixel_id)
            return data.rejudge(judgements) if data else 0

    def count_opens(self, pixel_id: str, *, before: datetime) -> int:
        with self._opened():
            data = self._owner(pixel_id)
            return data.count_opens(before) if data else 0

    def purge_opens(self, pixel_id: str, *, before: datetime, limit: int) -> int:
        with self._opened():
            data = self._owner(pixel_id)
            purged = data.purge_opens(before, limit) if data else 0
            if data and purged:
                self._feed.forget_gone(data)
            return purged

    def list_events(self, *, limit: int, after: str | None = None, first: First = "any") -> Page[Event]:
        with self._opened():
            return self._feed.get_page(limit, after, first)

    def get_events(self, cursors: Collection[str]) -> dict[str, Event]:
        with self._opened():
            return self._feed.get(cursors)

    def get_feed_end(self) -> str:
        with self._opened():
            return self._feed.get_end()

    def find_feed_place(self, *, since: datetime) -> str | None:
        with self._opened():
            return self._feed.find_place(since)

    def add_reader(self, name: str) -> None:
        with self._opened():
            self._feed.add_reader(name)

    def take_reader(self, name: str, owner: str, *, now: datetime, until: datetime) -> str | None:
        with self._opened():
            return self._feed.take_reader(name, owner, now, until)

    def move_reader(self, name: str, owner: str, after: str, *, until: datetime) -> bool:
        with self._opened():
            return self._feed.move_reader(name, owner, after, until)

    def list_readers(self) -> dict[str, str]:
        with self._opened():
            return self._feed.list_readers()

    def shows_all_events(self) -> bool:
        return True

    def add_key(self, key: ApiKey) -> None:
        with self._opened():
            if key.id in self._keys:
                raise StorageError("Another key has this id.")
            self._keys[key.id] = key

    def list_keys(self) -> list[ApiKey]:
        with self._opened():
            return list(self._keys.values())

    def delete_key(self, key_id: str) -> ApiKey:
        with self._opened():
            key = self._keys.pop(key_id, None)
            if key is None:
                raise KeyNotFound
            return key

    def before_fork(self) -> None:
        self._lock.acquire()

    def after_fork(self, *, child: bool) -> None:  # noqa: ARG002  # the lock is free again in both
        self._lock.release()

    def get_setting(self, name: str) -> str | None:
        with self._opened():
            return self._settings.get(name)

    def set_setting(self, name: str, value: str | None) -> None:
        with self._opened():
            self._settings.pop(name, None)
            if value is not None:
                self._settings[name] = value

    def add_webhook(self, webhook: Webhook) -> None:
        with self._opened():
            self._webhooks.add(webhook, self._feed.get_end())

    def get_webhook(self, webhook_id: str) -> Webhook:
        with self._opened():
            return self._webhooks.get(webhook_id)

    def list_webhooks(self) -> list[Webhook]:
        with self._opened():
            return self._webhooks.get_all()

    def change_webhook(self, former: Webhook, present: Webhook) -> bool:
        with self._opened():
            return self._webhooks.change(former, present)

    def delete_webhook(self, webhook_id: str) -> Webhook:
        with self._opened():
            return self._webhooks.delete(webhook_id)

    def fill_outbox(self, webhook_id: str, *, after: str | None, to: str, deliveries: Sequence[Delivery]) -> bool:
        with self._opened():
            return self._webhooks.fill(webhook_id, after, to, deliveries)

    def take_deliveries(self, webhook_id: str, *, now: datetime, until: datetime, limit: int) -> list[Delivery]:
        with self._opened():
            return self._webhooks.take(webhook_id, now, until, limit)

    def settle_deliveries(self, webhook_id: str, deliveries: Sequence[Delivery]) -> None:
        with self._opened():
            self._webhooks.settle(webhook_id, deliveries)

    def list_deliveries(
        self, webhook_id: str, *, limit: int, cursor: str | None = None, state: DeliveryState | None = None
    ) -> Page[Delivery]:
        with self._opened():
            return self._webhooks.get_page(webhook_id, limit, cursor, state)

    def count_deliveries(self) -> dict[str, DeliveryCount]:
        with self._opened():
            return self._webhooks.count()

    def delete_deliveries(self, *, before: datetime, limit: int) -> int:
        with self._opened():
            return self._webhooks.delete_ended(before, limit)

    def ping(self) -> None:
        with self._opened():
            pass

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._pixels.clear()
            self._feed = MemoryFeed()
            self._webhooks = MemoryWebhooks()
            self._added.clear()
            self._keys.clear()
            self._settings.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _opened(self) -> Iterator[None]:
        with self._lock:
            if self._closed:
                raise StorageError("The storage is closed.")
            yield

    def _find(self, key: str) -> PixelData | None:
        data = self._pixels.get(key[:8])
        return data if data and key in (data.id, data.id[:8]) else None

    def _owner(self, pixel_id: str) -> PixelData | None:
        data = self._pixels.get(pixel_id[:8])
        return data if data and pixel_id == data.id else None

    @staticmethod
    def _require(data: PixelData | None) -> PixelData:
        if data is None:
            raise PixelNotFound
        return data

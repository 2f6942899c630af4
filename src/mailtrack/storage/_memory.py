"""A storage in the memory of one process: for tests, and for what need not last."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import chain, islice
from types import TracebackType
from typing import Any, Self, TypeVar

import attrs

from mailtrack._addresses import comparable
from mailtrack._delays import to_bucket
from mailtrack._errors import (
    ImageNotFound,
    InvalidSetting,
    KeyNotFound,
    PixelNotFound,
    RecipientNotFound,
    ShortIdTaken,
    StorageError,
)
from mailtrack._forking import ForkSafeLock
from mailtrack._model import (
    NEVER_OPENED,
    ApiKey,
    DayCount,
    DelayCount,
    Facet,
    FacetCount,
    Figures,
    Hit,
    HourCount,
    Image,
    Judgement,
    Open,
    OpenSpan,
    Page,
    Pixel,
    Recipient,
    T,
    Target,
    VerdictKind,
)
from mailtrack._times import start_of_day, start_of_hour
from mailtrack.storage import _cursors as cursors
from mailtrack.storage._protocol import SEARCHED_AT_ONCE

_Owner = TypeVar("_Owner", Pixel, Recipient)


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
    by_email: dict[str, int] = attrs.Factory(dict)  # as addresses are compared
    by_token: dict[str, int] = attrs.Factory(dict)
    opens: list[Open | None] = attrs.Factory(list)  # in order of arrival; `None` where one was purged
    open_places: dict[str, int] = attrs.Factory(dict)
    purged: list[Open] = attrs.Factory(list)  # only what the figures need of them

    @property
    def kept(self) -> Iterator[Open]:
        """The opens that are listed."""
        return (one for one in self.opens if one is not None)

    @property
    def counted(self) -> Iterator[Open]:
        """The opens that the figures are of."""
        return chain(self.purged, self.kept)


class MemoryStorage:
    """A `Storage` in the memory of this process; a forked child has a copy of its own."""

    def __init__(self) -> None:
        self._lock = ForkSafeLock()
        self._shelves: dict[str, _Shelf] = {}  # by short id, in order of creation
        self._last_place = 0
        self._keys: dict[str, ApiKey] = {}  # by id, in order of creation
        self._settings: dict[str, str] = {}
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

    def list_pixels(self, *, limit: int, cursor: str | None = None, search: str | None = None) -> Page[Pixel]:
        before = None if cursor is None else cursors.to_place(cursor)
        wanted = "" if search is None else search.casefold()
        with self._opened():
            shelves = (shelf for shelf in reversed(self._shelves.values()) if before is None or shelf.place < before)
            seen = shelves if search is None else islice(shelves, SEARCHED_AT_ONCE)
            found = ((shelf.place, self._snapshot(shelf)) for shelf in seen if wanted in shelf.pixel.name.casefold())
            page = _page(found, limit)
            rest = None if search is None or page.next is not None else next(shelves, None)
            return page if rest is None else attrs.evolve(page, next=cursors.from_place(rest.place + 1))

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
                if place > after and (opened is None or opened == (recipient.counted.number > 0))
            )
            return _page(found, limit)

    def delete_recipient(self, recipient_id: str) -> Recipient:
        with self._opened():
            shelf = self._shelves.get(recipient_id[:8])
            place = shelf.by_id.pop(recipient_id, None) if shelf else None
            if shelf is None or place is None:
                raise RecipientNotFound
            recipient = shelf.recipients.pop(place)
            del shelf.by_email[comparable(recipient.email)], shelf.by_token[recipient.token]
            return recipient

    def resolve(self, hits: Sequence[Hit]) -> list[Target | None]:
        with self._opened():
            return [self._resolve(hit) for hit in hits]

    def add_opens(self, opens: Sequence[Open]) -> int:
        with self._opened():
            return sum(self._add_open(new) for new in opens)

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
            shelf = self._owner(pixel_id)
            if shelf is None:
                return Page(items=())
            newest = len(shelf.opens) if last is None else min(last, len(shelf.opens))
            places = ((number, shelf.opens[number - 1]) for number in range(newest, 0, -1))
            found = (
                (number, one)
                for number, one in islice(((number, one) for number, one in places if one is not None), skip, None)
                if (kind is None or one.verdict.kind is kind)
                and (recipient_id is None or one.recipient_id == recipient_id)
            )
            # The cursor is the newest open of the next page, so that a page begins with its own place.
            page = list(islice(found, limit + 1))
            items = tuple(self._with_token(shelf, one) for _, one in page[:limit])
            return Page(items=items, next=cursors.from_place(page[limit][0]) if len(page) > limit else None)

    def count_by_hour(self, pixel_id: str) -> list[HourCount]:
        with self._opened():
            shelf = self._owner(pixel_id)
            return _count_by_hour(shelf.counted) if shelf else []

    def count_by_day(self, pixel_ids: Collection[str], *, since: datetime) -> dict[str, list[DayCount]]:
        with self._opened():
            shelves = [shelf for pixel_id in pixel_ids if (shelf := self._owner(pixel_id))]
            counted = {shelf.pixel.id: _count_by_day(shelf.counted, since) for shelf in shelves}
            return {pixel_id: days for pixel_id, days in counted.items() if days}

    def get_figures(self, pixel_id: str, *, top: int) -> Figures:
        with self._opened():
            shelf = self._require(self._owner(pixel_id))
            openers = [one for one in shelf.recipients.values() if one.counted.number >= 2]
            return Figures(
                pixel=self._snapshot(shelf),
                hours=tuple(_count_by_hour(shelf.counted)),
                facets=tuple(_count_by_facet(shelf.counted, top)),
                delays=tuple(_count_delays(shelf.recipients.values())),
                top=tuple(sorted(openers, key=lambda one: -one.counted.number)[:top]),
            )

    def judge_again(self, pixel_id: str, judgements: Sequence[Judgement]) -> int:
        with self._opened():
            shelf = self._owner(pixel_id)
            found = [one for one in judgements if one.open_id in shelf.open_places] if shelf else []
            if shelf is None or not found:
                return 0
            for one in found:
                place = shelf.open_places[one.open_id]
                shelf.opens[place] = _judged(shelf.opens[place], one)
            shelf.pixel = attrs.evolve(shelf.pixel, counted=NEVER_OPENED)
            for place, recipient in shelf.recipients.items():
                shelf.recipients[place] = attrs.evolve(recipient, counted=NEVER_OPENED)
            for stored in shelf.counted:
                if stored.counted:
                    self._count(shelf, stored, "counted")
            return len(found)

    def count_opens(self, pixel_id: str, *, before: datetime) -> int:
        with self._opened():
            shelf = self._owner(pixel_id)
            return sum(one.opened_at < before for one in shelf.kept) if shelf else 0

    def purge_opens(self, pixel_id: str, *, before: datetime, limit: int) -> int:
        with self._opened():
            shelf = self._owner(pixel_id)
            found = list(islice((one for one in shelf.kept if one.opened_at < before), limit)) if shelf else []
            if shelf is None or not found:
                return 0
            for one in found:
                shelf.opens[shelf.open_places.pop(one.id)] = None
                shelf.purged.append(attrs.evolve(one, id="", ip=None, user_agent="", referer=""))
            until = max(before, shelf.pixel.purged_before or before)
            shelf.pixel = attrs.evolve(shelf.pixel, purged=len(shelf.purged), purged_before=until)
            return len(found)

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

    def get_setting(self, name: str) -> str | None:
        with self._opened():
            return self._settings.get(name)

    def set_setting(self, name: str, value: str | None) -> None:
        with self._opened():
            self._settings.pop(name, None)
            if value is not None:
                self._settings[name] = value

    def ping(self) -> None:
        with self._opened():
            pass

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._shelves.clear()
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
        recipients = shelf.recipients.values()
        return attrs.evolve(
            shelf.pixel,
            recipients=len(recipients),
            views=sum(one.is_view for one in shelf.counted),
            counted_views=sum(one.is_view and one.counted for one in shelf.counted),
            opened=sum(one.counted.number > 0 for one in recipients),
            opened_raw=sum(one.opens.number > 0 for one in recipients),
        )

    @staticmethod
    def _add_recipient(shelf: _Shelf, recipient: Recipient) -> Recipient:
        key = comparable(recipient.email)
        place = shelf.by_email.get(key)
        if place is not None:
            return shelf.recipients[place]
        shelf.last_recipient += 1
        place = shelf.last_recipient
        shelf.recipients[place] = recipient
        shelf.by_id[recipient.id] = shelf.by_email[key] = shelf.by_token[recipient.token] = place
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
        if shelf is None or new.id in shelf.open_places:
            return False
        shelf.open_places[new.id] = len(shelf.opens)
        shelf.opens.append(new)
        self._count(shelf, new, "opens")
        if new.counted:
            self._count(shelf, new, "counted")
        return True

    @staticmethod
    def _count(shelf: _Shelf, one: Open, span: str) -> None:
        """Add an open to a span of its pixel and of its recipient."""
        shelf.pixel = _with_open(shelf.pixel, span, one.opened_at)
        place = None if one.recipient_id is None else shelf.by_id.get(one.recipient_id)
        if place is not None:
            shelf.recipients[place] = _with_open(shelf.recipients[place], span, one.opened_at)

    @staticmethod
    def _with_token(shelf: _Shelf, found: Open) -> Open:
        place = None if found.recipient_id is None else shelf.by_id.get(found.recipient_id)
        return attrs.evolve(found, token=None if place is None else shelf.recipients[place].token)


def _judged(one: Open | None, judgement: Judgement) -> Open | None:
    return one and attrs.evolve(one, verdict=judgement.verdict, client=judgement.client, counted=judgement.counted)


def _with_open(owner: _Owner, span: str, at: datetime) -> _Owner:
    before: OpenSpan = getattr(owner, span)
    change: dict[str, Any] = {span: before.with_open(at)}
    return attrs.evolve(owner, **change)


def _count_by_hour(opens: Iterable[Open]) -> list[HourCount]:
    found: defaultdict[tuple[datetime, VerdictKind], list[bool]] = defaultdict(list)
    for one in opens:
        found[start_of_hour(one.opened_at), one.verdict.kind].append(one.counted)
    return [
        HourCount(hour=hour, kind=kind, opens=len(counted), counted=sum(counted))
        for (hour, kind), counted in sorted(found.items())
    ]


def _count_by_day(opens: Iterable[Open], since: datetime) -> list[DayCount]:
    found: defaultdict[datetime, list[bool]] = defaultdict(list)
    for one in opens:
        if one.opened_at >= since:
            found[start_of_day(one.opened_at)].append(one.counted)
    return [DayCount(day=day, opens=len(counted), counted=sum(counted)) for day, counted in sorted(found.items())]


def _count_by_facet(opens: Iterable[Open], limit: int) -> Iterator[FacetCount]:
    found: defaultdict[Facet, defaultdict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for one in opens:
        names = {
            Facet.VENDOR: one.verdict.vendor,
            Facet.CLIENT: one.client.name,
            Facet.OS: one.client.os,
            Facet.DEVICE: one.client.device,
        }
        for facet, name in names.items():
            if name is not None:
                found[facet][name].append(one.counted)
    for facet in Facet:
        for name, counted in sorted(found[facet].items(), key=lambda item: (-len(item[1]), item[0]))[:limit]:
            yield FacetCount(facet=facet, name=name, opens=len(counted), counted=sum(counted))


def _count_delays(recipients: Collection[Recipient]) -> Iterator[DelayCount]:
    opened, counted = (
        Counter(
            to_bucket(span.first - recipient.created_at)
            for recipient in recipients
            if (span := getattr(recipient, name)).first is not None
        )
        for name in ("opens", "counted")
    )
    for bucket in sorted({*opened, *counted}):
        yield DelayCount(bucket=bucket, recipients=opened[bucket], counted=counted[bucket])


def _page(found: Iterable[tuple[int, T]], limit: int) -> Page[T]:
    """Cut a page from what is found in order, each with its place; a next page exists where something is left."""
    rows = list(islice(found, limit + 1))
    more = len(rows) > limit
    rows = rows[:limit]
    return Page(items=tuple(item for _, item in rows), next=cursors.from_place(rows[-1][0]) if more else None)

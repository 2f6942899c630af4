"""`PostgresStorage`: the methods of `Storage`, each with its transactions; the SQL is in the modules beside."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Self

from mailtrack import _forking as forking
from mailtrack._columns import Opens
from mailtrack._counts import Count
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
from mailtrack._times import to_milliseconds
from mailtrack.storage import _cursors as cursors
from mailtrack.storage._pixel_orders import Choice
from mailtrack.storage._postgres import (
    adding,
    counts,
    deliveries,
    erasure,
    feed,
    feed_rows,
    keys,
    migrating,
    pixels,
    purging,
    rejudging,
    sending,
    sweeping,
    targets,
    urls,
)
from mailtrack.storage._postgres import opens as open_rows
from mailtrack.storage._postgres import recipients as recipient_rows
from mailtrack.storage._postgres.adding import Batch
from mailtrack.storage._postgres.carried_methods import CarriedMethods
from mailtrack.storage._postgres.connections import Again, Connection, Connections
from mailtrack.storage._postgres.sweeping import step_end
from mailtrack.storage._postgres.webhook_methods import WebhookMethods
from mailtrack.storage._rows.edges import TooFar
from mailtrack.storage._rows.purging import Place


class PostgresStorage(CarriedMethods, WebhookMethods):
    """A `Storage` in a PostgreSQL database, version 14 or later.

    Any number of threads, processes and machines may use the database at once, each process with a storage of its own.
    A process has up to 10 connections.

    Args:
        url: `postgresql://user:password@host:port/name`, as libpq takes it, with `schema` as one more parameter: that
            of the tables, "mailtrack" by default.
        create: whether to make the tables where there are none.

    Raises:
        InvalidSetting: the URL is malformed.
        DatabaseNotFound: there are no tables, and `create` is false.
        StorageUnavailable: the server can't be reached now.
        StorageError: the tables are of a newer version, or can't be used.
    """

    def __init__(self, url: str, *, create: bool = True) -> None:
        self._address = urls.parse(url)
        self._connections = self._connect(create=create)
        self._purged_last: Place | None = None
        forking.watch(self)

    def _connect(self, *, create: bool) -> Connections:
        connections = Connections(self._address)
        migrating.prepare(connections, self._address, create=create)
        return connections

    def __repr__(self) -> str:
        return f"<PostgresStorage {self._address.shown}>"

    def add_pixel(self, pixel: Pixel, image: Image | None = None) -> None:
        self._connections.write(lambda db: pixels.add(db, pixel, image))

    def get_pixel(self, key: str) -> Pixel:
        with self._connections.reading() as db:
            return pixels.get(db, key)

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
        with self._connections.reading(snapshot=True) as db:
            return pixels.get_page(db, choice, limit, cursor)

    def update_pixel(
        self, pixel_id: str, *, name: str | None = None, archived: bool | None = None, note: str | None = None
    ) -> None:
        self._connections.write(lambda db: pixels.update(db, pixel_id, name, archived, note))

    def delete_pixel(self, pixel_id: str) -> None:
        self._connections.write(lambda db: sweeping.hide(db, pixel_id))
        self._connections.write(lambda db: sweeping.sweep(db, step_end()))  # most pixels are gone with that

    def sweep(self) -> int:
        with self._connections.reading(snapshot=True) as db:  # where nothing is left, no writer waits
            erasing, of_pixels = erasure.find_remains(db), sweeping.has_remains(db)
            of_webhooks = deliveries.has_remains(db)
        swept = 0
        if erasing:
            swept = self._connections.write(lambda db: erasure.overwrite(db, erasing, step_end()))
        elif of_pixels:
            swept = self._connections.write(lambda db: sweeping.sweep(db, step_end()))
        elif of_webhooks:
            swept = self._connections.write(lambda db: deliveries.sweep(db, step_end()))
        # Where another process was faster, it may have left something.
        return swept or (self.sweep() if erasing else int(of_pixels or of_webhooks))

    def get_image(self, key: str) -> Image:
        with self._connections.reading() as db:
            return pixels.get_image(db, key)

    def add_recipients(self, pixel_id: str, recipients: Sequence[Recipient]) -> list[Recipient]:
        return self._connections.write(lambda db: recipient_rows.add(db, pixel_id, recipients))

    def get_recipients(self, recipient_ids: Collection[str]) -> dict[str, Recipient]:
        with self._connections.reading() as db:
            return recipient_rows.get(db, recipient_ids)

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
        if search is None:
            with self._connections.reading() as db:
                return recipient_rows.get_page(db, pixel_id, limit, after, states=states, ref=ref)
        with self._connections.reading(snapshot=True) as db:
            return recipient_rows.search(db, pixel_id, limit, after, states=states, ref=ref, text=search)

    def find_recipients(self, email: str, *, limit: int, cursor: str | None = None) -> Page[Recipient]:
        before = None if cursor is None else cursors.to_places(cursor)
        with self._connections.reading() as db:
            return recipient_rows.find(db, email, limit, before)

    def mark_sent(self, pixel_id: str, recipient_ids: Collection[str] | None, *, at: datetime) -> int:
        with self._connections.reading(snapshot=True) as db:
            left = sending.find(db, pixel_id, recipient_ids, at)
        marked = 0
        while not left.ended:
            now, left.done = self._connections.write(lambda db: sending.mark(db, left, step_end()))
            marked += now
        return marked

    def delete_recipient(self, recipient_id: str) -> Recipient:
        return self._connections.write(lambda db: recipient_rows.delete(db, recipient_id))

    def erase(self, email: str) -> Erased:
        found: list[Erased] = []
        while people := self._find_people(email):
            found += [self._connections.write(partial(erasure.erase, people=some)) for some in people]
        if any(one.opens for one in found):
            for _ in range(len(found)):
                self.sweep()  # most people are gone with that
        return Erased(recipients=sum(one.recipients for one in found), opens=sum(one.opens for one in found))

    def _find_people(self, email: str) -> list[erasure.People]:
        with self._connections.reading(snapshot=True) as db:
            return erasure.find(db, email)

    def resolve(self, hits: Sequence[Hit]) -> Sequence[Target | None]:
        with self._connections.reading(snapshot=True) as db:
            return targets.resolve(db, hits)

    def add_opens(self, opens: Sequence[Open]) -> Sequence[Open]:
        given = Opens.of(opens)
        places: defaultdict[str, dict[str, int]] = defaultdict(dict)  # by pixel and id
        for place, (pixel_id, open_id) in enumerate(zip(given.pixels, given.ids, strict=True)):
            places[pixel_id].setdefault(open_id, place)
        batches = [
            Batch.of(pixel_id, given if len(some) == len(given) else given.take(list(some.values())))
            for pixel_id, some in places.items()
        ]
        added = self._add_batches(batches)
        if len(added) < 2:
            return added[0] if added else []
        together = Opens.join(added)
        order = [places[pixel_id][open_id] for pixel_id, open_id in zip(together.pixels, together.ids, strict=True)]
        return together.take(sorted(range(len(order)), key=order.__getitem__))

    def _add_batches(self, batches: Sequence[Batch]) -> list[Opens]:
        met = False

        def add(db: Connection) -> list[Opens]:
            nonlocal met
            try:
                return adding.add(db, batches, alone=met)
            except Again:
                met = True
                raise

        return self._connections.write(add)

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
        with self._connections.reading(snapshot=True) as db:
            return open_rows.get_page(db, pixel_id, limit, last, skip=skip, kind=kind, recipient_id=recipient_id)

    def count_by_day(self, pixel_ids: Collection[str], *, since: datetime) -> dict[str, list[DayCount]]:
        with self._connections.reading() as db:
            return counts.days(db, pixel_ids, since)

    def count_by_kind(self) -> dict[VerdictKind, Count]:
        with self._connections.reading() as db:
            return counts.totals(db)

    def get_figures(self, pixel_id: str, *, top: int) -> Figures:
        with self._connections.reading(snapshot=True) as db:
            number, pixel = pixels.get_with_number(db, pixel_id)
            return Figures(
                pixel=pixel,
                hours=counts.hours(db, number),
                facets=tuple(counts.facets(db, number, top)),
                delays=tuple(counts.delays(db, number)),
                top=recipient_rows.get_top(db, number, pixel.id, top),
            )

    def rejudge(self, pixel_id: str, judgements: Sequence[Judgement]) -> int:
        edges = None
        while True:
            try:
                return self._connections.write(
                    partial(rejudging.rejudge, pixel_id=pixel_id, judgements=judgements, found_edges=edges)
                )
            except TooFar:  # nothing was written
                with self._connections.reading(snapshot=True) as db:
                    edges = rejudging.read_edges(db, pixel_id, judgements)

    def count_opens(self, pixel_id: str, *, before: datetime) -> int:
        with self._connections.reading(snapshot=True) as db:
            return purging.count(db, pixel_id, to_milliseconds(before))

    def purge_opens(self, pixel_id: str, *, before: datetime, limit: int) -> int:
        time = to_milliseconds(before)
        while True:
            with self._connections.reading(snapshot=True) as db:  # it may take long, and keeps no writer waiting
                found = purging.find(db, pixel_id, time, limit, self._purged_last)
            if not found:
                return 0
            purged, self._purged_last = self._connections.write(
                lambda db: purging.purge(db, pixel_id, found, step_end())  # noqa: B023  # called at once
            )
            if purged:  # else another process was faster
                return purged

    def list_events(self, *, limit: int, after: str | None = None, first: First = "any") -> Page[Event]:
        with self._connections.reading(snapshot=True) as db:
            return feed.get_page(db, limit, after, first)

    def get_events(self, cursors: Collection[str]) -> dict[str, Event]:
        with self._connections.reading(snapshot=True) as db:
            return feed.get(db, cursors)

    def get_feed_end(self) -> str:
        with self._connections.reading() as db:
            return feed_rows.get_end(db)

    def find_feed_place(self, *, since: datetime) -> str | None:
        with self._connections.reading() as db:
            return feed.find_place(db, since)

    def add_reader(self, name: str) -> None:
        self._connections.write(lambda db: feed.add_reader(db, name))

    def take_reader(self, name: str, owner: str, *, now: datetime, until: datetime) -> str | None:
        return self._connections.write(lambda db: feed.take_reader(db, name, owner, now, until))

    def move_reader(self, name: str, owner: str, after: str, *, until: datetime) -> bool:
        return self._connections.write(lambda db: feed.move_reader(db, name, owner, after, until))

    def add_key(self, key: ApiKey) -> None:
        self._connections.write(lambda db: keys.add(db, key))

    def list_keys(self) -> list[ApiKey]:
        with self._connections.reading() as db:
            return keys.get_all(db)

    def delete_key(self, key_id: str) -> ApiKey:
        return self._connections.write(lambda db: keys.delete(db, key_id))

    def get_setting(self, name: str) -> str | None:
        with self._connections.reading() as db:
            return keys.get_setting(db, name)

    def set_setting(self, name: str, value: str | None) -> None:
        self._connections.write(lambda db: keys.set_setting(db, name, value))

    def before_fork(self) -> None:
        self._connections.before_fork()

    def after_fork(self, *, child: bool) -> None:
        self._connections.after_fork(child=child)

    def ping(self) -> None:
        with self._connections.reading() as db:
            db.execute("SELECT 1 FROM pixels LIMIT 1").fetchone()

    def close(self) -> None:
        self._connections.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

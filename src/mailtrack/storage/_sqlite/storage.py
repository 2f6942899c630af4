"""`SQLiteStorage`: the methods of `Storage`, each with its transactions; the SQL is in the modules beside."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
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
from mailtrack.storage._rows.edges import TooFar
from mailtrack.storage._rows.purging import Place
from mailtrack.storage._sqlite import (
    counts,
    deliveries,
    erasure,
    feed,
    feed_rows,
    keys,
    pixels,
    preparing,
    purging,
    readers,
    rejudging,
    sending,
    sweeping,
    targets,
)
from mailtrack.storage._sqlite import opens as open_rows
from mailtrack.storage._sqlite import recipients as recipient_rows
from mailtrack.storage._sqlite.carried_methods import CarriedMethods
from mailtrack.storage._sqlite.connections import Connections
from mailtrack.storage._sqlite.opens import Batch
from mailtrack.storage._sqlite.resolved import Resolved
from mailtrack.storage._sqlite.webhook_methods import WebhookMethods

_LOOK_EVERY = 1_000_000  # instructions of SQLite's machine: some ten milliseconds


class SQLiteStorage(CarriedMethods, WebhookMethods):
    """A `Storage` in one SQLite file.

    Any number of threads and processes of one machine may use the file at once, each process with a storage of its
    own. It must be on a local disk.

    Args:
        path: the file.
        create: whether to create it where there is none.

    Attributes:
        path: the same.

    Raises:
        DatabaseNotFound: there is no file, and `create` is false.
        StorageError: there is a file, but it is not one of ours, or can't be used.
    """

    def __init__(self, path: str | Path, *, create: bool = True) -> None:
        self.path = Path(path)
        preparing.prepare(self.path, create=create)
        self._connections = Connections(self.path, partial(preparing.prepare, self.path.absolute(), create=False))
        self._pace = sweeping.Pace()
        self._forgets = False
        self._purged_last: Place | None = None
        self._resolved = Resolved()
        forking.watch(self)

    def __repr__(self) -> str:
        return f"<SQLiteStorage {self.path.name}>"

    def add_pixel(self, pixel: Pixel, image: Image | None = None) -> None:
        with self._connections.writing() as db:
            pixels.add(db, pixel, image)
        if image is not None:
            self._connections.shrink()

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
        with self._connections.reading() as db:
            return pixels.get_page(db, choice, limit, cursor)

    def update_pixel(
        self, pixel_id: str, *, name: str | None = None, archived: bool | None = None, note: str | None = None
    ) -> None:
        with self._connections.writing() as db:
            pixels.update(db, pixel_id, name, archived, note)

    def delete_pixel(self, pixel_id: str) -> None:
        with self._step(cascade=False) as (db, until):
            sweeping.hide(db, pixel_id)
            sweeping.sweep(db, until)  # most pixels are gone with that
        self._forget_deleted()

    def sweep(self) -> int:
        while True:
            with self._connections.reading() as db:  # where nothing is left, no writer waits
                remains, erasing = sweeping.has_remains(db), erasure.has_remains(db)
                undelivered = deliveries.has_remains(db)
                left = erasing or remains or undelivered or sweeping.free_pages(db)
            if not left:
                if self._forgets:
                    self._forget_deleted()
                return 0
            with self._step() as (db, until):
                if erasing:
                    swept, ended = erasure.overwrite(db, until)
                elif remains:
                    swept, ended = sweeping.sweep(db, until)
                else:
                    swept, ended = deliveries.sweep(db, until) if undelivered else sweeping.give_back(db, until)
            if ended:
                self._forget_deleted()
            if swept:  # else another process was faster
                return swept

    def get_image(self, key: str) -> Image:
        with self._connections.reading() as db:
            return pixels.get_image(db, key)

    def add_recipients(self, pixel_id: str, recipients: Sequence[Recipient]) -> list[Recipient]:
        with self._connections.writing() as db:
            return recipient_rows.add(db, pixel_id, recipients)

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
            with self._step() as (db, until):
                marked += sending.mark(db, left, until)
            if not left.ended:
                self._pace.rest()
        return marked

    def delete_recipient(self, recipient_id: str) -> Recipient:
        with self._connections.writing() as db:
            deleted = recipient_rows.delete(db, recipient_id)
        self._forget_deleted()
        return deleted

    def erase(self, email: str) -> Erased:
        recipients = opens = 0
        while people := self._find_people(email):
            while people:
                with self._step() as (db, until):
                    some = erasure.erase(db, people, until)
                    if not people:
                        erasure.overwrite(db, until)  # most people are gone with that
                recipients, opens = recipients + some.recipients, opens + some.opens
                if people:
                    self._pace.rest()
        if recipients:
            self._forget_deleted()
        return Erased(recipients=recipients, opens=opens)

    def _find_people(self, email: str) -> list[erasure.Person]:
        with self._connections.reading(snapshot=True) as db:
            return erasure.find(db, email)

    def resolve(self, hits: Sequence[Hit]) -> Sequence[Target | None]:
        with self._connections.reading(snapshot=True) as db:
            resolved = Resolved(db)
            found = targets.resolve(db, hits, resolved)
        self._resolved = resolved
        return found

    def add_opens(self, opens: Sequence[Open]) -> Sequence[Open]:
        given = Opens.of(opens)
        places: defaultdict[str, dict[str, int]] = defaultdict(dict)  # by pixel and id
        for place, (pixel_id, open_id) in enumerate(zip(given.pixels, given.ids, strict=True)):
            places[pixel_id].setdefault(open_id, place)
        batches = {
            pixel_id: Batch.of(given if len(some) == len(given) else given.take(list(some.values())))
            for pixel_id, some in places.items()
        }
        resolved = self._resolved
        with self._connections.writing() as db:
            resolved.check(db)
            added = open_rows.add(db, batches, resolved)
        if len(added) < 2:
            return added[0] if added else []
        together = Opens.join(added)
        order = [places[pixel_id][open_id] for pixel_id, open_id in zip(together.pixels, together.ids, strict=True)]
        return together.take(sorted(range(len(order)), key=order.__getitem__))

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
                with self._connections.writing() as db:
                    pixel = pixels.find(db, pixel_id)
                    return 0 if pixel is None else rejudging.rejudge(db, pixel, pixel_id, judgements, edges)
            except TooFar:  # nothing was written
                with self._connections.reading(snapshot=True) as db:
                    edges = rejudging.read_edges(db, pixel_id, judgements)

    def count_opens(self, pixel_id: str, *, before: datetime) -> int:
        with self._connections.reading(snapshot=True) as db:
            return purging.count(db, pixel_id, to_milliseconds(before))

    def purge_opens(self, pixel_id: str, *, before: datetime, limit: int) -> int:
        time = to_milliseconds(before)
        while True:
            with self._connections.reading(
                snapshot=True
            ) as db:  # the search may take long, and keeps no writer waiting
                found = purging.find(db, pixel_id, time, limit + 1, self._purged_last)
            if not found:
                return 0
            with self._step() as (db, until):
                purged, self._purged_last = purging.purge(db, found[:limit], until)
            if found[-1] == self._purged_last:
                self._forget_deleted()
            if purged:  # else another process was faster
                return purged

    def list_events(self, *, limit: int, after: str | None = None, first: First = "any") -> Page[Event]:
        place = (0, 0) if after is None else cursors.to_pair(after)
        with self._connections.reading(snapshot=True) as db:
            return feed.get_page(db, limit, place, first)

    def get_events(self, cursors: Collection[str]) -> dict[str, Event]:
        with self._connections.reading(snapshot=True) as db:
            return feed.get(db, cursors)

    def get_feed_end(self) -> str:
        with self._connections.reading() as db:
            return cursors.from_pair(*feed_rows.get_end(db))

    def find_feed_place(self, *, since: datetime) -> str | None:
        with self._connections.reading(snapshot=True) as db:
            place = feed_rows.find_place(db, to_milliseconds(since))
        return cursors.from_pair(place + 1, 0) if place else None

    def add_reader(self, name: str) -> None:
        with self._connections.writing() as db:
            readers.add(db, name)

    def take_reader(self, name: str, owner: str, *, now: datetime, until: datetime) -> str | None:
        with self._connections.reading() as db:  # processes that stand by ask often, and must not hold up writers
            if readers.is_taken(db, name, owner, to_milliseconds(now)):
                return None
        with self._connections.writing() as db:
            return readers.take(db, name, owner, to_milliseconds(now), to_milliseconds(until))

    def move_reader(self, name: str, owner: str, after: str, *, until: datetime) -> bool:
        cursors.to_pair(after)
        with self._connections.writing() as db:
            return readers.move(db, name, owner, after, to_milliseconds(until))

    def add_key(self, key: ApiKey) -> None:
        with self._connections.writing() as db:
            keys.add(db, key)

    def list_keys(self) -> list[ApiKey]:
        with self._connections.reading() as db:
            return keys.get_all(db)

    def delete_key(self, key_id: str) -> ApiKey:
        with self._connections.writing() as db:
            return keys.delete(db, key_id)

    def copy_to(self, file: Path) -> "SQLiteStorage":
        with self._connections.reading() as db:
            db.set_progress_handler(_go_on, _LOOK_EVERY)
            try:
                db.execute("PRAGMA temp.auto_vacuum = INCREMENTAL")  # for the copy; on `main` it would wait for writers
                db.execute("VACUUM INTO ?", (str(file.absolute()),))
            finally:
                db.set_progress_handler(None, 0)
        copy = SQLiteStorage(file)
        try:
            while copy.sweep():  # what was deleted is to be in no backup, although rows of it are still there
                pass
        except BaseException:
            copy.close()
            raise
        return copy

    def before_fork(self) -> None:
        self._connections.before_fork()

    def after_fork(self, *, child: bool) -> None:
        self._connections.after_fork(child=child)

    def get_setting(self, name: str) -> str | None:
        with self._connections.reading() as db:
            found = db.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return None if found is None else str(found[0])

    def set_setting(self, name: str, value: str | None) -> None:
        with self._connections.writing() as db:
            if value is None:
                db.execute("DELETE FROM settings WHERE name = ?", (name,))
            else:
                db.execute("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", (name, value))

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


def _go_on() -> None:
    """Do nothing, but give the interpreter a turn, so that Ctrl-C interrupts a long copy."""

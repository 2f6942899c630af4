"""`SQLiteStorage`: the contract of `Storage` in SQL."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from functools import partial
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mailtrack._addresses import comparable
from mailtrack._errors import ImageNotFound, KeyNotFound, PixelNotFound, RecipientNotFound, ShortIdTaken, StorageError
from mailtrack._model import (
    ApiKey,
    DayCount,
    Figures,
    Hit,
    HourCount,
    Image,
    Judgement,
    Open,
    Page,
    Pixel,
    Recipient,
    Target,
    VerdictKind,
)
from mailtrack._times import to_milliseconds
from mailtrack.storage import _cursors as cursors
from mailtrack.storage._protocol import SEARCHED_AT_ONCE
from mailtrack.storage._sqlite import counts, judging, purging, rows, schema
from mailtrack.storage._sqlite.connections import Connections
from mailtrack.storage._sqlite.tally import Tally

_LOOK_EVERY = 1_000_000  # instructions of SQLite's machine: some ten milliseconds

# CROSS JOIN holds SQLite to the order written: what is looked for first, then its place in an index.


class SQLiteStorage:
    """A `Storage` in one SQLite file.

    Any number of threads and processes of one machine may use the file at once, each process with a storage of its
    own. It must be on a local disk.

    Args:
        path: the file.
        create: whether to make it where there is none.

    Attributes:
        path: the same.

    Raises:
        DatabaseNotFound: there is no file, and `create` is false.
        StorageError: there is a file, but it is not one of ours, or can't be used.
    """

    def __init__(self, path: str | Path, *, create: bool = True) -> None:
        self.path = Path(path)
        schema.prepare(self.path, create=create)
        self._connections = Connections(self.path, partial(schema.prepare, self.path.absolute(), create=False))

    def __repr__(self) -> str:
        return f"<SQLiteStorage {self.path.name}>"

    def add_pixel(self, pixel: Pixel, image: Image | None = None) -> None:
        with self._connections.writing() as db:
            try:
                cursor = db.execute(
                    "INSERT INTO pixels (id, short_id, name, folded_name, created_at, image) VALUES (?, ?, ?, ?, ?, ?)",
                    (
                        pixel.id,
                        pixel.short_id,
                        pixel.name,
                        pixel.name.casefold(),
                        to_milliseconds(pixel.created_at),
                        pixel.image,
                    ),
                )
            except sqlite3.IntegrityError as error:
                raise ShortIdTaken from error
            if image is not None:
                rows.add_image(db, cursor.lastrowid, image)
        if image is not None:
            self._connections.shrink()

    def get_pixel(self, key: str) -> Pixel:
        with self._connections.reading() as db:
            return rows.to_pixel(_find_pixel(db, key))

    def list_pixels(self, *, limit: int, cursor: str | None = None, search: str | None = None) -> Page[Pixel]:
        before = 2**63 - 1 if cursor is None else cursors.to_place(cursor)
        if search is not None:
            return self._search_pixels(search.casefold(), before, limit)
        with self._connections.reading() as db:
            found = db.execute(
                f"SELECT {rows.PIXEL} FROM pixels WHERE pixel < ? ORDER BY pixel DESC LIMIT ?",
                (before, limit + 1),
            ).fetchall()
        return rows.to_page(found, limit, rows.to_pixel, place=0)

    def _search_pixels(self, folded: str, before: int, limit: int) -> Page[Pixel]:
        with self._connections.reading() as db:
            rest = db.execute(
                "SELECT pixel FROM pixels WHERE pixel < ? ORDER BY pixel DESC LIMIT 1 OFFSET ?",
                (before, SEARCHED_AT_ONCE),
            ).fetchone()
            found = db.execute(
                f"SELECT {rows.PIXEL} FROM pixels WHERE pixel < ? AND pixel > ? AND instr(folded_name, ?)"
                " ORDER BY pixel DESC LIMIT ?",
                (before, rest[0] if rest else 0, folded, limit + 1),
            ).fetchall()
        page = rows.to_page(found, limit, rows.to_pixel, place=0)
        return page if page.next or not rest else Page(items=page.items, next=cursors.from_place(rest[0] + 1))

    def delete_pixel(self, pixel_id: str) -> None:
        with self._connections.writing() as db:
            if not db.execute("DELETE FROM pixels WHERE id = ?", (pixel_id,)).rowcount:
                raise PixelNotFound
        self._connections.forget_deleted()

    def get_image(self, key: str) -> Image:
        with self._connections.reading() as db:
            found = db.execute(
                f"SELECT media_type, data FROM images JOIN pixels USING (pixel) WHERE {_key_column(key)} = ?", (key,)
            ).fetchone()
        if found is None:
            raise ImageNotFound
        return Image(media_type=found[0], data=found[1])

    def add_recipients(self, pixel_id: str, recipients: Sequence[Recipient]) -> list[Recipient]:
        keys = [comparable(new.email) for new in recipients]
        with self._connections.writing() as db:
            pixel, last = _require(
                db.execute("SELECT pixel, last_recipient FROM pixels WHERE id = ?", (pixel_id,)).fetchone()
            )
            cursor = db.executemany(
                "INSERT INTO recipients (pixel, number, id, email, email_key, token, created_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (pixel, email_key) DO NOTHING",
                (
                    (pixel, number, new.id, new.email, key, new.token, to_milliseconds(new.created_at))
                    for number, (new, key) in enumerate(zip(recipients, keys, strict=True), last + 1)
                ),
            )
            added = cursor.rowcount if recipients else 0
            db.execute(
                "UPDATE pixels SET recipients = recipients + ?, last_recipient = ? WHERE pixel = ?",
                (added, last + len(recipients), pixel),
            )
            if added == len(recipients):
                return list(recipients)
            present = self._by_key(db, pixel, pixel_id, keys)
        return [present[key] for key in keys]

    @staticmethod
    def _by_key(db: sqlite3.Connection, pixel: int, pixel_id: str, keys: list[str]) -> dict[str, Recipient]:
        found = db.execute(
            f"SELECT w.value, {rows.RECIPIENT}"
            " FROM json_each(?) w CROSS JOIN recipients r ON r.pixel = ? AND r.email_key = w.value",
            (json.dumps(keys), pixel),
        )
        return {key: rows.to_recipient(row, pixel_id) for key, *row in found}

    def get_recipients(self, recipient_ids: Collection[str]) -> dict[str, Recipient]:
        wanted = [(recipient_id[:8], recipient_id) for recipient_id in recipient_ids]
        with self._connections.reading() as db:
            found = db.execute(
                f"SELECT p.id, {rows.RECIPIENT} FROM json_each(?) w"
                " CROSS JOIN pixels p ON p.short_id = json_extract(w.value, '$[0]')"
                " CROSS JOIN recipients r ON r.pixel = p.pixel AND r.id = json_extract(w.value, '$[1]')",
                (json.dumps(wanted),),
            ).fetchall()
        recipients = (rows.to_recipient(row[1:], row[0]) for row in found)
        return {recipient.id: recipient for recipient in recipients}

    def list_recipients(
        self, pixel_id: str, *, limit: int, cursor: str | None = None, opened: bool | None = None
    ) -> Page[Recipient]:
        after = 0 if cursor is None else cursors.to_place(cursor)
        condition = {None: "", True: " AND r.counted > 0", False: " AND r.counted = 0"}[opened]
        with self._connections.reading() as db:
            found = db.execute(
                f"SELECT {rows.RECIPIENT} FROM recipients r"
                f" WHERE r.pixel = (SELECT pixel FROM pixels WHERE id = ?) AND r.number > ?{condition}"
                " ORDER BY r.number LIMIT ?",
                (pixel_id, after, limit + 1),
            ).fetchall()
        return rows.to_page(found, limit, lambda row: rows.to_recipient(row, pixel_id), place=0)

    def delete_recipient(self, recipient_id: str) -> Recipient:
        with self._connections.writing() as db:
            found = db.execute(
                f"SELECT p.pixel, p.id, {rows.RECIPIENT} FROM pixels p JOIN recipients r ON r.pixel = p.pixel"
                " WHERE p.short_id = ? AND r.id = ?",
                (recipient_id[:8], recipient_id),
            ).fetchone()
            if found is None:
                raise RecipientNotFound
            pixel, pixel_id, *row = found
            counts.delete_recipient(db, pixel, recipient_id)
            _pass_key_on(db, pixel, comparable(rows.to_recipient(row, pixel_id).email))
        self._connections.forget_deleted()
        return rows.to_recipient(row, pixel_id)

    def resolve(self, hits: Sequence[Hit]) -> list[Target | None]:
        tokens: defaultdict[str, set[str]] = defaultdict(set)  # by the pixel's short id
        for hit in hits:
            tokens[hit.pixel[:8]].add(hit.token or "")
        targets: dict[str, dict[str, Target]] = {}  # by the pixel's short id or id, and token
        with self._connections.reading() as db:
            for pixel, pixel_id, short_id in db.execute(
                "SELECT pixel, id, short_id FROM pixels WHERE short_id IN (SELECT value FROM json_each(?))",
                (json.dumps(list(tokens)),),
            ).fetchall():
                found = dict.fromkeys(tokens[short_id], Target(pixel_id=pixel_id))
                targets[short_id] = targets[pixel_id] = found
                for token, recipient_id, created_at in db.execute(
                    "SELECT r.token, r.id, r.created_at FROM json_each(?) w"
                    " CROSS JOIN recipients r ON r.pixel = ? AND r.token = w.value",
                    (json.dumps(list(found)), pixel),
                ):
                    found[token] = rows.to_target(pixel_id, recipient_id, created_at)
        nowhere: dict[str, Target] = {}
        return [targets.get(hit.pixel, nowhere).get(hit.token or "") for hit in hits]

    def add_opens(self, opens: Sequence[Open]) -> int:
        by_pixel: defaultdict[str, dict[str, Open]] = defaultdict(dict)
        for new in opens:
            by_pixel[new.pixel_id].setdefault(new.id, new)
        try:
            with self._connections.writing() as db:
                return sum(_add_opens(db, pixel_id, batch) for pixel_id, batch in by_pixel.items())
        except _AlreadyThere:  # some are, as after a crash; to look for them first would cost each batch
            with self._connections.writing() as db:
                for pixel_id, batch in by_pixel.items():
                    _drop_present(db, pixel_id, batch)
                return sum(_add_opens(db, pixel_id, batch) for pixel_id, batch in by_pixel.items())

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
        index, condition, bound = "", "", []
        if kind is not None:
            index, condition, bound = "INDEXED BY opens_by_verdict", " AND o.verdict = ?", [kind.value]
        if recipient_id is not None:
            index, condition = "INDEXED BY opens_by_recipient", condition + " AND o.recipient = ?"
            bound.append(recipient_id)
        last = None if cursor is None else cursors.to_place(cursor)
        with self._connections.reading(snapshot=skip > 0) as db:
            found = db.execute("SELECT pixel, opens FROM pixels WHERE id = ?", (pixel_id,)).fetchone()
            if found is None:
                return Page(items=())
            pixel, newest = found
            last = newest if last is None else min(last, newest)
            last = purging.pass_over(db, pixel, last, skip) if skip else last
            page = db.execute(
                f"SELECT {rows.OPEN} FROM opens o {index}"
                " LEFT JOIN recipients r ON r.pixel = o.pixel AND r.id = o.recipient"
                f" WHERE o.pixel = ? AND o.number <= ?{condition} ORDER BY o.number DESC LIMIT ?",
                (pixel, last, *bound, limit + 1),
            ).fetchall()
        # The cursor is the newest open of the next page, so that a page begins with its own place.
        items = tuple(rows.to_open(row, pixel_id) for row in page[:limit])
        return Page(items=items, next=cursors.from_place(page[limit][0]) if len(page) > limit else None)

    def count_by_hour(self, pixel_id: str) -> list[HourCount]:
        with self._connections.reading() as db:
            found = db.execute("SELECT pixel FROM pixels WHERE id = ?", (pixel_id,)).fetchone()
            return counts.hours(db, found[0]) if found else []

    def count_by_day(self, pixel_ids: Collection[str], *, since: datetime) -> dict[str, list[DayCount]]:
        with self._connections.reading() as db:
            return counts.days(db, pixel_ids, since)

    def get_figures(self, pixel_id: str, *, top: int) -> Figures:
        with self._connections.reading(snapshot=True) as db:
            row = _require(db.execute(f"SELECT {rows.PIXEL} FROM pixels WHERE id = ?", (pixel_id,)).fetchone())
            openers = db.execute(
                f"SELECT {rows.RECIPIENT} FROM top_recipients t CROSS JOIN recipients r USING (pixel, number)"
                " WHERE t.pixel = ? ORDER BY t.counted DESC, t.number LIMIT ?",
                (row[0], top),
            ).fetchall()
            return Figures(
                pixel=rows.to_pixel(row),
                hours=tuple(counts.hours(db, row[0])),
                facets=tuple(counts.facets(db, row[0], top)),
                delays=tuple(counts.delays(db, row[0])),
                top=tuple(rows.to_recipient(opener, pixel_id) for opener in openers),
            )

    def judge_again(self, pixel_id: str, judgements: Sequence[Judgement]) -> int:
        with self._connections.writing() as db:
            found = db.execute("SELECT pixel FROM pixels WHERE id = ?", (pixel_id,)).fetchone()
            if found is None:
                return 0
            return judging.judge_again(db, found[0], pixel_id, judgements)

    def count_opens(self, pixel_id: str, *, before: datetime) -> int:
        with self._connections.reading() as db:
            return purging.count(db, pixel_id, to_milliseconds(before))

    def purge_opens(self, pixel_id: str, *, before: datetime, limit: int) -> int:
        time = to_milliseconds(before)
        while True:
            with self._connections.reading() as db:  # looking for them may take long, and keeps no writer waiting
                pixel, numbers = purging.find(db, pixel_id, time, limit + 1)
            if not numbers:
                return 0
            with self._connections.writing() as db:
                purged = purging.purge(db, pixel, numbers[:limit], time)
            if len(numbers) <= limit:
                self._connections.forget_deleted()
            if purged:  # else another process was faster
                return purged

    def add_key(self, key: ApiKey) -> None:
        with self._connections.writing() as db:
            db.execute(
                f"INSERT INTO api_keys ({rows.KEY}) VALUES ({_marks(rows.KEY)})",
                (key.id, key.name, key.digest, to_milliseconds(key.created_at)),
            )

    def list_keys(self) -> list[ApiKey]:
        with self._connections.reading() as db:
            return [rows.to_key(row) for row in db.execute(f"SELECT {rows.KEY} FROM api_keys ORDER BY number")]

    def delete_key(self, key_id: str) -> ApiKey:
        with self._connections.writing() as db:
            found = db.execute(f"SELECT {rows.KEY} FROM api_keys WHERE id = ?", (key_id,)).fetchone()
            if found is None:
                raise KeyNotFound
            db.execute("DELETE FROM api_keys WHERE id = ?", (key_id,))
        return rows.to_key(found)

    def copy_to(self, file: Path) -> "SQLiteStorage":
        with self._connections.reading() as db:
            db.set_progress_handler(_go_on, _LOOK_EVERY)
            try:
                db.execute("VACUUM INTO ?", (str(file.absolute()),))
            finally:
                db.set_progress_handler(None, 0)
        return SQLiteStorage(file)

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
    """Do nothing but give the interpreter a turn, in which Ctrl-C interrupts what takes long."""


class _AlreadyThere(StorageError):
    """An open that is to be added is there."""


def _add_opens(db: sqlite3.Connection, pixel_id: str, batch: dict[str, Open]) -> int:
    """Add the opens of one pixel, given by their ids, and count them.

    Raises:
        _AlreadyThere: one of them is there.
    """
    found = db.execute("SELECT pixel, opens FROM pixels WHERE id = ?", (pixel_id,)).fetchone()
    if found is None:
        return 0
    pixel, last = found
    new = list(batch.values())
    times = [to_milliseconds(one.opened_at) for one in new]
    try:
        db.executemany(
            f"INSERT INTO opens ({rows.NEW_OPEN}) VALUES ({_marks(rows.NEW_OPEN)})",
            rows.from_opens(new, pixel, count(last + 1), times),
        )
    except sqlite3.IntegrityError as error:
        raise _AlreadyThere(f"SQLite: {error}") from error
    counts.add(db, pixel, Tally(new, times))
    return len(new)


def _pass_key_on(db: sqlite3.Connection, pixel: int, key: str) -> None:
    """Let an address find the next of several recipients that have it, which only data from before m005 have."""
    without = db.execute(
        "SELECT number, email FROM recipients WHERE pixel = ? AND email_key IS NULL ORDER BY number", (pixel,)
    ).fetchall()
    for number in [number for number, email in without if comparable(email) == key][:1]:
        db.execute(
            "UPDATE recipients SET email_key = ? WHERE pixel = ? AND number = ?"
            " AND NOT EXISTS (SELECT 1 FROM recipients WHERE pixel = ? AND email_key = ?)",
            (key, pixel, number, pixel, key),
        )


def _drop_present(db: sqlite3.Connection, pixel_id: str, batch: dict[str, Open]) -> None:
    """Drop from a batch the opens that are there."""
    for (present,) in db.execute(
        "SELECT o.id FROM json_each(?) w CROSS JOIN pixels p ON p.id = ?"
        " CROSS JOIN opens o ON o.pixel = p.pixel AND o.id = w.value",
        (json.dumps(list(batch)), pixel_id),
    ).fetchall():
        del batch[present]


def _require(row: Any) -> Any:
    if row is None:
        raise PixelNotFound
    return row


def _find_pixel(db: sqlite3.Connection, key: str) -> Any:
    return _require(db.execute(f"SELECT {rows.PIXEL} FROM pixels WHERE {_key_column(key)} = ?", (key,)).fetchone())


def _key_column(key: str) -> str:
    return "short_id" if len(key) == 8 else "id"


def _marks(columns: str) -> str:
    return ", ".join("?" * len(columns.split(",")))

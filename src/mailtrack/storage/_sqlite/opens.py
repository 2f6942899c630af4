"""Opens in tables: the only file that knows all columns of an open's row."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import count
from typing import Any

from mailtrack._errors import StorageError
from mailtrack._model import Client, Open, Page, Verdict, VerdictKind
from mailtrack._times import from_milliseconds, to_milliseconds
from mailtrack.storage import _cursors as cursors
from mailtrack.storage._counting.tallies import Tally
from mailtrack.storage._sqlite import counts, purging

_ROW = (
    "o.number, o.id, o.recipient, o.opened_at, o.ip, o.user_agent, o.referer, o.signs, o.networks, o.age, o.counted,"
    " o.verdict, o.vendor, o.reasons, o.certainty, o.rules_version, o.client, o.client_version, o.os, o.device"
)
_VERDICT_COLUMNS = 5
_INSERT = f"""
    INSERT INTO opens (
        pixel, number, id, recipient, opened_at, ip, user_agent, referer, signs, networks, age, counted,
        verdict, vendor, reasons, certainty, rules_version, client, client_version, os, device
    ) VALUES ({", ".join("?" * 21)})
"""


class AlreadyThere(StorageError):
    """One of the opens to be added is there already."""


def add(db: sqlite3.Connection, pixel_id: str, batch: dict[str, Open]) -> None:
    """Add the opens of one pixel, given by their ids, and count them. Without the pixel, empty the batch.

    Raises:
        AlreadyThere: one of them is there.
    """
    found = db.execute("SELECT pixel, opens FROM pixels WHERE id = ?", (pixel_id,)).fetchone()
    if found is None:
        batch.clear()
        return
    pixel, last = found
    new = list(batch.values())
    times = [to_milliseconds(one.opened_at) for one in new]
    try:
        db.executemany(_INSERT, _to_rows(new, pixel, count(last + 1), times))
    except sqlite3.IntegrityError as error:
        raise AlreadyThere(f"SQLite: {error}") from error
    counts.add(db, pixel, Tally(new, times))


def drop_present(db: sqlite3.Connection, pixel_id: str, batch: dict[str, Open]) -> None:
    """Drop from a batch, given by ids, the opens that are there."""
    for (present,) in db.execute(
        "SELECT o.id FROM json_each(?) w CROSS JOIN pixels p ON p.id = ?"
        " CROSS JOIN opens o ON o.pixel = p.pixel AND o.id = w.value",
        (json.dumps(list(batch)), pixel_id),
    ).fetchall():
        del batch[present]


def get_page(
    db: sqlite3.Connection,
    pixel_id: str,
    limit: int,
    last: int | None,
    *,
    skip: int,
    kind: VerdictKind | None,
    recipient_id: str | None,
) -> Page[Open]:
    """Return a page of a pixel's opens from a number on, or from the newest, downwards.

    The cursor is the newest open of the next page, so that a page begins with its own place.
    """
    found = db.execute("SELECT pixel, opens FROM pixels WHERE id = ?", (pixel_id,)).fetchone()
    if found is None:
        return Page(items=())
    pixel, newest = found
    last = newest if last is None else min(last, newest)
    last = purging.pass_over(db, pixel, last, skip) if skip else last
    index, condition, bound = "", "", []
    if kind is not None:
        index, condition, bound = "INDEXED BY opens_by_verdict", " AND o.verdict = ?", [kind.value]
    if recipient_id is not None:
        index, condition = "INDEXED BY opens_by_recipient", condition + " AND o.recipient = ?"
        bound.append(recipient_id)
    rows = db.execute(
        f"SELECT r.token, {_ROW} FROM opens o {index}"
        " LEFT JOIN recipients r ON r.pixel = o.pixel AND r.id = o.recipient"
        f" WHERE o.pixel = ? AND o.number <= ?{condition} ORDER BY o.number DESC LIMIT ?",
        (pixel, last, *bound, limit + 1),
    ).fetchall()
    return cursors.cut_page(((row[1], _to_open(row, pixel_id)) for row in rows), limit, begins_with_cursor=True)


def find(db: sqlite3.Connection, pixel: int, pixel_id: str, open_ids: Iterable[str]) -> list[Open]:
    """Return the opens that a pixel has of those with some ids, without their tokens."""
    found = db.execute(
        f"SELECT NULL, {_ROW} FROM json_each(?) w CROSS JOIN opens o ON o.pixel = ? AND o.id = w.value",
        (json.dumps(list(open_ids)), pixel),
    ).fetchall()
    return [_to_open(row, pixel_id) for row in found]


def judge(db: sqlite3.Connection, pixel: int, judged: Iterable[Open]) -> None:
    """Write the verdicts, clients, signals, networks, ages and weights of opens into their rows."""
    db.executemany(
        "UPDATE opens SET verdict = ?, vendor = ?, reasons = ?, certainty = ?, rules_version = ?,"
        " client = ?, client_version = ?, os = ?, device = ?, counted = ?, signs = ?, networks = ?, age = ?"
        " WHERE pixel = ? AND id = ?",
        (
            (
                *_from_verdict(one.verdict),
                *_from_client(one.client),
                one.counted,
                " ".join(one.signals),
                " ".join(one.networks),
                _from_age(one.age),
                pixel,
                one.id,
            )
            for one in judged
        ),
    )


def _to_open(row: Sequence[Any], pixel_id: str) -> Open:
    token, _, open_id, recipient_id, opened_at, ip, user_agent, referer, signals, networks, *judged = row
    age, counted, *judged = judged
    return Open(
        id=open_id,
        pixel_id=pixel_id,
        recipient_id=recipient_id,
        token=token,
        opened_at=from_milliseconds(opened_at),
        ip=ip,
        user_agent=user_agent,
        referer=referer,
        signals=tuple(signals.split()),
        networks=tuple(networks.split()),
        age=None if age is None else age / 1000,
        counted=bool(counted),
        verdict=_to_verdict(*judged[:_VERDICT_COLUMNS]),
        client=_to_client(*judged[_VERDICT_COLUMNS:]),
    )


def _to_rows(
    opens: Sequence[Open], pixel: int, numbers: Iterable[int], times: Iterable[int]
) -> Iterator[tuple[object, ...]]:
    """Yield the columns of each open, given their numbers and times in milliseconds."""
    alike: dict[tuple[int, int], tuple[object, ...]] = {}  # verdicts and clients are few objects: by identity
    for new, number, at in zip(opens, numbers, times, strict=False):
        key = (id(new.verdict), id(new.client))
        judged = alike.get(key)
        if judged is None:
            judged = alike[key] = (*_from_verdict(new.verdict), *_from_client(new.client))
        yield (
            pixel,
            number,
            new.id,
            new.recipient_id,
            at,
            new.ip,
            new.user_agent,
            new.referer,
            " ".join(new.signals),
            " ".join(new.networks),
            _from_age(new.age),
            new.counted,
            *judged,
        )


def _from_age(age: float | None) -> int | None:
    return None if age is None else round(age * 1000)


@lru_cache(maxsize=1024)
def _from_verdict(verdict: Verdict) -> tuple[object, ...]:
    return (
        verdict.kind.value,
        verdict.vendor,
        json.dumps(verdict.reasons),
        verdict.certainty.value if verdict.certainty else None,
        verdict.rules_version,
    )


@lru_cache(maxsize=1024)
def _from_client(client: Client) -> tuple[object, ...]:
    return (client.name, client.version, client.os, client.device)


@lru_cache(maxsize=1024)
def _to_verdict(kind: str, vendor: str | None, reasons: str, certainty: str | None, rules_version: int) -> Verdict:
    return Verdict(
        kind=kind,
        vendor=vendor,
        reasons=json.loads(reasons),
        certainty=certainty,
        rules_version=rules_version,
    )


@lru_cache(maxsize=1024)
def _to_client(name: str, version: str, os: str, device: str) -> Client:
    return Client(name=name, version=version, os=os, device=device)

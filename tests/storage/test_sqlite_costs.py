"""No statement costs more where there is more in the file, apart from those that are named here, each with its reason.

A tour calls all methods of the storage, with all filters, on a small file and on a large one; the instructions of
SQLite's machine are counted for each statement. So a statement that scans a table, sorts what it need not, or reads all
that a pixel owns is found, whatever index it uses.
"""

import inspect
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, get_args

import attrs
import pytest

from mailtrack import Pixel, PixelOrder, Recipient, RecipientState, Storage, Verdict, VerdictKind
from mailtrack._event import First
from mailtrack._webhook import Delivery, DeliveryState
from mailtrack.storage import SupportsBackup, SupportsFork, SupportsLocalFile, SupportsSettings, SupportsWebhooks
from mailtrack.storage._sqlite import SQLiteStorage, edges, erasure, feed, pixel_pages, recipients
from mailtrack.testing import (
    make_api_key,
    make_hit,
    make_image,
    make_open,
    make_pixel,
    make_recipient,
    make_recipients,
)
from mailtrack.testing._contract.helpers import make_judgement
from mailtrack.testing._factories import NOON, make_delivery, make_webhook

ALLOWED = {
    "FROM pixels p CROSS JOIN recipients r INDEXED BY": "a person is looked for in each pixel",
    "SELECT max(created_at), max(number) FROM recipients": "marks all recipients as sent; no other waits for it",
    "UPDATE recipients SET sent_at": "marks all recipients as sent, in steps",
    "SELECT r.created_at, r.sent_at": "marks all recipients as sent, in steps",
    "SELECT count(*) FILTER (WHERE opened_at < ?)": "counts what a purge would delete; no other waits for it",
    "SELECT number, opened_at FROM opens": "finds what a purge deletes; no other waits for it",
    "AND o.number NOT IN (SELECT value FROM json_each(?))": "finds the first and last open; no other waits for it",
    "INSERT INTO delays": "of delays there are some hundred buckets",
}
"""Parts of statements that cost more in a larger file, with the reason why they may."""

INHERENT = frozenset({"BEGIN", "BEGIN IMMEDIATE", "COMMIT"})
"""Statements whose cost is that of what was done before them."""

FREE = 300  # instructions
RATIO = 1.3


class CountingConnection(sqlite3.Connection):
    """Counts the instructions of each statement, and its callers'."""

    counts: ClassVar[Counter[str]]
    counting: ClassVar[bool] = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._statement = ""
        if self.counting:
            self.set_progress_handler(self._step, 1)

    def _step(self) -> None:
        self.counts[self._statement] += 1

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        self._statement = sql
        return super().execute(sql, *args)

    def executemany(self, sql: str, *args: Any) -> sqlite3.Cursor:
        self._statement = sql
        return super().executemany(sql, *args)


class Size(NamedTuple):
    """How much is in a file."""

    pixels: int
    recipients: int
    opens: int


SMALL, LARGE = Size(pixels=4, recipients=150, opens=300), Size(pixels=60, recipients=1800, opens=3600)


def _time(number: int, size: Size) -> datetime:
    """Return the time of an open: all are within ten hours."""
    return NOON + number * timedelta(hours=10) / size.opens


def _fill(storage: SQLiteStorage, size: Size) -> tuple[Pixel, list[Recipient]]:
    """Add pixels, and return one with recipients, of whom each has opened, within ten hours."""
    for number in range(size.pixels):
        storage.add_pixel(made := make_pixel(f"Mailing {number}"))
        storage.add_recipients(made.id, [make_recipient(made, "ann@example.org")])
    pixel = make_pixel("Newsletter", image="a.png")
    storage.add_pixel(pixel, make_image())
    people = storage.add_recipients(
        pixel.id,
        [
            make_recipient(pixel, f"r{n}@example.org", ref=f"INV-{n % 5}" if n % 2 else None)
            for n in range(size.recipients)
        ],
    )
    kinds = [VerdictKind.HUMAN, VerdictKind.PREFETCH, VerdictKind.SCANNER]
    opens = [
            make_open(
                pixel, people[n % len(people)], at=_time(n, size),
                verdict=Verdict(kind=kinds[n % 3]), counted=n % 3 == 0,
            )
            for n in range(size.opens)
    ]  # fmt: skip
    for start in range(0, len(opens), 3):
        storage.add_opens(opens[start : start + 3])
    _fill_outboxes(storage, size)
    return pixel, people


def _fill_outboxes(storage: SQLiteStorage, size: Size) -> None:
    """Add two webhooks, each with as many deliveries as there are opens: of every three, one is still pending."""
    for _ in range(2):
        storage.add_webhook(webhook := make_webhook())
        for _ in range(3):
            given = [make_delivery() for _ in range(size.opens // 3)]
            _fill_outbox(storage, webhook.id, given)
        ended = [one for one in storage.list_deliveries(webhook.id, limit=size.opens).items if int(one.id) % 3]
        settled = [attrs.evolve(one, state="delivered", ended_at=_time(int(one.id), size)) for one in ended]
        storage.settle_deliveries(webhook.id, settled)


def _fill_outbox(storage: SQLiteStorage, webhook_id: str, given: list[Delivery]) -> None:
    after = storage.get_webhook(webhook_id).after
    assert storage.fill_outbox(webhook_id, after=after, to=f"{after}0", deliveries=given)


def _tour(storage: SQLiteStorage, size: Size, pixel: Pixel, people: list[Recipient]) -> Iterator[str]:
    """Call all methods, with all filters, and yield the name of each."""

    def call(name: str, /, *args: Any, **kwargs: Any) -> str:
        getattr(storage, name)(*args, **kwargs)
        return name

    yield call("add_pixel", other := make_pixel("Other", image="b.png"), make_image())
    yield call("get_pixel", pixel.id)
    yield call("get_pixel", pixel.short_id)
    for archived in (False, True, None):
        yield call("list_pixels", limit=3, archived=archived)
        yield call("list_pixels", limit=3, archived=archived, search="mailing")
    yield call("list_pixels", limit=3, cursor=storage.list_pixels(limit=1).next)
    for order in get_args(PixelOrder):
        for archived in (False, True):
            page = partial(storage.list_pixels, limit=3, archived=archived, order=order)
            page(cursor=page(limit=1).next)
            page(search="mailing")
            page(since=NOON - timedelta(days=1), before=NOON + timedelta(days=1))
    yield call("update_pixel", other.id, name="Another", archived=True, note="note")
    yield call("get_image", pixel.id)
    given = make_recipients(pixel, [f"new{n}@example.org" for n in range(5)])
    yield call("add_recipients", pixel.id, given)
    yield call("add_recipients", pixel.id, [make_recipient(pixel, "new1@example.org", data={"a": 1}), *given[2:]])
    yield call("get_recipients", [one.id for one in people[:5]])
    after = storage.list_recipients(pixel.id, limit=30).next
    for cursor in (None, after):
        page = partial(call, "list_recipients", pixel.id, limit=10, cursor=cursor)
        yield page()
        yield page(search="r1")
        yield page(ref="INV-3")
        yield page(states=list(RecipientState))
    yield call("find_recipients", "r7@example.org", limit=10)
    yield call("find_recipients", "ann@example.org", limit=2)
    yield call(
        "find_recipients", "ann@example.org", limit=2, cursor=storage.find_recipients("ann@example.org", limit=2).next
    )
    yield call("mark_sent", pixel.id, [one.id for one in people[:5]], at=NOON)
    yield call("mark_sent", pixel.id, None, at=NOON)
    yield call("delete_recipient", people[9].id)
    yield call("erase", people[8].email)
    hits = [make_hit(pixel, token=one.token) for one in (*people[:5], people[8])]
    yield call("resolve", hits)
    new = [make_open(pixel, one, at=NOON + timedelta(hours=2)) for one in people[:10]]
    yield call("add_opens", new)
    yield call("add_opens", new)
    for first in get_args(First):
        events = storage.list_events(limit=5, first=first)
        yield call("list_events", limit=5, first=first, after=events.next)
    yield call("get_events", [one.cursor for one in events.items])
    yield call("get_feed_end")
    yield call("find_feed_place", since=_time(size.opens // 2, size))
    yield call("add_reader", "crm")
    yield call("take_reader", "crm", "a", now=NOON, until=NOON + timedelta(hours=1))
    yield call("move_reader", "crm", "a", storage.get_feed_end(), until=NOON)
    newest = storage.list_opens(pixel.id, limit=20)
    for options in (
        {},
        {"skip": 30},
        {"cursor": newest.next},
        {"kind": VerdictKind.HUMAN},
        {"recipient_id": people[0].id},
    ):
        yield call("list_opens", pixel.id, limit=10, **options)
    yield call("list_opens", pixel.id, limit=3, recipient_id=people[9].id)
    yield call("count_by_day", [pixel.id], since=NOON - timedelta(days=1))
    yield call("count_by_kind")
    yield call("get_figures", pixel.id, top=10)
    yield call("rejudge", pixel.id, [make_judgement(one, counted=False) for one in newest.items])
    yield call("count_opens", pixel.id, before=_time(10, size))
    for number in (10, 20):
        yield call("purge_opens", pixel.id, before=_time(number, size), limit=10)
    yield call("add_key", key := make_api_key())
    yield call("list_keys")
    yield call("delete_key", key.id)
    yield call("set_setting", "name", "value")
    yield call("get_setting", "name")
    yield call("set_setting", "name", None)
    yield from _tour_webhooks(storage, size)
    yield call("ping")
    yield call("delete_pixel", other.id)
    yield call("sweep")


def _tour_webhooks(storage: SQLiteStorage, size: Size) -> Iterator[str]:
    """Call all methods that are about webhooks, and yield the name of each."""

    def call(name: str, /, *args: Any, **kwargs: Any) -> str:
        getattr(storage, name)(*args, **kwargs)
        return name

    yield call("add_webhook", webhook := make_webhook())
    first = storage.list_webhooks()[0]
    yield "list_webhooks"
    yield call("get_webhook", first.id)
    yield call("change_webhook", first, attrs.evolve(first, replay_since=NOON))
    yield call("count_deliveries")
    for state in (None, *DeliveryState):
        for cursor in (None, storage.list_deliveries(first.id, limit=50).next):
            yield call("list_deliveries", first.id, limit=10, cursor=cursor, state=state)
    given = [make_delivery() for _ in range(10)]
    for _ in range(2):  # new ones, and a replay
        _fill_outbox(storage, first.id, given)
    yield "fill_outbox"
    times = {"now": NOON + timedelta(days=1), "until": NOON + timedelta(days=2)}
    taken = storage.take_deliveries(first.id, limit=10, **times)
    yield call("take_deliveries", first.id, limit=10, **times)
    yield call("settle_deliveries", first.id, [attrs.evolve(one, state="failed", ended_at=NOON) for one in taken])
    yield call("delete_deliveries", before=_time(20, size), limit=5)
    yield call("delete_deliveries", before=NOON - timedelta(days=1), limit=5)
    yield call("delete_webhook", webhook.id)


METHODS = {
    name
    for protocol in (Storage, SupportsBackup, SupportsFork, SupportsLocalFile, SupportsSettings, SupportsWebhooks)
    for name, _ in inspect.getmembers(protocol, inspect.isfunction)
    if not name.startswith("_")
} - {"close", "copy_to", "before_fork", "after_fork"}  # the copy is all that there is; the others use no statement


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> type[CountingConnection]:
    class Own(CountingConnection):
        counts: ClassVar[Counter[str]] = Counter()

    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Own))
    for module in (feed, pixel_pages, recipients):
        monkeypatch.setattr(module, "SEARCHED_AT_ONCE", 3)
    monkeypatch.setattr(edges, "_NEAR", 10)
    return Own


def _count(path: Path, size: Size, counting: type[CountingConnection]) -> Counter[str]:
    with SQLiteStorage(path) as storage:
        pixel, people = _fill(storage, size)
    counting.counts = Counter()
    with SQLiteStorage(path) as storage:
        counting.counting = True
        called = set(_tour(storage, size, pixel, people))
        counting.counting = False
    assert called == METHODS
    return counting.counts


def test_no_statement_costs_more_in_a_larger_file_without_a_reason(tmp_path: Path, counting) -> None:
    small, large = (_count(tmp_path / f"{size.opens}.db", size, counting) for size in (SMALL, LARGE))
    assert len(large) > 80
    more = {sql: (small[sql], cost) for sql, cost in large.items() if cost > RATIO * small[sql] + FREE}
    unnamed = {
        sql: costs for sql, costs in more.items() if sql not in INHERENT and not any(part in sql for part in ALLOWED)
    }
    assert "\n".join(f"{costs}: {sql}" for sql, costs in unnamed.items()) == ""
    assert [part for part in ALLOWED if not any(part in sql for sql in more)] == []


def test_the_index_by_address_which_sqlite_names_has_the_columns_that_it_is_used_for(path: Path) -> None:
    SQLiteStorage(path).close()
    with closing(sqlite3.connect(path)) as db:
        columns = [name for _, _, name in db.execute(f"PRAGMA index_info({erasure.BY_ADDRESS.split()[-1]})")]
    assert columns[:4] == ["pixel", "email_key", "ref", "spare"]

"""No request scans a table: what the server counts while each method runs."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from mailtrack import Pixel, Recipient, Storage
from mailtrack.storage import Judgement
from mailtrack.storage._postgres import PostgresStorage
from mailtrack.testing import make_hit, make_image, make_open, make_pixel
from mailtrack.testing._contract.full_scan import some_opens
from mailtrack.testing._contract.helpers import add_recipients, make_judgement
from mailtrack.testing._factories import NOON

_RECIPIENTS, _OPENS, _PIXELS = 3000, 4000, 300
_FEW = 400  # rows that a method may read of tables that have thousands, for pages of ten
_SMALL = {
    *("api_keys", "deleted_pixels", "deleted_webhooks", "erasing", "feed_base", "migrations", "readers", "settings"),
    *("totals", "webhooks"),
}

_MOST = {
    ("rejudge", "opens"): 4500,  # it looks for the first and the last that count among the nearest 2,001 opens
    ("rejudge", "judgements"): 4500,
}

_Call = Callable[[Storage, Pixel, list[Recipient]], object]

_CALLS: dict[str, _Call] = {
    "get_pixel": lambda storage, pixel, _: storage.get_pixel(pixel.short_id),
    "list_pixels": lambda storage, *_: storage.list_pixels(limit=10),
    "list_pixels all": lambda storage, *_: storage.list_pixels(limit=10, archived=None),
    "list_pixels by name": lambda storage, *_: storage.list_pixels(limit=10, order="name"),
    "list_pixels by opens": lambda storage, *_: storage.list_pixels(limit=10, order="opens"),
    "list_pixels by rate": lambda storage, *_: storage.list_pixels(limit=10, order="rate"),
    "list_pixels of a day": lambda storage, *_: storage.list_pixels(limit=10, since=NOON - timedelta(days=9)),
    "update_pixel": lambda storage, pixel, _: storage.update_pixel(pixel.id, note="A note."),
    "get_image": lambda storage, pixel, _: storage.get_image(pixel.id),
    "add_recipients": lambda storage, pixel, _: add_recipients(storage, pixel, 5),
    "get_recipients": lambda storage, _, recipients: storage.get_recipients([one.id for one in recipients[:5]]),
    "list_recipients": lambda storage, pixel, _: storage.list_recipients(pixel.id, limit=10),
    "list_recipients of a reference": lambda storage, pixel, _: storage.list_recipients(pixel.id, limit=10, ref="x"),
    "find_recipients": lambda storage, _, recipients: storage.find_recipients(recipients[7].email, limit=10),
    "mark_sent": lambda storage, pixel, some: storage.mark_sent(pixel.id, [one.id for one in some[:5]], at=NOON),
    "delete_recipient": lambda storage, _, recipients: storage.delete_recipient(recipients[8].id),
    "erase": lambda storage, _, recipients: storage.erase(recipients[9].email),
    "resolve": lambda storage, pixel, some: storage.resolve([make_hit(pixel, token=some[3].token)]),
    "add_opens": lambda storage, pixel, some: storage.add_opens([make_open(pixel, some[4]), make_open(pixel)]),
    "list_opens": lambda storage, pixel, _: storage.list_opens(pixel.id, limit=10),
    "list_opens far behind": lambda storage, pixel, _: storage.list_opens(pixel.id, limit=10, skip=3500),
    "list_opens of one": lambda storage, pixel, some: storage.list_opens(pixel.id, limit=10, recipient_id=some[2].id),
    "list_opens of a kind": lambda storage, pixel, _: storage.list_opens(pixel.id, limit=10, kind=None),
    "count_by_day": lambda storage, pixel, _: storage.count_by_day([pixel.id], since=NOON),
    "count_by_kind": lambda storage, *_: storage.count_by_kind(),
    "get_figures": lambda storage, pixel, _: storage.get_figures(pixel.id, top=10),
    "rejudge": lambda storage, pixel, _: _rejudge(storage, pixel),
    "purge_opens": lambda storage, pixel, _: storage.purge_opens(pixel.id, before=NOON + timedelta(days=99), limit=10),
    "list_events": lambda storage, *_: storage.list_events(limit=10),
    "get_feed_end": lambda storage, *_: storage.get_feed_end(),
    "find_feed_place": lambda storage, *_: storage.find_feed_place(since=NOON + timedelta(days=99)),
    "ping": lambda storage, *_: storage.ping(),
}


def _rejudge(storage: Storage, pixel: Pixel) -> int:
    last = storage.list_opens(pixel.id, limit=2).items
    judgements: list[Judgement] = [make_judgement(one, counted=False) for one in last]
    return storage.rejudge(pixel.id, judgements)


@pytest.fixture(scope="module")
def filled(tables: Callable[[], str]) -> tuple[str, Pixel, list[Recipient]]:
    url = tables()
    with PostgresStorage(url) as storage:
        pixel = make_pixel()
        storage.add_pixel(pixel, make_image())
        recipients = add_recipients(storage, pixel, _RECIPIENTS)
        storage.add_opens(some_opens(pixel, recipients, _OPENS))
        for _ in range(_PIXELS):
            storage.add_pixel(make_pixel())
    return url, pixel, recipients


@pytest.mark.parametrize("name", _CALLS)
def test_it_scans_no_table(filled: tuple[str, Pixel, list[Recipient]], server: Any, name: str) -> None:
    url, pixel, recipients = filled
    before = _read_counts(server)
    with PostgresStorage(url) as storage:  # its counts are known once it is closed
        _CALLS[name](storage, pixel, recipients)
    after = _read_counts(server)
    for table, (scanned, fetched) in after.items():
        if table not in _SMALL:
            assert scanned == before[table][0], f"{table} was scanned"
            assert fetched - before[table][1] <= _MOST.get((name, table), _FEW if table != "hours" else 1000), table


def _read_counts(server: Any) -> dict[str, tuple[int, int]]:
    with server.connect() as db:
        while db.execute("SELECT 1 FROM pg_stat_activity WHERE application_name = 'mailtrack'").fetchone():
            pass  # it is about to end
        rows = db.execute(
            "SELECT relname, seq_scan, coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables WHERE schemaname = 'shared'"
        ).fetchall()
    return {table: (scanned, fetched) for table, scanned, fetched in rows}

"""The tables of docs/storages.md that hold opens by month keep the contract as well."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from mailtrack import Storage
from mailtrack.storage._postgres import PostgresStorage
from mailtrack.testing import make_open, make_pixel
from mailtrack.testing._contract.deletion import DeletionContract
from mailtrack.testing._contract.erasure import ErasureContract
from mailtrack.testing._contract.feed import FeedContract
from mailtrack.testing._contract.helpers import all_opens
from mailtrack.testing._contract.opens import OpensContract
from mailtrack.testing._contract.purging import PurgingContract
from mailtrack.testing._contract.rejudging import RejudgingContract
from mailtrack.testing._factories import NOON

PAGE = (Path(__file__).parents[3] / "docs" / "storages.md").read_text(encoding="utf-8")
SCHEMA = "months"


def _sql(words: str) -> str:
    """Return the block with some words, for the schema of these tests, and with the time around which all happens."""
    (block,) = [one for one in re.findall(r"^```sql\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL) if words in one]
    block = block.replace("mailtrack", SCHEMA)
    return block.replace("2027-01-01 00:00Z", "2025-11-06 12:00Z").replace("2027-02-01 00:00Z", "2025-11-06 12:05Z")


@pytest.fixture(scope="session")
def months(server: Any) -> Callable[[], str]:
    """Empties tables of opens by month, and returns their URL."""
    tables: Callable[[], str] = server.make_tables(SCHEMA, _sql("PARTITION BY RANGE"))
    return tables


@pytest.fixture
def storage(months: Callable[[], str]) -> Iterator[Storage]:
    with PostgresStorage(months()) as storage:
        yield storage


class TestByMonth(OpensContract, PurgingContract, DeletionContract, ErasureContract, FeedContract, RejudgingContract):
    """The parts of the contract that are about opens."""


@pytest.fixture
def spread(storage: Storage) -> list[Any]:
    """Two pixels, each with opens before a month, in it and later."""
    pixels = [make_pixel() for _ in range(2)]
    for pixel in pixels:
        storage.add_pixel(pixel)
        storage.add_opens([make_open(pixel, at=NOON + timedelta(minutes=minute)) for minute in (-1, 0, 6)])
    return pixels


def test_the_opens_are_in_their_months(storage: Storage, spread: list[Any], server: Any) -> None:
    with server.connect() as db:
        found = db.execute(
            f"SELECT tableoid::regclass::text, count(*) FROM {SCHEMA}.opens GROUP BY 1 ORDER BY 1"
        ).fetchall()
    assert found == [(f"{SCHEMA}.{name}", 2) for name in ("opens_2027_01", "opens_before", "opens_later")]
    assert [len(all_opens(storage, pixel)) for pixel in spread] == [3, 3]


def test_a_deleted_pixel_takes_no_opens_of_others_along(storage: Storage, spread: list[Any]) -> None:
    """Rows of two partitions may have the same `ctid`."""
    deleted, kept = spread
    later = [make_open(deleted, at=NOON + timedelta(minutes=9, seconds=second)) for second in range(4)]
    storage.add_opens(later)
    storage.delete_pixel(deleted.id)
    while storage.sweep():
        pass
    assert len(all_opens(storage, kept)) == 3


def test_a_month_is_dropped_once_it_is_purged(server: Any) -> None:
    """The last test: these tables are its own."""
    drop = _sql("DROP TABLE").replace(SCHEMA, "dropped")
    empty = server.make_tables("dropped", _sql("PARTITION BY RANGE").replace(SCHEMA, "dropped"))
    with PostgresStorage(empty()) as storage, server.connect() as db:
        pixel = make_pixel()
        storage.add_pixel(pixel)
        storage.add_opens([make_open(pixel, at=NOON + timedelta(minutes=minute)) for minute in (-1, 0, 6)])
        with pytest.raises(psycopg.errors.RaiseException, match="not purged yet"):
            db.execute(drop)
        db.execute("ROLLBACK")
        before = NOON + timedelta(minutes=5)
        assert storage.purge_opens(pixel.id, before=before, limit=10) == 2
        db.execute(drop)
        late = make_open(pixel, at=NOON)
        assert storage.add_opens([late]) == [late]
        assert storage.get_pixel(pixel.id).opens.raw.number == 4
        assert len(all_opens(storage, pixel)) == 2

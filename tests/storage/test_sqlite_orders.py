"""Lists of pixels in an SQLite file: each page walks along an index, and reads no more pixels than it needs."""

import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest

from mailtrack.storage._pixel_orders import Choice
from mailtrack.storage._sqlite import SQLiteStorage, pixel_pages
from mailtrack.testing import make_pixel
from mailtrack.testing._factories import NOON


@pytest.fixture
def database(tmp_path):
    """A connection to a file with pixels, of which some are alike in everything that orders compare."""
    with SQLiteStorage(tmp_path / "mail.db") as storage:
        for number in range(40):
            storage.add_pixel(make_pixel(f"Mailing {number % 3}", at=NOON + timedelta(days=number % 3)))
    with closing(sqlite3.connect(tmp_path / "mail.db")) as database:
        yield database


@pytest.mark.parametrize("order", ["newest", "name", "opens", "rate"])
@pytest.mark.parametrize("days", [None, 1])
@pytest.mark.parametrize("search", [None, "mailing"])
@pytest.mark.parametrize("begun", [False, True])
def test_every_page_of_an_order_is_read_from_an_index_without_sorting(database, order, days, search, begun):
    since = None if days is None else NOON + timedelta(days=days)
    choice = Choice.of(order, search, False, since, None)
    _, cursor = pixel_pages.choose(database, choice, 10, None)
    statements = []
    database.set_trace_callback(statements.append)
    numbers, _ = pixel_pages.choose(database, choice, 10, cursor if begun else None)
    database.set_trace_callback(None)
    assert len(numbers) == 10
    for statement in statements:
        plan = [row[-1] for row in database.execute(f"EXPLAIN QUERY PLAN {statement}")]
        assert len(plan) == 1, plan
        assert plan[0].startswith("SEARCH pixels USING"), plan

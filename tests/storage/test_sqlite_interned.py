"""Agents and judgements are found again by digests that a client can't foresee."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mailtrack.storage._sqlite import SQLiteStorage
from mailtrack.testing import make_open, make_pixel


@pytest.mark.parametrize("table", ["agents", "judgements"])
def test_the_digest_of_a_row_is_another_in_each_pixel(path: Path, table: str) -> None:
    with SQLiteStorage(path) as storage:
        for pixel in (make_pixel(), make_pixel()):
            storage.add_pixel(pixel)
            storage.add_opens([make_open(pixel), make_open(pixel)])
    with closing(sqlite3.connect(path)) as db:
        found = db.execute(f"SELECT count(*), count(DISTINCT digest), min(opens) FROM {table}").fetchone()
    assert found == (2, 2, 2)

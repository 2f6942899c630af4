"""The queries of docs/many-nodes.md run as they are."""

import re
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[3] / "docs/many-nodes.md"
QUERIES = re.findall(r"^```sql\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)


def test_there_are_some() -> None:
    assert len(QUERIES) >= 5


@pytest.mark.parametrize("query", QUERIES, ids=range(len(QUERIES)))
@pytest.mark.usefixtures("url")
def test_each_runs_on_a_real_server(server: Any, query: str) -> None:
    with server.connect() as db:
        assert db.execute(query).description

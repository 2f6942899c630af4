"""The SQL of docs/many-nodes.md and docs/storages.md runs as it is."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from mailtrack.storage._postgres import PostgresStorage

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "storages.md").read_text(encoding="utf-8")


def _blocks(page: str) -> list[str]:
    return re.findall(r"^```sql\n(.*?)^```$", (DOCS / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


QUERIES = _blocks("many-nodes.md")
CREATION, _MONTHS, _DROP, DISTRIBUTION = _blocks("storages.md")  # test_months.py runs the second and the third
# In place of the functions of Citus, whose extension is not at hand: they take what those take, and note it.
CITUS = """
CREATE TEMPORARY TABLE taken (name text, key text, beside text);
CREATE FUNCTION pg_temp.create_reference_table(one regclass) RETURNS void
  LANGUAGE sql AS $$ INSERT INTO taken VALUES (one::text, NULL, NULL) $$;
CREATE FUNCTION pg_temp.create_distributed_table(one regclass, key text, colocate_with text) RETURNS void
  LANGUAGE sql AS $$ INSERT INTO taken VALUES (one::text, key, colocate_with) $$;
"""
KEYS = """
SELECT relname, attname FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
WHERE relnamespace = 'shared'::regnamespace AND indisunique
"""
REFERENCES = "SELECT conname FROM pg_constraint WHERE connamespace = 'shared'::regnamespace AND contype = 'f'"
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'shared'"


def test_there_are_some() -> None:
    assert len(QUERIES) >= 5


def test_no_other_page_has_any() -> None:
    pages = {page.name for page in DOCS.rglob("*.md") if _blocks(str(page))}
    assert pages == {"many-nodes.md", "storages.md"}


@pytest.mark.parametrize("query", QUERIES, ids=range(len(QUERIES)))
@pytest.mark.usefixtures("url")
def test_each_runs_on_a_real_server(server: Any, query: str) -> None:
    with server.connect() as db:
        assert db.execute(query).description


@pytest.fixture
def created(server: Any) -> Iterator[str]:
    """The URL of the database that the page makes, under names that the server does not have yet."""
    statements = CREATION.replace("mailtrack", "keeper").replace("mail ", "letters ").replace("'...'", "'safe'")
    with server.connect() as db:
        try:
            for statement in statements.split(";"):  # a database is made in no transaction with others
                db.execute(statement)
            yield f"postgresql://keeper:safe@127.0.0.1:{server.port}/letters"
        finally:
            db.execute("DROP DATABASE IF EXISTS letters WITH (FORCE)")
            db.execute("DROP ROLE IF EXISTS keeper")


def test_the_role_that_is_made_can_make_the_tables_in_its_database(created: str) -> None:
    with PostgresStorage(created) as storage:
        storage.ping()
    with psycopg.connect(created) as db:
        assert db.execute(
            "SELECT current_user, NOT rolsuper FROM pg_roles WHERE rolname = current_user"
        ).fetchall() == [("keeper", True)]


@pytest.mark.usefixtures("url")
def test_the_tables_that_citus_distributes_have_keys_that_begin_with_the_pixel(server: Any) -> None:
    with server.connect() as db:
        db.execute("SET search_path = shared, pg_temp")
        db.execute(CITUS)
        for statement in DISTRIBUTION.replace("mailtrack.", "shared.").split(";"):
            db.execute(statement.replace("create_", "pg_temp.create_"))  # functions of that schema need its name
        taken = {name: (key, beside) for name, key, beside in db.execute("SELECT * FROM taken").fetchall()}
        keys, tables = db.execute(KEYS).fetchall(), [name for (name,) in db.execute(TABLES)]
        assert db.execute(REFERENCES).fetchall() == []
    distributed = {name for name, (key, _) in taken.items() if key == "pixel"}
    assert {"opens", "recipients"} <= distributed
    assert taken["pixels"] == (None, None)
    assert {taken[name][1] for name in distributed - {"recipients"}} == {"shared.recipients"}
    assert [(name, column) for name, column in keys if name in distributed and column != "pixel"] == []
    assert distributed <= {name for name, _ in keys}
    (named,) = re.findall(r"All other tables stay on the coordinator:(.*?)\n\n", PAGE, re.DOTALL)
    assert set(re.findall(r"`(\w+)`", named)) == set(tables) - taken.keys()


@pytest.mark.usefixtures("url")
def test_every_table_of_what_pixels_own_is_distributed(server: Any) -> None:
    owned = "SELECT table_name FROM information_schema.columns WHERE table_schema = 'shared' AND column_name = 'pixel'"
    with server.connect() as db:
        found = {name for (name,) in db.execute(owned)}
    assert {name for name in found if f"'{name}'" not in DISTRIBUTION} == {
        "recipients",
        "pixels",
        "feed",
        "deleted_pixels",
    }

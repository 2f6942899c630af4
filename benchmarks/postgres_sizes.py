"""Bytes of an open and a recipient in PostgreSQL; opens in one table beside opens by month; what purging leaves.

A pixel gets a recipient for each two opens, with traffic that looks like mail over twelve months of thirty days, in the
batches of a drain. Then the opens of the first six months are purged, as `mailtrack purge` does.

    python benchmarks/postgres_sizes.py --opens 100000
"""

import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import attrs
import psycopg
from common import arguments, new_folder, print_table, seconds
from drain_once import SENT_AT
from file_sizes import IN_BATCH, MONTH_SECONDS, hits
from log_pages import ON_PAGE
from postgres_server import Server, new_server

from mailtrack import Hit, Pixel, Tracker, open_storage
from mailtrack._ids import new_open_id

MONTHS = 12
PURGED = 6
PAGE = Path(__file__).parents[1] / "docs" / "storages.md"
OWN = ("opens", "agents", "judgements"), ("recipients", "openers")
HEADER = (
    "opens in",
    "bytes an open",
    "bytes a recipient",
    "bytes of all, an open",
    "store: µs an open",
    "first page ms",
    "last page ms",
    "figures ms",
    "purge: opens a second",
    "MB of opens before",
    "after",
    "after VACUUM or DROP",
)


def bounds(month: int) -> tuple[int, int]:
    """Return the first millisecond of a month, and the first behind it."""
    return int((SENT_AT + month * MONTH_SECONDS) * 1000), int((SENT_AT + (month + 1) * MONTH_SECONDS) * 1000)


def divide(db: psycopg.Connection[tuple]) -> None:
    """Divide the opens by month: by the SQL of the docs, with a table for each month."""
    (found,) = [one for one in re.findall(r"```sql\n(.*?)```", PAGE.read_text(), re.DOTALL) if "BY RANGE" in one]
    begin, end = found.index("CREATE TABLE opens_2027_01"), found.index("CREATE TABLE opens_later")
    parts = [
        f"CREATE TABLE opens_{month} PARTITION OF opens FOR VALUES FROM ({first}) TO ({last});"
        for month in range(MONTHS)
        for first, last in [bounds(month)]
    ]
    upto = re.sub(r"TO \(extract.*\)", f"TO ({bounds(0)[0]})", found[:begin])
    db.execute(upto + "".join(parts) + found[end:])


def size(db: psycopg.Connection[tuple], *tables: str) -> int:
    """Return the bytes of tables with their indexes and partitions."""
    found = db.execute(
        "SELECT sum(pg_total_relation_size(relid)) FROM unnest(%s::text[]) name, LATERAL"
        " (SELECT ('mailtrack.' || name)::regclass UNION"
        " SELECT relid FROM pg_partition_tree(('mailtrack.' || name)::regclass)) t (relid)",
        (list(tables),),
    ).fetchone()
    return int(found[0]) if found else 0


def waiting(pixel: Pixel, tokens: list[str], opens: int) -> Iterator[Hit]:
    """Yield the hits of a mailing, of which as many come in each month."""
    for number, hit in enumerate(hits(pixel, tokens, opens)):
        at = hit.at + timedelta(seconds=number * MONTHS // opens * MONTH_SECONDS)
        yield attrs.evolve(hit, id=new_open_id(int(at.timestamp() * 1000)), at=at)


def middle(work: Callable[[], object]) -> str:
    return f"{sorted(seconds(work) for _ in range(9))[4] * 1000:.1f}"


def purge(tracker: Tracker, pixel: Pixel) -> float:
    """Purge the first months, and return how many opens a second."""
    before = datetime.fromtimestamp(bounds(PURGED)[0] / 1000, UTC)
    started, purged = time.perf_counter(), 0
    while some := tracker._storage.purge_opens(pixel.id, before=before, limit=1000):
        purged += some
    return purged / (time.perf_counter() - started)


def measure(server: Server, opens: int, *, by_month: bool) -> tuple[str, ...]:
    name = "months" if by_month else "one"
    with server.connect("postgres") as db:
        db.execute(f"CREATE DATABASE {name}")
    with open_storage(server.url(name)) as storage, server.connect(name) as db:
        if by_month:
            divide(db)
        tracker = Tracker(storage, base_url="https://mail.example.com")
        empty = db.execute("SELECT pg_database_size(current_database())").fetchall()[0][0]
        pixel = tracker.create_pixel("Newsletter")
        addresses = (f"name{number}@example.com" for number in range(opens // 2))
        tokens = [one.token for one in tracker.generate_tokens(pixel.id, addresses)]
        given = waiting(pixel, tokens, opens)
        spent = 0.0
        while batch := list(islice(given, IN_BATCH)):
            spent += seconds(lambda batch=batch: tracker.store(batch))
        db.execute("VACUUM ANALYZE")
        stored = tracker.get_pixel(pixel).opens.raw.number
        full = db.execute("SELECT pg_database_size(current_database())").fetchall()[0][0]
        of_opens, of_recipients = (size(db, *tables) for tables in OWN)
        pages = [
            middle(lambda skip=skip: storage.list_opens(pixel.id, limit=ON_PAGE, skip=skip))
            for skip in (0, stored - ON_PAGE)
        ]
        report = middle(lambda: storage.get_figures(pixel.id, top=10))
        before = size(db, "opens")
        rate = purge(tracker, pixel)
        after = size(db, "opens")
        if by_month:
            for month in range(PURGED):
                assert db.execute(f"SELECT FROM mailtrack.opens_{month}").fetchone() is None
                db.execute(f"DROP TABLE mailtrack.opens_{month}")
        else:
            db.execute("VACUUM")
        left = size(db, "opens")
    return (
        "months" if by_month else "one table",
        f"{of_opens / stored:.0f}",
        f"{of_recipients / len(tokens):.0f}",
        f"{(full - empty) / stored:.0f}",
        f"{spent / stored * 1e6:.0f}",
        *pages,
        report,
        f"{rate:,.0f}",
        *(f"{one / 1e6:.1f}" for one in (before, after, left)),
    )


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--opens", type=int, help="opens of the pixel  [default: 100,000]")
    options = parser.parse_args()
    opens = options.opens or (10_000 if options.quick else 100_000)
    with new_folder() as folder, new_server(folder) as server:
        rows = [measure(server, opens, by_month=by_month) for by_month in (False, True)]
    print_table(f"{opens:,} opens of one pixel", HEADER, rows)


if __name__ == "__main__":
    main()

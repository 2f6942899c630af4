"""The time to drain opens from the spool into SQLite, against a bare `executemany` of the same rows.

Ours reads the spool, looks up pixels and recipients, stores each open once, and counts opens by pixel, recipient and
hour. The bare script starts with finished rows, and inserts them into an identical table in transactions of the same
size, with the same SQLite settings. Each round has new files.
"""

import gc
import secrets
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from common import arguments, interleave, new_folder, open_tracker, print_table, ratio_rows, seconds

from mailtrack import Hit, Spool, open_storage
from mailtrack._ids import new_open_id
from mailtrack._ingest.drain import drain
from mailtrack._ingest.lines import make_line
from mailtrack._ingest.request import Request
from mailtrack._spool import Reader
from mailtrack._times import now, now_in_milliseconds, to_milliseconds
from mailtrack._tracker import Tracker
from mailtrack.storage._sqlite.connections import connect

OURS = "spool to storage"
RECIPIENTS = 10_000
USER_AGENT = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"


def make_hits(path: Path, number: int) -> list[Hit]:
    """Create a file with a pixel, and hits on it."""
    tracker = open_tracker(path)
    pixel = tracker.create_pixel("Newsletter")
    recipients = tracker.generate_tokens(pixel.id, (f"name{place}@example.com" for place in range(RECIPIENTS)))
    tokens = [recipients[place * 7919 % RECIPIENTS].token for place in range(number)]
    return [
        Hit(
            id=new_open_id(now_in_milliseconds()),
            pixel=pixel.short_id,
            token=token,
            at=now(),
            ip="192.0.2.1",
            user_agent=USER_AGENT,
        )
        for token in tokens
    ]


def copy(path: Path) -> Path:
    new = path.with_name(f"{secrets.token_hex(8)}.db")
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(new)) as target:
        source.backup(target)
    return new


def fill(spool: Spool, hits: Sequence[Hit]) -> None:
    spool.open()
    for hit in hits:
        request = Request(hit.pixel, hit.token, hit.ip, hit.user_agent)
        spool.append(make_line(hit.id, to_milliseconds(hit.at), request))
    spool.close()


def time_drain(path: Path, hits: Sequence[Hit]) -> float:
    spool = Spool(path.parent / secrets.token_hex(8))
    fill(spool, hits)
    with open_storage(f"sqlite:///{copy(path)}") as storage:
        taken = seconds(lambda: drain(Reader(spool.folder), Tracker(storage).store))
    shutil.rmtree(spool.folder)
    return taken


def time_store(path: Path, batches: Sequence[Sequence[Hit]]) -> float:
    with open_storage(f"sqlite:///{copy(path)}") as storage:
        store = Tracker(storage).store
        return seconds(lambda: [store(batch) for batch in batches])


def time_bare(path: Path, batches: Sequence[Sequence[tuple[object, ...]]]) -> float:
    insert = f"INSERT INTO opens VALUES ({', '.join('?' * len(batches[0][0]))})"

    def work(connection: sqlite3.Connection) -> None:
        for batch in batches:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(insert, batch)
            connection.execute("COMMIT")

    with closing(connect(copy(path))) as connection:
        return seconds(lambda: work(connection))


def batches_of(path: Path, hits: Sequence[Hit]) -> list[Sequence[Hit]]:
    """Return the batches in which the spool delivers these hits."""
    spool = Spool(path.parent / "sample")
    fill(spool, hits)
    batches: list[Sequence[Hit]] = []
    drain(Reader(spool.folder), batches.append)
    return batches


def to_rows(path: Path, batches: Sequence[Sequence[Hit]]) -> list[list[tuple[object, ...]]]:
    """Return the rows that these batches become."""
    with open_storage(f"sqlite:///{path}") as storage:
        for batch in batches:
            Tracker(storage).store(batch)
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT * FROM opens ORDER BY number")
        return [rows.fetchmany(len(batch)) for batch in batches]


def main() -> None:
    options = arguments(__doc__).parse_args()
    number = 10_000 if options.quick else 100_000
    with new_folder() as folder:
        path = folder / "pixels.db"
        hits = make_hits(path, number)
        batches = batches_of(path, hits)
        measures = {
            OURS: partial(time_drain, path, hits),
            "Tracker.store alone": partial(time_store, path, batches),
            "bare executemany": partial(time_bare, path, to_rows(copy(path), batches)),
        }
        gc.freeze()  # a draining process does not hold all hits in memory for the collector to traverse
        found = interleave(measures, rounds=3 if options.quick else 7)
    title = f"{number:,} opens in {len(batches)} batches, target 4.0 (0.25 of its speed)"
    print_table(title, ("what", "ms", "mailtrack is × this"), ratio_rows(found, OURS))


if __name__ == "__main__":
    main()

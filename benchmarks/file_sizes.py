"""What a database file of a given size carries: its bytes, and the seconds that draining, pages and the report take.

A file has a pixel for each 1,000,000 opens (`--in-pixel`), with traffic that looks like mail, and a recipient for each
two opens. The first pixel is drained, in the batches of a drain. The others are copies of it, made in SQL: that takes
minutes, not hours. Then 40,000 opens are drained into the newest pixel: their time is what the table shows of draining.

    python benchmarks/file_sizes.py --sizes 1000000 10000000 50000000
"""

import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from common import Client, arguments, new_folder, open_tracker, print_table, seconds
from copies import copy_pixel, filling
from drain_once import SENT_AT
from mail_traffic import traffic

from mailtrack import Hit, Pixel, Tracker, open_storage
from mailtrack._ids import new_open_id

IN_BATCH = 4000
BATCHES = 10
MONTH_SECONDS = 30 * 24 * 3600
HEADER = (
    "opens",
    "recipients",
    "MB",
    "bytes an open",
    "drain: CPU µs an open",
    "drain: ms a batch",
    "first page ms",
    "last page ms",
    "report ms",
    "find ms",
)


def hits(pixel: Pixel, tokens: list[str], opens: int, *, later: int = 0) -> Iterator[Hit]:
    """Yield the hits of a mailing to these recipients, so many seconds later."""
    for fetch in traffic(opens, len(tokens), seed=1 + later):
        at = int((SENT_AT + fetch.at + later) * 1000)
        yield Hit(
            id=new_open_id(at),
            pixel=pixel.short_id,
            token=tokens[fetch.recipient],
            at=datetime.fromtimestamp(at / 1000, UTC),
            ip=fetch.ip,
            user_agent=fetch.user_agent,
            referer=fetch.referer,
            signals=fetch.signals,
        )


def bytes_of_opens(path: Path) -> int:
    """Return the bytes of the tables and indexes of opens."""
    with closing(sqlite3.connect(path)) as db:
        found = db.execute(
            "SELECT sum(pgsize) FROM dbstat WHERE name IN (SELECT name FROM sqlite_master"
            " WHERE tbl_name IN ('opens', 'agents', 'judgements'))"
        ).fetchone()
    return int(found[0])


def drain(tracker: Tracker, waiting: Iterator[Hit]) -> tuple[float, float, int]:
    """Drain hits, and return the seconds of CPU, those that went by, and the number of batches."""
    cpu = wall = 0.0
    batches = 0
    while batch := list(islice(waiting, IN_BATCH)):
        start, began = time.process_time(), time.perf_counter()
        tracker.store(batch)
        cpu += time.process_time() - start
        wall += time.perf_counter() - began
        batches += 1
    return cpu, wall, batches


def middle(work: Callable[[], object]) -> str:
    return f"{sorted(seconds(work) for _ in range(9))[4] * 1000:.2f}"


def fill(path: Path, opens: int) -> list[str]:
    """Create a file with a pixel that has some opens, all drained, and return its tokens."""
    with open_storage(f"sqlite:///{path}") as storage:
        tracker = Tracker(storage)
        pixel = tracker.create_pixel("Newsletter")
        addresses = (f"name{number}@example.com" for number in range(opens // 2))
        tokens = [one.token for one in tracker.generate_tokens(pixel.id, addresses)]
        drain(tracker, hits(pixel, tokens, opens))
    return tokens


def measure(path: Path, tokens: list[str], opens: int) -> tuple[str, ...]:
    """Return the row of the table for a file."""
    tracker = open_tracker(path)
    pixel = next(tracker.iter_pixels())
    size = bytes_of_opens(path)
    stored = sum(one.opens.raw.number for one in tracker.iter_pixels())
    recipients = sum(one.recipients for one in tracker.iter_pixels())
    cpu, wall, batches = drain(tracker, hits(pixel, tokens, BATCHES * IN_BATCH, later=MONTH_SECONDS))
    client = Client(tracker)
    pages = [
        middle(lambda page=page: client.request("GET", f"/logs/{pixel.short_id}?page={page}"))
        for page in (1, pixel.opens.raw.number // 50)
    ]
    report = middle(lambda: client.request("GET", f"/api/v1/pixels/{pixel.short_id}/report"))
    find = middle(lambda: tracker.find_recipients(f"name{len(tokens) // 2}@example.com"))
    tracker._storage.close()
    figures = (f"{opens:,}", f"{recipients:,}", f"{path.stat().st_size / 1e6:,.0f}", f"{size / stored:.0f}")
    draining = (f"{cpu / batches / IN_BATCH * 1e6:.0f}", f"{wall / batches * 1e3:.0f}")
    return (*figures, *draining, *pages, report, find)


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--sizes", type=int, nargs="+", help="opens of the file, in rising order")
    parser.add_argument("--in-pixel", type=int, help="opens of each pixel  [default: 1,000,000]")
    options = parser.parse_args()
    sizes = options.sizes or ([10_000, 20_000] if options.quick else [1_000_000, 10_000_000])
    in_pixel = options.in_pixel or min(sizes[0], 1_000_000)
    with new_folder() as folder:
        path = folder / "sizes.db"
        tokens = fill(path, in_pixel)
        rows, pixels = [], 1
        for opens in sizes:
            started = time.perf_counter()
            while pixels < opens // in_pixel:
                with filling(path) as db:
                    copy_pixel(db, 1)
                pixels += 1
            print(f"{opens:,} opens: copied in {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
            rows.append(measure(path, tokens, opens))
            print(*rows[-1], file=sys.stderr, flush=True)
    print_table(f"A file of pixels with {in_pixel:,} opens each", HEADER, rows)


if __name__ == "__main__":
    main()

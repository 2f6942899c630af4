"""What a database file of a given size carries: its bytes, and the seconds that draining, pages and the report take.

Each size is a pixel of its own, all in one file, with traffic that looks like mail, in the batches of a drain, and a
recipient for each two opens.

    python benchmarks/file_sizes.py --sizes 1000000 10000000
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from common import Client, arguments, new_folder, open_tracker, print_table, seconds
from drain_once import SENT_AT
from mail_traffic import traffic

from mailtrack import Hit, Pixel, Tracker
from mailtrack._ids import new_open_id

IN_BATCH = 4000
HEADER = (
    "opens",
    "recipients",
    "MB",
    "bytes an open",
    "drain: CPU µs an open",
    "first page ms",
    "last page ms",
    "report ms",
)


def hits(pixel: Pixel, tokens: list[str], opens: int) -> Iterator[Hit]:
    """Yield the hits of a mailing to these recipients."""
    for fetch in traffic(opens, len(tokens)):
        at = int((SENT_AT + fetch.at) * 1000)
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


def middle(client: Client, path: str) -> str:
    return f"{sorted(seconds(lambda: client.request('GET', path)) for _ in range(9))[4] * 1000:.1f}"


def measure(tracker: Tracker, path: Path, opens: int) -> tuple[str, ...]:
    """Add a pixel with so many opens, and return the row of the table."""
    pixel = tracker.create_pixel(f"Newsletter to {opens // 2:,}")
    people = tracker.generate_tokens(pixel.id, (f"name{number}@example.com" for number in range(opens // 2)))
    tokens = [one.token for one in people]
    del people
    waiting, cpu = hits(pixel, tokens, opens), 0.0
    before = bytes_of_opens(path)
    while batch := list(islice(waiting, IN_BATCH)):
        start = time.process_time()
        tracker.store(batch)
        cpu += time.process_time() - start
    client = Client(tracker)
    size = bytes_of_opens(path) - before
    pages = [middle(client, f"/logs/{pixel.short_id}?page={page}") for page in (1, opens // 50)]
    report = middle(client, f"/api/v1/pixels/{pixel.short_id}/report")
    figures = (f"{opens:,}", f"{opens // 2:,}", f"{path.stat().st_size / 1e6:,.0f}", f"{size / opens:.0f}")
    return (*figures, f"{cpu / opens * 1e6:.0f}", *pages, report)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=None, help="numbers of opens, each in a pixel of its own"
    )
    options = parser.parse_args()
    sizes = options.sizes or ([10_000] if options.quick else [1_000_000, 10_000_000])
    with new_folder() as folder:
        tracker = open_tracker(folder / "sizes.db")
        rows = [measure(tracker, folder / "sizes.db", opens) for opens in sizes]
    print_table("A file of pixels, each with so many opens; the file grows from row to row", HEADER, rows)


if __name__ == "__main__":
    main()

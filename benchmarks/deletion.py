"""How long others wait while a pixel with many opens is deleted or purged, and how long that takes.

A second process writes a row every 20 ms, and measures how long it waits for the lock. Its waits while nothing is
deleted are the base line: they are those of the machine and its disk. The comparand deletes the pixel in one
transaction, by foreign keys, as older code did.
"""

import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from statistics import median

import attrs
from common import arguments, new_folder, open_tracker, print_table, seconds

from mailtrack import Open, Pixel, Recipient, Tracker
from mailtrack.storage._sqlite import SQLiteStorage
from mailtrack.storage._sqlite.connections import connect
from mailtrack.testing import make_open

AGENTS = 300
AT_ONCE = 10_000
LONG = timedelta(days=10_000)

WRITER = """
import select, sys, time
from pathlib import Path
from mailtrack.storage._sqlite.connections import connect
db = connect(Path(sys.argv[1]))
db.execute("PRAGMA busy_timeout = 600000")
print("ready", flush=True)
waits = []
while not select.select([sys.stdin], [], [], 0.02)[0]:
    began = time.perf_counter()
    db.execute("BEGIN IMMEDIATE")
    waits.append(time.perf_counter() - began)
    db.execute("INSERT OR REPLACE INTO settings (name, value) VALUES ('benchmark', ?)", (str(began),))
    db.execute("COMMIT")
print(*waits)
"""


def fill(path: Path, opens: int) -> None:
    """Create a file with a pixel that has some opens, by a tenth as many recipients, and their agents and addresses."""
    tracker = open_tracker(path)
    pixel = tracker.create_pixel("Newsletter")
    recipients = tracker.generate_tokens(pixel, (f"name{place}@example.com" for place in range(opens // 10)))
    chance = random.Random(1)
    storage = tracker._storage
    for start in range(0, opens, AT_ONCE):
        storage.add_opens([_open(pixel, recipients, chance, n) for n in range(start, min(start + AT_ONCE, opens))])
    storage.close()


def _open(pixel: Pixel, recipients: list[Recipient], chance: random.Random, number: int) -> Open:
    agent = f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/{chance.randrange(AGENTS)}.0.0.0"
    at = pixel.created_at + timedelta(seconds=number / 10)
    return attrs.evolve(make_open(pixel, chance.choice(recipients), at=at), user_agent=agent)


class Measured:
    """The waits of the other process, in seconds, and how long some work took."""

    def __init__(self, path: Path, work: Callable[[], object]) -> None:
        other = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert other.stdout is not None
        other.stdout.readline()  # "ready"
        self.seconds = seconds(work)
        written, _ = other.communicate("stop")
        self.waits = [float(wait) for wait in written.split()]

    def row(self, name: str) -> tuple[str, ...]:
        high = sorted(self.waits)[len(self.waits) * 99 // 100]
        waits = (f"{1000 * wait:,.0f}" for wait in (median(self.waits), high, max(self.waits)))
        return name, f"{self.seconds:,.1f}", *waits


def find_largest(tracker: Tracker) -> Pixel:
    return max(tracker.iter_pixels(), key=lambda pixel: pixel.opens.raw.number)


def delete_in_one_transaction(path: Path, pixel: Pixel) -> None:
    with closing(connect(path)) as db:
        db.execute("PRAGMA busy_timeout = 600000")
        db.execute("DELETE FROM pixels WHERE id = ?", (pixel.id,))
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--opens", type=int, default=300_000, help="opens of the pixel  [default: 300,000]")
    parser.add_argument("--database", type=Path, help="use copies of this file, and its pixel with the most opens")
    given = parser.parse_args()
    with new_folder() as folder:
        source = given.database or folder / "source.db"
        if given.database is None:
            fill(source, given.opens // (10 if given.quick else 1))
        path, rows = folder / "mail.db", []

        def measure(name: str, work: Callable[[Tracker, Pixel], object]) -> None:
            path.unlink(missing_ok=True)
            shutil.copyfile(source, path)
            with SQLiteStorage(path) as storage:
                tracker = Tracker(storage)
                pixel = find_largest(tracker)
                rows.append(Measured(path, lambda: work(tracker, pixel)).row(name))
            rows[-1] += (f"{path.stat().st_size / 2**20:,.0f}",)

        measure("nothing is deleted", lambda *_: time.sleep(5))
        measure("deletion until it is gone from sight", lambda tracker, pixel: tracker._storage.delete_pixel(pixel.id))
        measure("deletion, all steps", lambda tracker, pixel: tracker.delete_pixel(pixel))
        measure("deletion in one transaction", lambda _, pixel: delete_in_one_transaction(path, pixel))
        measure("purge of all opens", lambda tracker, pixel: sum(purge(tracker, pixel)))
        size = source.stat().st_size / 2**20
    title = f"Others' waits, in ms; the file has {size:,.0f} MiB before"
    print_table(title, ("While", "seconds", "median", "99 %", "longest", "MiB after"), rows)


def purge(tracker: Tracker, pixel: Pixel) -> object:
    newest = pixel.opens.raw.last or tracker.now()
    later = Tracker(tracker._storage, clock=lambda: newest + LONG)
    return later.plan_purge(before=newest + LONG / 2, pixel=pixel).run()


if __name__ == "__main__":
    main()

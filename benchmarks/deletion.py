"""How long others wait while much is changed at once, and how long that takes.

A second process writes a row every 20 ms, and measures how long it waits for the lock. Its waits while nothing is
changed are the base line: they are those of the machine and its disk. A wait may be longer than any step, which is what
the lock is held for: SQLite has a waiting process look again after up to 100 ms only.

    python benchmarks/deletion.py                 a pixel with many opens is deleted, and purged; the comparand deletes
                                                  it in one transaction, by foreign keys, as older code did
    python benchmarks/deletion.py --what erase    a person is erased who has opened very often, and an ordinary one
    python benchmarks/deletion.py --what sent     all recipients of a pixel are marked as sent
"""

import os
import random
import shutil
import subprocess
import sys
import time
from argparse import RawDescriptionHelpFormatter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from statistics import median

import attrs
from common import arguments, new_folder, open_tracker, print_table, seconds
from copies import copy_opens, filling

from mailtrack import Open, Pixel, Recipient, Tracker
from mailtrack.storage._sqlite import SQLiteStorage
from mailtrack.storage._sqlite.connections import connect
from mailtrack.storage._sqlite.sweeping import Pace
from mailtrack.testing import make_open

AGENTS = 300
FILLED_AT_MOST = 1_000_000  # opens that are added; more are copied in SQL
MAILS = 100  # of the ordinary person
OPENS_OF_MAIL = 50
COMPARAND = "deletion in one transaction"
OFTEN, ORDINARY = "often@example.org", "ordinary@example.org"
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


def fill_deletion(path: Path, opens: int) -> None:
    """Create a file with a pixel that has some opens, by a tenth as many recipients, and their agents and addresses."""
    added = min(opens, FILLED_AT_MOST)
    tracker = open_tracker(path)
    pixel = tracker.create_pixel("Newsletter")
    recipients = tracker.generate_tokens(pixel, (f"name{place}@example.com" for place in range(added // 10)))
    _add_opens(tracker, pixel, recipients, added)
    tracker._storage.close()
    if opens > added:
        with filling(path) as db:
            copy_opens(db, 1, opens // added - 1)


def fill_erase(path: Path, opens: int) -> None:
    """Create a file with an address that has some opens of one mail, one that has some of many mails, and others."""
    tracker = open_tracker(path)
    pixel = tracker.create_pixel("Newsletter")
    others = tracker.generate_tokens(pixel, (f"name{place}@example.com" for place in range(opens // 10)))
    _add_opens(tracker, pixel, others, opens // 10)
    _add_opens(tracker, pixel, tracker.generate_tokens(pixel, [OFTEN]), opens)
    for number in range(MAILS):
        pixel = tracker.create_pixel(f"Mail {number}")
        _add_opens(tracker, pixel, tracker.generate_tokens(pixel, [ORDINARY]), OPENS_OF_MAIL)
    tracker._storage.close()


def fill_sent(path: Path, recipients: int) -> None:
    """Create a file with a pixel that has some recipients, of whom a fifth has opened."""
    tracker = open_tracker(path)
    pixel = tracker.create_pixel("Newsletter")
    found = tracker.generate_tokens(pixel, (f"name{place}@example.com" for place in range(recipients)))
    _add_opens(tracker, pixel, found[::5], recipients // 5)
    tracker._storage.close()


def _add_opens(tracker: Tracker, pixel: Pixel, recipients: list[Recipient], opens: int) -> None:
    chance = random.Random(1)
    for start in range(0, opens, AT_ONCE):
        some = [_open(pixel, recipients, chance, n) for n in range(start, min(start + AT_ONCE, opens))]
        tracker._storage.add_opens(some)


def _open(pixel: Pixel, recipients: list[Recipient], chance: random.Random, number: int) -> Open:
    agent = f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/{chance.randrange(AGENTS)}.0.0.0"
    at = pixel.created_at + timedelta(seconds=number / 10)
    return attrs.evolve(make_open(pixel, chance.choice(recipients), at=at), user_agent=agent)


class TimedPace(Pace):
    """A pace that remembers how long the longest step took, with its commit.

    Attributes:
        longest: of all paces, in seconds.
    """

    longest = 0.0

    @contextmanager
    def step(self) -> Iterator[float]:
        began = time.perf_counter()
        with super().step() as until:
            yield until
        TimedPace.longest = max(TimedPace.longest, time.perf_counter() - began)


class Measured:
    """The waits of the other process, in seconds, the longest step, and how long some work took."""

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
        times = (median(self.waits), high, max(self.waits), TimedPace.longest)
        waits = (f"{1000 * wait:,.0f}" for wait in times)
        return name, f"{self.seconds:,.1f}", *waits


def find_largest(tracker: Tracker) -> Pixel:
    return max(tracker.iter_pixels(), key=lambda pixel: pixel.opens.raw.number)


def delete_in_one_transaction(path: Path, pixel: Pixel) -> None:
    with closing(connect(path)) as db:
        db.execute("PRAGMA busy_timeout = 600000")
        db.execute("DELETE FROM pixels WHERE id = ?", (pixel.id,))
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()


def delete(path: Path) -> dict[str, Callable[[Tracker, Pixel], object]]:
    return {
        "deletion until it is gone from sight": lambda tracker, pixel: tracker._storage.delete_pixel(pixel.id),
        "deletion, all steps": lambda tracker, pixel: tracker.delete_pixel(pixel),
        COMPARAND: lambda _, pixel: delete_in_one_transaction(path, pixel),
        "purge of all opens": lambda tracker, pixel: sum(purge(tracker, pixel)),
    }


def erase(path: Path) -> dict[str, Callable[[Tracker, Pixel], object]]:
    def erase_all(tracker: Tracker, email: str) -> None:
        print(tracker.erase(email), file=sys.stderr)
        files = (path, path.with_name(f"{path.name}-wal"))
        left = [one.read_bytes().count(email.encode()) for one in files]
        print("The address is left, in split pages:", *left, file=sys.stderr)  # see docs/security.md

    return {
        "erasing an ordinary person until out of sight": lambda tracker, _: tracker._storage.erase(ORDINARY),
        "erasing an ordinary person until no byte is left": lambda tracker, _: erase_all(tracker, ORDINARY),
        "erasing who opened often until out of sight": lambda tracker, _: tracker._storage.erase(OFTEN),
        "erasing who opened often until no byte is left": lambda tracker, _: erase_all(tracker, OFTEN),
    }


def send(path: Path) -> dict[str, Callable[[Tracker, Pixel], object]]:
    del path
    return {
        "marking all as sent": lambda tracker, pixel: tracker.mark_sent(pixel),
        "marking all as sent again, by their ids": lambda tracker, pixel: tracker.mark_sent(
            pixel, tracker.iter_recipients(pixel)
        ),
    }


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.formatter_class = RawDescriptionHelpFormatter
    parser.add_argument(
        "--opens", type=int, default=300_000, help="opens, or recipients to send to  [default: 300,000]"
    )
    parser.add_argument("--database", type=Path, help="use copies of this file, and its pixel with the most opens")
    parser.add_argument("--what", choices=("delete", "erase", "sent"), default="delete")
    parser.add_argument("--without-comparand", action="store_true", help="without the deletion in one transaction")
    given = parser.parse_args()
    fill, measures = {"delete": (fill_deletion, delete), "erase": (fill_erase, erase), "sent": (fill_sent, send)}[
        given.what
    ]
    with new_folder() as folder:
        source = given.database or folder / "source.db"
        if not source.exists():
            fill(source, given.opens // (10 if given.quick else 1))
        path, rows = folder / "mail.db", []
        for name, work in {"nothing is changed": lambda *_: time.sleep(5), **measures(path)}.items():
            if given.without_comparand and name == COMPARAND:
                continue
            path.unlink(missing_ok=True)
            shutil.copyfile(source, path)
            os.sync()  # else the first commit waits until the copy is on the disk
            TimedPace.longest = 0.0
            with SQLiteStorage(path) as storage:
                storage._pace = TimedPace()
                tracker = Tracker(storage)
                pixel = find_largest(tracker)
                rows.append(Measured(path, partial(work, tracker, pixel)).row(name))
            rows[-1] += (f"{path.stat().st_size / 2**20:,.0f}",)
            print(*rows[-1], file=sys.stderr, flush=True)
        size = source.stat().st_size / 2**20
    title = f"Others' waits, in ms; the file has {size:,.0f} MiB before"
    print_table(title, ("While", "seconds", "median", "99 %", "longest", "longest step", "MiB after"), rows)


def purge(tracker: Tracker, pixel: Pixel) -> object:
    newest = pixel.opens.raw.last or tracker.now()
    later = Tracker(tracker._storage, clock=lambda: newest + LONG)
    return later.plan_purge(before=newest + LONG / 2, pixel=pixel).run()


if __name__ == "__main__":
    main()

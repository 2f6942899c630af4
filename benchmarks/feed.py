"""Reading the feed: 1,000,000 events, page by page, against a bare `SELECT` of the same rows.

Each run is a process of its own, so that its memory contains nothing else.

    python benchmarks/feed.py --what adding   # instead: what the feed adds to storing an open, in CPU
"""

import argparse
import json
import sqlite3
import subprocess
import sys
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from statistics import fmean, median
from time import perf_counter, thread_time
from unittest.mock import patch

import psutil
from common import arguments, interleave, new_folder, open_tracker, print_table, ratio_rows
from drain_once import SENT_AT
from mail_traffic import Fetch, traffic

from mailtrack import Client, Open, Pixel, Recipient, Storage, Verdict, open_storage
from mailtrack._ids import new_open_id
from mailtrack.storage._sqlite import feed_rows
from mailtrack.storage._sqlite import opens as open_rows

OURS, BARE = "list_events, page by page", "bare SELECT"
FULL_SIZE = 1_000_000
IN_BATCH = 2000
BATCHES = {"8,000 opens of a pixel (2 MiB)": (8000, 1, 4), "20 opens of 5 pixels": (20, 5, 200)}
LIMIT = 1000
RECIPIENTS = 5  # for each open, as in `drain.py`
KINDS = [Verdict(kind="human"), Verdict(kind="prefetch", vendor="Apple"), Verdict(kind="proxy", vendor="Google")]

# All columns of an event, in the same order, as a program of one's own would select them.
QUERY = """
    SELECT f.place, o.number, o.firsts, o.opened_at, o.shift, o.rest, o.ip, o.age, o.referer,
        a.user_agent, a.client, a.client_version, a.os, a.device,
        j.verdict, j.vendor, j.reasons, j.certainty, j.rules_version, j.counted, j.signals, j.networks,
        p.id, p.name, p.created_at, r.id, r.email, r.ref, r.data, r.token, r.created_at, r.sent_at, r.prefetches,
        r.counted, r.first_counted_at, r.last_counted_at, r.opens, r.first_opened_at, r.last_opened_at
    FROM feed f
    CROSS JOIN pixels p ON p.pixel = f.pixel
    CROSS JOIN opens o ON o.pixel = f.pixel AND o.number BETWEEN f.first AND f.last
    CROSS JOIN agents a ON a.pixel = o.pixel AND a.agent = o.agent
    CROSS JOIN judgements j ON j.pixel = o.pixel AND j.judgement = o.judgement
    LEFT JOIN recipients r ON r.pixel = o.pixel AND r.number = o.recipient
    ORDER BY f.place, o.number
"""


def fill(path: Path, number: int) -> None:
    """Create a file with one pixel and opens that look like mail."""
    tracker = open_tracker(path)
    pixel = tracker.create_pixel("Newsletter")
    recipients = RECIPIENTS * number // 2
    people = tracker.generate_tokens(pixel, (f"name{place}@example.com" for place in range(recipients)))
    fetches = traffic(number, recipients)
    with open_storage(f"sqlite:///{path}") as storage:
        while some := list(islice(fetches, IN_BATCH)):
            _add(storage, pixel, people, some)


def _add(storage: Storage, pixel: Pixel, people: list[Recipient], fetches: list[Fetch]) -> None:
    storage.add_opens([_to_open(fetch, pixel, people) for fetch in fetches])


def _to_open(fetch: Fetch, pixel: Pixel, people: list[Recipient]) -> Open:
    at = int((SENT_AT + fetch.at) * 1000)
    verdict = KINDS[len(fetch.user_agent) % len(KINDS)]
    return Open(
        id=new_open_id(at),
        pixel_id=pixel.id,
        recipient_id=people[fetch.recipient].id,
        opened_at=datetime.fromtimestamp(at / 1000, UTC),
        ip=fetch.ip,
        user_agent=fetch.user_agent,
        referer=fetch.referer,
        age=60.0,
        verdict=verdict,
        client=Client(name=fetch.user_agent[:20]),
        counted=verdict.kind != "prefetch",
    )


def read_ours(path: Path) -> dict[str, float]:
    """Read all events, and return the time, their number and the growth of memory."""
    process = psutil.Process()
    with open_storage(f"sqlite:///{path}") as storage:
        page = storage.list_events(limit=LIMIT)
        before = most = process.memory_info().rss
        start, events, pages = perf_counter(), 0, 0
        after = None
        while (page := storage.list_events(limit=LIMIT, after=after)).next != after or page.items:
            events, pages, after = events + len(page.items), pages + 1, page.next
            if pages % 50 == 0:
                most = max(most, process.memory_info().rss)
        return {"total": perf_counter() - start, "events": events, "growth": most - before}


def read_bare(path: Path) -> dict[str, float]:
    """Go through the same rows as tuples."""
    with closing(sqlite3.connect(path)) as db:
        start, events = perf_counter(), 0
        for _ in db.execute(QUERY):
            events += 1
        return {"total": perf_counter() - start, "events": events, "growth": 0}


READ = {OURS: read_ours, BARE: read_bare}


def run_alone(name: str, path: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--run", name, str(path)]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def compare(number: int, rounds: int) -> None:
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in READ}

    def measure(name: str) -> float:
        runs[name].append(run_alone(name, path))
        if runs[name][-1]["events"] != number:
            raise SystemExit(f"{name}: {runs[name][-1]['events']:,} of {number:,} events were read.")
        return runs[name][-1]["total"]

    with new_folder() as folder:
        path = folder / "feed.db"
        fill(path, number)
        found = interleave({name: lambda name=name: measure(name) for name in READ}, rounds)
    print_table(f"Reading {number:,} events", ("what", "ms", "mailtrack is × this"), ratio_rows(found, OURS))
    rate = number / median(found[OURS])
    growth = max(run["growth"] for run in runs[OURS])
    print_table(
        "The same",
        ("what", "measured", "target"),
        [
            ("events a second, median", f"{rate:,.0f}", "≥ 100,000"),
            ("growth of memory (RSS), greatest", f"{growth / 2**20:.1f} MiB", "≤ 16 MiB"),
        ],
    )


def compare_adding(rounds: int) -> None:
    """Add batches of opens, in turns with and without what is done for the feed, and print the difference."""
    rows = []
    for title, (size, spread, batches) in BATCHES.items():
        with new_folder() as folder:
            found = _add_in_turns(folder / "feed.db", size, spread, batches * rounds)
        with_feed, without = (fmean(sorted(some)[: -len(some) // 4]) for some in found)  # the rest was disturbed
        rows.append((title, f"{with_feed:.1f}", f"{without:.1f}", f"{with_feed - without:.1f}"))
    print_table(
        "Storing opens: µs of CPU for each", ("batch", "with feed", "without", "difference (target: ≤ 3)"), rows
    )


def _add_in_turns(path: Path, size: int, spread: int, batches: int) -> tuple[list[float], list[float]]:
    """Return the CPU of an open in µs in each batch with the feed, and in each without."""
    tracker = open_tracker(path)
    pixels = [tracker.create_pixel(f"Newsletter {number}") for number in range(spread)]
    number = max(20_000, size) // spread
    people = [tracker.generate_tokens(one, (f"name{n}@example.com" for n in range(number))) for one in pixels]
    fetches = traffic(size * 2 * (batches + 1), number)
    found: tuple[list[float], list[float]] = ([], [])
    with open_storage(f"sqlite:///{path}") as storage:
        for turn in range(2 * (batches + 1)):
            without = (turn + turn // 2) % 2  # each is first in half of the pairs, as the WAL is checkpointed in turns
            some = list(islice(fetches, size))
            opens = [_to_open(one, pixels[n % spread], people[n % spread]) for n, one in enumerate(some)]
            with ExitStack() as stack:
                if without:
                    stack.enter_context(patch.object(feed_rows, "add", lambda *_: None))
                    stack.enter_context(patch.object(open_rows, "_find_firsts", lambda given, _: [0] * len(given)))
                start = thread_time()
                storage.add_opens(opens)
                found[without].append((thread_time() - start) / size * 1e6)
    return found[0][1:], found[1][1:]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--run", nargs=2, help=argparse.SUPPRESS)  # used by the program to start itself for one run
    parser.add_argument("--what", choices=["reading", "adding"], default="reading")
    options = parser.parse_args()
    if options.run:
        name, path = options.run
        print(json.dumps(READ[name](Path(path))))
    elif options.what == "adding":
        compare_adding(rounds=1 if options.quick else 4)
    else:
        compare(FULL_SIZE // 10 if options.quick else FULL_SIZE, rounds=2 if options.quick else 7)


if __name__ == "__main__":
    main()

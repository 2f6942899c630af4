"""Reading the feed: 1,000,000 events, page by page, against a bare `SELECT` of the same rows.

Each run is a process of its own, so that its memory contains nothing else.
"""

import argparse
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from statistics import median
from time import perf_counter

import psutil
from common import arguments, interleave, new_folder, open_tracker, print_table, ratio_rows
from drain_once import SENT_AT
from mail_traffic import Fetch, traffic

from mailtrack import Client, Open, Pixel, Recipient, Storage, Verdict, open_storage
from mailtrack._ids import new_open_id

OURS, BARE = "list_events, page by page", "bare SELECT"
FULL_SIZE = 1_000_000
IN_BATCH = 2000
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
    opens = []
    for fetch in fetches:
        at = int((SENT_AT + fetch.at) * 1000)
        verdict = KINDS[len(fetch.user_agent) % len(KINDS)]
        opens.append(
            Open(
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
        )
    storage.add_opens(opens)


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


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--run", nargs=2, help=argparse.SUPPRESS)  # used by the program to start itself for one run
    options = parser.parse_args()
    if options.run:
        name, path = options.run
        print(json.dumps(READ[name](Path(path))))
    else:
        compare(FULL_SIZE // 10 if options.quick else FULL_SIZE, rounds=2 if options.quick else 7)


if __name__ == "__main__":
    main()

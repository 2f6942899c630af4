"""The CSV of 1,000,000 recipients: time, time to the first piece, and memory, against `csv.writer` over a cursor.

Each run is a separate process, so that its memory contains nothing else.
"""

import argparse
import csv
import json
import os
import secrets
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from statistics import median
from time import perf_counter

import psutil
from common import BASE_URL, Client, arguments, interleave, new_folder, open_tracker, print_table, ratio_rows

OURS = "GET generate-tokens/csv"
WRITER = "csv.writer over a cursor"
FULL_SIZE = 1_000_000
IN_REQUEST = 10_000  # recipients of one request, which share one creation time

# The query of a program that creates its columns in SQL: no Python code runs per row.
QUERY = """
    SELECT email, token, ? || token, strftime('%Y-%m-%dT%H:%M:%fZ', created_at / 1000.0, 'unixepoch')
    FROM recipients WHERE pixel = 1 ORDER BY number
"""


def fill(path: Path, number: int) -> str:
    """Create a file with one pixel and its recipients, and return the pixel's id."""
    pixel = open_tracker(path).create_pixel("Newsletter")
    rows = (
        (
            place,
            pixel.short_id + secrets.token_hex(8),
            f"first.last{place}@company{place % 500}.example.com",
            "tok_" + secrets.token_hex(16),
            1_700_000_000_000 + place // IN_REQUEST * 60_007,
        )
        for place in range(1, number + 1)
    )
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA cache_size = -500000")
        connection.executemany(
            "INSERT INTO recipients (pixel, number, id, email, token, created_at) VALUES (1, ?, ?, ?, ?, ?)", rows
        )
        connection.execute("UPDATE pixels SET recipients = ?, last_recipient = ?", (number, number))
    return pixel.id


def export_ours(path: Path, pixel_id: str) -> dict[str, float]:
    """Read the whole response, and return its time and memory."""
    client = Client(open_tracker(path))
    client.request("GET", f"/api/v1/pixels/{pixel_id}")
    process = psutil.Process()
    before = most = process.memory_info().rss
    first_rows = 0.0
    with Path(os.devnull).open("wb") as sink:
        start = perf_counter()
        for number, piece in enumerate(client.stream("GET", f"/api/v1/pixels/{pixel_id}/generate-tokens/csv")):
            sink.write(piece)
            if number == 1:  # the first piece is the header
                first_rows = perf_counter() - start
            if number % 50 == 0:
                most = max(most, process.memory_info().rss)
        total = perf_counter() - start
    return {"total": total, "first_rows": first_rows, "growth": max(most, process.memory_info().rss) - before}


def export_writer(path: Path, pixel_id: str) -> dict[str, float]:
    prefix = f"{BASE_URL}/tracker/{pixel_id[:8]}.png?token="
    with (
        closing(sqlite3.connect(path)) as connection,
        Path(os.devnull).open("w", encoding="utf-8", newline="") as sink,
    ):
        start = perf_counter()
        writer = csv.writer(sink)
        writer.writerow(("Email", "Token", "Tracking URL", "Created At"))
        writer.writerows(connection.execute(QUERY, (prefix,)))
        return {"total": perf_counter() - start}


EXPORTS = {OURS: export_ours, WRITER: export_writer}


def check_same(path: Path, pixel_id: str) -> None:
    """Check that both write the same."""
    ours = Client(open_tracker(path)).request("GET", f"/api/v1/pixels/{pixel_id}/generate-tokens/csv")
    prefix = f"{BASE_URL}/tracker/{pixel_id[:8]}.png?token="
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(QUERY, (prefix,)).fetchall()
    if [tuple(row) for row in csv.reader(ours.decode().splitlines())][1:] != rows:
        raise RuntimeError("the exports differ")


def run_alone(export: str, path: Path, pixel_id: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--run", export, str(path), pixel_id]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def compare(number: int, rounds: int) -> None:
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in EXPORTS}

    def measure(name: str) -> float:
        runs[name].append(run_alone(name, path, pixel_id))
        return runs[name][-1]["total"]

    with new_folder() as folder:
        small = folder / "small.db"
        check_same(small, fill(small, 5_000))
        path = folder / "large.db"
        pixel_id = fill(path, number)
        found = interleave({name: lambda name=name: measure(name) for name in EXPORTS}, rounds)
    title = f"CSV of {number:,} recipients, target 1.0"
    print_table(title, ("what", "ms", "mailtrack is × this"), ratio_rows(found, OURS))
    first_rows = median(run["first_rows"] for run in runs[OURS])
    growth = max(run["growth"] for run in runs[OURS])
    print_table(
        "The same answer while it is streamed",
        ("what", "measured", "target"),
        [
            ("time to the first recipients, median", f"{first_rows * 1000:.1f} ms", "≤ 200 ms"),
            ("growth of memory (RSS), greatest", f"{growth / 2**20:.1f} MiB", "≤ 16 MiB"),
        ],
    )


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--run", nargs=3, help=argparse.SUPPRESS)  # used by the program to start itself for one run
    options = parser.parse_args()
    if options.run:
        export, path, pixel_id = options.run
        print(json.dumps(EXPORTS[export](Path(path), pixel_id)))
    else:
        compare(FULL_SIZE // 10 if options.quick else FULL_SIZE, rounds=2 if options.quick else 7)


if __name__ == "__main__":
    main()

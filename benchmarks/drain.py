"""The time to drain opens from the spool into SQLite, against older code and a bare `executemany` of the same rows.

Ours reads the spool, looks up pixels and recipients, judges, stores each open once, and counts opens by pixel,
recipient and hour. With `--src DIR`, the code of another checkout drains the same opens in turn, into a file that it
made itself, with tokens of its own. The bare script starts with finished rows, and inserts them into an identical table
in transactions of the same size, with the same SQLite settings. Each run is a process of its own, with new files.

    python benchmarks/drain.py --src ../old --opens 100000 --recipients 500000
"""

import json
import math
import os
import shutil
import subprocess
import sys
from argparse import Namespace
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain
from pathlib import Path
from statistics import median
from zlib import crc32

from common import arguments, new_folder, print_table
from drain_once import SENT_AT
from mail_traffic import TRAFFIC, Fetch

HERE = Path(__file__).parent
OURS, OTHER, BARE = "this code", "--src", "bare executemany"
SEGMENT_BYTES = 8 * 1024 * 1024

Figures = dict[str, float]


def line_of(fetch: Fetch, number: int, pixel: str, tokens: list[str], process: int = 0) -> bytes:
    """Return the line of an open in version 2 of the format, which every release since has read."""
    at = int((SENT_AT + fetch.at) * 1000)
    second, millisecond = divmod(at, 1000)
    time = f"{_time_text(second)}.{millisecond:03d}Z"
    body = (
        f"2\t{at:012x}{0xBE7C4 + process:012x}{number:08x}\t{time}\to\t{pixel}\t{tokens[fetch.recipient]}\t{fetch.ip}"
        f"\t{fetch.user_agent}\t{fetch.referer}\t{' '.join(fetch.signals) or '-'}\t"
    ).encode()
    return b"%b%08x\n" % (body, crc32(body))


@lru_cache
def _time_text(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def fill(folder: Path, lines: Iterable[bytes]) -> None:
    """Write the segments that a process which died has left."""
    folder.mkdir()
    waiting, size = [], 0
    for line in chain(lines, [None]):
        if line is None or size >= SEGMENT_BYTES:
            name = f"{len(list(folder.iterdir())) + 1:019d}-{os.getpid()}-00000000.spool"
            (folder / name).write_bytes(b"".join(waiting))
            waiting, size = [], 0
        if line is not None:
            waiting.append(line)
            size += len(line)


class Side:
    """Some code, with the file and the spool that its runs begin with.

    Args:
        name: its name in the table.
        source: the checkout of the code.
        folder: an empty folder for its files.
    """

    def __init__(self, name: str, source: Path, folder: Path) -> None:
        self.name = name
        self._source = source
        self._folder = folder
        self._database, self._spool = folder / "start.db", folder / "start"

    def prepare(self, fetches: list[Fetch], recipients: int) -> None:
        self._opens = len(fetches)
        pixel, *tokens = self._run("prepare", self._database, recipients).split()
        fill(self._spool, (line_of(fetch, number, pixel, tokens) for number, fetch in enumerate(fetches)))

    def drain(self, kept: Path | None = None) -> Figures:
        """Drain once, from new files; keep the drained file where `kept` says."""
        database, spool = self._folder / "run.db", self._folder / "run"
        shutil.copy(self._database, database)
        shutil.copytree(self._spool, spool)
        figures: Figures = json.loads(self._run("drain", database, spool))
        if figures["opens"] != self._opens:
            raise SystemExit(f"{self.name}: {figures['opens']:,} of {self._opens:,} opens are stored.")
        shutil.rmtree(spool)
        if kept:
            shutil.copy(database, kept)
        database.unlink()
        return figures

    def insert(self, drained: Path, batch: int) -> Figures:
        """Insert the rows of a drained file into the same table again, without mailtrack."""
        database = self._folder / "bare.db"
        shutil.copy(drained, database)
        figures: Figures = json.loads(self._run("bare", database, batch))
        for file in self._folder.glob("bare.db*"):
            file.unlink()
        return figures

    def _run(self, *arguments: object) -> str:
        return subprocess.run(
            [sys.executable, HERE / "drain_once.py", *map(str, arguments)],
            env=os.environ | {"PYTHONPATH": str(self._source / "src")},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout


def measure(options: Namespace, folder: Path) -> dict[str, list[Figures]]:
    """Return the figures of each round of each side; all take turns, and the first round is discarded."""
    fetches = list(TRAFFIC[options.traffic](options.opens, options.recipients))
    sources = {OURS: HERE.parent} | ({OTHER: options.src} if options.src else {})
    sides = []
    for number, (name, source) in enumerate(sources.items()):
        own = folder / str(number)
        own.mkdir()
        sides.append(Side(name, source.absolute(), own))
        sides[-1].prepare(fetches, options.recipients)
    drained = folder / "drained.db"
    batch = math.ceil(options.opens / sides[0].drain(kept=drained)["batches"])
    found: dict[str, list[Figures]] = defaultdict(list)
    for number in range(options.rounds + 1):
        figures = {side.name: side.drain() for side in sides} | {BARE: sides[0].insert(drained, batch)}
        for name, one in figures.items() if number else ():
            found[name].append(one)
    return found


def to_rows(found: dict[str, list[Figures]], opens: int) -> list[tuple[str, ...]]:
    """Return a row for each side: medians for an open, and ours as a multiple in the same rounds."""

    def multiple(kind: str, name: str) -> str:
        return (
            ""
            if name == OURS
            else f"{median(a[kind] / b[kind] for a, b in zip(found[OURS], found[name], strict=True)):.2f}"
        )

    def middle(runs: list[Figures], kind: str) -> float:
        return median(one[kind] for one in runs)

    return [
        (
            name,
            f"{middle(runs, 'cpu') / opens * 1e6:.1f}",
            multiple("cpu", name),
            f"{middle(runs, 'wall') / opens * 1e6:.1f}",
            multiple("wall", name),
            f"{median(1 - one['cpu'] / one['wall'] for one in runs):.0%}",
            *(
                (f"{middle(runs, 'bytes') / opens:.0f}", f"{opens / middle(runs, 'batches'):,.0f}")
                if name != BARE
                else "  "
            ),
        )
        for name, runs in found.items()
    ]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--traffic", default="mail", choices=TRAFFIC, help="same: one program at one address")
    parser.add_argument("--opens", type=int)
    parser.add_argument("--recipients", type=int)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--src", type=Path, help="a checkout of older code, to compare with")
    options = parser.parse_args()
    options.opens = options.opens or (10_000 if options.quick else 100_000)
    options.recipients = options.recipients or (20_000 if options.quick else 500_000)
    options.rounds = options.rounds or (3 if options.quick else 5)
    with new_folder() as folder:
        found = measure(options, folder)
    title = (
        f"{options.opens:,} opens of {options.recipients:,} recipients ({options.traffic}); µs for an open; targets: "
    )
    title += "CPU 0.45 × the code of b254fe3, at most 120 bytes, wall 4 × bare"
    header = ("what", "CPU µs", "ours ×", "wall µs", "ours ×", "waiting", "bytes", "opens a batch")
    print_table(title, header, to_rows(found, options.opens))


if __name__ == "__main__":
    main()

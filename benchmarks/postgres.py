"""Draining into PostgreSQL from four processes, against four that `COPY` the same rows; what they wait for; pages.

Ours reads spools, looks up pixels and recipients, judges, stores each open once, and counts. The bare processes have
the finished rows of the table `opens` in memory, in COPY's binary form, and copy them into an equal table with the same
keys and indexes, in transactions of as many rows. Server and processes are on this machine. `--pixels 8` divides the
opens among so many pixels, each of which every process has opens of. With `--src DIR`, the code of another checkout
drains the same opens in turn.

    python benchmarks/postgres.py --opens 80000
    python benchmarks/postgres.py --what pages
    python benchmarks/postgres.py --what batches --seconds 60
"""

import json
import os
import subprocess
import sys
import threading
from argparse import Namespace
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from statistics import median, quantiles

from common import Client, arguments, interleave, new_folder, print_table, seconds
from drain import fill, line_of
from log_pages import ON_PAGE
from log_pages import fill as fill_log
from mail_traffic import traffic
from postgres_server import Server, new_server

from mailtrack import Tracker, open_storage

HERE = Path(__file__).parent
OURS, OTHER, BARE = "this code", "--src", "bare COPY"
PROCESSES = 4
ROWS_AT_ONCE = 10_000  # about as many as a batch of the spool has
SAMPLE_SECONDS = 0.01
TRANSACTIONS = "SELECT deadlocks, xact_commit, xact_rollback FROM pg_stat_database WHERE datname = 'batches'"
ACTIVITY = "SELECT state, wait_event_type, wait_event FROM pg_stat_activity WHERE application_name = 'mailtrack'"

Figures = dict[str, float]


class Waits(threading.Thread):
    """What the backends of the processes do, looked at every hundredth of a second."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self._server = server
        self._ended = threading.Event()
        self.found: Counter[str] = Counter()

    def run(self) -> None:
        with self._server.connect("postgres") as db:
            while not self._ended.wait(SAMPLE_SECONDS):
                for state, kind, event in db.execute(ACTIVITY):
                    self.found[_name(state, kind, event)] += 1

    def stop(self) -> None:
        self._ended.set()
        self.join()

    def shares(self, least: float = 0.005) -> str:
        total = sum(self.found.values()) or 1
        return ", ".join(f"{name} {n / total:.1%}" for name, n in self.found.most_common() if n / total >= least)


def _name(state: str, kind: str | None, event: str | None) -> str:
    if kind == "Client":
        return "its client works"
    if kind is None:
        return "the server works" if state == "active" else "its client works"
    return f"{kind} {event}"


class Run:
    """Processes that begin at once on one database.

    Args:
        server: the server.
        source: the checkout of their code.
        commands: the arguments of each.
    """

    def __init__(self, server: Server, source: Path, commands: Sequence[Sequence[object]]) -> None:
        self._server = server
        self._processes = [
            subprocess.Popen(
                [sys.executable, HERE / "postgres_once.py", *map(str, command)],
                env=os.environ | {"PYTHONPATH": str(source / "src")},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for command in commands
        ]

    def measure(self) -> tuple[list[dict[str, float]], float, Waits]:
        """Return what each process prints, the server's processor time in seconds, and what they waited for."""
        for process in self._processes:
            assert process.stdout
            if process.stdout.readline() != "ready\n":
                raise SystemExit("A process has failed.")
        waits = Waits(self._server)
        waits.start()
        before = self._server.cpu()
        for process in self._processes:
            assert process.stdin
            process.stdin.write("\n")
            process.stdin.flush()
        outputs = [process.communicate()[0] for process in self._processes]
        used = self._server.cpu() - before
        waits.stop()
        if any(process.returncode for process in self._processes):
            raise SystemExit("A process has failed.")
        return [json.loads(output) for output in outputs], used, waits


def once(source: Path, *command: object) -> str:
    return subprocess.run(
        [sys.executable, HERE / "postgres_once.py", *map(str, command)],
        env=os.environ | {"PYTHONPATH": str(source / "src")},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout


class Side:
    """Some code, with the database and the spools that its runs begin with.

    Args:
        server: the server.
        name: its name in the table.
        source: the checkout of the code.
        folder: an empty folder for its files.
        options: those of the command line.
    """

    def __init__(self, server: Server, name: str, source: Path, folder: Path, options: Namespace) -> None:
        self._server, self._source, self._folder, self._options = server, source, folder, options
        self._start = "start_" + ("ours" if name == OURS else "other")
        with server.connect("postgres") as db:
            db.execute(f"CREATE DATABASE {self._start}")
        lines = once(source, "prepare", server.url(self._start), options.pixels, options.recipients).splitlines()
        self._pixels = [(pixel, tokens) for pixel, *tokens in map(str.split, lines)]
        with server.connect(self._start) as db:
            db.execute("VACUUM ANALYZE")

    def drain(self, number: int) -> tuple[Figures, Waits]:
        """Drain once into a new database."""
        spools = list(self._spools(number))
        with self._database("run") as url:
            figures, server, waits = Run(self._server, self._source, [("drain", url, one) for one in spools]).measure()
            with self._server.connect("run") as db:
                ((stored, size),) = db.execute(
                    "SELECT count(*), pg_total_relation_size('mailtrack.opens') FROM mailtrack.opens"
                ).fetchall()
                if stored != self._options.opens:
                    raise SystemExit(f"{stored:,} of {self._options.opens:,} opens are stored.")
                self._keep_rows(db)
        return to_figures(figures, server, stored) | {"bytes": size / stored}, waits

    def _spools(self, number: int) -> Iterator[Path]:
        share = self._options.opens // len(self._pixels)
        mailings = [traffic(share, self._options.recipients, seed=seed) for seed in range(1, 1 + len(self._pixels))]
        fetches = chain.from_iterable(zip(*mailings, strict=True))
        lines: list[list[bytes]] = [[] for _ in range(PROCESSES)]
        for place, fetch in enumerate(fetches):
            pixel, tokens = self._pixels[place % len(self._pixels)]
            node = place // len(self._pixels) % PROCESSES
            lines[node].append(line_of(fetch, place, pixel, tokens, node))
        for node, some in enumerate(lines):
            folder = self._folder / f"{number}-{node}"
            fill(folder, some)
            yield folder

    def _keep_rows(self, db: object) -> None:
        self._files = []
        for start in range(0, self._options.opens, ROWS_AT_ONCE):
            file = self._folder / f"rows-{start}"
            with (
                file.open("wb") as output,
                db.cursor().copy(  # type: ignore[attr-defined]
                    f"COPY (SELECT * FROM mailtrack.opens ORDER BY number, pixel LIMIT {ROWS_AT_ONCE} OFFSET {start})"
                    " TO STDOUT (FORMAT BINARY)"
                ) as copy,
            ):
                for data in copy:
                    output.write(data)
            self._files.append(file)

    def copy(self) -> tuple[Figures, Waits]:
        """Copy the rows of the last run into an equal table."""
        with self._database("bare") as url:
            with self._server.connect("bare") as db:
                db.execute("CREATE TABLE bare (LIKE mailtrack.opens INCLUDING ALL)")
            commands = [("bare", url, *self._files[node::PROCESSES]) for node in range(PROCESSES)]
            figures, server, waits = Run(self._server, self._source, commands).measure()
        return to_figures(figures, server, self._options.opens), waits

    @contextmanager
    def _database(self, name: str) -> Iterator[str]:
        with self._server.connect("postgres") as db:
            db.execute(f"CREATE DATABASE {name} TEMPLATE {self._start}")
            try:
                db.execute("CHECKPOINT")
                yield self._server.url(name)
            finally:
                db.execute(f"DROP DATABASE {name} WITH (FORCE)")


def to_figures(found: list[dict[str, float]], server: float, opens: int) -> Figures:
    """Return microseconds for an open."""
    per = 1e6 / opens
    wall, client = max(one["wall"] for one in found), sum(one["cpu"] for one in found)
    return {"wall": wall * per, "client": client * per, "server": server * per}


def measure_draining(options: Namespace, folder: Path, server: Server) -> None:
    sources = {OURS: HERE.parent} | ({OTHER: options.src} if options.src else {})
    sides = {}
    for name, source in sources.items():
        own = folder / name.strip("-").replace(" ", "-")
        own.mkdir()
        sides[name] = Side(server, name, source.absolute(), own, options)
    found: dict[str, list[Figures]] = defaultdict(list)
    waits: dict[str, Waits] = {}
    for number in range(options.rounds + 1):
        for name, side in sides.items():
            figures, waits[name] = side.drain(number)
            found[name].append(figures)
        figures, waits[BARE] = sides[OURS].copy()
        found[BARE].append(figures)
    rows = [to_row(name, runs[1:], found[BARE][1:]) for name, runs in found.items()]
    title = f"{options.opens:,} opens of {options.pixels} pixels, {PROCESSES} processes; µs for an open; target 0.3"
    print_table(title, ("what", "opens/s", "of bare COPY", "wall", "clients' CPU", "server's CPU", "bytes"), rows)
    for name, one in waits.items():
        print(f"{name}: {one.shares()}")


def to_row(name: str, runs: list[Figures], bare: list[Figures]) -> tuple[str, ...]:
    def middle(kind: str) -> float:
        return median(one[kind] for one in runs)

    ratio = median(other["wall"] / one["wall"] for one, other in zip(runs, bare, strict=True))
    numbers = [f"{middle(kind):.1f}" for kind in ("wall", "client", "server")]
    size = f"{middle('bytes'):.0f}" if "bytes" in runs[0] else ""
    return name, f"{1e6 / middle('wall'):,.0f}", f"{ratio:.2f}", *numbers, size


def measure_pages(options: Namespace, server: Server) -> None:
    """Measure the last page of a log against its first, and the report."""
    with server.connect("postgres") as db:
        db.execute("CREATE DATABASE pages")
    with open_storage(server.url("pages")) as storage:
        tracker = Tracker(storage)
        taken = seconds(lambda: fill_log(tracker, storage, options.opens))
        (pixel,) = storage.list_pixels(limit=1).items
        client = Client(tracker)
        targets = {
            "last page": f"/logs/{pixel.short_id}?page={options.opens // ON_PAGE}",
            "first page": f"/logs/{pixel.short_id}?page=1",
            "report": f"/api/v1/pixels/{pixel.id}/report",
        }
        measures = {name: partial(seconds, partial(client.request, "GET", one)) for name, one in targets.items()}
        found = interleave(measures, rounds=30 if options.quick else 100)
    first = found["first page"]
    rows = [
        (
            name,
            f"{median(some) * 1000:.1f}",
            f"{quantiles(some, n=20)[-1] * 1000:.1f}",
            f"{median(a / b for a, b in zip(some, first, strict=True)):.2f}",
        )
        for name, some in found.items()
    ]
    title = f"{options.opens:,} opens of one pixel, added in {taken:.0f} s; targets: 1.5 × and 50 ms"
    print_table(title, ("what", "ms", "95 % within", "× the first page"), rows)


def measure_batches(options: Namespace, server: Server) -> None:
    """Count deadlocks while processes call methods at random."""
    with server.connect("postgres") as db:
        db.execute("CREATE DATABASE batches")
    once(HERE.parent, "prepare", server.url("batches"), 6, 100)
    commands = [("batches", server.url("batches"), seed, options.seconds) for seed in range(PROCESSES)]
    figures, _, waits = Run(server, HERE.parent, commands).measure()
    done = sum(map(Counter, figures), Counter[str]())
    with server.connect("batches") as db:
        db.execute("SELECT pg_stat_force_next_flush()")
        ((deadlocks, commits, rollbacks),) = db.execute(TRANSACTIONS).fetchall()
    print(f"{sum(done.values()):,} calls in {options.seconds} s by {PROCESSES} processes: {deadlocks} deadlocks,")
    print(f"{commits:,} transactions committed, {rollbacks:,} rolled back")
    print(", ".join(f"{name} {number:,}" for name, number in done.most_common()))
    print(waits.shares())


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--what", default="drain", choices=("drain", "pages", "batches"))
    parser.add_argument("--opens", type=int)
    parser.add_argument("--recipients", type=int, help="of each pixel")
    parser.add_argument("--pixels", type=int, default=1)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--src", type=Path, help="a checkout of older code, to compare with")
    options = parser.parse_args()
    many = 1_000_000 if options.what == "pages" else 80_000
    options.opens = options.opens or (many // 10 if options.quick else many)
    options.recipients = options.recipients or (20_000 if options.quick else 100_000) // options.pixels
    options.rounds = options.rounds or (1 if options.quick else 3)
    with new_folder() as folder, new_server(folder) as server:
        if options.what == "pages":
            measure_pages(options, server)
        elif options.what == "batches":
            measure_batches(options, server)
        else:
            measure_draining(options, folder, server)


if __name__ == "__main__":
    main()

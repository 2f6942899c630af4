"""The tracker's latency while events are sent to webhooks: live ones, and ones that fail, against none.

All servers are started first; then `wrk` loads one after the other, round by round. It pauses between requests: servers
are compared at a rate at which events keep up with opens, not at their maximum. Each open is an event for each webhook
of the server. The endpoints are in a process of their own on the same cores, which gives way: elsewhere they would
cost these cores nothing.

The live endpoint also measures how long after its open each event arrives: alone, and beside the others.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median, quantiles

from common import arguments, new_folder, print_table
from mail_traffic import TRAFFIC
from opens import PEERS, Running, Server, our_server, run

from mailtrack import Tracker, VerdictKind, open_storage

REQUESTS = 20_000  # different ones; then the first comes again
NONE, LIVE = "none", "live"
ARRIVAL_SECONDS = 10.0
TARGETS = "targets: p99 as without webhooks; each event within 1,000 ms of its image, also beside endpoints that fail"

Figures = tuple[int, float, float]
"""Answered requests, p50 and p99 in milliseconds."""


class Endpoints:
    """The process with the endpoints.

    Attributes:
        urls: the URL of each, by its name.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.urls: dict[str, str] = json.loads(self._read())

    def arrived(self) -> list[float]:
        """Return how long the events took that have come to the live endpoint since the last call, in milliseconds."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return json.loads(self._read())

    def wait_for(self, number: int) -> list[float]:
        """Return the same, once so many have come."""
        found: list[float] = []
        deadline = time.monotonic() + ARRIVAL_SECONDS
        while len(found) < number:
            if time.monotonic() > deadline:
                raise SystemExit(f"Only {len(found):,} of {number:,} events have arrived.")
            time.sleep(0.05)
            found += self.arrived()
        return found

    def _read(self) -> str:
        return self._process.stdout.readline()


@contextmanager
def endpoints() -> Iterator[Endpoints]:
    command = [sys.executable, str(PEERS / "endpoints.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Endpoints(process)
        process.stdin.close()


def server_with(folder: Path, options: Namespace, urls: Sequence[str]) -> Server:
    """Return a server that sends every open to some URLs."""
    server = our_server(folder, options)
    server.environment["MAILTRACK_WEBHOOK_ALLOW"] = "127.0.0.0/8"
    with open_storage(f"sqlite:///{server.database}") as storage:
        tracker = Tracker(storage, webhook_allow=["127.0.0.0/8"])
        for url in urls:
            tracker.webhooks.add(url, first="any", kinds=list(VerdictKind))
    return server


def load(running: Running, folder: Path, options: Namespace, number: int) -> Figures:
    """Load a server, whose requests go on where the last round ended."""
    command = ["wrk", "-t1", f"-c{options.connections}", f"-d{options.seconds}s", "-s", str(PEERS / "paced.lua")]
    command += [f"http://127.0.0.1:{running.server.port}", "--", str(folder / "requests"), str(number + 1)]
    environment = os.environ | {"REQUESTS_LUA": str(PEERS / "requests.lua")}
    said = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    figures = next(line for line in said.splitlines() if line.startswith("FIGURES")).split()[1:]
    answered, _, p50, p99, errors = map(int, figures)
    if errors:
        raise SystemExit(f"{errors} requests failed.\n{said}")
    return answered, p50 / 1e3, p99 / 1e3


def measure(options: Namespace) -> tuple[dict[str, list[Figures]], dict[str, list[float]]]:
    """Return the figures of the rounds, and the times of events to the live endpoint, by the server's webhooks."""
    found: dict[str, list[Figures]] = {}
    arrived: dict[str, list[float]] = {}
    sent: dict[str, int] = {}
    fetches = list(TRAFFIC["mail"](REQUESTS, options.recipients))
    with ExitStack() as stack:
        receiving = stack.enter_context(endpoints())
        cases = {NONE: [], **{name: [url] for name, url in receiving.urls.items()}}
        cases["all of these"] = list(receiving.urls.values())
        servers: dict[str, tuple[Running, Path]] = {}
        for name, urls in cases.items():
            folder = stack.enter_context(new_folder())
            server = server_with(folder, options, urls)
            servers[name] = stack.enter_context(run(server, folder, fetches)), folder
        time.sleep(2)
        receiving.arrived()  # those of the servers' first requests
        for number in range(options.rounds + 1):
            for name, (running, folder) in servers.items():
                figures = load(running, folder, options, sent.get(name, 0))
                sent[name] = sent.get(name, 0) + figures[0]
                came = receiving.wait_for(figures[0]) if receiving.urls[LIVE] in cases[name] else []
                time.sleep(0.5)  # for what wrk had asked for when it stopped
                receiving.arrived()
                if number:
                    found.setdefault(name, []).append(figures)
                    arrived.setdefault(name, []).extend(came)
    return found, arrived


def to_rows(found: dict[str, list[Figures]], arrived: dict[str, list[float]]) -> list[tuple[str, ...]]:
    """Return a row for each server: medians, and how they compare with no webhooks in the same rounds."""

    def times(name: str, kind: int) -> str:
        if name == NONE:
            return ""
        return f"{median(one[kind] / bare[kind] for one, bare in zip(found[name], found[NONE], strict=True)):.2f}"

    def late(name: str, choose: Callable[[list[float]], float]) -> str:
        return f"{choose(arrived[name]):,.0f}" if arrived[name] else ""

    return [
        (
            name,
            f"{sum(one[0] for one in rounds):,}",
            *(f"{median(one[1] for one in rounds):.2f}", times(name, 1)),
            *(f"{median(one[2] for one in rounds):.2f}", times(name, 2)),
            *(late(name, median), late(name, lambda some: quantiles(some, n=100)[98]), late(name, max)),
        )
        for name, rounds in found.items()
    ]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--seconds", type=int, help="how long a round loads a server")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--connections", type=int, default=4, help="each asks for some 47 images a second")
    parser.set_defaults(durability="everysec", recipients=10_000)
    options = parser.parse_args()
    options.seconds = options.seconds or (1 if options.quick else 5)
    options.rounds = options.rounds or (2 if options.quick else 5)
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is needed; most systems have it as a package of that name.")
    header = ("webhooks", "opens", "p50 ms", "× none", "p99 ms", "× none", "event after ms", "p99 ms", "worst ms")
    print_table(TARGETS, header, to_rows(*measure(options)))


if __name__ == "__main__":
    main()

"""Opens per second recorded by the reference server, their latency and its CPU, against comparands.

All servers are started first; then `wrk` loads one after the other, round by round, while the rest wait. It sends the
requests of `mail_traffic.py` as a proxy with TLS passes them on. The stored rows are counted after each round: a served
open that is not stored aborts the benchmark.
"""

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from statistics import median

import psutil
from common import arguments, new_folder, print_table
from mail_traffic import TRAFFIC, Fetch

HERE = Path(__file__).parent
PEERS = HERE / "peers"
REQUESTS = 100_000  # different ones; then the first comes again
START_SECONDS = 20.0
STOP_SECONDS = 15.0
STORE_SECONDS = 60.0

OURS, OTHER, BARE, NGINX = "mailtrack", "--src", "bare function", "nginx empty_gif"
TARGETS = "targets: requests/s 0.6 of the bare function, 0.25 of nginx, 5 × the best peer; p99 5 ×, CPU 1.8 × the bare"

NGINX_CONFIG = """
daemon off; worker_processes 1; pid nginx.pid; error_log error.log;
events {{ worker_connections 256; }}
http {{
    access_log access.log combined; keepalive_requests 1000000000;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {{ listen 127.0.0.1:{port}; location / {{ empty_gif; }} }}
}}
"""


class Missing(Exception):
    """A comparand's requirement is not available."""


@dataclass
class Server:
    """A server to measure: its command, its path for each recipient, its store of opens."""

    port: int
    command: list[str]
    paths: list[str]
    database: Path | None = None
    environment: dict[str, str] = field(default_factory=dict)


@dataclass
class Run:
    """The figures of one round of one server; times in seconds."""

    rate: float
    p50: float
    p99: float
    cpu: float  # for one request, until all is stored
    wait: float  # from the last answer until all is stored
    processes: list[float]  # CPU of each process, the first one's first


class Running:
    """A started server."""

    def __init__(
        self, server: Server, process: subprocess.Popen[bytes], folder: Path, fetches: Sequence[Fetch]
    ) -> None:
        self.server = server
        self.process = psutil.Process(process.pid)
        self._sent = 0
        self._requests = folder / "requests"
        with self._requests.open("w") as file:
            for fetch in fetches:
                print(server.paths[fetch.recipient], *chain.from_iterable(fetch.headers().items()), sep="\t", file=file)

    def load(self, seconds: float, connections: int) -> Run:
        rows, cpu = self._settled(), self._cpu()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(PEERS / "requests.lua")]
        command += [f"http://127.0.0.1:{self.server.port}", "--", str(self._requests), str(self._sent + 1)]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        figures = next(line for line in said.splitlines() if line.startswith("FIGURES")).split()[1:]
        answered, duration, p50, p99, errors = map(int, figures)
        if errors:
            raise SystemExit(f"{self.server.command}: {errors} requests failed.\n{said}")
        self._sent += answered
        waited = self._wait_for_rows(rows + answered, connections) if self.server.database else 0.0
        spent = {pid: seconds - cpu.get(pid, 0.0) for pid, seconds in self._cpu().items()}
        return Run(
            rate=answered / duration * 1e6,
            p50=p50 / 1e6,
            p99=p99 / 1e6,
            cpu=sum(spent.values()) / answered,
            wait=waited,
            processes=list(spent.values()),
        )

    def _cpu(self) -> dict[int, float]:
        found = {}
        for process in (self.process, *self.process.children(recursive=True)):
            times = process.cpu_times()
            found[process.pid] = times.user + times.system
        return found

    def _wait_for_rows(self, expected: int, connections: int) -> float:
        """Wait until all served opens are stored, and return how long that took.

        Requests that `wrk` had sent when it stopped may be stored as well.
        """
        start = time.monotonic()
        while self._newest() < expected and time.monotonic() - start < STORE_SECONDS:
            time.sleep(0.05)
        waited = time.monotonic() - start
        time.sleep(0.5)  # more rows than requests would be wrong, too
        rows = self._query("count(*)")
        if not expected <= rows <= expected + connections:
            raise SystemExit(f"{self.server.command}: {rows:,} opens are stored; {expected:,} requests were answered.")
        return waited

    def _settled(self) -> int:
        """Return the number of the newest open once all earlier requests of `wrk` are stored."""
        before, now = -1, self._newest()
        while before != now:
            time.sleep(0.5)
            before, now = now, self._newest()
        return now

    def _newest(self) -> int:
        """Return the highest number of an open. They are numbered from 1, so this is cheaper than counting."""
        return self._query("coalesce(max(number), 0)")

    def _query(self, what: str) -> int:
        if self.server.database is None:
            return 0
        with closing(sqlite3.connect(self.server.database, timeout=30)) as connection:
            return connection.execute(f"SELECT {what} FROM opens").fetchone()[0]


@contextmanager
def run(server: Server, folder: Path, fetches: Sequence[Fetch]) -> Iterator[Running]:
    """Start a server, wait until it responds, and stop it at the end."""
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            server.command, env=os.environ | server.environment, cwd=folder, stdout=output, stderr=output
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not answers(f"http://127.0.0.1:{server.port}{server.paths[0]}"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise Missing(f"it does not start: {log.read_text()[-500:]}")
            time.sleep(0.1)
        yield Running(server, process, folder, fetches)
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
            process.kill()
            process.wait()
    if "locked" in log.read_text():
        raise SystemExit(f"{server.command}: a database was locked.\n{log.read_text()[-2000:]}")


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.status == 200
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def need(*command: str, **options: object) -> None:
    """Run an installation command."""
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=600, **options)
    except (OSError, subprocess.SubprocessError) as error:
        raise Missing(f"{' '.join(command[:3])} failed: {getattr(error, 'stderr', b'') or error}") from error


def our_server(folder: Path, options: Namespace, *, source: Path = HERE.parent, workers: int = 1) -> Server:
    database = folder / "mailtrack.db"
    environment = {"PYTHONPATH": str(source.absolute() / "src")}
    prepare = [sys.executable, HERE / "drain_once.py", "prepare", database, str(options.recipients)]
    pixel, *tokens = subprocess.check_output(prepare, env=os.environ | environment, text=True).split()
    port = free_port()
    return Server(
        port=port,
        command=[str(Path(sys.executable).with_name("mailtrack")), "serve"],
        paths=[f"/tracker/{pixel}.png?token={token}" for token in tokens],
        database=database,
        environment=environment
        | {
            "MAILTRACK_PORT": str(port),
            "MAILTRACK_DATABASE": f"sqlite:///{database}",
            "MAILTRACK_WORKERS": str(workers),
            "MAILTRACK_SPOOL_DURABILITY": options.durability,
            "MAILTRACK_TRUSTED_PROXIES": "1",
        },
    )


def peer_paths(options: Namespace, path: str) -> list[str]:
    return [path.format(f"tok_{number:032x}") for number in range(options.recipients)]


def bare_server(_folder: Path, options: Namespace) -> Server:
    port = free_port()
    return Server(
        port=port,
        command=[sys.executable, str(PEERS / "bare.py")],
        paths=peer_paths(options, "/tracker/0a1b2c3d.png?token={}"),
        environment={"MAILTRACK_PORT": str(port), "MAILTRACK_DATABASE": "memory://"},
    )


def nginx_server(folder: Path, options: Namespace) -> Server:
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if program is None:
        raise Missing("there is no nginx")
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(NGINX_CONFIG.format(port=port))
    return Server(
        port=port,
        command=[program, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(config)],
        paths=peer_paths(options, "/tracker/0a1b2c3d.png?token={}"),
    )


def peer(folder: Path, options: Namespace, command: list[str], paths: list[str], port: int) -> Server:
    database = folder / "opens.db"
    # Equal safety: with `everysec` a power cut may lose the last second, with `always` nothing.
    synchronous = "FULL" if options.durability == "always" else "NORMAL"
    environment = {"PEER_DATABASE": str(database), "PEER_PORT": str(port), "PEER_SYNCHRONOUS": synchronous}
    return Server(port, command, paths, database, environment | {"NODE_ENV": "production"})


def express_server(folder: Path, options: Namespace) -> Server:
    packages = options.packages / "node"
    if not (packages / "node_modules/express").exists():
        packages.mkdir(exist_ok=True)
        shutil.copy(PEERS / "package.json", packages)
        need("npm", "install", "--no-audit", "--no-fund", cwd=packages)
    for file in ("express_app.js", "schema.sql"):
        shutil.copy(PEERS / file, packages)  # Node looks for packages next to the program
    paths = peer_paths(options, "/open/{}.gif")
    command = ["node", str(packages / "express_app.js")]
    return peer(folder, options, command, paths, free_port())


def python_of_peers(options: Namespace) -> str:
    folder = options.packages / "python"
    if not (folder / "bin/granian").exists():
        need(sys.executable, "-m", "venv", str(folder))
        need(str(folder / "bin/pip"), "install", "-q", "-r", str(PEERS / "requirements.txt"))
    return str(folder / "bin/python")


def wsgi_peer(folder: Path, options: Namespace, module: str, paths: list[str]) -> Server:
    port = free_port()
    command = [python_of_peers(options), "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1"]
    command += ["--blocking-threads", "1"]  # with 4 or 8 they are slower: SQLite takes one commit at a time
    command += ["--port", str(port), "--no-access-log"]
    command += ["--working-dir", str(PEERS), f"{module}:app"]
    return peer(folder, options, command, paths, port)


def flask_server(folder: Path, options: Namespace) -> Server:
    paths = peer_paths(options, "/open/{}.gif")
    return wsgi_peer(folder, options, "flask_app", paths)


def django_server(folder: Path, options: Namespace) -> Server:
    script = (
        "import json, pytracking; base = 'http://127.0.0.1/open/';"
        "print(json.dumps([pytracking.get_open_tracking_url(base_open_tracking_url=base, append_slash=False,"
        f" metadata={{'token': f'tok_{{number:032x}}'}})[len(base) - 6:] for number in range({options.recipients})]))"
    )
    paths = json.loads(subprocess.check_output([python_of_peers(options), "-c", script]))
    return wsgi_peer(folder, options, "django_app", paths)


def measure(makers: dict[str, Callable[[Path, Namespace], Server]], options: Namespace) -> dict[str, list[Run]]:
    """Start all available servers, and load them in turn; the first round is a warm-up."""
    found: dict[str, list[Run]] = {}
    fetches = list(TRAFFIC[options.traffic](REQUESTS, options.recipients))
    with ExitStack() as stack:
        running: dict[str, Running] = {}
        for name, make in makers.items():
            folder = stack.enter_context(new_folder())
            try:
                running[name] = stack.enter_context(run(make(folder, options), folder, fetches))
            except Missing as missing:
                print(f"Without {name}: {missing}\n")
        for number in range(options.rounds + 1):
            for name, one in running.items():
                figures = one.load(options.seconds if number else min(2, options.seconds), options.connections)
                if number:
                    found.setdefault(name, []).append(figures)
    return found


def to_rows(found: dict[str, list[Run]]) -> list[tuple[str, ...]]:
    """Return a row for each server: medians, and how ours compares with it in the same rounds."""

    def times(kind: str, name: str) -> str:
        if name == OURS:
            return ""
        ratios = [getattr(our, kind) / getattr(its, kind) for our, its in zip(found[OURS], found[name], strict=True)]
        return f"{median(ratios):.2f}"

    return [
        (
            name,
            f"{median(one.rate for one in runs):,.0f}",
            times("rate", name),
            f"{median(one.p50 for one in runs) * 1e3:.2f}",
            f"{median(one.p99 for one in runs) * 1e3:.2f}",
            times("p99", name),
            f"{median(one.cpu for one in runs) * 1e6:.1f}",
            times("cpu", name),
            f"{median(one.wait for one in runs):.1f}",
            " ".join(f"{seconds:.1f}" for seconds in runs[-1].processes if seconds >= 0.05),
        )
        for name, runs in found.items()
    ]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--seconds", type=int, help="how long a round loads a server")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--traffic", default="mail", choices=TRAFFIC, help="same: one program at one address")
    parser.add_argument("--recipients", type=int, default=100_000)
    parser.add_argument("--src", type=Path, help="a checkout of older code, to compare with")
    parser.add_argument("--workers", type=int, default=1, choices=(1, 2, 4), help="from 2: also mailtrack with these")
    parser.add_argument("--durability", default="everysec", choices=("everysec", "always"))
    parser.add_argument("--packages", type=Path, help="where to keep the peers' packages, for another time")
    parser.add_argument("--without-peers", action="store_true")
    options = parser.parse_args()
    options.seconds = options.seconds or (2 if options.quick else 5)
    options.rounds = options.rounds or (2 if options.quick else 7)
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is needed; most systems have it as a package of that name.")
    makers: dict[str, Callable[[Path, Namespace], Server]] = {OURS: our_server}
    if options.workers > 1:
        makers[f"{OURS}, {options.workers} workers"] = partial(our_server, workers=options.workers)
    if options.src:
        makers[OTHER] = partial(our_server, source=options.src)
    makers |= {BARE: bare_server, NGINX: nginx_server}
    if not options.without_peers:
        makers |= {
            "Express + better-sqlite3": express_server,
            "Flask + sqlite3": flask_server,
            "Django + pytracking": django_server,
        }
    with new_folder() as folder:
        options.packages = (options.packages or folder).absolute()
        options.packages.mkdir(parents=True, exist_ok=True)
        found = measure(makers, options)
    header = (
        "server",
        "requests/s",
        "mailtrack ×",
        "p50 ms",
        "p99 ms",
        "mailtrack ×",
        "CPU µs",
        "mailtrack ×",
        "s until stored",
    )
    header += ("CPU s of each process",)
    print_table(TARGETS, header, to_rows(found))


if __name__ == "__main__":
    main()

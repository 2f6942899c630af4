"""Servers with a spool each, on one database and one Valkey: killed, they lose and repeat nothing."""

import contextlib
import http.client
import os
import re
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Condition
from typing import Any

import attrs
import pytest

from mailtrack import Tracker, open_storage
from mailtrack.testing._contract.helpers import all_opens

NODES = 3
OUTPUTS = ("stdout", "stderr")  # of each node
REQUESTS = 240  # by all clients together
CLIENTS = 4
ADDRESSES = {"sqlite": "198.51.100.7", "postgresql": "198.51.100.8"}  # both databases have one Valkey
THUNDERBIRD = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Thunderbird/128.3.1 mail/{}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/shared.db"
    return str(request.getfixturevalue("postgres").url(schema=f"nodes_{len(request.node.name)}"))


class Nodes:
    """Servers that share a database and a Valkey; each works in a folder of its own, as on a machine of its own.

    `run` runs one, given its folder and its number.
    """

    def __init__(self, folder: Path, run: Callable[[Path, int], Any]) -> None:
        self.running: list[Any] = [None] * NODES
        self._ends = [contextlib.ExitStack() for _ in range(NODES)]
        self._folder, self._run = folder, run

    def start(self, number: int) -> None:
        folder = self._folder / f"node{number}"
        folder.mkdir(exist_ok=True)
        self.running[number] = self._ends[number].enter_context(self._run(folder, number))

    def start_all(self) -> None:
        for number in range(NODES):
            self.start(number)

    def kill(self, number: int) -> None:
        self.running[number].kill()
        self._ends[number].close()

    def stop(self) -> None:
        for node in self.running:
            if node.process.poll() is None:
                assert node.stop() == 0
        self.close()

    def close(self) -> None:
        for end in self._ends:
            end.close()


@pytest.fixture
def nodes(tmp_path: Path, run_server: Any, database: str, valkey: str) -> Iterator[Nodes]:
    options = ["--database", database, "--spool", "mailtrack.spool", "--rate-limit-storage", valkey]
    with contextlib.closing(Nodes(tmp_path, lambda folder, _: run_server(folder, *options))) as made:
        made.start_all()
        yield made


class Readers:
    """Clients that fetch images from what `find` returns for the number of a request, each by a program of its own."""

    def __init__(self, find: Callable[[int], Any], paths: list[str]) -> None:
        self.sent: list[str] = []
        self.answered: list[str] = []
        self._find, self._paths = find, paths
        self._changed = Condition()

    def read(self, number: int) -> None:
        agent = THUNDERBIRD.format(number)
        self.sent.append(agent)
        with contextlib.suppress(OSError, http.client.HTTPException):  # the node is being killed
            path = self._paths[number % len(self._paths)]
            answer = self._find(number)("GET", path, headers={"User-Agent": agent})
            assert answer.status == 200
            self.answered.append(agent)
        with self._changed:
            self._changed.notify_all()

    def wait_for(self, sent: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.sent) >= sent, 60)

    def read_while_all_are_killed(self, nodes: Nodes) -> None:
        with ThreadPoolExecutor(CLIENTS) as pool:
            reading = [pool.submit(self.read, number) for number in range(REQUESTS)]
            for number in range(NODES):
                self.wait_for((number + 1) * REQUESTS // (NODES + 1))
                nodes.kill(number)
                nodes.start(number)
            for one in reading:
                one.result()


def test_killed_and_started_again_under_load_they_store_each_open_once(
    nodes: Nodes, database: str, tmp_path: Path
) -> None:
    pixel = nodes.running[0].create_pixel()
    emails = [f"r{number}@example.org" for number in range(30)]
    path = f"/api/v1/pixels/{pixel['id']}/generate-tokens"
    tokens = nodes.running[1]("POST", path, json_body={"emails": emails}).json["tokens"]
    paths = [f"/tracker/{pixel['id'][:8]}.png?token={one['token']}" for one in tokens]
    readers = Readers(lambda number: nodes.running[number % NODES], paths)
    readers.read_while_all_are_killed(nodes)
    nodes.stop()
    assert not any("secret" in (tmp_path / f"node{one}" / name).read_text() for one in range(NODES) for name in OUTPUTS)
    with open_storage(database) as storage:
        stored = Counter(one.user_agent for one in all_opens(storage, storage.get_pixel(pixel["id"])))
        assert max(stored.values()) == 1
        assert set(readers.answered) <= set(stored) <= set(readers.sent)
        assert len(readers.answered) >= REQUESTS - NODES * CLIENTS * 20
        tracker = Tracker(storage)
        events = [event.open.user_agent for event in tracker.iter_events()]
        assert sorted(events) == sorted(stored)
        found = tracker.get_pixel(pixel["id"])
        assert found.opens.raw.number == sum(stored.values())
        assert found.opened.raw == len({one.recipient_id for one in all_opens(storage, found)})


def test_the_limit_is_one_over_all_of_them(nodes: Nodes, database: str) -> None:
    client = {"X-Forwarded-For": ADDRESSES[database.partition(":")[0]]}
    pixel = nodes.running[0].create_pixel()
    path = f"/api/v1/pixels/{pixel['id']}/generate-tokens"

    def ask(number: int) -> int:
        node = nodes.running[number % NODES]
        return int(node("POST", path, json_body={"emails": ["ann@example.org"]}, headers=client).status)

    with ThreadPoolExecutor(2) as pool:  # more at once on one node would be 503
        statuses = Counter(pool.map(ask, range(24)))
    assert statuses == {201: 10, 429: 14}


def test_what_a_lost_node_has_left_is_drained_by_another_machine(
    nodes: Nodes, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from click.testing import CliRunner

    from mailtrack.cli import main

    pixel = nodes.running[0].create_pixel()
    lost = nodes.running[2]
    lost.process.send_signal(signal.SIGSTOP)  # its parent drains no more, as where the database can't be reached
    for number in range(5):
        agent = {"User-Agent": THUNDERBIRD.format(number)}
        assert lost("GET", f"/tracker/{pixel['id'][:8]}.png", headers=agent).status == 200
    nodes.kill(2)
    moved = (tmp_path / "node2").rename(tmp_path / "disk-of-node2")
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["--database", database, "spool", "drain", str(moved / "mailtrack.spool")])
    assert done.stderr == "Stored 5 hits.\n"
    with open_storage(database) as storage:
        assert storage.get_pixel(pixel["id"]).opens.raw.number == 5


EXAMPLE = Path(__file__).parents[2] / "examples" / "many_nodes"
NGINX = """
    daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
    events {{}}
    http {{
        access_log {folder}/access.log;
        client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
        uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
        include {folder}/default.conf;
    }}
"""


@contextlib.contextmanager
def balancing(folder: Path, port: int, ports: list[int]) -> Iterator[None]:
    """Run nginx with the configuration of the example, before nodes on some ports."""
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if program is None:
        pytest.skip("there is no nginx on this machine")
    config = (EXAMPLE / "nginx.conf").read_text(encoding="utf-8").replace("listen 80;", f"listen 127.0.0.1:{port};")
    for number, upstream in enumerate(ports, 1):
        config = config.replace(f"node{number}:8000", f"127.0.0.1:{upstream}")
    (folder / "default.conf").write_text(config, encoding="utf-8")
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder), encoding="utf-8")
    command = [program, "-e", folder / "error.log", "-p", folder, "-c", folder / "nginx.conf"]
    assert subprocess.run([*command, "-t"], check=False, capture_output=True).returncode == 0
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.kill()


def test_the_example_answers_every_image_while_its_nodes_are_killed(
    tmp_path: Path, run_server: Any, find_port: Callable[[], int], postgres: Any, valkey: str
) -> None:
    given = re.findall(r"^(MAILTRACK_\w+)=(.*)$", (EXAMPLE / "node.env").read_text(encoding="utf-8"), re.MULTILINE)
    database, ports, port = postgres.url(schema="example"), [find_port() for _ in range(NODES)], find_port()
    settings = dict(given) | {"MAILTRACK_DATABASE": database, "MAILTRACK_RATE_LIMIT_STORAGE": valkey}
    settings["MAILTRACK_HOST"] = "127.0.0.1"  # the nodes of the example listen to other machines
    with open_storage(database) as storage:
        tracker = Tracker(storage)
        pixel, (_, key) = tracker.create_pixel("Spring"), tracker.keys.create()
        emails = [f"r{number}@example.org" for number in range(30)]
        tokens = [one.token for one in tracker.generate_tokens(pixel, emails)]
    nodes = Nodes(tmp_path, lambda folder, number: run_server(folder, environment=settings, port=ports[number]))
    with contextlib.closing(nodes), balancing(tmp_path, port, ports):
        nodes.start_all()
        balancer = attrs.evolve(nodes.running[0], port=port)
        readers = Readers(lambda _: balancer, [f"/tracker/{pixel.short_id}.png?token={one}" for one in tokens])
        readers.read_while_all_are_killed(nodes)
        assert len(readers.answered) == REQUESTS
        path, headers = f"/api/v1/pixels/{pixel.id}/generate-tokens", {"Authorization": f"Bearer {key}"}
        asked = [balancer("POST", path, json_body={"emails": emails[:1]}, headers=headers).status for _ in range(12)]
        assert sorted(asked) == [201] * 10 + [429] * 2
        nodes.stop()
    with open_storage(database) as storage:
        stored = Counter(one.user_agent for one in all_opens(storage, storage.get_pixel(pixel.id)))
    assert set(stored) == set(readers.sent)
    # nginx sends a request again whose node is killed before its answer: that is one more open.
    assert sum(stored.values()) <= REQUESTS + NODES * CLIENTS

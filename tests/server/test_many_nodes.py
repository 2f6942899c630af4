"""Servers with a spool each, on one database and one Valkey: killed, they lose and repeat nothing."""

import contextlib
import http.client
import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Condition
from typing import Any

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
    """Servers that share a database and a Valkey; each works in a folder of its own, as on a machine of its own."""

    def __init__(self, folder: Path, run_server: Any, database: str, limits: str) -> None:
        self.running: list[Any] = [None] * NODES
        self._ends = [contextlib.ExitStack() for _ in range(NODES)]
        self._folder, self._run_server = folder, run_server
        self._options = ["--database", database, "--spool", "mailtrack.spool", "--rate-limit-storage", limits]

    def start(self, number: int) -> None:
        folder = self._folder / f"node{number}"
        folder.mkdir(exist_ok=True)
        self.running[number] = self._ends[number].enter_context(self._run_server(folder, *self._options))

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
    made = Nodes(tmp_path, run_server, database, valkey)
    try:
        for number in range(NODES):
            made.start(number)
        yield made
    finally:
        made.close()


class Readers:
    """Clients that fetch images from all nodes in turn, each request by a program of its own."""

    def __init__(self, nodes: Nodes, paths: list[str]) -> None:
        self.sent: list[str] = []
        self.answered: list[str] = []
        self._nodes, self._paths = nodes, paths
        self._changed = Condition()

    def read(self, number: int) -> None:
        agent = THUNDERBIRD.format(number)
        self.sent.append(agent)
        with contextlib.suppress(OSError, http.client.HTTPException):  # the node is being killed
            answer = self._nodes.running[number % NODES](
                "GET", self._paths[number % len(self._paths)], headers={"User-Agent": agent}
            )
            assert answer.status == 200
            self.answered.append(agent)
        with self._changed:
            self._changed.notify_all()

    def wait_for(self, sent: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.sent) >= sent, 60)


def test_killed_and_started_again_under_load_they_store_each_open_once(
    nodes: Nodes, database: str, tmp_path: Path
) -> None:
    pixel = nodes.running[0].create_pixel()
    emails = [f"r{number}@example.org" for number in range(30)]
    path = f"/api/v1/pixels/{pixel['id']}/generate-tokens"
    tokens = nodes.running[1]("POST", path, json_body={"emails": emails}).json["tokens"]
    paths = [f"/tracker/{pixel['id'][:8]}.png?token={one['token']}" for one in tokens]
    readers = Readers(nodes, paths)
    with ThreadPoolExecutor(CLIENTS) as pool:
        reading = [pool.submit(readers.read, number) for number in range(REQUESTS)]
        for number in range(NODES):
            readers.wait_for((number + 1) * REQUESTS // (NODES + 1))
            nodes.kill(number)
            nodes.start(number)
        for one in reading:
            one.result()
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

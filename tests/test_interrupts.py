"""The exception of a signal, such as that of Ctrl-C, leaves no lock held, at whatever moment it is raised."""

import subprocess
import sys

import pytest

PROGRAM = """
import random, signal, threading
from contextlib import suppress
from mailtrack._forking import ForkSafeLock
from mailtrack_wsgi._concurrency import ConcurrencyLimit

signal.signal(signal.SIGALRM, signal.default_int_handler)
lock = {}
for seed in range(2000):
    with suppress(KeyboardInterrupt):
        signal.setitimer(signal.ITIMER_REAL, random.Random(seed).uniform(0.0001, 0.0006))
        while True:
            with lock:
                pass
free = threading.Event()
def enter():
    with lock:
        free.set()
threading.Thread(target=enter, daemon=True).start()
assert free.wait(20)
"""


@pytest.mark.parametrize("lock", ["ForkSafeLock()", "ConcurrencyLimit(1_000_000)"])
def test_a_lock_is_free_after_interrupts(lock: str) -> None:
    command = [sys.executable, "-c", PROGRAM.replace("{}", lock)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")

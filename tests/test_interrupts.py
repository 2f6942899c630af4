"""Signals leave no lock held, and keep no program from going on, at whatever moment they come."""

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


# With a `threading.Event` it hung at once.
WAKENED = """
import os, random, signal, time
from mailtrack.cli._server.wakening import Wakening

wakening = Wakening()
for number in (signal.SIGALRM, signal.SIGUSR1):
    signal.signal(number, lambda *_: wakening.set())
here = os.getpid()
child = os.fork()
if child == 0:
    while os.getppid() == here:
        os.kill(here, signal.SIGUSR1)
        time.sleep(0.0002)
    os._exit(0)
for seed in range(3000):
    signal.setitimer(signal.ITIMER_REAL, random.Random(seed).uniform(0.0001, 0.0003))
    assert wakening.wait()
    wakening.clear()
os.kill(child, signal.SIGKILL)
os.waitpid(child, 0)
"""


def test_what_handlers_wake_the_server_with_may_be_set_while_it_is_set() -> None:
    ended = subprocess.run([sys.executable, "-c", WAKENED], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")

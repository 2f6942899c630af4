"""Signals reach the main thread, whatever background threads do."""

import signal
import subprocess
import sys

import pytest

from mailtrack._threads import BackgroundThread

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")

# With plain threads, one of three of these programs did not end.
PROGRAM = """
import os, signal, threading
from mailtrack._threads import BackgroundThread

signal.signal(signal.SIGTERM, lambda *_: os._exit(0))

def start_others():
    for number in range(100_000):
        BackgroundThread(int, name="other").start()
        if number == 50:  # the main thread waits by now
            print("ready", flush=True)

for _ in range(3):
    BackgroundThread(start_others, name="starting").start()
threading.Event().wait()
"""
ROUNDS = 8


def test_a_program_with_threads_that_start_others_ends_when_it_is_asked_to() -> None:
    for _ in range(ROUNDS):
        with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline() == "ready\n"
                process.terminate()
                assert process.wait(20) == 0
            finally:
                process.kill()


def test_only_signals_of_the_process_are_left_to_others() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    found: list[set[signal.Signals]] = []
    thread = BackgroundThread(lambda: found.append(signal.pthread_sigmask(signal.SIG_BLOCK, ())), name="looking")
    thread.start()
    thread.join(20)
    (blocked,) = found
    assert {signal.SIGTERM, signal.SIGINT, signal.SIGHUP} <= blocked
    assert not {signal.SIGSEGV, signal.SIGABRT} & blocked
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before

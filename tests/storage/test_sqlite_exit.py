"""Programs that end without closing their storage: they print nothing, and leave no WAL with content behind."""

import subprocess
import sys
from pathlib import Path

import pytest

from mailtrack.storage._sqlite import SQLiteStorage
from mailtrack.storage._sqlite.wal import has_content

BEGIN = """
import os, sys, threading
from concurrent.futures import ThreadPoolExecutor
from mailtrack import Spool, Tracker, open_storage

storage = open_storage(sys.argv[1])
tracker = Tracker(storage)
tracker.create_pixel("Spring launch")
"""

PROGRAMS = {
    "one thread": "",
    "threads that have ended": """
for _ in range(3):
    thread = threading.Thread(target=storage.ping)
    thread.start()
    thread.join()
""",
    "a pool that is not shut down": """
pool = ThreadPoolExecutor(3)
for _ in range(9):
    pool.submit(storage.ping)
""",
    "a thread that ends after the main thread": """
go_on = threading.Event()
def late():
    storage.ping()
    go_on.wait()
    tracker.create_pixel("Late")
threading.Thread(target=late).start()
go_on.set()
""",
    "daemon threads that wait": """
ready = threading.Barrier(4)
def wait():
    storage.ping()
    ready.wait()
    threading.Event().wait()
for _ in range(3):
    threading.Thread(target=wait, daemon=True).start()
ready.wait()
""",
    "daemon threads that read": """
ready = threading.Barrier(4)
def read():
    storage.ping()
    ready.wait()
    while True:
        storage.list_pixels(limit=10)
for _ in range(3):
    threading.Thread(target=read, daemon=True).start()
ready.wait()
""",
    "a spool that is not stopped": """
tracker = Tracker(storage, spool=Spool(sys.argv[1][10:] + ".spool"))
tracker.start()
(pixel,) = tracker.list_pixels().items
tracker.record(pixel.id)
""",
    "a reference cycle": """
class Program:
    pass
program = Program()
program.storage, program.self = storage, program
del storage, tracker
""",
    "a class attribute": """
class Program:
    storage = storage
del storage
""",
    "a local variable of the main function": """
def main():
    storage = open_storage(sys.argv[1])
    storage.ping()
    sys.exit(0)
main()
""",
    "a generator that is not exhausted": """
pixels = (storage.get_pixel(pixel.id) for pixel in tracker.list_pixels().items)
next(pixels)
reading = storage._connections.reading(snapshot=True)
db = reading.__enter__()
db.execute("SELECT * FROM pixels")
""",
    "a forked child that ends by itself": """
storage.ping()
if (child := os.fork()) == 0:
    storage.ping()
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
""",
    "closed storages": """
storage.close()
other = open_storage(sys.argv[1])
other.ping()
other.close()
""",
}


# It uses a connection when the process ends, so that it is not closed.
BUSY = {"a generator that is not exhausted"}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_that_ends_prints_nothing_and_leaves_no_wal(path: Path, name: str) -> None:
    ended = subprocess.run(
        # In development mode Python warns of what it passes over otherwise.
        [sys.executable, "-X", "dev", "-c", BEGIN + PROGRAMS[name], f"sqlite:///{path}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert name in BUSY or not has_content(path)
    with SQLiteStorage(path) as storage:
        assert storage.list_pixels(limit=9).items[-1].name == "Spring launch"


def test_a_handler_that_comes_last_can_still_wait_for_other_threads(path: Path) -> None:
    program = """
import atexit, sys
from mailtrack import Spool, Tracker, open_storage

atexit.register(lambda: print(tracker.stop()))  # before the storage is imported, so that it runs after its handler
tracker = Tracker(open_storage(sys.argv[1]), spool=Spool(sys.argv[1][10:] + ".spool"))
tracker.start()
pixel = tracker.create_pixel("Spring launch")
tracker.record(pixel.id)
"""
    command = [sys.executable, "-c", program, f"sqlite:///{path}"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "True\n"
    with SQLiteStorage(path) as storage:
        assert storage.list_pixels(limit=9).items[-1].opens.raw.number == 1


def test_an_interrupt_at_any_moment_leaves_no_lock_that_closing_waits_for(path: Path) -> None:
    program = f"""
import faulthandler, random, signal
from contextlib import suppress
from mailtrack import open_storage

faulthandler.dump_traceback_later(60, exit=True)
signal.signal(signal.SIGALRM, signal.default_int_handler)
for seed in range(400):
    with suppress(KeyboardInterrupt), open_storage("sqlite:///{path}") as storage:
        signal.setitimer(signal.ITIMER_REAL, random.Random(seed).uniform(0.0002, 0.004))
        while True:
            storage.ping()
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")

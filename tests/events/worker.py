"""A process that handles events for the tests beside it, until its standard input ends.

Arguments: the database, a folder, and the process's name. Into `handled` in the folder it writes a line for each event:
the name of the process and the event's id. The file `ahead` has the seconds by which its clock is ahead, `slow` is
there while each event takes 20 ms. With `fork` as a fourth argument a child does all this, as a server's worker would.
"""

import os
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mailtrack import Event, Tracker, open_storage

DATABASE, FOLDER, NAME = sys.argv[1], Path(sys.argv[2]), sys.argv[3]


def clock() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=float((FOLDER / "ahead").read_text()))


def handle(event: Event) -> None:
    if (FOLDER / "slow").exists():
        time.sleep(0.02)
    file = os.open(FOLDER / "handled", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{NAME} {event.id}\n".encode())
    os.close(file)


def say_started() -> None:
    sys.stdout.write("started\n")
    sys.stdout.flush()


def main() -> None:
    with open_storage(f"sqlite:///{DATABASE}") as storage:
        tracker = Tracker(storage, clock=clock)
        tracker.on_open(handle, name="crm", first="any")
        if "fork" in sys.argv and (child := os.fork()):
            say_started()
            sys.exit(os.waitpid(child, 0)[1])
        tracker.start()
        say_started()
        sys.stdin.read()
        tracker.stop()


main()

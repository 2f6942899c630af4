"""A process that sends webhooks for the tests beside it, until its standard input ends.

Arguments: the database, and a file with the seconds by which its clock is ahead.
"""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mailtrack import Tracker, open_storage

DATABASE, AHEAD = sys.argv[1], Path(sys.argv[2])


def clock() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=float(AHEAD.read_text()))


def main() -> None:
    with open_storage(f"sqlite:///{DATABASE}") as storage:
        tracker = Tracker(storage, clock=clock, webhook_allow=["127.0.0.0/8"])
        tracker.start()
        sys.stdout.write("started\n")
        sys.stdout.flush()
        sys.stdin.read()
        tracker.stop()


main()

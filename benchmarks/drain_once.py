"""One side of `drain.py`: a program of its own, so that the code of another checkout can run beside this one.

    python drain_once.py prepare DATABASE RECIPIENTS   creates a pixel and recipients, prints the pixel and the tokens
    python drain_once.py drain DATABASE FOLDER         drains a spool's folder, prints figures as JSON
    python drain_once.py bare DATABASE BATCH           inserts the rows of a drained file again, prints figures as JSON

It uses public names only, but for the count of the batches.
"""

import gc
import json
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

from mailtrack import Spool, Tracker, open_storage
from mailtrack._spool import Reader
from mailtrack.storage._sqlite.connections import connect

SENT_AT = 1_767_600_000
"""When the mailing begins, in seconds since 1970."""

MINUTE = 60
WAIT_SECONDS = 3600.0


def prepare(database: str, recipients: int) -> None:
    with open_storage(f"sqlite:///{database}") as storage:
        tracker = Tracker(storage, clock=lambda: datetime.fromtimestamp(SENT_AT - MINUTE, UTC))
        pixel = tracker.create_pixel("Newsletter")
        print(pixel.short_id)
        for start in range(0, recipients, 10_000):
            addresses = (f"name{number}@example.com" for number in range(start, min(start + 10_000, recipients)))
            print(*(one.token for one in tracker.generate_tokens(pixel, addresses)), sep="\n")


def drain(database: Path, folder: Path) -> None:
    batches = 0
    read = Reader.batches

    def counted(reader: Reader) -> Iterator[object]:
        nonlocal batches
        for batch in read(reader):
            batches += 1
            yield batch

    before = database.stat().st_size
    with open_storage(f"sqlite:///{database}") as storage, patch.object(Reader, "batches", counted):
        tracker = Tracker(storage, spool=Spool(folder))
        gc.collect()
        tracker.start()
        start, cpu = time.perf_counter(), time.process_time()
        if not tracker.stop(timeout=WAIT_SECONDS) or any(folder.glob("*.spool")):
            raise SystemExit("The spool was not drained.")
        figures = {"wall": time.perf_counter() - start, "cpu": time.process_time() - cpu, "batches": batches}
        (pixel,) = storage.list_pixels(limit=1).items
    print(json.dumps(figures | {"opens": pixel.opens.raw.number, "bytes": database.stat().st_size - before}))


def bare(database: Path, batch: int) -> None:
    """Insert the rows of the table of opens again, `batch` in a transaction, into the same table without its rows."""
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("SELECT * FROM opens ORDER BY 1").fetchall()
        connection.execute("DELETE FROM opens")
        connection.commit()
        connection.execute("VACUUM")
    insert = f"INSERT INTO opens VALUES ({', '.join('?' * len(rows[0]))})"
    with closing(connect(database)) as connection:
        start, cpu = time.perf_counter(), time.process_time()
        for place in range(0, len(rows), batch):
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(insert, rows[place : place + batch])
            connection.execute("COMMIT")
        print(json.dumps({"wall": time.perf_counter() - start, "cpu": time.process_time() - cpu}))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["prepare", database, recipients]:
            prepare(database, int(recipients))
        case ["drain", database, folder]:
            drain(Path(database), Path(folder))
        case ["bare", database, batch]:
            bare(Path(database), int(batch))

"""A process of `postgres.py`: a program of its own, so that the code of another checkout can run beside this one.

    python postgres_once.py prepare URL PIXELS RECIPIENTS   creates pixels and recipients, prints them with the tokens
    python postgres_once.py drain URL FOLDER                drains a spool's folder
    python postgres_once.py bare URL FILE...                copies rows from files, each in a transaction
    python postgres_once.py batches URL SEED SECONDS        calls methods of the storage at random

The last three wait for a line on their input before they begin, and print figures as JSON.
"""

import gc
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
from drain_once import MINUTE, SENT_AT, WAIT_SECONDS

from mailtrack import MailtrackError, Open, Recipient, Spool, Storage, Tracker, open_storage
from mailtrack._ids import new_open_id
from mailtrack._model import Client, Judgement, Verdict
from mailtrack._times import to_milliseconds

IN_BATCH = 60


def prepare(url: str, pixels: int, recipients: int) -> None:
    with open_storage(url) as storage:
        tracker = Tracker(storage, clock=lambda: datetime.fromtimestamp(SENT_AT - MINUTE, UTC))
        for number in range(pixels):
            pixel = tracker.create_pixel(f"Newsletter {number}")
            tokens = []
            for start in range(0, recipients, 10_000):
                addresses = (f"name{one}@example.com" for one in range(start, min(start + 10_000, recipients)))
                tokens += [one.token for one in tracker.generate_tokens(pixel, addresses)]
            print(pixel.short_id, *tokens)


def begin() -> None:
    """Wait for the other processes."""
    gc.collect()
    print("ready", flush=True)
    sys.stdin.readline()


def drain(url: str, folder: Path) -> None:
    with open_storage(url) as storage:
        tracker = Tracker(storage, spool=Spool(folder))
        storage.ping()
        begin()
        start, cpu = time.perf_counter(), time.process_time()
        tracker.start()
        if not tracker.stop(timeout=WAIT_SECONDS) or any(folder.glob("*.spool")):
            raise SystemExit("The spool was not drained.")
        print(json.dumps({"wall": time.perf_counter() - start, "cpu": time.process_time() - cpu}))


def bare(url: str, files: Sequence[str]) -> None:
    rows = [Path(one).read_bytes() for one in files]
    with psycopg.connect(url, application_name="mailtrack") as db:
        begin()
        start, cpu = time.perf_counter(), time.process_time()
        for some in rows:
            with db.cursor().copy("COPY bare FROM STDIN (FORMAT BINARY)") as copy:
                copy.write(some)
            db.commit()
        print(json.dumps({"wall": time.perf_counter() - start, "cpu": time.process_time() - cpu}))


def batches(url: str, seed: int, seconds: float) -> None:
    """Add batches for all pixels, mostly; and erase, purge, delete, judge again, mark as sent in between."""
    dice = random.Random(seed)
    done: Counter[str] = Counter()
    with open_storage(url) as storage:
        begin()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            name, work = dice.choice(_WORKS) if dice.random() < 0.3 else ("add_opens", _add)
            with suppress(MailtrackError):  # what another process has deleted
                work(storage, dice)
                done[name] += 1
    print(json.dumps(done))


Work = Callable[[Storage, random.Random], object]


def _pixels(storage: Storage) -> list[str]:
    return [pixel.id for pixel in storage.list_pixels(limit=20).items]


def _people(storage: Storage, pixel: str) -> Sequence[Recipient]:
    return storage.list_recipients(pixel, limit=200).items


def _add(storage: Storage, dice: random.Random) -> None:
    opens = []
    for pixel in dice.sample(pixels := _pixels(storage), min(len(pixels), dice.randrange(1, 6))):
        people = _people(storage, pixel)
        for _ in range(dice.randrange(1, IN_BATCH)):
            at = datetime.fromtimestamp(SENT_AT, UTC) + timedelta(minutes=dice.randrange(3000))
            kind = dice.choice(["human", "proxy", "prefetch", "scanner"])
            opens.append(
                Open(
                    id=new_open_id(to_milliseconds(at)),
                    pixel_id=pixel,
                    recipient_id=dice.choice(people).id if people and dice.random() < 0.9 else None,
                    opened_at=at,
                    user_agent=f"Program/{dice.randrange(40)}",
                    verdict=Verdict(kind=kind),
                    client=Client(name=f"Program {dice.randrange(20)}"),
                    counted=kind in {"human", "proxy"},
                )
            )
    dice.shuffle(opens)
    storage.add_opens(opens)
    if dice.random() < 0.1:
        storage.add_opens(opens)  # as after an answer that was lost


def _add_people(storage: Storage, dice: random.Random) -> None:
    tracker = Tracker(storage, clock=lambda: datetime.fromtimestamp(SENT_AT - MINUTE, UTC))
    addresses = [f"name{number}@example.com" for number in dice.sample(range(500), 50)]
    tracker.generate_tokens(dice.choice(_pixels(storage)), addresses)


def _delete_recipient(storage: Storage, dice: random.Random) -> None:
    people = _people(storage, dice.choice(_pixels(storage)))
    storage.delete_recipient(dice.choice(people).id)


def _rejudge(storage: Storage, dice: random.Random) -> None:
    pixel = dice.choice(_pixels(storage))
    opens = storage.list_opens(pixel, limit=30).items
    storage.rejudge(
        pixel,
        [
            Judgement(open_id=one.id, verdict=one.verdict, client=one.client, counted=dice.random() < 0.5)
            for one in opens
        ],
    )


def _purge(storage: Storage, dice: random.Random) -> None:
    before = datetime.fromtimestamp(SENT_AT, UTC) + timedelta(minutes=dice.randrange(1500))
    storage.purge_opens(dice.choice(_pixels(storage)), before=before, limit=100)


def _replace_pixel(storage: Storage, dice: random.Random) -> None:
    if dice.random() < 0.1:
        storage.delete_pixel(dice.choice(_pixels(storage)))
        Tracker(storage).create_pixel("Another")


def _mark_sent(storage: Storage, dice: random.Random) -> None:
    at = datetime.fromtimestamp(SENT_AT, UTC) + timedelta(minutes=dice.randrange(60))
    storage.mark_sent(dice.choice(_pixels(storage)), None, at=at)


_WORKS: list[tuple[str, Work]] = [
    ("add_recipients", _add_people),
    ("delete_recipient", _delete_recipient),
    ("erase", lambda storage, dice: storage.erase(f"name{dice.randrange(500)}@example.com")),
    ("rejudge", _rejudge),
    ("mark_sent", _mark_sent),
    ("purge_opens", _purge),
    ("delete_pixel", _replace_pixel),
    ("sweep", lambda storage, _: storage.sweep()),
]


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["prepare", url, pixels, recipients]:
            prepare(url, int(pixels), int(recipients))
        case ["drain", url, folder]:
            drain(url, Path(folder))
        case ["bare", url, *files]:
            bare(url, files)
        case ["batches", url, seed, seconds]:
            batches(url, int(seed), float(seconds))

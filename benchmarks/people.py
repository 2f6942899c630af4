"""People among many: finding an address over all pixels, a person's page, a part of an address, tokens for references.

One file has 1,000,000 recipients in 100 pixels, one address of which has a mail in each, and one has ten; a pixel with
1,000,000 recipients is searched. Times are the median and the best of many calls in process, because the machine may be
busy. Tokens for references are compared with tokens for addresses, in turns, each with a new file.
"""

import json
import secrets
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from statistics import median

from common import Client, arguments, interleave, new_folder, open_tracker, print_table, ratio_rows, seconds

from mailtrack import NewRecipient, Tracker
from mailtrack.testing import make_open

PIXELS = 100
MAILS_OF_PIXEL = 10  # to the person who gets most
ONCE, OFTEN = "once@example.org", "often@example.org"


def fill(path: Path, recipients: int) -> Tracker:
    """Create a file with these recipients in 100 pixels, and a pixel with as many again."""
    tracker = open_tracker(path)
    for number in range(PIXELS):
        pixel = tracker.create_pixel(f"Mailing {number}")
        crowd = (f"name{number}-{place}@example.com" for place in range(recipients // PIXELS // 2))
        tracker.generate_tokens(pixel, crowd)
        own = tracker.generate_tokens(pixel, [NewRecipient(OFTEN, ref=f"INV-{n}") for n in range(MAILS_OF_PIXEL)])
        tracker.generate_tokens(pixel, [ONCE])
        tracker.generate_tokens(pixel, (f"later{number}-{n}@example.com" for n in range(recipients // PIXELS // 2)))
        opened = own * 2
        at = pixel.created_at + timedelta(hours=1)
        tracker._storage.add_opens(
            [make_open(pixel, one, at=at + timedelta(minutes=n)) for n, one in enumerate(opened)]
        )
    tracker.generate_tokens(tracker.create_pixel("All"), (f"name{place}@example.com" for place in range(recipients)))
    return tracker


def row(name: str, target: str, rounds: int, work: Callable[[], object]) -> tuple[str, ...]:
    work()
    found = [seconds(work) * 1000 for _ in range(rounds)]
    return name, f"{median(found):.2f}", f"{min(found):.2f}", target


def time_tokens(folder: Path, body: bytes) -> float:
    tracker = open_tracker(folder / f"{secrets.token_hex(8)}.db")
    pixel = tracker.create_pixel("Newsletter")
    client = Client(tracker)  # a new one with a new rate limiter
    target = f"/api/v1/pixels/{pixel.id}/generate-tokens"
    client.request("GET", f"/api/v1/pixels/{pixel.id}")
    return seconds(lambda: client.request("POST", target, body, expect="201"))


def main() -> None:
    options = arguments(__doc__ or "").parse_args()
    number, rounds = (20_000, 5) if options.quick else (1_000_000, 100)
    with new_folder() as folder:
        tracker = fill(folder / "people.db", number)
        client, largest = Client(tracker), next(tracker.iter_pixels())
        search = partial(tracker.list_recipients, largest)
        some = f"name{number // 200}"
        rows = [
            row("find an address, 100 mails", "5", rounds, lambda: tracker.find_recipients(ONCE)),
            row("find an address that has none", "5", rounds, lambda: tracker.find_recipients("none@example.org")),
            row("find an address, 1,000 mails", "50", rounds, lambda: tracker.find_recipients(OFTEN)),
            row("the page of that person", "50", rounds, lambda: client.request("GET", f"/people?email={OFTEN}")),
            row("a part of an address, 50 found", "bounded", rounds, lambda: search(search=some)),
            row("the same, none in the 10,000 read", "bounded", rounds, lambda: search(search="none")),
            row("a reference", "bounded", rounds, lambda: search(ref="INV-1")),
        ]
        tracker._storage.close()
        print_table(f"ms, with {number:,} recipients in {PIXELS} pixels", ("what", "median", "best", "target"), rows)
        emails = [f"first.last{place}@company{place % 500}.example.com" for place in range(number // 100)]
        bodies = {
            "10,000 references": {"recipients": [{"email": one, "ref": f"INV-{n}"} for n, one in enumerate(emails)]},
            "10,000 addresses": {"emails": emails},
        }
        found = interleave(
            {name: partial(time_tokens, folder, json.dumps(body).encode()) for name, body in bodies.items()},
            rounds=3 if options.quick else 15,
        )
        header = ("tokens for", "ms", "references are × this")
        print_table("One request, target 1.2", header, ratio_rows(found, "10,000 references"))


if __name__ == "__main__":
    main()

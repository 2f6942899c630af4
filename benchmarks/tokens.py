"""The time for 10,000 new addresses in one request, against a bare script that stores the same rows.

All start from the bytes of a JSON request and end with the bytes of a JSON response, with the rows stored durably. Each
round has new files, so that all indexes start empty.
"""

import json
import secrets
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path
from time import time

from common import BASE_URL, Client, arguments, interleave, new_folder, open_tracker, print_table, ratio_rows, seconds

OURS = "POST generate-tokens"
INSERT = "INSERT INTO {} (pixel, number, id, email, email_key, token, created_at) VALUES (1, ?, ?, ?, ?, ?, ?)"


def request_body(number: int) -> bytes:
    return json.dumps(
        {"emails": [f"first.last{place}@company{place % 500}.example.com" for place in range(number)]}
    ).encode()


def time_ours(folder: Path, body: bytes) -> float:
    tracker = open_tracker(folder / f"{secrets.token_hex(8)}.db")
    pixel = tracker.create_pixel("Newsletter")
    client = Client(tracker)  # a new one with a new rate limiter
    target = f"/api/v1/pixels/{pixel.id}/generate-tokens"
    client.request("GET", f"/api/v1/pixels/{pixel.id}")  # opens the connection, as the bare script has done
    return seconds(lambda: client.request("POST", target, body, expect="201"))


def bare_script(connection: sqlite3.Connection, table: str, pixel_id: str, body: bytes) -> bytes:
    """Do the same without any library: no validation, no ordered errors, no idempotence."""
    created_at = int(time() * 1000)
    rows = [
        (number, pixel_id[:8] + secrets.token_hex(8), email, email.lower(), "tok_" + secrets.token_hex(16), created_at)
        for number, email in enumerate(json.loads(body)["emails"], 1)
    ]
    with connection:
        connection.executemany(INSERT.format(table), rows)
    prefix = f"{BASE_URL}/tracker/{pixel_id[:8]}.png?token="
    tokens = [
        {"email": email, "token": token, "trackingUrl": prefix + token, "recipientId": recipient_id}
        for _, recipient_id, email, _, token, _ in rows
    ]
    answer = {"success": True, "pixelId": pixel_id, "generated": len(rows), "tokens": tokens}
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()


def time_bare(folder: Path, body: bytes, *, indexes: bool) -> float:
    """Time the bare script on a file with our tables, or on a table without any index."""
    path = folder / f"{secrets.token_hex(8)}.db"
    pixel = open_tracker(path).create_pixel("Newsletter")
    with closing(sqlite3.connect(path)) as connection:  # the file keeps its WAL mode
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE bare (pixel, number, id, email, email_key, token, created_at)")
        return seconds(lambda: bare_script(connection, "recipients" if indexes else "bare", pixel.id, body))


def main() -> None:
    options = arguments(__doc__).parse_args()
    number = 1_000 if options.quick else 10_000
    body = request_body(number)
    with new_folder() as folder:
        measures = {
            OURS: partial(time_ours, folder, body),
            "bare script, same table": partial(time_bare, folder, body, indexes=True),
            "bare script, no index": partial(time_bare, folder, body, indexes=False),
        }
        found = interleave(measures, rounds=3 if options.quick else 15)
    title = f"{number:,} new addresses, target 2.0 (of the same table)"
    print_table(title, ("what", "ms", "mailtrack is × this"), ratio_rows(found, OURS))


if __name__ == "__main__":
    main()

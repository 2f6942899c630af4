"""Print opens as a program elsewhere hears of them: it polls a server, and goes on where it was when it is run again.

    python follow_events.py http://127.0.0.1:8000 place.txt

With a key in MAILTRACK_KEY it sends that. `--once` ends it when nothing is new.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

SECONDS = 5  # between requests when nothing is new


def read(base: str, after: str | None) -> tuple[list[dict[str, Any]], str]:
    """Return the events behind a cursor, and the cursor behind these."""
    query = {"limit": 1000} | ({} if after is None else {"after": after})
    key = os.environ.get("MAILTRACK_KEY")
    request = Request(  # noqa: S310  # the caller gives the URL
        f"{base.rstrip('/')}/api/v1/events?{urlencode(query)}",
        headers={"Authorization": f"Bearer {key}"} if key else {},
    )
    with urlopen(request, timeout=30) as answer:  # noqa: S310  # the same
        page = json.load(answer)
    return page["items"], page["next"]


def handle(event: dict[str, Any]) -> None:
    """Act on an event. If this program is killed meanwhile, it comes again with the same id."""
    who = event["data"]["recipient"]
    if event["data"]["firstCounted"] and who:
        print(who["email"], "has read", event["data"]["pixel"]["name"], flush=True)


def main(base: str, file: str, *options: str) -> None:
    """Follow the events of a server, and keep the place in a file."""
    place = Path(file)
    after = place.read_text(encoding="utf-8") if place.exists() else None
    while True:
        try:
            events, after = read(base, after)
        except URLError as error:
            print("The server does not answer:", error.reason, file=sys.stderr)
            events = []
        for event in events:
            handle(event)
        if after is not None:
            place.write_text(after, encoding="utf-8")
        if not events:
            if "--once" in options:
                return
            time.sleep(SECONDS)


if __name__ == "__main__":
    main(*sys.argv[1:])

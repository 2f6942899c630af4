"""Requests of every kind that the API's document allows or forbids, as schemathesis makes them up.

Here they are few, and the same each time; `nox -s schemathesis` makes up many others.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from mailtrack.images import TRANSPARENT_PNG

HERE = Path(__file__).parent
MANY = int(os.environ.get("MAILTRACK_API_CASES", "0"))
# Some 400 cases are at the borders of what is allowed. The others are drawn, so many at most for each operation.
DRAWN = ["--max-examples", str(MANY // 12)] if MANY else ["--max-examples", "5", "--generation-deterministic"]


def test_the_server_does_what_its_document_says(server, tmp_path):
    with server.stored() as tracker:
        pixel = tracker.create_pixel("Spring", image=TRANSPARENT_PNG.data)
        emails = [f"reader{number}@example.org" for number in range(1000)]
        recipients = [recipient.id for recipient in tracker.generate_tokens(pixel.id, emails)]
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", HERE / "schemathesis.toml"),
            *("run", f"http://127.0.0.1:{server.port}/api/v1/openapi.json", "--checks", "all", "--no-color", *DRAWN),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")},
            "SCHEMATHESIS_HOOKS": str(HERE / "schemathesis_hooks.py"),
            "MAILTRACK_KNOWN": json.dumps({"recipient": recipients, "image": [pixel.image]}),
        },
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert int(re.search(r"(\d+) generated", ran.stdout)[1]) >= max(MANY, 400)

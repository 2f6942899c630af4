"""Requests of every kind that the API's document allows or forbids, as schemathesis makes them up.

`nox -s schemathesis` sends more of them.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from mailtrack.images import TRANSPARENT_PNG

HERE = Path(__file__).parent
CASES = int(os.environ.get("MAILTRACK_API_CASES", "500"))
SYSTEMATIC = 400  # of them, at the borders of what is allowed; the others are drawn, for operations that differ enough


def test_the_server_keeps_what_its_document_says(server, tmp_path):
    with server.stored() as tracker:
        pixel = tracker.create_pixel("Spring", image=TRANSPARENT_PNG.data)
        emails = [f"reader{number}@example.org" for number in range(1000)]
        recipients = [recipient.id for recipient in tracker.generate_tokens(pixel.id, emails)]
    known = {"recipient": recipients, "image": [pixel.image]}
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", HERE / "schemathesis.toml"),
        *("run", f"http://127.0.0.1:{server.port}/api/v1/openapi.json", "--checks", "all", "--no-color"),
        *("--max-examples", max(1, (CASES - SYSTEMATIC) // 12)),
        *(
            ("--generation-database", "none")
            if "MAILTRACK_API_CASES" in os.environ
            else ("--generation-deterministic",)
        ),
    ]
    ran = subprocess.run(
        [str(part) for part in command],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=os.environ
        | {"SCHEMATHESIS_HOOKS": str(HERE / "schemathesis_hooks.py"), "MAILTRACK_KNOWN": json.dumps(known)},
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert int(re.search(r"(\d+) generated", ran.stdout)[1]) >= CASES

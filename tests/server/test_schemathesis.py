"""Requests of every kind that the API's document allows or forbids, as schemathesis makes them up.

Here they are few, and the same each time; `nox -s schemathesis` makes up many others.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mailtrack import Tracker, open_storage
from mailtrack._images.check import TRANSPARENT_PNG

HERE = Path(__file__).parent
MANY = int(os.environ.get("MAILTRACK_API_CASES", "0"))
# Some 400 cases are at the borders of what is allowed. The others are drawn, so many at most for each operation.
OPTIONS = [
    "--checks=all",
    "--no-color",
    f"--max-examples={MANY // 16 or 5}",
    *([] if MANY else ["--generation-deterministic"]),
]


@pytest.fixture(params=[False, True] if MANY else [False], ids=lambda keyed: "with keys" if keyed else "without keys")
def asked(request, tmp_path):
    """A running server, and what schemathesis has to know of its keys."""
    if not request.param:
        return request.getfixturevalue("server"), []
    with open_storage(f"sqlite:///{tmp_path}/mailtrack.db") as storage:
        _, key = Tracker(storage).keys.create()
    return request.getfixturevalue("start")(), [
        f"--header=X-API-Key: {key}",
        "--generation-with-security-parameters=false",  # a wrong key besides the good one would be passed over
        "--warnings=off",  # a key has one limit on tokens, from wherever it is used
    ]


def test_the_server_does_what_its_document_says(asked, tmp_path):
    server, key = asked
    with server.stored() as tracker:
        pixel = tracker.create_pixel("Spring", image=TRANSPARENT_PNG.data)
        emails = [f"reader{number}@example.org" for number in range(1000)]
        doomed = [tracker.create_pixel("Doomed").id for _ in range(100)]
        recipients = [recipient.id for recipient in tracker.generate_tokens(pixel.id, emails)]
        webhooks = [tracker.webhooks.add("https://crm.invalid/mailtrack").id for _ in range(400)]
        for webhook in webhooks:
            tracker.webhooks.update(webhook, enabled=False)
    url = f"http://127.0.0.1:{server.port}/api/v1/openapi.json"
    ran = subprocess.run(
        [
            sys.executable,
            "-m",
            "schemathesis.cli",
            "--config-file",
            HERE / "schemathesis.toml",
            "run",
            url,
            *key,
            *OPTIONS,
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")},
            "SCHEMATHESIS_HOOKS": str(HERE / "schemathesis_hooks.py"),
            "MAILTRACK_KNOWN": json.dumps(
                {"pixel": [pixel.id], "recipient": recipients, "image": [pixel.image], "webhook": webhooks}
            ),
            "MAILTRACK_DOOMED": json.dumps(doomed),
        },
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert int(re.search(r"(\d+) generated", ran.stdout)[1]) >= max(MANY, 400)

"""A running server takes up new lists of networks by itself."""

import contextlib
import os
import subprocess
import sys

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

APPLE_MAIL = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
RELAY = "198.51.100.7"
TRIES = 300


def until(server, condition):
    """Wait for what a background thread of a running server does, at most half a minute."""
    for _ in range(TRIES):
        if condition():
            return True
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.process.wait(0.1)
            break
    return False


def kinds(server, pixel):
    with server.stored() as tracker:
        return [one.verdict.kind.value for one in tracker.list_opens(pixel["id"]).items]


def hit(server, pixel, user_agent=APPLE_MAIL):
    """Load the image from the relay, and return the verdict of this open."""
    number = len(kinds(server, pixel))
    headers = {"User-Agent": user_agent, "X-Forwarded-For": RELAY}
    assert server("GET", f"/tracker/{pixel['id'][:8]}.png", headers=headers).status == 200
    assert until(server, lambda: len(kinds(server, pixel)) > number)
    return kinds(server, pixel)[0]


def update(folder, *arguments, **environment):
    """Run `mailtrack networks update` as a process of its own beside the server."""
    return subprocess.run(
        [sys.executable, "-m", "mailtrack", "networks", "update", *arguments],
        cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=True, timeout=60,
    ).stderr  # fmt: skip


@pytest.mark.parametrize("options", [(), ("--spool", "off")], ids=["spool", "no-spool"])
def test_a_new_list_counts_without_a_restart(start, tmp_path, options):
    server = start(*options)
    pixel = server.create_pixel()
    assert hit(server, pixel) == "human"
    (tmp_path / "relays.csv").write_text(f"{RELAY}/32,GB,GB-EN,London,\n")
    assert update(tmp_path, "apple-relay", "--from", "apple-relay=relays.csv") == (
        "apple-relay: 1 range from relays.csv\n"
    )
    assert until(server, lambda: hit(server, pixel) == "prefetch")
    assert server.stop() == 0
    assert "networks" not in server.printed()


def test_an_asn_database_counts_without_a_restart(start, tmp_path):
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True)
    writer.insert_network(IPSet(["198.51.100.0/24"]), {"autonomous_system_number": 22843})
    writer.to_db_file(str(tmp_path / "asn.mmdb"))
    server = start()
    pixel = server.create_pixel()
    assert hit(server, pixel, CHROME) == "human"  # without a language, which is not enough
    folder = str(tmp_path / "mailtrack.db.networks")
    environment = {"MAILTRACK_ASN_DATABASE": "asn.mmdb", "MAILTRACK_NETWORKS_FOLDER": folder}
    assert "proofpoint: 1 range" in update(tmp_path, "proofpoint", **environment)
    assert until(server, lambda: hit(server, pixel, CHROME) == "scanner")
    assert server.stop() == 0

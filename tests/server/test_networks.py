"""A running server takes up new lists of networks by itself."""

import contextlib
import subprocess

import pytest

from mailtrack.cli._networks.folder import Folder, State

APPLE_MAIL = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
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


def hit(server, pixel):
    """Load the image from the relay, and return the verdict of this open."""
    number = len(kinds(server, pixel))
    headers = {"User-Agent": APPLE_MAIL, "X-Forwarded-For": RELAY, "Accept-Language": "en"}
    assert server("GET", f"/tracker/{pixel['id'][:8]}.png", headers=headers).status == 200
    assert until(server, lambda: len(kinds(server, pixel)) > number)
    return kinds(server, pixel)[0]


@pytest.mark.parametrize("options", [(), ("--spool", "off")], ids=["spool", "no-spool"])
def test_a_new_list_counts_without_a_restart(start, tmp_path, options):
    server = start(*options)
    pixel = server.create_pixel()
    assert hit(server, pixel) == "human"
    Folder(tmp_path / "mailtrack.db.networks").path.mkdir()
    Folder(tmp_path / "mailtrack.db.networks").write_list("apple-relay", f"{RELAY}\n", State())
    assert until(server, lambda: hit(server, pixel) == "prefetch")
    assert server.stop() == 0
    assert "networks" not in server.printed()

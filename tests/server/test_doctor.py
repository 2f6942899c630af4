"""`mailtrack doctor` against the reference server."""

import pytest

from mailtrack.cli._doctor.examine import examine
from mailtrack.cli._settings import Settings


@pytest.fixture
def check(server):
    """Returns the doctor's findings about the server, except `ok`."""

    def tell(**given):
        settings = Settings(
            database=f"sqlite:///{server.folder}/mailtrack.db", base_url=f"http://127.0.0.1:{server.port}", **given
        )
        found = {one.check: one for one in examine(settings)}
        assert "recording" in found
        return {name: one.outcome.value for name, one in found.items() if one.outcome != "ok"}

    return tell


# The server of these tests trusts a proxy that is not there, and has no TLS, keys or lists; SQLite is the system's.
EXPECTED = {
    "networks": "warning",
    "keys": "warning",
    "https": "warning",
    "certificate": "skipped",
    "access": "warning",
    "forged-address": "failed",
}


def test_it_finds_what_is_wrong_and_nothing_else(check):
    found = check()
    found.pop("sqlite", None)
    assert found == EXPECTED


def test_it_leaves_nothing_behind(check, server):
    with server.stored() as tracker:
        before = [pixel.id for pixel in tracker.iter_pixels()]
        check()
        assert [pixel.id for pixel in tracker.iter_pixels()] == before

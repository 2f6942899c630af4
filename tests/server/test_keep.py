"""`serve --keep`, in a running server."""

import threading
from datetime import timedelta

import pytest

from mailtrack._times import now
from mailtrack.testing import make_hit

HOUR = timedelta(hours=1)
LOOKS = 600


def test_old_opens_are_deleted_while_the_server_runs(start):
    server = start("--keep", "12h", "--workers", "2")
    pixel = server.create_pixel()
    with server.stored() as tracker:
        found = tracker.get_pixel(pixel["id"])
        tracker.store([make_hit(found, at=now() - age * HOUR) for age in (30, 20, 1)])
        for _ in range(LOOKS):
            if tracker.get_pixel(pixel["id"]).purged == 2:
                break
            threading.Event().wait(0.05)
        left = tracker.get_pixel(pixel["id"])
    assert (left.purged, left.kept, left.opens.raw.number) == (2, 1, 3)
    assert server.stop() == 0


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            ["--keep", "a year"],
            "--keep: must be a number of hours, days or weeks from 1 to 99999, as in 12h, 90d or 26w",
        ),
        (["--keep", "9d", "--database", "memory://"], "--keep: can't be used with memory://"),
    ],
)
def test_a_wrong_age_or_storage_is_refused(fail, options, text):
    code, told = fail(*options)
    assert (code, text in told) == (2, True)

"""`mailtrack copy` as a process that is killed again and again, and begun anew, into a file and into PostgreSQL."""

import signal
import time

import pytest

from mailtrack import Tracker, open_storage
from mailtrack.testing import make_open, make_recipients

FROM = "sqlite:///mailtrack.db"
STEP = 2_000
ALL = 6 * STEP
SECONDS = 60


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def to(request):
    """The URL of an empty storage to copy into."""
    return "sqlite:///copy.db" if request.param == "SQLite" else request.getfixturevalue("postgres_tables")()


@pytest.mark.parametrize("kills", [1, 3])
def test_kills_lose_nothing_and_add_nothing_twice(run, program, tracker, pixel, to, kills):
    with open_storage(FROM) as storage:
        people = make_recipients(pixel, [f"r{number}@example.org" for number in range(ALL)])
        storage.add_recipients(pixel.id, people)
        for start in range(0, ALL, STEP):
            storage.add_opens([make_open(pixel, one) for one in people[start : start + STEP]])
    with open_storage(to) as target:
        copied = Tracker(target)

        def count():
            return sum(found.opens.raw.number for found in copied.list_pixels().items)

        for _ in range(kills):
            before, deadline = count(), time.monotonic() + SECONDS
            process = program("copy", FROM, to)
            while count() == before:
                assert process.poll() is None, process.stderr.read()
                assert time.monotonic() < deadline
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL  # it had not ended by itself
        run("copy", FROM, to)
        assert copied.report(pixel.id) == tracker.report(pixel.id)
        found = copied.get_pixel(pixel.id)
        assert (found.recipients, found.opens.raw.number, found.kept) == (ALL, ALL, ALL)
        assert {one.id for one in copied.iter_opens(pixel.id)} == {one.id for one in tracker.iter_opens(pixel.id)}

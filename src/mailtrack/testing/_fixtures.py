"""Fixtures for the tests of programs that track their mails."""

from collections.abc import Iterator

import pytest

from mailtrack._tracker import Tracker
from mailtrack.storage import open_storage
from mailtrack.testing._clock import FakeClock


@pytest.fixture
def mailtrack_clock() -> FakeClock:
    """The clock of `mailtrack_tracker`, which stands still until it is advanced."""
    return FakeClock()


@pytest.fixture
def mailtrack_tracker(mailtrack_clock: FakeClock) -> Iterator[Tracker]:
    """A tracker with a storage in memory and the base URL `https://mail.example.com/track`, new for each test.

    It takes addresses in special domains, such as `.test`, too.
    """
    with open_storage("memory://") as storage:
        yield Tracker(
            storage, base_url="https://mail.example.com/track", clock=mailtrack_clock, allow_special_domains=True
        )

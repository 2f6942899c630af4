"""What all tests share: a tracker whose clock stands still, and the profiles of Hypothesis."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from mailtrack import Storage, Tracker, open_storage
from mailtrack.testing import FakeClock

settings.register_profile("default", deadline=None, max_examples=60)
settings.register_profile(
    "ci", deadline=None, max_examples=60, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("thorough", deadline=None, max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "default"))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def memory() -> Iterator[Storage]:
    with open_storage("memory://") as storage:
        yield storage


@pytest.fixture
def tracker(memory: Storage, clock: FakeClock) -> Tracker:
    return Tracker(memory, base_url="https://mail.example.com/track", clock=clock)

"""What the tests of events share: opens to hear of, and conditions to wait for."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from mailtrack import Event, Pixel, Tracker

SECONDS = 20  # after which a test fails


@pytest.fixture
def wait_until() -> Callable[[Callable[[], object]], None]:
    """Waits for a condition that other threads or processes bring about."""

    def wait(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + SECONDS
        while not condition():
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.005)

    return wait


@pytest.fixture
def pixel(tracker: Tracker) -> Pixel:
    return tracker.create_pixel("Spring launch")


@pytest.fixture
def open_by(tracker: Tracker, pixel: Pixel, thunderbird: str) -> Callable[..., None]:
    """Opens the mails of some addresses, each for the first time."""

    def open_(*emails: str, user_agent: str = thunderbird) -> None:
        for recipient in tracker.generate_tokens(pixel, emails):
            tracker.record(pixel.id, token=recipient.token, user_agent=user_agent)

    return open_


class Heard:
    """A function for `on_open` that keeps the addresses of the events, and fails or blocks as it is told."""

    def __init__(self) -> None:
        self.emails: list[str] = []
        self.events: list[Event] = []
        self.threads: set[str] = set()
        self.faults: list[BaseException] = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.entered = threading.Event()

    def __call__(self, event: Event) -> None:
        self.entered.set()
        self.threads.add(threading.current_thread().name)
        self.may_go_on.wait(SECONDS)
        if self.faults:
            raise self.faults.pop()
        self.events.append(event)
        self.emails.append(event.recipient.email if event.recipient else "")


@pytest.fixture
def heard() -> Iterator[Heard]:
    function = Heard()
    yield function
    function.may_go_on.set()


@pytest.fixture
def started(tracker: Tracker) -> Iterator[Callable[[], Tracker]]:
    """Starts the tracker, which is stopped at the end."""

    def start() -> Tracker:
        tracker.start()
        return tracker

    yield start
    tracker.stop()

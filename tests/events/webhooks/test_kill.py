"""Senders that are killed again and again while events are due: each event arrives, however often with one id.

`MAILTRACK_WEBHOOK_EVENTS` says how many events there are: with 10,000, a sender is killed after a second of sending.
"""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import pytest
from standardwebhooks import Webhook as Verifier

from mailtrack import Tracker, open_storage
from mailtrack.testing import make_hit

LOGGER = logging.getLogger(__name__)
SENDER = Path(__file__).with_name("sender.py")
EVENTS = int(os.environ.get("MAILTRACK_WEBHOOK_EVENTS") or "300")
FEW = EVENTS <= 1000
MESSAGES, SECONDS = EVENTS // 6 if FEW else EVENTS, 1.0  # after which a sender is killed, whichever comes first
LEASE = 31  # seconds after which what a killed process had taken is due again
AHEAD = LEASE if FEW else 0  # of the clock of each sender before that of the last one
TAKEN = 80  # deliveries that a process has taken at most
LEAST_KILLS = 4


@pytest.fixture
def database(tmp_path: Path, new_database: Callable[[Path], Path]) -> Path:
    return new_database(tmp_path / "mailtrack.db")


@contextmanager
def sending(database: Path, ahead: int):
    """Run a sender whose clock is so many seconds ahead, and kill it at the end."""
    file = database.with_name("ahead")
    file.with_name("new").write_text(str(ahead))
    file.with_name("new").replace(file)  # never half written
    with subprocess.Popen(
        [sys.executable, SENDER, database, file], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"started\n"
        yield process
        process.kill()


class Arrived:
    """The messages that have come to a receiver, and of which a kill has cut off nothing."""

    def __init__(self, receiver):
        self._receiver = receiver
        self._seen = 0
        self.messages = []
        self._ids = set()

    @property
    def ids(self):
        """The ids of those that have come by now."""
        new = self._receiver.messages[self._seen :]
        self._seen += len(new)
        whole = [one for one in new if len(one.body) == int(one.headers["content-length"])]
        self.messages += whole
        self._ids.update(one.id for one in whole)
        return self._ids


def test_each_event_arrives_though_the_sender_is_killed_again_and_again(database, receiver, wait_until, caplog):
    with open_storage(f"sqlite:///{database}") as storage:
        tracker = Tracker(storage, webhook_allow=["127.0.0.0/8"])
        pixel = tracker.create_pixel("Spring launch")
        webhook = tracker.webhooks.add(receiver.url, first="any", kinds=["human", "unknown", "bot", "prefetch"])
        tracker.store([make_hit(pixel, at=tracker.now()) for _ in range(EVENTS)])
        stored = {event.id for event in tracker.iter_events()}
        began, kills, arrived = time.monotonic(), 0, Arrived(receiver)
        while len(arrived.ids) < EVENTS - TAKEN * (kills + 1) or kills < LEAST_KILLS:
            with sending(database, kills * AHEAD):
                receiver.wait(before := len(receiver.messages) + 1)
                with receiver.got:
                    receiver.got.wait_for(lambda: len(receiver.messages) >= before + MESSAGES, SECONDS)
            kills += 1
        with sending(database, kills * AHEAD + LEASE):
            wait_until(lambda: arrived.ids == stored)
            wait_until(lambda: tracker.webhooks.count_deliveries()[webhook.id].pending == 0)
        messages = arrived.messages
        caplog.set_level("INFO")
        took = time.monotonic() - began
        LOGGER.info("%d events, %d kills, %d messages, %.1f s", EVENTS, kills, len(messages), took)  # with `-rP`
        assert len(messages) <= EVENTS + TAKEN * (kills + 1)  # a kill repeats some, not all
        for one in messages:
            assert Verifier(webhook.secret).verify(one.body, one.headers)["id"] == one.id
        assert tracker.webhooks.list_deliveries(webhook, state="delivered").items
        for state in ("pending", "failed"):
            assert tracker.webhooks.list_deliveries(webhook, state=state).items == ()


def test_a_child_sends_where_its_parent_has_started_before_the_fork(database, receiver):
    program = f"""
import os, sys
from mailtrack import Tracker, open_storage
from mailtrack.testing import make_hit

storage = open_storage("sqlite:///{database}")
tracker = Tracker(storage, webhook_allow=["127.0.0.0/8"])
pixel = tracker.create_pixel("Spring launch")
tracker.webhooks.add("{receiver.url}", first="any", kinds=["human", "unknown", "bot", "prefetch"])
tracker.start()
sys.stdin.readline()
if child := os.fork():
    tracker.stop()
    storage.close()
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
tracker.start()
tracker.store([make_hit(pixel, at=tracker.now()) for _ in range(3)])
sys.stdin.readline()
tracker.stop()
storage.close()
"""
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE) as process:
        process.stdin.write(b"\n")
        process.stdin.flush()
        assert len({one.id for one in receiver.wait(3)}) == 3
        process.stdin.write(b"\n")
        process.stdin.close()
        assert process.wait(20) == 0

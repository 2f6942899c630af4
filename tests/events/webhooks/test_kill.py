"""Senders that are killed again and again while events are due: each event arrives, however often with one id.

`MAILTRACK_WEBHOOK_EVENTS` says how many events there are.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import pytest
from standardwebhooks import Webhook as Verifier

from mailtrack import Tracker, open_storage
from mailtrack.testing import make_hit

SENDER = Path(__file__).with_name("sender.py")
EVENTS = int(os.environ.get("MAILTRACK_WEBHOOK_EVENTS") or "300")
KILLS = 4
LEASE = 31  # seconds after which what a killed process had taken is due again


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


def arrived(receiver):
    """Return the messages of which a kill has cut off nothing."""
    return [one for one in list(receiver.messages) if len(one.body) == int(one.headers["content-length"])]


def test_each_event_arrives_though_the_sender_is_killed_again_and_again(database, receiver, wait_until):
    with open_storage(f"sqlite:///{database}") as storage:
        tracker = Tracker(storage, webhook_allow=["127.0.0.0/8"])
        pixel = tracker.create_pixel("Spring launch")
        webhook = tracker.webhooks.add(receiver.url, first="any", kinds=["human", "unknown", "bot", "prefetch"])
        tracker.store([make_hit(pixel, at=tracker.now()) for _ in range(EVENTS)])
        stored = {event.id for event in tracker.iter_events()}
        for number in range(KILLS):
            with sending(database, number * LEASE):
                receiver.wait(len(receiver.messages) + EVENTS // (KILLS + 2))
        with sending(database, KILLS * LEASE):
            wait_until(lambda: {one.id for one in arrived(receiver)} == stored)
            wait_until(lambda: tracker.webhooks.count_deliveries()[webhook.id].pending == 0)
        messages = arrived(receiver)
        assert len(messages) < 2 * EVENTS  # a kill repeats some, not all
        for one in messages:
            assert Verifier(webhook.secret).verify(one.body, one.headers)["id"] == one.id
        page = tracker.webhooks.list_deliveries(webhook, limit=1000)
        assert {one.state.value for one in page.items} == {"delivered"}


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

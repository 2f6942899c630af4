"""The signal `opened`."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import override_settings

from mailtrack import Pixel, Tracker, open_storage
from mailtrack.testing import make_hit
from mailtrack_wsgi.django import get_tracker, opened
from mailtrack_wsgi.django._signals import READER


class Receiver:
    """Keeps what it receives."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self.threads: set[str] = set()
        self.came = threading.Semaphore(0)

    def __call__(self, **arguments: Any) -> None:
        self.received.append(arguments)
        self.threads.add(threading.current_thread().name)
        self.came.release()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    one = Receiver()
    opened.connect(one)
    yield one
    opened.disconnect(one)


def test_it_comes_with_the_open_its_pixel_and_its_recipient(
    client: Client, tracker: Tracker, pixel: Pixel, receiver: Receiver
) -> None:
    (ann,) = tracker.generate_tokens(pixel, ["ann@example.org"])
    client.get(f"/track/tracker/{pixel.short_id}.png", {"token": ann.token})
    (arguments,) = receiver.received
    assert arguments.pop("signal") is opened
    event = arguments.pop("event")
    assert (event.first, event.id) == (True, f"evt_{arguments['open'].id}")
    (stored,) = tracker.list_opens(pixel).items
    ann, pixel = tracker.get_recipient(ann), tracker.get_pixel(pixel)
    assert arguments == {"sender": Tracker, "open": stored, "pixel": pixel, "recipient": ann}


def test_it_comes_without_recipient_for_an_open_without_token(client: Client, pixel: Pixel, receiver: Receiver) -> None:
    client.get(f"/track/tracker/{pixel.short_id}.png")
    assert receiver.received[0]["recipient"] is None


def test_it_comes_once_for_an_open_that_is_stored_twice(tracker: Tracker, pixel: Pixel, receiver: Receiver) -> None:
    hit = make_hit(pixel=pixel.id)
    assert (tracker.store([hit]), tracker.store([hit])) == (1, 0)
    assert len(receiver.received) == 1


def test_a_receiver_that_fails_costs_no_open_and_no_other_receiver(
    client: Client, tracker: Tracker, pixel: Pixel, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(**_: Any) -> None:
        raise RuntimeError("a fault of the project")

    opened.connect(fail)
    try:
        assert client.get(f"/track/tracker/{pixel.short_id}.png").status_code == 200
    finally:
        opened.disconnect(fail)
    assert len(tracker.list_opens(pixel).items) == len(receiver.received) == 1
    assert "a fault of the project" in caplog.text


def test_a_storage_that_fails_after_storing_costs_no_open(
    client: Client, tracker: Tracker, pixel: Pixel, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("the storage went away")

    monkeypatch.setattr(tracker, "iter_events", fail)
    client.get(f"/track/tracker/{pixel.short_id}.png")
    assert (len(tracker.list_opens(pixel).items), receiver.received) == (1, [])


class TestWithASpool:
    @pytest.fixture
    def tracker(self, tmp_path: Path) -> Iterator[Tracker]:
        with override_settings(MAILTRACK_DATABASE=f"sqlite:///{tmp_path}/mailtrack.db"):
            yield get_tracker()

    def test_it_comes_from_a_thread_of_its_own(self, client: Client, pixel: Pixel, receiver: Receiver) -> None:
        client.get(f"/track/tracker/{pixel.short_id}.png")
        assert receiver.came.acquire(timeout=20)
        assert receiver.threads == {"mailtrack-on-open-django.opened"}

    def test_it_comes_for_all_that_the_end_of_the_process_stores_at_the_next_start(
        self, client: Client, pixel: Pixel, receiver: Receiver
    ) -> None:
        for _ in range(20):
            client.get(f"/track/tracker/{pixel.short_id}.png")
        with override_settings(MAILTRACK_PIXEL="Another"):  # which begins anew
            client.get("/track/healthz")
            for _ in range(20):
                assert receiver.came.acquire(timeout=20)
        assert len({one["open"].id for one in receiver.received}) == len(receiver.received) == 20

    def test_it_comes_for_opens_that_another_process_stores(
        self, client: Client, tmp_path: Path, pixel: Pixel, receiver: Receiver
    ) -> None:
        client.get("/track/healthz")  # this process serves
        with open_storage(f"sqlite:///{tmp_path}/mailtrack.db") as storage:
            Tracker(storage).record(pixel.id)
        assert receiver.came.acquire(timeout=20)

    def test_a_receiver_that_is_connected_later_gets_it_from_then_on(self, client: Client, pixel: Pixel) -> None:
        get_tracker().record(pixel.id)  # stored at once, since nothing is started
        client.get("/track/healthz")  # this process serves
        receiver = Receiver()
        opened.connect(receiver)
        try:
            get_tracker().record(pixel.id, user_agent="later")
            assert receiver.came.acquire(timeout=20)
        finally:
            opened.disconnect(receiver)
        assert [one["open"].user_agent for one in receiver.received] == ["later"]

    def test_without_receivers_there_is_neither_a_thread_nor_a_place_that_falls_behind(
        self, client: Client, tracker: Tracker, pixel: Pixel
    ) -> None:
        client.get(f"/track/tracker/{pixel.short_id}.png")
        assert not [one for one in threading.enumerate() if one.name.startswith("mailtrack-on-open")]
        now = tracker.now()
        assert tracker._storage.take_reader(READER, "test", now=now, until=now) is None

    def test_a_receiver_that_fails_gets_the_next_open_and_not_the_same_again(
        self, client: Client, pixel: Pixel
    ) -> None:
        failed: list[str] = []
        twice = threading.Semaphore(0)

        def fail(open: Any, **_: Any) -> None:  # noqa: A002  # so named in the documentation
            failed.append(open.id)
            twice.release()
            raise RuntimeError("a fault of the project")

        opened.connect(fail)
        try:
            for _ in range(2):
                client.get(f"/track/tracker/{pixel.short_id}.png")
                assert twice.acquire(timeout=20)
        finally:
            opened.disconnect(fail)
        assert len(set(failed)) == len(failed) == 2

    def test_a_receiver_that_hangs_keeps_no_open_from_being_stored(
        self, client: Client, tracker: Tracker, pixel: Pixel
    ) -> None:
        hangs, go_on = threading.Event(), threading.Event()

        def hang(**_: Any) -> None:
            hangs.set()
            assert go_on.wait(20)

        opened.connect(hang)
        try:
            client.get(f"/track/tracker/{pixel.short_id}.png")
            assert hangs.wait(20)
            for _ in range(20):
                client.get(f"/track/tracker/{pixel.short_id}.png")
            assert tracker.stop()
            assert tracker.get_pixel(pixel).opens.raw.number == 21
        finally:
            go_on.set()
            opened.disconnect(hang)

    def test_a_receiver_may_use_the_projects_database(self, client: Client, pixel: Pixel) -> None:
        done = threading.Event()

        def ask(**_: Any) -> None:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
            connection.connection.close()  # Django leaves one open whose database is in memory
            done.set()

        opened.connect(ask)
        try:
            client.get(f"/track/tracker/{pixel.short_id}.png")
            assert done.wait(20)
        finally:
            opened.disconnect(ask)

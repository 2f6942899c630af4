"""Readers and webhooks go on in a copy where they were, and what was due is due there."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from mailtrack import Storage, StorageError, StorageUnavailable, open_storage
from mailtrack import _copied_places as copied_places
from mailtrack import _times as times
from mailtrack._copying import Copied, Copying
from mailtrack._model import Pixel
from mailtrack._webhook import Delivery, DeliveryState, Webhook
from mailtrack.testing import make_open, make_pixel, make_recipient
from mailtrack.testing._factories import NOON, make_webhook

LATER = NOON + timedelta(days=1)
CHANGES = (
    "add_opens",
    "add_reader",
    "move_reader",
    "add_webhook",
    "change_webhook",
    "fill_outbox",
    "settle_deliveries",
)


@pytest.fixture(params=["memory memory", "sqlite sqlite", "sqlite postgresql", "postgresql sqlite"])
def make_storage(
    request: pytest.FixtureRequest, tmp_path: Path, new_database: Any, postgres_tables: Callable[[], str]
) -> Iterator[Callable[[str], Any]]:
    """Makes the source and the target, each of its kind."""
    made: list[Storage] = []

    def make(name: str) -> Storage:
        urls = {
            "memory": lambda: "memory://",
            "sqlite": lambda: f"sqlite:///{new_database(tmp_path / name)}",
            "postgresql": postgres_tables,
        }
        made.append(open_storage(urls[request.param.split()[name == "target.db"]]()))
        return made[-1]

    yield make
    for storage in made:
        storage.close()


@pytest.fixture
def source(make_storage: Callable[[str], Any]) -> Any:
    return make_storage("source.db")


@pytest.fixture
def target(make_storage: Callable[[str], Any]) -> Any:
    return make_storage("target.db")


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailtrack._copying._AT_ONCE", 7)


def add(storage: Any, pixels: list[Pixel], number: int) -> None:
    """Add opens to some pixels in turn, so that no pixel's events stand together."""
    for one in range(number):
        pixel = pixels[one % len(pixels)]
        storage.add_opens([make_open(pixel, at=NOON + timedelta(minutes=one)) for _ in range(3)])


def fill(storage: Any) -> list[Pixel]:
    pixels = [make_pixel(f"Pixel {number}") for number in range(3)]
    for pixel in pixels:
        storage.add_pixel(pixel)
        storage.add_recipients(pixel.id, [make_recipient(pixel)])
    add(storage, pixels, 12)
    return pixels


def cursor_behind(storage: Any, number: int) -> Any:
    """Return the cursor of an event, counted from the first."""
    return storage.list_events(limit=1000).items[number - 1].cursor


def move(storage: Any, name: str, cursor: str) -> None:
    storage.add_reader(name)
    assert storage.take_reader(name, "mine", now=NOON, until=NOON) is not None
    assert storage.move_reader(name, "mine", cursor, until=NOON)


def add_webhook(storage: Any, cursor: str | None, **values: Any) -> Webhook:
    webhook = make_webhook(**values)
    storage.add_webhook(webhook)
    present = storage.get_webhook(webhook.id)
    storage.change_webhook(present, attrs.evolve(present, after=cursor))
    found: Webhook = storage.get_webhook(webhook.id)
    return found


def behind(storage: Any) -> dict[str, list[str]]:
    """The events that each reader and webhook has not handled yet."""
    places = storage.list_readers() | {one.id: one.after for one in storage.list_webhooks()}
    return {
        name: sorted(one.id for one in storage.list_events(limit=1000, after=cursor).items)
        for name, cursor in places.items()
    }


def copy(source: Any, target: Any) -> Copied:
    copying = Copying(source, target)
    rows = copying.plan()
    assert sum(copying.run()) == rows
    assert list(copying.verify()) == []
    return copying.copied


def follow(storage: Any) -> None:
    """Add readers and webhooks at different places."""
    for name, number in (("first", 5), ("second", 17), ("third", 17), ("nearly", 35), ("last", 36)):
        move(storage, name, cursor_behind(storage, number))
    add_webhook(storage, None)
    add_webhook(storage, cursor_behind(storage, 20), enabled=False)
    add_webhook(storage, storage.get_feed_end())


def test_each_goes_on_where_it_was(source: Any, target: Any) -> None:
    fill(source)
    follow(source)
    assert copy(source, target).left_out.places == 0
    assert behind(target) == behind(source)
    assert sorted(map(len, behind(target).values())) == [0, 0, 1, 16, 19, 19, 31, 36]
    present = [attrs.evolve(one, after=None) for one in target.list_webhooks()]
    assert present == [attrs.evolve(one, after=None) for one in source.list_webhooks()]


def test_the_readers_of_a_copy_are_free(source: Any, target: Any) -> None:
    fill(source)
    follow(source)
    copy(source, target)
    assert target.take_reader("first", "new", now=times.now(), until=times.now()) is not None


def test_a_later_run_takes_what_was_handled_since(source: Any, target: Any) -> None:
    pixels = fill(source)
    follow(source)
    copy(source, target)
    add(source, pixels, 4)
    move(source, "first", cursor_behind(source, 25))
    move(source, "second", cursor_behind(source, 40))
    move(source, "new", cursor_behind(source, 48))
    for webhook in source.list_webhooks():
        source.change_webhook(webhook, attrs.evolve(webhook, after=source.get_feed_end()))
    assert copy(source, target).left_out.places == 0
    wanted, found = behind(source), behind(target)
    assert {name: len(events) for name, events in wanted.items() if name == "first"} == {"first": 23}
    assert all(set(events) <= set(found[name]) for name, events in wanted.items())
    assert {name for name, events in found.items() if events != wanted[name]} <= {"first"}  # some come again


def test_a_place_that_an_earlier_run_has_passed_is_reported(source: Any, target: Any) -> None:
    fill(source)
    copy(source, target)
    move(source, "back", cursor_behind(source, 30))
    assert copy(source, target).left_out.places == 1
    assert behind(target) == {"back": []}


def test_a_place_with_too_many_events_behind_is_reported(
    source: Any, target: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copied_places, "MOST_BEHIND", 10)
    fill(source)
    move(source, "far", cursor_behind(source, 20))
    move(source, "near", cursor_behind(source, 30))
    assert copy(source, target).left_out.places == 1
    assert behind(target) == behind(source) | {"far": []}


def test_opens_that_arrive_meanwhile_are_not_taken_for_handled(
    source: Any, target: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = fill(source)
    move(source, "mine", source.get_feed_end())
    add_opens, arriving = target.add_opens, iter(range(2))

    def add_to_both(opens: Any) -> Any:
        if next(arriving, None) is not None:
            add(source, pixels, 1)
        return add_opens(opens)

    monkeypatch.setattr(target, "add_opens", add_to_both, raising=False)
    copying = Copying(source, target)
    copying.plan()
    assert sum(copying.run()) >= 36
    assert set(behind(source)["mine"]) & {one.id for one in target.list_events(limit=1000).items}
    stored = {one.id for one in target.list_events(limit=1000).items}
    assert set(behind(target)["mine"]) == set(behind(source)["mine"]) & stored


class Deliveries:
    """Webhooks with deliveries in all states."""

    def __init__(self, storage: Any) -> None:
        self._storage = storage
        end = storage.get_feed_end()
        self.webhooks = [add_webhook(storage, end), add_webhook(storage, end)]
        events = storage.list_events(limit=1000).items
        for number, webhook in enumerate(self.webhooks):
            self.fill(webhook, events[number : 20 + number])
        taken = storage.take_deliveries(self.webhooks[0].id, now=LATER, until=LATER, limit=6)
        storage.settle_deliveries(self.webhooks[0].id, [self._settled(*one) for one in enumerate(taken)])

    def fill(self, webhook: Webhook, events: Any) -> None:
        deliveries = [
            Delivery(event_id=one.id, cursor=one.cursor, event_at=one.open.opened_at, next_try_at=NOON)
            for one in events
        ]
        present = self._storage.get_webhook(webhook.id)
        assert self._storage.fill_outbox(webhook.id, after=present.after, to=present.after, deliveries=deliveries)

    def _settled(self, number: int, one: Delivery) -> Delivery:
        if number < 3:
            return attrs.evolve(one, state=DeliveryState.DELIVERED, tries=1, next_try_at=None, ended_at=LATER)
        return attrs.evolve(one, tries=2, next_try_at=LATER, last_status=503, error="It is busy.")


def due(storage: Any) -> dict[str, list[tuple[str, Delivery]]]:
    """The deliveries that are due, by webhook, each with its event as it is read by its cursor."""
    found = {}
    for webhook in storage.list_webhooks():
        page = storage.list_deliveries(webhook.id, limit=1000, state=DeliveryState.PENDING)
        events = storage.get_events([one.cursor for one in page.items])
        found[webhook.id] = [(events[one.cursor].id, attrs.evolve(one, id="", cursor="")) for one in page.items]
    return found


def test_what_is_due_is_due_in_a_copy_with_its_tries(source: Any, target: Any) -> None:
    fill(source)
    webhooks = Deliveries(source).webhooks
    present = source.get_webhook(webhooks[1].id)
    source.change_webhook(present, attrs.evolve(present, enabled=False, disabled_reason="It is gone."))
    for _ in range(2):
        assert copy(source, target).left_out.deliveries == 0
        assert due(target) == due(source)
        assert [len(one) for one in due(target).values()] == [17, 20]
        assert target.count_deliveries() == source.count_deliveries()
        assert all(event_id == one.event_id for found in due(target).values() for event_id, one in found)
        assert not target.get_webhook(webhooks[1].id).enabled


def test_what_was_delivered_since_an_earlier_run_is_due_no_more(source: Any, target: Any) -> None:
    pixels = fill(source)
    deliveries = Deliveries(source)
    copy(source, target)
    webhook = deliveries.webhooks[1]
    taken = source.take_deliveries(webhook.id, now=LATER, until=LATER, limit=5)
    ended = {"state": DeliveryState.DELIVERED, "next_try_at": None, "ended_at": LATER}
    source.settle_deliveries(webhook.id, [attrs.evolve(one, **ended) for one in taken])
    add(source, pixels, 2)
    deliveries.fill(webhook, source.list_events(limit=1000).items[36:40])
    copy(source, target)
    assert due(target) == due(source)
    assert target.count_deliveries() == source.count_deliveries()


def test_deliveries_whose_events_are_gone_are_not_missed(source: Any, target: Any) -> None:
    pixels = fill(source)
    Deliveries(source)
    source.delete_pixel(pixels[0].id)
    while source.sweep():
        pass
    assert copy(source, target).left_out.deliveries == 0
    assert sum(one.pending for one in target.count_deliveries().values()) > 0


def test_too_many_deliveries_are_left_out(source: Any, target: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailtrack._copying.MOST_BEHIND", 30)
    fill(source)
    Deliveries(source)
    assert copy(source, target).left_out.deliveries == 37
    assert sum(one.pending for one in target.count_deliveries().values()) == 0


def failing(change: Callable[..., Any], left: Iterator[int]) -> Callable[..., Any]:
    """Make a method fail once there were so many changes, as where a process is killed."""

    def make(*given: Any, **named: Any) -> Any:
        if next(left, None) is None:
            raise StorageUnavailable("It was killed.")
        return change(*given, **named)

    return make


@pytest.mark.parametrize("left", [0, 9, 15, 24, 32])
def test_a_copy_that_was_cut_anywhere_goes_on(
    source: Any, target: Any, left: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(source)
    follow(source)
    Deliveries(source)
    with monkeypatch.context() as cut:
        changes = iter(range(left))
        for name in CHANGES:
            cut.setattr(target, name, failing(getattr(target, name), changes), raising=False)
        copying = Copying(source, target)
        copying.plan()
        with suppress(StorageUnavailable):
            for _ in copying.run():
                pass
    assert copy(source, target).left_out.places == 0
    assert behind(target) == behind(source)
    assert due(target) == due(source)


def test_a_target_whose_reader_is_in_use_is_left_alone(source: Any, target: Any) -> None:
    fill(source)
    move(source, "mine", source.get_feed_end())
    copy(source, target)
    target.take_reader("mine", "server", now=times.now(), until=times.now() + timedelta(days=1))
    with pytest.raises(StorageError, match="another process has its reader 'mine'"):
        copy(source, target)


def test_events_that_are_hidden_are_waited_for(source: Any, target: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(source)
    move(source, "mine", source.get_feed_end())
    monkeypatch.setattr(copied_places, "_LOOK_SECONDS", 0)
    answers = iter([False, False, True])
    monkeypatch.setattr(target, "shows_all_events", lambda: next(answers), raising=False)
    copy(source, target)
    assert next(answers, None) is None
    monkeypatch.setattr(copied_places, "_MOST_SECONDS", -1.0)
    monkeypatch.setattr(target, "shows_all_events", lambda: False)
    with pytest.raises(StorageError, match="another transaction of its server"):
        copy(source, target)

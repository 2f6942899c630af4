"""Figures and lists are read from a real replica, and from the primary wherever that would show something wrong."""

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from mailtrack import InvalidSetting, PixelNotFound, Recipient, StorageUnavailable, VerdictKind, open_storage
from mailtrack._model import Judgement
from mailtrack.cli._doctor.finding import Outcome
from mailtrack.cli._doctor.postgres import check_postgres, check_replica
from mailtrack.storage._postgres import PostgresStorage, ReplicatedStorage, replica
from mailtrack.testing import make_open, make_recipient
from mailtrack.testing._contract.helpers import add_pixel, all_opens

SECONDS = 30


@pytest.fixture(scope="session")
def primary(replicated: tuple[Any, Any]) -> Any:
    PostgresStorage(replicated[0].url()).close()
    return replicated[0]


@pytest.fixture(scope="session")
def standby(primary: Any, replicated: tuple[Any, Any]) -> Any:  # noqa: ARG001  # which has the tables first
    return replicated[1]


@pytest.fixture
def plain(primary: Any) -> Iterator[PostgresStorage]:
    """A storage of another process, which has no replica."""
    with PostgresStorage(primary.url()) as storage:
        yield storage


@pytest.fixture
def paused(standby: Any) -> Iterator[Callable[[], None]]:
    """Makes the replica stay behind, until the end of the test."""
    yield standby.pause
    standby.resume()


@pytest.fixture
def storage(primary: Any, standby: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[ReplicatedStorage]:
    monkeypatch.setattr(replica, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(replica, "RETRY_SECONDS", 0.0)
    with open_storage(primary.url(), read_url=standby.url()) as storage:
        assert isinstance(storage, ReplicatedStorage)
        yield storage


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_read(storage: ReplicatedStorage) -> bool:
    return storage.get_replica_state().lag is not None


def test_lists_and_figures_are_read_from_the_replica(
    storage: ReplicatedStorage, plain: PostgresStorage, standby: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixel = add_pixel(storage)
    recipient = make_recipient(pixel)
    storage.add_recipients(pixel.id, [recipient])
    opens = plain.add_opens([make_open(pixel, recipient)])
    until(lambda: [one.id for one in all_opens(storage, pixel)] == [opens[0].id])
    until(lambda: storage.get_replica_state().lag == 0)
    with monkeypatch.context() as patched:
        patched.setattr(storage, "_connections", None)  # the primary can't be used
        patched.setattr(storage._replica, "_next_look", float("inf"))
        assert [one.id for one in all_opens(storage, pixel)] == [opens[0].id]
        found = storage.list_recipients(pixel.id, limit=10).items
        assert [one.id for one in found] == [recipient.id]
        assert storage.find_recipients(recipient.email, limit=10).items[0].id == recipient.id
        assert storage.get_figures(pixel.id, top=10).pixel.opens.raw.number == 1
        assert list(storage.count_by_day([pixel.id], since=opens[0].opened_at)) == [pixel.id]
    with standby.connect() as db:
        (named,) = db.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'mailtrack'").fetchone()
    assert named


def test_what_a_process_has_changed_it_always_sees(storage: ReplicatedStorage, paused: Callable[[], None]) -> None:
    pixel = add_pixel(storage)
    until(lambda: storage.get_replica_state().lag == 0)
    paused()
    for number in range(3):
        recipient = make_recipient(pixel, email=f"r{number}@example.org")
        storage.add_recipients(pixel.id, [recipient])
        assert len(storage.list_recipients(pixel.id, limit=10).items) == number + 1
    storage.delete_recipient(recipient.id)
    assert len(storage.list_recipients(pixel.id, limit=10).items) == 2
    assert storage.get_figures(add_pixel(storage).id, top=1).pixel.recipients == 0


def test_what_a_process_has_judged_again_or_purged_it_always_sees(
    storage: ReplicatedStorage, paused: Callable[[], None]
) -> None:
    pixel = add_pixel(storage)
    (one,) = storage.add_opens([make_open(pixel)])
    until(lambda: storage.get_replica_state().lag == 0)
    paused()
    again = attrs.evolve(one.verdict, kind=VerdictKind.BOT)
    storage.rejudge(pixel.id, [Judgement(open_id=one.id, verdict=again, client=one.client, counted=False)])
    assert [open_.verdict.kind for open_ in all_opens(storage, pixel)] == [VerdictKind.BOT]
    assert storage.purge_opens(pixel.id, before=one.opened_at + timedelta(days=1), limit=10) == 1
    assert all_opens(storage, pixel) == []


@pytest.fixture
def left(storage: ReplicatedStorage, paused: Callable[[], None]) -> Recipient:
    """A recipient whom the replica shows, and goes on to show whatever is changed."""
    pixel = add_pixel(storage)
    recipient = make_recipient(pixel)
    storage.add_recipients(pixel.id, [recipient])
    until(lambda: storage.get_replica_state().lag == 0)
    paused()
    return recipient


def test_a_change_after_which_the_primary_does_not_answer_is_seen_once_it_does(
    storage: ReplicatedStorage, left: Recipient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> Any:
        raise StorageUnavailable("PostgreSQL: the connection is lost")

    with monkeypatch.context() as patched:
        patched.setattr(replica.positions, "get_end", fail)
        storage.delete_recipient(left.id)
    for _ in range(3):
        assert storage.list_recipients(left.pixel_id, limit=10).items == ()


def test_a_change_that_fails_after_a_part_is_seen_as_far_as_it_came(
    storage: ReplicatedStorage, left: Recipient, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete = PostgresStorage.delete_recipient

    def fail(one: PostgresStorage, key: str) -> Any:
        delete(one, key)
        raise StorageUnavailable("PostgreSQL: the connection is lost")

    with monkeypatch.context() as patched:
        patched.setattr(PostgresStorage, "delete_recipient", fail)
        with pytest.raises(StorageUnavailable):
            storage.delete_recipient(left.id)
    assert storage.list_recipients(left.pixel_id, limit=10).items == ()


def test_a_pixel_of_another_process_is_found_before_the_replica_has_it(
    storage: ReplicatedStorage, plain: PostgresStorage, paused: Callable[[], None]
) -> None:
    until(lambda: is_read(storage))
    paused()
    pixel = add_pixel(plain)
    assert storage.get_figures(pixel.id, top=1).pixel == pixel
    with pytest.raises(PixelNotFound):
        storage.get_figures("0" * 36, top=1)


def test_a_change_waits_until_the_replica_shows_it(storage: ReplicatedStorage, standby: Any) -> None:
    until(lambda: storage.get_replica_state().lag == 0)
    with PostgresStorage(standby.url(), create=False) as other:  # as another process reads that has the replica
        for _ in range(20):
            pixel = add_pixel(storage)
            assert other.get_pixel(pixel.id) == pixel


def test_the_lag_is_the_age_of_what_the_replica_shows(
    storage: ReplicatedStorage, plain: PostgresStorage, paused: Callable[[], None]
) -> None:
    pixel = add_pixel(plain)
    until(lambda: storage.get_replica_state().lag == 0)
    began = time.time()
    paused()
    plain.add_opens([make_open(pixel)])
    first = storage.get_replica_state().lag
    assert first is not None
    assert first > 0
    assert storage.list_opens(pixel.id, limit=10).items == ()
    until(lambda: (storage.get_replica_state().lag or 0) > first)
    second = storage.get_replica_state().lag
    assert second is not None
    assert second <= time.time() - began + 60  # it counts from the last commit that the replica shows


def test_without_its_replica_all_is_read_from_the_primary_and_it_heals(
    storage: ReplicatedStorage, standby: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="mailtrack.storage._postgres.replica")
    pixel = add_pixel(storage)
    until(lambda: is_read(storage))
    caplog.clear()
    standby.stop(signal.SIGQUIT)
    try:
        for _ in range(3):
            assert storage.get_figures(pixel.id, top=1).pixel == pixel
        assert not is_read(storage)
    finally:
        standby.start()
    until(lambda: is_read(storage))
    said = [record.getMessage() for record in caplog.records]
    assert said[0].startswith("The replica is not read, so all reads go to the primary: PostgreSQL: ")
    assert said[-1] == "The replica is read."
    assert len(said) <= 4  # one for each different fault: the connection ended, was refused, the server starts
    assert "secret" not in caplog.text


def test_a_replica_that_does_not_answer_is_given_up(
    storage: ReplicatedStorage, standby: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mailtrack.storage._postgres import connections

    monkeypatch.setattr(connections, "_CHECK_SECONDS", 0.3)
    monkeypatch.setattr(connections, "_IDLE_SECONDS", 0.0)
    monkeypatch.setitem(connections._PARAMETERS, "connect_timeout", 2)
    pixel = add_pixel(storage)
    until(lambda: is_read(storage))
    stopped = [*standby.backends(), standby.process.pid]
    for process in stopped:
        os.kill(process, signal.SIGSTOP)
    try:
        assert storage.get_figures(pixel.id, top=1).pixel == pixel
        assert not storage._replica.state.lag
    finally:
        for process in stopped:
            os.kill(process, signal.SIGCONT)
    until(lambda: is_read(storage))


def test_a_replica_that_is_away_at_the_start_is_read_once_it_is_there(
    primary: Any, standby: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica, "RETRY_SECONDS", 0.0)
    standby.stop(signal.SIGINT)
    try:
        storage = ReplicatedStorage(primary.url(), standby.url())
        assert not is_read(storage)
    finally:
        standby.start()
    with storage:
        until(lambda: is_read(storage))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda primary, _standby, _server: primary.url(), "is no replica: it can be written"),
        (lambda _primary, _standby, server: server.url(), "is no replica: it can be written"),
        (lambda _primary, standby, _server: standby.url("postgres"), "names another database"),
        (lambda _primary, standby, _server: standby.url(schema="other"), "has another schema"),
        (lambda *_: "sqlite:///replica.db", "must be a URL such as postgresql://"),
    ],
)
def test_what_is_no_replica_is_refused_at_the_start(
    make: Callable[..., str], message: str, primary: Any, standby: Any, server: Any
) -> None:
    with pytest.raises(InvalidSetting, match=message) as raised:
        open_storage(primary.url(), read_url=make(primary, standby, server))
    assert raised.value.name == "read_url"
    assert "secret" not in str(raised.value)


def test_a_replica_of_another_primary_is_refused(server: Any, standby: Any) -> None:
    with pytest.raises(InvalidSetting, match="another database"):
        open_storage(server.url(), read_url=standby.url())


@pytest.mark.parametrize("url", ["memory://", "sqlite:///file.db"])
def test_other_storages_have_no_replicas(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidSetting, match="no replicas"):
        open_storage(url, read_url="postgresql://127.0.0.1/mail")


def test_the_doctor_says_how_the_replica_does(
    primary: Any, standby: Any, monkeypatch: pytest.MonkeyPatch, paused: Callable[[], None], plain: PostgresStorage
) -> None:
    found = check_replica(primary.url(), standby.url())
    assert found.outcome is Outcome.OK
    assert found.found == "Figures and lists are read from the replica, which is not behind."
    assert check_replica(primary.url(), primary.url()).outcome is Outcome.FAILED
    lost = check_replica(primary.url(), "postgresql://mailtrack:secret@127.0.0.1:1/mail")
    assert lost.outcome is Outcome.WARNING
    assert "secret" not in lost.found
    paused()
    add_pixel(plain)
    assert "seconds behind" in check_replica(primary.url(), standby.url()).found
    monkeypatch.setattr("mailtrack.cli._doctor.postgres._LONG", 0)
    assert check_replica(primary.url(), standby.url()).outcome is Outcome.WARNING


def test_the_doctor_sees_the_replica_of_a_primary_and_that_a_replica_can_not_be_written(
    primary: Any, standby: Any
) -> None:
    found = {one.check: one for one in check_postgres(primary.url())}
    assert found["server"].outcome is Outcome.OK
    assert found["replicas"].outcome is Outcome.OK
    assert found["replicas"].found.startswith("second follows, ")
    found = {one.check: one for one in check_postgres(standby.url())}
    assert found["server"].outcome is Outcome.FAILED
    assert "is a replica, which can't be written" in found["server"].found
    assert "replicas" not in found


def test_it_may_be_opened_before_a_fork(storage: ReplicatedStorage) -> None:
    pixel = add_pixel(storage)
    until(lambda: storage.get_replica_state().lag == 0)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = int(storage.get_figures(pixel.id, top=1).pixel != pixel or not is_read(storage))
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert storage.get_figures(pixel.id, top=1).pixel == pixel


def test_a_replica_that_is_promoted_is_not_read_any_more(primary: Any, standby: Any) -> None:
    with type(standby)(primary) as third:
        with ReplicatedStorage(primary.url(), third.url()) as storage:
            pixel = add_pixel(storage)
            until(lambda: is_read(storage))
            third.promote()
            storage._replica._next_look = 0.0
            assert storage.get_figures(pixel.id, top=1).pixel == pixel
            assert storage.get_replica_state().reason == "it is no replica any more"
        with PostgresStorage(third.url()) as promoted:  # as where `--database` names it now
            new = add_pixel(promoted)
            assert promoted.get_pixel(new.id) == new

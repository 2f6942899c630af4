"""The spool in one process: hits are synced and drained in the background; `stop` reports whether all are stored."""

import errno
import os
import threading

import pytest

from mailtrack import StorageUnavailable
from mailtrack._ingest.worker import Worker
from mailtrack._spool import segment as segment_module
from mailtrack._spool import syncer as module

SECONDS = 30


def refuse(_: object) -> None:
    raise StorageUnavailable("locked")


@pytest.fixture
def spool(make_spool):
    return make_spool(opened=False)


@pytest.fixture
def make_worker(spool):
    made = []

    def make(store) -> Worker:
        made.append(Worker(spool, store))
        made[-1].start()
        return made[-1]

    yield make
    for worker in made:
        for thread in (worker._syncer, worker._drainer._thread):
            assert thread.stop(SECONDS)


def test_it_syncs_in_the_background(spool, make_worker, lines, monkeypatch) -> None:
    monkeypatch.setattr(module, "_SYNC_SECONDS", 0.001)
    synced = threading.Event()
    monkeypatch.setattr(segment_module, "_sync_data", lambda _: synced.set())
    make_worker(refuse)
    spool.append(lines[0])
    assert synced.wait(SECONDS)


def test_it_syncs_on_while_the_storage_hangs(spool, make_worker, lines, monkeypatch) -> None:
    monkeypatch.setattr(module, "_SYNC_SECONDS", 0.001)
    hanging, answer, synced = threading.Event(), threading.Event(), threading.Event()
    monkeypatch.setattr(segment_module, "_sync_data", lambda _: hanging.is_set() and synced.set())

    def hang(_: object) -> None:
        hanging.set()
        assert answer.wait(SECONDS)

    make_worker(hang)
    spool.append(lines[0])
    assert hanging.wait(SECONDS)
    spool.append(lines[1])
    assert synced.wait(SECONDS)
    answer.set()


def test_a_disk_that_does_not_sync_is_logged_and_does_not_end_it(
    spool, make_worker, lines, files, monkeypatch, caplog, wait_until
) -> None:
    monkeypatch.setattr(module, "_SYNC_SECONDS", 0.001)
    failures = iter([True] * 3)
    real = segment_module._sync_data

    def sync(descriptor: int) -> None:
        if next(failures, False):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(descriptor)

    monkeypatch.setattr(segment_module, "_sync_data", sync)
    worker = make_worker(refuse)
    for number, line in enumerate(lines[:4], 1):
        spool.append(line)
        wait_until(lambda number=number: len(files()) > number or number == 4)
    assert any("can't be synced to disk" in message for message in caplog.messages)
    assert worker.stop(SECONDS) is False
    assert [path.read_bytes() for path in files()] == lines[:4]


def test_a_hit_that_comes_when_it_stops_is_stored_or_refused(spool, make_worker, lines) -> None:
    stored = []
    worker = make_worker(stored.extend)
    close = spool.close

    def append_and_close() -> None:
        spool.append(lines[0])
        close()

    spool.close = append_and_close
    assert worker.stop(SECONDS) is True
    spool.close = close
    assert len(stored) == 1


def test_stopping_while_the_storage_hangs_returns_false_in_time(spool, make_worker, lines) -> None:
    hanging, answer = threading.Event(), threading.Event()

    def hang(_: object) -> None:
        hanging.set()
        assert answer.wait(SECONDS)

    worker = make_worker(hang)
    spool.append(lines[0])
    assert hanging.wait(SECONDS)
    assert worker.stop(0.01) is False
    answer.set()


def test_stopping_where_nothing_was_taken_does_not_wait_for_others(make_worker, leave, lines) -> None:
    leave(lines[0])
    assert make_worker(refuse).stop(SECONDS) is True


def test_a_start_that_fails_closes_the_spool(spool, monkeypatch) -> None:
    worker = Worker(spool, list)

    def fail(_: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr("mailtrack._spool.reader.Reader.lead", fail)
    with pytest.raises(OSError, match="open files"):
        worker.start()
    assert not spool.is_open

"""The spool starts with the first request in a process, and stops when the process ends."""

import multiprocessing
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import override_settings

from mailtrack import Tracker, open_storage
from mailtrack_wsgi.django import get_tracker
from mailtrack_wsgi.django._site import get_site


@pytest.fixture
def database(tmp_path: Path) -> Iterator[str]:
    url = f"sqlite:///{tmp_path}/mailtrack.db"
    with override_settings(MAILTRACK_DATABASE=url):
        yield url


def threads() -> set[str]:
    """Return the names of threads, but for those with which trackers of other tests may still sweep."""
    names = {one.name for one in threading.enumerate() if one.name.startswith("mailtrack")}
    return names - {"mailtrack-sweep"}


def opens_of(url: str) -> int:
    with open_storage(url, create=False) as storage:
        return sum(pixel.opens.raw.number for pixel in Tracker(storage).list_pixels().items)


@pytest.mark.usefixtures("database")
def test_a_command_starts_nothing(tmp_path: Path) -> None:
    before = set(threading.enumerate())  # trackers of other tests may still run
    get_tracker().create_pixel("Spring launch")
    assert set(threading.enumerate()) <= before
    assert not (tmp_path / "mailtrack.db.spool").exists()


def test_the_first_request_starts_the_spool_and_the_end_stores_all(
    database: str, client: Client, tmp_path: Path
) -> None:
    pixel = get_tracker().create_pixel("Spring launch")
    with override_settings(MAILTRACK_SPOOL=tmp_path / "own"):
        for _ in range(20):
            client.get(f"/track/tracker/{pixel.short_id}.png")
        assert "mailtrack-drain" in threads()
    assert (tmp_path / "own").exists()
    assert not (tmp_path / "mailtrack.db.spool").exists()
    assert "mailtrack-drain" not in threads()
    assert opens_of(database) == 20


def test_without_a_spool_an_open_is_stored_before_its_image_is_sent(database: str, client: Client) -> None:
    pixel = get_tracker().create_pixel("Spring launch")
    with override_settings(MAILTRACK_SPOOL="off"):
        client.get(f"/track/tracker/{pixel.short_id}.png")
        assert opens_of(database) == 1


def test_a_spool_that_can_not_be_used_costs_no_open(
    database: str, client: Client, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pixel = get_tracker().create_pixel("Spring launch")
    (tmp_path / "file").touch()
    with override_settings(MAILTRACK_SPOOL=tmp_path / "file"):
        client.get(f"/track/tracker/{pixel.short_id}.png")
        assert opens_of(database) == 1
    assert "The spool can't be used" in caplog.text


def test_of_many_processes_and_threads_that_make_a_pixel_all_make_the_same(database: str) -> None:
    pixels = get_site().pixels
    begin = multiprocessing.get_context("fork").Barrier(4)

    def make() -> set[str]:
        begin.wait(20)
        with ThreadPoolExecutor(4) as executor:
            return {one.id for one in executor.map(pixels.find, ["Newsletter"] * 4)}

    children = []
    for _ in range(3):
        reader, writer = os.pipe()
        if (child := os.fork()) == 0:
            try:
                os.write(writer, " ".join(make()).encode())
            finally:
                os._exit(0)
        os.close(writer)
        children.append((child, reader))
    found = make()
    for child, reader in children:
        with os.fdopen(reader, "rb") as file:
            found |= set(file.read().decode().split())
        os.waitpid(child, 0)
    with open_storage(database) as storage:
        assert {pixel.id for pixel in Tracker(storage).list_pixels().items} == found
    assert len(found) == 1


def test_a_forked_child_starts_a_spool_of_its_own(database: str, client: Client) -> None:
    pixel = get_tracker().create_pixel("Spring launch")
    client.get(f"/track/tracker/{pixel.short_id}.png")
    connection.close()  # of the project
    child = os.fork()
    if child == 0:
        code = 1
        try:
            client.get(f"/track/tracker/{pixel.short_id}.png")
            code = 0 if "mailtrack-drain" in threads() and get_tracker().stop() else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    get_tracker().stop()
    assert opens_of(database) == 2

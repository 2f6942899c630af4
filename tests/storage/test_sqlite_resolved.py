"""SQLite looks recipients up once, when hits are resolved, and again if anything has changed since."""

from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest

from mailtrack import Pixel, Recipient
from mailtrack._model import Hit
from mailtrack.storage._sqlite import SQLiteStorage
from mailtrack.testing import make_hit, make_open, make_pixel, make_recipients


@pytest.fixture
def pixel(storage: SQLiteStorage) -> Pixel:
    pixel = make_pixel()
    storage.add_pixel(pixel)
    return pixel


@pytest.fixture
def recipient(storage: SQLiteStorage, pixel: Pixel) -> Recipient:
    (recipient,) = storage.add_recipients(pixel.id, make_recipients(pixel, ["ann@example.org"]))
    return recipient


@pytest.fixture
def hits(pixel: Pixel, recipient: Recipient) -> list[Hit]:
    return [make_hit(pixel, token=recipient.token)]


def _opens(storage: SQLiteStorage, pixel: Pixel) -> int:
    """Return the number of the opens of a pixel's first recipient."""
    return storage.list_recipients(pixel.id, limit=1).items[0].opens.raw.number


def _looks_up(spies, add: Callable[[], object]) -> bool:
    """Return whether the recipients of opens are looked up while they are added."""
    statements: list[str] = []
    spies.made[-1].set_trace_callback(statements.append)
    add()
    spies.made[-1].set_trace_callback(None)
    return any("recipients r" in one for one in statements)


def test_recipients_that_were_just_resolved_are_not_looked_up_again(storage, spies, pixel, recipient, hits) -> None:
    storage.resolve(hits)
    assert not _looks_up(spies, lambda: storage.add_opens([make_open(pixel, recipient)]))


def test_others_are(storage, spies, pixel, recipient, hits) -> None:
    (other,) = storage.add_recipients(pixel.id, make_recipients(pixel, ["bob@example.org"]))
    storage.resolve(hits)
    assert _looks_up(spies, lambda: storage.add_opens([make_open(pixel, other), make_open(pixel, recipient)]))
    assert [one.opens.raw.number for one in storage.list_recipients(pixel.id, limit=9).items] == [1, 1]


def test_opens_that_come_in_between_are_counted(storage, pixel, recipient, hits) -> None:
    storage.resolve(hits)
    for _ in range(3):
        storage.add_opens([make_open(pixel, recipient)])
    assert _opens(storage, pixel) == 3


def test_opens_that_another_thread_adds_in_between_are_counted(storage, pixel, recipient, hits) -> None:
    storage.resolve(hits)
    thread = Thread(target=storage.add_opens, args=[[make_open(pixel, recipient)]])
    thread.start()
    thread.join()
    storage.add_opens([make_open(pixel, recipient)])
    assert _opens(storage, pixel) == 2


def test_opens_that_another_process_adds_in_between_are_counted(storage, path: Path, pixel, recipient, hits) -> None:
    storage.resolve(hits)
    with SQLiteStorage(path) as other:
        other.add_opens([make_open(pixel, recipient)])
    storage.add_opens([make_open(pixel, recipient)])
    assert _opens(storage, pixel) == 2


def test_a_recipient_that_was_deleted_in_between_is_not_counted(storage, pixel, recipient, hits) -> None:
    storage.resolve(hits)
    storage.delete_recipient(recipient.id)
    storage.add_opens([make_open(pixel, recipient)])
    assert storage.get_pixel(pixel.id).opened.raw == 0
    assert storage.list_opens(pixel.id, limit=9).items[0].recipient_id == recipient.id


def test_an_open_that_names_a_recipient_of_another_pixel_does_not_count_for_it(storage, pixel, recipient, hits) -> None:
    other = make_pixel()
    storage.add_pixel(other)
    storage.resolve(hits)
    storage.add_opens([make_open(other, recipient), make_open(pixel, recipient)])
    assert _opens(storage, pixel) == 1


def test_recipients_of_a_former_file_are_not_taken_for_those_of_a_restored_one(
    storage, path: Path, pixel, recipient, hits
) -> None:
    """In the restored file, the number of the recipient is another one's."""
    storage.resolve(hits)
    restored = path.with_name("restored.db")
    with SQLiteStorage(restored) as other:
        other.add_pixel(pixel)
        (bob, _) = other.add_recipients(pixel.id, [*make_recipients(pixel, ["bob@example.org"]), recipient])
    restored.rename(path)
    storage.add_opens([make_open(pixel, recipient), make_open(pixel, bob)])
    assert [one.opens.raw.number for one in storage.list_recipients(pixel.id, limit=9).items] == [1, 1]


def test_a_recipient_that_a_restored_file_does_not_have_is_not_counted(
    storage, path: Path, pixel, recipient, hits
) -> None:
    storage.resolve(hits)
    restored = path.with_name("restored.db")
    with SQLiteStorage(restored) as other:
        other.add_pixel(pixel)
        other.add_recipients(pixel.id, make_recipients(pixel, ["bob@example.org"]))
    restored.rename(path)
    storage.add_opens([make_open(pixel, recipient)])
    assert _opens(storage, pixel) == 0
    assert storage.list_opens(pixel.id, limit=9).items[0].recipient_id == recipient.id

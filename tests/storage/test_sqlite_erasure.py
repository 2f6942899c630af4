"""What was deleted is in no byte of the file nor of its WAL."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import attrs

from mailtrack import Recipient
from mailtrack.storage._sqlite import SQLiteStorage
from mailtrack.testing import make_image, make_open, make_pixel, make_recipients
from mailtrack.testing._factories import NOON

_DAY = timedelta(days=1)


def _bytes(path: Path) -> bytes:
    return b"".join(one.read_bytes() for one in path.parent.iterdir())


def _crowd(storage: SQLiteStorage, number: int) -> list[Recipient]:
    """Add recipients that all have opened."""
    pixel = make_pixel()
    storage.add_pixel(pixel)
    recipients = make_recipients(pixel, [f"reader-{n:05}-end@example.org" for n in range(number)])
    storage.add_recipients(pixel.id, recipients)
    storage.add_opens([make_open(pixel, recipient) for recipient in recipients])
    return recipients


def _left(path: Path, recipients: list[Recipient]) -> list[str]:
    content = _bytes(path)
    return [text for one in recipients for text in (one.email, one.token) if text.encode() in content]


class TestErasure:
    def test_addresses_can_be_found_before_they_are_deleted(self, storage, path: Path) -> None:
        recipients = _crowd(storage, 10)
        assert len(_left(path, recipients)) == 20

    def test_a_deleted_recipient_leaves_no_byte_of_its_address_or_token(self, storage, path: Path) -> None:
        recipients = _crowd(storage, 10)
        for one in recipients[::2]:
            storage.delete_recipient(one.id)
        assert _left(path, recipients[::2]) == []

    def test_the_others_are_left(self, storage, path: Path) -> None:
        recipients = _crowd(storage, 10)
        storage.delete_recipient(recipients[0].id)
        assert len(_left(path, recipients[1:])) == 18

    def test_of_many_recipients_the_deleted_leave_no_byte_once_the_file_is_rewritten(self, storage, path: Path) -> None:
        # SQLite leaves copies of cells where it has split a page, whatever `secure_delete` says.
        recipients = _crowd(storage, 3000)
        for one in recipients[::50]:
            storage.delete_recipient(one.id)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("VACUUM")
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert _left(path, recipients[::50]) == []

    def test_a_deleted_pixel_leaves_no_byte_of_its_recipients(self, storage, path: Path) -> None:
        recipients = _crowd(storage, 3000)
        storage.delete_pixel(recipients[0].pixel_id)
        assert b"end@example.org" not in _bytes(path)
        assert b"tok_" not in _bytes(path)

    def test_a_deleted_pixel_leaves_no_byte_of_its_image(self, storage, path: Path) -> None:
        pixel = make_pixel()
        storage.add_pixel(pixel, make_image(b"what a picture " * 2000))
        storage.delete_pixel(pixel.id)
        assert b"what a picture" not in _bytes(path)

    def test_purged_opens_leave_no_byte_of_who_fetched_the_image(self, storage, path: Path) -> None:
        pixel = make_pixel()
        storage.add_pixel(pixel)
        opens = [attrs.evolve(make_open(pixel, at=NOON), user_agent=f"Agent-{n:05}-end") for n in range(3000)]
        late = attrs.evolve(make_open(pixel, at=NOON + _DAY), user_agent="a late agent")
        storage.add_opens([*opens, late])
        assert b"Agent-" in _bytes(path)
        left = len(opens)
        while left:
            left -= storage.purge_opens(pixel.id, before=NOON + _DAY, limit=1000)
            assert storage.count_opens(pixel.id, before=NOON + _DAY) == left
        assert b"Agent-" not in _bytes(path)
        assert b"a late agent" in _bytes(path)

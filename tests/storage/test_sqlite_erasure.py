"""What was deleted is in no byte of the file nor of its WAL."""

import random
from pathlib import Path

from mailtrack import Recipient
from mailtrack.storage.sqlite import SQLiteStorage
from mailtrack.testing import make_image, make_open, make_pixel, make_recipients


def _bytes(path: Path) -> bytes:
    return b"".join(one.read_bytes() for one in path.parent.iterdir())


def _crowd(storage: SQLiteStorage) -> list[Recipient]:
    """Add recipients in an order that makes the indices split their pages again and again."""
    dice = random.Random(0)
    pixel = make_pixel()
    storage.add_pixel(pixel)
    emails = [f"{dice.randrange(10**9):09}-{n}-end@example.org" for n in range(3000)]
    recipients = [
        recipient
        for start in range(0, 3000, 250)
        for recipient in storage.add_recipients(pixel.id, make_recipients(pixel, emails[start : start + 250]))
    ]
    storage.add_opens([make_open(pixel, recipient) for recipient in recipients])
    return recipients


def _left(path: Path, recipients: list[Recipient]) -> list[str]:
    content = _bytes(path)
    return [text for one in recipients for text in (one.email, one.token) if text.encode() in content]


class TestErasure:
    def test_addresses_can_be_found_before_they_are_deleted(self, storage, path: Path) -> None:
        recipients = _crowd(storage)
        assert len(_left(path, recipients[:50])) == 100

    def test_a_deleted_recipient_leaves_no_byte_of_its_address_or_token(self, storage, path: Path) -> None:
        recipients = _crowd(storage)
        deleted = random.Random(1).sample(recipients, 60)
        for one in deleted:
            storage.delete_recipient(one.id)
        assert _left(path, deleted) == []

    def test_the_others_are_left(self, storage, path: Path) -> None:
        recipients = _crowd(storage)
        storage.delete_recipient(recipients[0].id)
        assert len(_left(path, recipients[1:51])) == 100

    def test_a_deleted_pixel_leaves_no_byte_of_its_recipients(self, storage, path: Path) -> None:
        recipients = _crowd(storage)
        storage.delete_pixel(recipients[0].pixel_id)
        assert b"end@example.org" not in _bytes(path)
        assert b"tok_" not in _bytes(path)

    def test_a_deleted_pixel_leaves_no_byte_of_its_image(self, storage, path: Path) -> None:
        pixel = make_pixel()
        storage.add_pixel(pixel, make_image(b"what a picture " * 2000))
        storage.delete_pixel(pixel.id)
        assert b"what a picture" not in _bytes(path)

"""What was deleted is in no byte of the file nor of its WAL."""

import os
import signal
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import attrs
import pytest

from mailtrack import Erased, Recipient
from mailtrack.storage._sqlite import SQLiteStorage
from mailtrack.testing import make_image, make_open, make_pixel, make_recipient, make_recipients
from mailtrack.testing._contract.forks import in_child, needs_fork
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
        while storage.sweep():
            pass
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


class TestErasedPeople:
    """Of a person who was erased nothing is left; of the others, everything."""

    @pytest.fixture
    def people(self, storage: SQLiteStorage) -> list[Recipient]:
        """Ten people with data and references, each in three pixels, who all have opened."""
        added = []
        for number in range(3):
            storage.add_pixel(pixel := make_pixel())
            for place in range(10):
                ref, data = f"INV-{number}-{place}-end", {"name": f"Reader {place} the end"}
                made = make_recipient(pixel, f"reader-{place:05}-end@example.org", ref=ref, data=data)
                added += storage.add_recipients(pixel.id, [made])
                it = attrs.evolve(
                    make_open(pixel, made), user_agent=f"Agent-{place}-end", ip=f"203.0.113.{200 + place}"
                )
                storage.add_opens([attrs.evolve(it, referer=f"https://{place}.example.org/end")])
        return added

    @staticmethod
    def left(path: Path, people: list[Recipient]) -> list[str]:
        content = _bytes(path)
        texts = [
            text
            for one in people
            for place in [one.email.split("-")[1].lstrip("0") or "0"]
            for text in (
                *(one.email, one.token, one.id, str(one.ref), str(dict(one.data or {})["name"])),
                *(f"Agent-{place}-end", f"https://{place}.example.org/end"),
            )
        ]
        found = [text for text in texts if text.encode() in content]
        addresses = [bytes([203, 0, 113, 200 + int(one.email.split("-")[1])]) for one in people]
        return found + [str(one) for one in addresses if one in content]

    def test_nothing_of_them_is_left(self, storage: SQLiteStorage, path: Path, people: list[Recipient]) -> None:
        assert len(self.left(path, people)) == 30 * 8
        gone = [one for one in people if "-00003-" in one.email or "-00007-" in one.email]
        for email in ("reader-00003-end@example.org", "READER-00007-END@example.org"):
            assert storage.erase(email) == Erased(recipients=3, opens=3)
        while storage.sweep():
            pass
        assert self.left(path, gone) == []

    def test_the_others_are_left(self, storage: SQLiteStorage, path: Path, people: list[Recipient]) -> None:
        storage.erase("reader-00003-end@example.org")
        others = [one for one in people if "-00003-" not in one.email]
        assert len(self.left(path, others)) == 27 * 8

    def test_what_comes_late_leaves_nothing_either(
        self, storage: SQLiteStorage, path: Path, people: list[Recipient]
    ) -> None:
        storage.erase("reader-00003-end@example.org")
        late = attrs.evolve(make_open(storage.get_pixel(people[3].pixel_id), people[3]), user_agent="Agent-3-end")
        assert storage.add_opens([late]) == [late.as_erased()]
        assert self.left(path, [people[3]]) == []

    @needs_fork
    def test_what_a_killed_process_leaves_is_removed_by_the_next(self, path: Path) -> None:
        with SQLiteStorage(path) as storage:
            storage.add_pixel(pixel := make_pixel())
            (ann,) = storage.add_recipients(pixel.id, [make_recipient(pixel, "reader-00001-end@example.org")])
            own = [attrs.evolve(make_open(pixel, ann), user_agent=f"Agent-{n}-end") for n in range(3000)]
            storage.add_opens(own)

        def erase_and_die() -> None:
            SQLiteStorage(path).erase(ann.email)
            os.kill(os.getpid(), signal.SIGKILL)

        assert in_child(erase_and_die) == f"the child ended with status {signal.SIGKILL}"
        with SQLiteStorage(path) as storage:
            assert {
                (one.recipient_id, one.user_agent, one.erased) for one in storage.list_opens(pixel.id, limit=999).items
            } == {(None, "", True)}
            while storage.sweep():
                pass
            assert storage.sweep() == 0
        content = _bytes(path)
        assert [
            text for text in (ann.email.encode(), ann.token.encode(), b"Agent-", b"192.0.2") if text in content
        ] == []

"""A storage in PostgreSQL is copied to others and back, and shows the same."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import attrs

from mailtrack import Storage, open_storage
from mailtrack._copying import Copying
from mailtrack._model import Verdict, VerdictKind
from mailtrack.storage._carrying import Carries
from mailtrack.storage._postgres import PostgresStorage
from mailtrack.testing import make_image, make_open, make_pixel, make_recipient
from mailtrack.testing._contract.helpers import all_opens, all_recipients, make_judgement
from mailtrack.testing._factories import NOON, make_api_key

HUMAN, PREFETCH = (Verdict(kind=kind, reasons=("ok",), rules_version=3) for kind in (VerdictKind.HUMAN, "prefetch"))


def fill(storage: Storage) -> None:
    """Add a pixel with all that a pixel may have."""
    pixel = make_pixel("All of it", image="a.png")
    storage.add_pixel(pixel, make_image(b"image"))
    storage.update_pixel(pixel.id, archived=True, note="Spring")
    people = [make_recipient(pixel, f"r{number}@example.org", data={"n": number}) for number in range(20)]
    people.append(attrs.evolve(make_recipient(pixel, "r0@example.org"), ref="INV-1"))
    storage.add_recipients(pixel.id, people)
    storage.mark_sent(pixel.id, [people[0].id], at=NOON + timedelta(minutes=1))
    opens = [
        make_open(
            pixel,
            people[number % 21],
            at=NOON + timedelta(minutes=number * 7 % 300 + 5),
            signals=("repeat",) if number % 5 == 0 else (),
            verdict=PREFETCH if number % 3 == 0 else HUMAN,
            counted=number % 3 != 0,
        )
        for number in range(120)
    ]
    storage.add_opens(opens[:70])
    storage.add_opens(opens[70:])
    storage.rejudge(pixel.id, [make_judgement(one, verdict=PREFETCH, counted=False) for one in opens[10:20]])
    storage.delete_recipient(people[3].id)
    storage.erase("r4@example.org")
    storage.add_key(make_api_key("first"))


def copy(source: Storage, target: Storage) -> None:
    copying = Copying(source, target)
    rows = copying.plan()
    assert sum(copying.run()) == rows
    assert list(copying.verify()) == []
    (pixel,) = source.list_pixels(limit=10, archived=None).items
    assert target.list_pixels(limit=10, archived=None).items == (pixel,)
    assert all_recipients(target, pixel) == all_recipients(source, pixel)
    assert all_opens(target, pixel) == all_opens(source, pixel)
    assert target.get_image(pixel.id) == source.get_image(pixel.id)
    assert target.list_keys() == source.list_keys()
    if isinstance(source, Carries) and isinstance(target, Carries):
        assert target.list_erased(pixel.id) == source.list_erased(pixel.id) != []
    assert [one.open for one in target.list_events(limit=1000).items] == [
        one.open for one in source.list_events(limit=1000).items
    ]


def test_there_and_back(tmp_path: Path, new_url: Callable[[], str]) -> None:
    with (
        open_storage(f"sqlite:///{tmp_path}/first.db") as first,
        PostgresStorage(new_url()) as second,
        PostgresStorage(new_url()) as third,
        open_storage(f"sqlite:///{tmp_path}/last.db") as last,
    ):
        fill(first)
        copy(first, second)
        copy(second, third)
        copy(third, last)
        copy(first, second)  # again: nothing is added

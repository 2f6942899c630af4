"""The feed while the rows of a deleted pixel wait to be swept."""

import pytest

from mailtrack.storage._postgres import sweeping
from mailtrack.storage._postgres.storage import PostgresStorage
from mailtrack.testing import make_open, make_pixel, make_recipients
from mailtrack.testing._factories import NOON


@pytest.fixture
def unswept(storage: PostgresStorage) -> PostgresStorage:
    """A storage with 3 opens of a pixel that is deleted, but not swept, before 2 of another one."""
    for number, name in ((3, "Deleted"), (2, "Kept")):
        pixel = make_pixel(name)
        storage.add_pixel(pixel)
        people = storage.add_recipients(
            pixel.id, make_recipients(pixel, [f"{one}@example.org" for one in range(number)])
        )
        storage.add_opens([make_open(pixel, person, at=NOON) for person in people])
        if name == "Deleted":
            storage._connections.write(lambda db: sweeping.hide(db, pixel.id))  # noqa: B023  # called at once
    return storage


@pytest.mark.parametrize("first", ["any", "first", "firstCounted"])
@pytest.mark.parametrize("limit", [1, 2, 3, 10])
def test_no_event_of_another_pixel_is_passed_over(unswept: PostgresStorage, first: str, limit: int) -> None:
    found, after = [], None
    while (page := unswept.list_events(limit=limit, after=after, first=first)).next != after:
        found += [event.pixel.name for event in page.items]
        after = page.next
    assert found == ["Kept", "Kept"]

"""Steps that the tests of the contract share."""

import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from mailtrack._event import Event, First
from mailtrack._figures import HourCount
from mailtrack._model import (
    UNJUDGED,
    UNKNOWN_CLIENT,
    Client,
    Judgement,
    Open,
    Page,
    Pixel,
    Recipient,
    RecipientState,
    T,
    Verdict,
)
from mailtrack.storage import Storage
from mailtrack.testing._factories import make_pixel, make_recipients

UNUSABLE_CURSORS = ["", " ", "no cursor", "-1", "1.5", "\n", "'; --", "\x00", "\ud800", "9" * 10_000]


def add_pixel(storage: Storage) -> Pixel:
    """Add a new pixel."""
    pixel = make_pixel()
    storage.add_pixel(pixel)
    return pixel


def add_recipients(storage: Storage, pixel: Pixel, count: int) -> list[Recipient]:
    """Add new recipients to a pixel."""
    return storage.add_recipients(pixel.id, make_recipients(pixel, [f"r{n}@example.org" for n in range(count)]))


def namesake(pixel: Pixel) -> str:
    """Return another UUID with the same short id."""
    return pixel.short_id + str(uuid.uuid4())[8:]


def walk(get_page: Callable[[str | None], Page[T]]) -> list[T]:
    """Return a whole list, page by page."""
    items: list[T] = []
    cursors: list[str | None] = [None]
    while len(cursors) == 1 or cursors[-1] is not None:
        page = get_page(cursors[-1])
        assert page.items or len(cursors) == 1, "a page that was promised must not be empty"
        assert page.next is None or page.next not in cursors, "a list must not lead back to one of its pages"
        items += page.items
        cursors.append(page.next)
    return items


def all_recipients(storage: Storage, pixel: Pixel) -> list[Recipient]:
    """Return the recipients of a pixel in their order."""
    return walk(lambda cursor: storage.list_recipients(pixel.id, limit=1000, cursor=cursor))


def all_opens(storage: Storage, pixel: Pixel) -> list[Open]:
    """Return the opens of a pixel, the last arrived first."""
    return walk(lambda cursor: storage.list_opens(pixel.id, limit=1000, cursor=cursor))


def all_events(storage: Storage, *, after: str | None = None, limit: int = 1000, first: First = "any") -> list[Event]:
    """Return all events of the feed behind a cursor, page by page, some of which may be empty."""
    items: list[Event] = []
    cursors = {after}
    while True:
        page = storage.list_events(limit=limit, after=after, first=first)
        assert len(page.items) <= limit
        assert page.next is not None, "a page of events must have a cursor"
        items += page.items
        if not page.items and page.next == after:
            return items
        assert page.next not in cursors, "the feed must not lead back to one of its pages"
        cursors.add(page.next)
        after = page.next


def all_in(storage: Storage, pixel: Pixel, *states: RecipientState) -> list[Recipient]:
    """Return the recipients of a pixel that are in one of some states, in their order."""
    return walk(lambda cursor: storage.list_recipients(pixel.id, limit=2, cursor=cursor, states=states))


def search_all(storage: Storage, pixel: Pixel, text: str, *, limit: int) -> list[Recipient]:
    """Return the recipients of a pixel that a search finds, from all of its pages, some of which may be empty."""
    items: list[Recipient] = []
    cursor: str | None = None
    while True:
        page = storage.list_recipients(pixel.id, limit=limit, cursor=cursor, search=text)
        assert len(page.items) <= limit
        items += page.items
        cursor = page.next
        if cursor is None:
            return items


def make_judgement(
    of: Open, *, verdict: Verdict = UNJUDGED, client: Client = UNKNOWN_CLIENT, counted: bool = True
) -> Judgement:
    """Make a judgement of an open."""
    return Judgement(open_id=of.id, verdict=verdict, client=client, counted=counted)


def rejudge(storage: Storage, pixel: Pixel, *judgements: Judgement) -> None:
    """Apply judgements to opens of a pixel."""
    storage.rejudge(pixel.id, judgements)


def require_ability(storage: Storage, ability: type) -> None:
    """Fail the test where a storage lacks an optional ability whose suite is run."""
    if not isinstance(storage, ability):
        pytest.fail(
            f"{type(storage).__name__} does not implement {ability.__name__}, which is optional:"
            " remove its suite from the bases, or add the methods.",
            pytrace=False,
        )


def hours_of(storage: Storage, pixel: Pixel) -> tuple[HourCount, ...]:
    """Return the opens of a pixel by hour and kind."""
    return tuple(storage.get_figures(pixel.id, top=1).hours)


def at_once(calls: Sequence[Callable[[], T]]) -> list[T]:
    """Make each call in a thread of its own, all at the same moment, and return their results."""
    barrier = Barrier(len(calls))

    def begin(call: Callable[[], T]) -> T:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(begin, calls))

"""What the tests of the contract share."""

import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from mailtrack._figures import HourCount
from mailtrack._model import UNJUDGED, UNKNOWN_CLIENT, Client, Judgement, Open, Page, Pixel, Recipient, T, Verdict
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
    page = get_page(None)
    items = list(page.items)
    while page.next is not None:
        page = get_page(page.next)
        assert page.items, "a page that was promised must not be empty"
        items += page.items
    return items


def all_recipients(storage: Storage, pixel: Pixel) -> list[Recipient]:
    """Return the recipients of a pixel in their order."""
    return walk(lambda cursor: storage.list_recipients(pixel.id, limit=1000, cursor=cursor))


def all_opens(storage: Storage, pixel: Pixel) -> list[Open]:
    """Return the opens of a pixel, the last arrived first."""
    return walk(lambda cursor: storage.list_opens(pixel.id, limit=1000, cursor=cursor))


def make_judgement(
    of: Open, *, verdict: Verdict = UNJUDGED, client: Client = UNKNOWN_CLIENT, counted: bool = True
) -> Judgement:
    """Make what could be found out about an open when it is judged again."""
    return Judgement(open_id=of.id, verdict=verdict, client=client, counted=counted)


def hours_of(storage: Storage, pixel: Pixel) -> tuple[HourCount, ...]:
    """Return the opens of a pixel by hour and kind."""
    return storage.get_figures(pixel.id, top=1).hours


def at_once(calls: Sequence[Callable[[], T]]) -> list[T]:
    """Make each call in a thread of its own, all at the same moment, and return what they return."""
    barrier = Barrier(len(calls))

    def begin(call: Callable[[], T]) -> T:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(begin, calls))

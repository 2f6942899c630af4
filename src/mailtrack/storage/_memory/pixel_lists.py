"""Pages of pixels in memory, in each order."""

from collections.abc import Iterable

from mailtrack._model import Page, Pixel
from mailtrack._times import to_milliseconds
from mailtrack.storage._memory.pixel_data import PixelData
from mailtrack.storage._pixel_orders import RATE_UNIT, Choice, Place
from mailtrack.storage._protocol import SEARCHED_AT_ONCE


def get_page(pixels: Iterable[PixelData], choice: Choice, limit: int, cursor: str | None) -> Page[Pixel]:
    """Return a page of pixels. The order of opens or rates takes the counts of all."""
    after = None if cursor is None else choice.to_place(cursor)
    data = {one.place: one for one in pixels if _is_listed(one, choice)}
    rows = [(_place(one, choice), _fits(one, choice)) for one in data.values()]
    rows.sort(key=lambda row: row[0].number, reverse=True)
    rows.sort(key=lambda row: row[0].key, reverse=choice.order != "name")  # leaves equal ones as they are
    behind = (row for row in rows if after is None or _is_behind(row[0], after, choice))
    at_once = SEARCHED_AT_ONCE if choice.ends_early else limit
    numbers, following = choice.cut(behind, limit, at_once)
    return Page(items=tuple(data[number].pixel for number in numbers), next=following)


def _is_listed(data: PixelData, choice: Choice) -> bool:
    return choice.archived in (None, data.bare.archived) and (choice.order != "created" or _is_in_time(data, choice))


def _is_in_time(data: PixelData, choice: Choice) -> bool:
    return choice.since <= to_milliseconds(data.bare.created_at) < choice.before


def _fits(data: PixelData, choice: Choice) -> bool:
    return (choice.search or "") in data.bare.name.casefold() and _is_in_time(data, choice)


def _place(data: PixelData, choice: Choice) -> Place:
    match choice.order:
        case "newest":
            return Place(data.place, data.place)
        case "created":
            return Place(to_milliseconds(data.bare.created_at), data.place)
        case "name":
            return Place(data.bare.name.casefold(), data.place)
        case "opens":
            return Place(data.pixel.opens.counted.number, data.place)
        case "rate":
            pixel = data.pixel
            rate = pixel.opened.counted * RATE_UNIT // pixel.recipients if pixel.recipients else -1
            return Place(rate, data.place)


def _is_behind(place: Place, other: Place, choice: Choice) -> bool:
    if place.key == other.key:
        return place.number < other.number
    return (str(place.key) > str(other.key)) if choice.order == "name" else int(place.key) < int(other.key)

"""Tests of deleting a pixel: all of it goes from sight at once, however much is left to sweep."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest

from mailtrack._errors import MailtrackError, PixelNotFound
from mailtrack._model import Pixel, Recipient
from mailtrack.storage import Storage
from mailtrack.testing._contract.full_scan import everything, some_opens
from mailtrack.testing._contract.helpers import add_pixel, add_recipients, at_once
from mailtrack.testing._factories import NOON, make_hit, make_image, make_open, make_pixel, make_recipients

_DAY = timedelta(days=1)
_RECIPIENTS = 40
_OPENS = 200


class DeletionContract:
    """Tests of `delete_pixel` with `sweep`."""

    def test_no_method_shows_any_part_of_a_deleted_pixel_while_it_is_swept(self, storage: Storage) -> None:
        pixel, recipients = _full_pixel(storage)
        storage.delete_pixel(pixel.id)
        seen = [_nothing(storage, pixel, recipients)]
        while storage.sweep():
            seen.append(_nothing(storage, pixel, recipients))
        assert seen == [_GONE] * len(seen)

    def test_a_pixel_with_the_same_ids_has_nothing_of_the_deleted_one(self, storage: Storage) -> None:
        pixel, _ = _full_pixel(storage)
        storage.delete_pixel(pixel.id)
        storage.sweep()
        storage.add_pixel(pixel)
        recipients = add_recipients(storage, pixel, _RECIPIENTS)
        opens = some_opens(pixel, recipients, 50)
        assert storage.add_opens(opens) == opens
        before = everything(storage, pixel)
        assert storage.get_pixel(pixel.id).opens.raw.number == len(opens)
        _sweep_all(storage)
        assert everything(storage, pixel) == before

    def test_sweeping_leaves_other_pixels_alone(self, storage: Storage) -> None:
        pixels = [_full_pixel(storage)[0] for _ in range(3)]
        before = [everything(storage, pixel) for pixel in pixels[1:]]
        storage.delete_pixel(pixels[0].id)
        _sweep_all(storage)
        assert [everything(storage, pixel) for pixel in pixels[1:]] == before

    def test_several_pixels_are_swept(self, storage: Storage) -> None:
        pixels = [_full_pixel(storage) for _ in range(3)]
        for pixel, _ in pixels:
            storage.delete_pixel(pixel.id)
        _sweep_all(storage)
        assert [_nothing(storage, *one) for one in pixels] == [_GONE] * 3

    def test_where_nothing_was_deleted_nothing_is_swept(self, storage: Storage) -> None:
        _full_pixel(storage)
        assert storage.sweep() == 0

    def test_readers_see_all_of_a_pixel_or_nothing_while_it_is_deleted(self, storage: Storage) -> None:
        pixel, recipients = _full_pixel(storage)
        ended: list[bool] = []

        def delete() -> list[object]:
            for _ in range(3):
                storage.get_pixel(pixel.id)
            storage.delete_pixel(pixel.id)
            _sweep_all(storage)
            ended.append(True)
            return []

        def read(look: Callable[[], object]) -> list[object]:
            seen = [look()]
            while not ended:
                seen.append(look())
            return [*seen, look()]

        looks = _looks(storage, pixel, recipients)
        calls: list[Callable[[], list[object]]] = [delete, *(partial(read, look) for look in looks)]
        seen = at_once(calls)[1:]
        assert [set(map(repr, one)) - {repr(_ALL[place]), repr(_GONE[place])} for place, one in enumerate(seen)] == [
            set() for _ in looks
        ]
        assert [one[-1] for one in seen] == _GONE

    def test_many_threads_may_sweep_at_once(self, storage: Storage) -> None:
        pixel, recipients = _full_pixel(storage)
        other, _ = _full_pixel(storage)
        before = everything(storage, other)
        storage.delete_pixel(pixel.id)
        at_once([partial(_sweep_all, storage)] * 4)
        assert storage.sweep() == 0
        assert (_nothing(storage, pixel, recipients), everything(storage, other)) == (_GONE, before)

    def test_others_write_while_a_pixel_is_swept(self, storage: Storage) -> None:
        pixel, _ = _full_pixel(storage)
        other = add_pixel(storage)
        storage.delete_pixel(pixel.id)
        written = 0
        while storage.sweep():
            written += len(storage.add_opens([make_open(other)]))
        assert storage.get_pixel(other.id).opens.raw.number == written


def _full_pixel(storage: Storage) -> tuple[Pixel, list[Recipient]]:
    """Add a pixel that has a part of everything, some of it purged."""
    pixel = make_pixel(image="a.png")
    storage.add_pixel(pixel, make_image())
    recipients = add_recipients(storage, pixel, _RECIPIENTS)
    storage.add_opens([make_open(pixel, recipients[0], at=NOON - _DAY)])
    storage.purge_opens(pixel.id, before=NOON - _DAY / 2, limit=9)
    storage.add_opens(some_opens(pixel, recipients, _OPENS))
    return pixel, recipients


def _sweep_all(storage: Storage) -> None:
    while storage.sweep():
        pass


_ALL = [True, 1, 1, _OPENS, _RECIPIENTS, 3, 1, (_OPENS + 1, _RECIPIENTS), make_image().media_type, _OPENS]
_GONE = [False, 0, 0, 0, 0, 0, 0, None, None, 0]


def _looks(storage: Storage, pixel: Pixel, recipients: list[Recipient]) -> list[Callable[[], object]]:
    """Return calls that each show a part of a pixel; `_ALL` is what they return, `_GONE` once it is deleted."""
    hits = [make_hit(pixel, token=one.token) for one in recipients[:3]]

    def listed(search: str | None) -> int:
        return sum(one.id == pixel.id for one in storage.list_pixels(limit=1000, search=search).items)

    def figures() -> object:
        found = storage.get_figures(pixel.id, top=1)
        return sum(one.opens.raw for one in found.hours), found.pixel.recipients

    return [
        lambda: _or_none(partial(storage.get_pixel, pixel.short_id)) is not None,
        partial(listed, None),
        partial(listed, pixel.name),
        lambda: len(storage.list_opens(pixel.id, limit=1000).items),
        lambda: len(storage.list_recipients(pixel.id, limit=1000).items),
        lambda: sum(target is not None and target.recipient_id is not None for target in storage.resolve(hits)),
        lambda: len(storage.get_recipients([recipients[-1].id])),
        lambda: _or_none(figures),
        lambda: _or_none(lambda: storage.get_image(pixel.id).media_type),
        lambda: storage.count_opens(pixel.id, before=NOON + 365 * _DAY),
    ]


def _nothing(storage: Storage, pixel: Pixel, recipients: list[Recipient]) -> list[object]:
    """Return what is shown of a deleted pixel, and try to change it."""
    assert storage.count_by_day([pixel.id], since=NOON - 9 * _DAY) == {}
    assert storage.add_opens([make_open(pixel, recipients[0])]) == []
    assert storage.purge_opens(pixel.id, before=NOON + 365 * _DAY, limit=9) == 0
    with pytest.raises(PixelNotFound):
        storage.delete_pixel(pixel.id)
    with pytest.raises(PixelNotFound):
        storage.add_recipients(pixel.id, make_recipients(pixel, ["late@example.org"]))
    with pytest.raises(LookupError):
        storage.delete_recipient(recipients[-1].id)
    return [look() for look in _looks(storage, pixel, recipients)]


def _or_none(call: Callable[[], object]) -> object:
    try:
        return call()
    except MailtrackError:
        return None

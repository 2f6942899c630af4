"""`Copying`: carries what one storage holds into another, in steps that a later run goes on from."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import groupby
from typing import TypeVar, cast

import attrs

from mailtrack._addresses import comparable
from mailtrack._copied_deliveries import Outboxes, copy_deliveries
from mailtrack._copied_places import MOST_BEHIND, Places
from mailtrack._counts import NO_OPENS
from mailtrack._errors import ImageNotFound, PixelNotFound, StorageError
from mailtrack._model import Open, Pixel, Recipient
from mailtrack._paging import MAX_LIMIT, pages
from mailtrack.storage._abilities import SupportsSettings, SupportsWebhooks
from mailtrack.storage._carrying import Carries, CarriesPlaces
from mailtrack.storage._protocol import MAX_TOP, Storage

SETTINGS = ("base_url",)
"""The names of all settings that mailtrack stores. `SupportsSettings` can't list them."""

_AT_ONCE = 5 * MAX_LIMIT  # rows of one step, which the target commits together
_MOST_TRIES = 100  # to read opens while no other is added

T = TypeVar("T")


@attrs.define(kw_only=True)
class LeftOut:
    """What a copy does not have, as numbers.

    Attributes:
        purged: opens that were purged: all figures of the source count them, those of the copy don't.
        duplicates: recipients whose address and reference an older one of the same pixel has, as data from before
            addresses were compared without case may have. Their opens are in the copy, as of deleted recipients.
        webhooks: webhooks.
        deliveries: deliveries to webhooks that are still due, and whose events the source has.
        erased: erased people, by whose tokens late opens of theirs are known, where a storage can't carry that.
        places: named readers of the feed, and webhooks, whose place was not found. In the copy it is the end of the
            feed.
    """

    purged: int = 0
    duplicates: int = 0
    webhooks: int = 0
    deliveries: int = 0
    erased: int = 0
    places: int = 0


@attrs.define(kw_only=True)
class Copied:
    """What a run has added to the target.

    Attributes:
        pixels: number of pixels.
        recipients: number of recipients.
        opens: number of opens.
        changed: whether the source was seen to change meanwhile.
        left_out: what the copy does not have, by this run and those before.
    """

    pixels: int = 0
    recipients: int = 0
    opens: int = 0
    changed: bool = False
    left_out: LeftOut = attrs.Factory(LeftOut)


class Copying:
    """Carries pixels, recipients, opens, keys, settings, readers and webhooks of one storage into another.

    The target is empty, or a copy of the same source that was begun before: what it has is not added again. Each step
    is one that the target takes whole or not at all, so a run may end at any moment. Memory is bounded, but for some
    100 bytes for each pixel.

    Nothing else may write to the source or the target meanwhile. Opens that the source gets all the same are copied or
    left to a later run; `verify` finds what is missing. Cursors of the feed are not carried over: the copy has the same
    events, those of each pixel in the same order, and cursors of its own. Readers and webhooks go on at the same place.

    Args:
        source: the storage to read.
        target: the storage to write.

    Attributes:
        copied: what `run` has added so far.
    """

    def __init__(self, source: Storage, target: Storage) -> None:
        self._source = source
        self._target = target
        self._ids: list[str] = []  # of the source's pixels, the first added first
        self._kept: dict[str, int] = {}  # opens of each pixel when the copy was planned
        self.copied = Copied()

    def plan(self) -> int:
        """Look at both storages, and return the number of recipients and opens that there are to copy.

        Raises:
            StorageError: the target has something that the source lacks, so it is no copy of it.
        """
        there = {one.id: one for one in _iter_pixels(self._target)}
        self._ids.clear()
        self._kept.clear()
        rows = 0
        for pixel in _iter_pixels(self._source):
            present = there.pop(pixel.id, None)
            rows += pixel.recipients + pixel.kept
            if present is not None:
                if present.recipients > pixel.recipients or present.kept > pixel.kept:
                    raise StorageError(f"The target has recipients or opens of {pixel.short_id} that the source lacks.")
                rows -= present.recipients + present.kept
            self._ids.append(pixel.id)
            self._kept[pixel.id] = pixel.kept
        self._ids.reverse()
        if there or _key_ids(self._target) - _key_ids(self._source):
            raise StorageError("The target has pixels or keys that the source lacks: it is no copy of it.")
        return rows

    def run(self) -> Iterator[int]:
        """Copy, and yield the number of recipients or opens of each step. `plan` comes first.

        Raises:
            StorageError: a storage fails, or the target differs from the source so that going on would mix them up.
        """
        self._add_followers()
        for copy in (self._copy_people, self._copy_by_places, self._copy_rest):
            yield from copy()
        self._copy_keys()
        self._copy_settings()
        self._copy_deliveries()

    def verify(self) -> Iterator[str]:
        """Compare the figures of all pixels, and yield the short id of each that differs."""
        for pixel_id in self._ids:
            if not self._is_equal(pixel_id):
                yield pixel_id[:8]

    def _each(self, copy: Callable[[str], Iterator[int]]) -> Iterator[int]:
        for pixel_id in self._ids:
            with suppress(PixelNotFound):  # deleted meanwhile
                yield from copy(pixel_id)

    def _copy_people(self) -> Iterator[int]:
        def copy(pixel_id: str) -> Iterator[int]:
            pixel = self._source.get_pixel(pixel_id)
            self._add_pixel(pixel)
            if self._target.get_pixel(pixel_id).recipients < pixel.recipients:
                yield from self._copy_recipients(pixel_id)
            self.copied.left_out.purged += pixel.purged

        return self._each(copy)

    def _copy_by_places(self) -> Iterator[int]:
        """Copy the opens up to the place of each reader and webhook, and put it there."""
        places = Places(self._source, self._target)
        for place in places.find():
            places.find_stops(place, self._kept)
            yield from self._each(partial(self._copy_up_to, place.stops))
            places.settle(place)
        places.end()
        self.copied.left_out.places = len(places.lost.readers) + len(places.lost.webhooks)

    def _copy_up_to(self, stops: Mapping[str, int], pixel_id: str) -> Iterator[int]:
        return self._copy_opens(pixel_id, stops[pixel_id])

    def _copy_rest(self) -> Iterator[int]:
        """Copy the opens that the source has got since the copy was planned, and what is kept of erased people."""

        def copy(pixel_id: str) -> Iterator[int]:
            yield from self._copy_opens(pixel_id, None)
            self._copy_erased(pixel_id)

        return self._each(copy)

    def _add_pixel(self, pixel: Pixel) -> None:
        bare = Pixel(
            id=pixel.id,
            name=pixel.name,
            created_at=pixel.created_at,
            image=pixel.image,
            archived=pixel.archived,
            note=pixel.note,
        )
        try:
            present = self._target.get_pixel(pixel.id)
        except PixelNotFound:
            image = None
            if pixel.image is not None:
                with suppress(ImageNotFound):
                    image = self._source.get_image(pixel.id)
            self._target.add_pixel(bare, image)
            self.copied.pixels += 1
            present = self._target.get_pixel(pixel.id)
        if (present.created_at, present.image) != (bare.created_at, bare.image):
            raise StorageError(f"The target has another pixel {pixel.short_id} than the source.")
        if (present.name, present.archived, present.note) != (bare.name, bare.archived, bare.note):
            self._target.update_pixel(pixel.id, name=bare.name, archived=bare.archived, note=bare.note)

    def _copy_recipients(self, pixel_id: str) -> Iterator[int]:
        found_pages = pages(lambda cursor: self._source.list_recipients(pixel_id, limit=MAX_LIMIT, cursor=cursor))
        for batch in _in_steps(page.items for page in found_pages):
            bare = [attrs.evolve(one, opens=NO_OPENS, prefetches=0) for one in batch]
            before = self._target.get_recipients([one.id for one in bare])
            found = self._target.add_recipients(pixel_id, _distinct(bare, before))
            added = sum(one.id not in before for one in found)
            self.copied.recipients += added
            self._mark_sent(pixel_id, bare)
            yield added
        self.copied.left_out.duplicates += (
            self._source.get_pixel(pixel_id).recipients - self._target.get_pixel(pixel_id).recipients
        )

    def _mark_sent(self, pixel_id: str, recipients: Sequence[Recipient]) -> None:
        """Set the times of sending, where the target has not taken them with the recipients."""
        there = self._target.get_recipients([one.id for one in recipients])
        left = [one for one in recipients if one.sent_at and one.id in there and there[one.id].sent_at != one.sent_at]
        left.sort(key=lambda one: str(one.sent_at))
        for at, some in groupby(left, key=lambda one: one.sent_at):
            if at is not None:
                self._target.mark_sent(pixel_id, [one.id for one in some], at=at)

    def _copy_opens(self, pixel_id: str, stop: int | None) -> Iterator[int]:
        """Add the opens that the target lacks, in order of arrival, the first arrived first, up to a number or all."""
        done = self._target.get_pixel(pixel_id).kept
        if done:
            (last,) = self._read_opens(pixel_id, done - 1, 1)
            if self._target.list_opens(pixel_id, limit=1).items[0].id != last.id:
                raise StorageError(
                    f"The opens of {pixel_id[:8]} in the target are others than the first ones in the source, or in"
                    " another order. Copy into an empty storage."
                )
        while batch := self._read_opens(pixel_id, done, _AT_ONCE if stop is None else min(_AT_ONCE, stop - done)):
            if len(self._target.add_opens(batch)) != len(batch):
                raise StorageError(f"The target has opens of {pixel_id[:8]} already that were to be added.")
            done += len(batch)
            self.copied.opens += len(batch)
            yield len(batch)

    def _copy_erased(self, pixel_id: str) -> None:
        """Add the digests of the tokens and ids of erased people."""
        digests = self._source.list_erased(pixel_id) if isinstance(self._source, Carries) else []
        if digests and isinstance(self._target, Carries):
            self._target.add_erased(pixel_id, digests)
        else:
            self.copied.left_out.erased += len(digests) // 2  # an id and a token each

    def _read_opens(self, pixel_id: str, start: int, number: int) -> list[Open]:
        """Return opens of the source that were not purged, from a place on, in order of arrival.

        Lists begin with the newest, so they move when one is added: then they are read again.
        """
        for _ in range(_MOST_TRIES):
            before = self._source.get_pixel(pixel_id)
            wanted = max(0, min(number, before.kept - start))
            opens = list(self._read_newest(pixel_id, before.kept - start - wanted, wanted))
            after = self._source.get_pixel(pixel_id)
            if (before.opens.raw.number, before.purged) == (after.opens.raw.number, after.purged):
                return opens[::-1]
            self.copied.changed = True
        raise StorageError("The source changes all the time. Stop the servers that use it, and copy again.")

    def _read_newest(self, pixel_id: str, skip: int, number: int) -> Iterator[Open]:
        cursor: str | None = None
        while number:
            page = self._source.list_opens(pixel_id, limit=min(number, MAX_LIMIT), cursor=cursor, skip=skip)
            yield from page.items
            skip, cursor, number = 0, page.next, number - len(page.items)
            if cursor is None:
                return

    def _copy_keys(self) -> None:
        there = _key_ids(self._target)
        for key in self._source.list_keys():
            if key.id not in there:
                self._target.add_key(key)

    def _copy_settings(self) -> None:
        if isinstance(self._source, SupportsSettings) and isinstance(self._target, SupportsSettings):
            for name in SETTINGS:
                self._target.set_setting(name, self._source.get_setting(name))

    def _add_followers(self) -> None:
        """Add the readers and webhooks that the target lacks. They get their places as the opens are copied."""
        if isinstance(self._source, CarriesPlaces):
            for name in self._source.list_readers():
                self._target.add_reader(name)
        if not isinstance(self._source, SupportsWebhooks):
            return
        webhooks = self._source.list_webhooks()
        if not isinstance(self._target, SupportsWebhooks):
            self.copied.left_out.webhooks = len(webhooks)
            return
        there = {one.id for one in self._target.list_webhooks()}
        for webhook in webhooks:
            if webhook.id not in there:
                self._target.add_webhook(webhook)

    def _copy_deliveries(self) -> None:
        if not isinstance(self._source, SupportsWebhooks):
            return
        if isinstance(self._target, SupportsWebhooks):
            source, target = cast("Outboxes", self._source), cast("Outboxes", self._target)
            left = copy_deliveries(source, target, most=MOST_BEHIND)
        else:
            left = sum(one.pending for one in self._source.count_deliveries().values())
        self.copied.left_out.deliveries = left

    def _is_equal(self, pixel_id: str) -> bool:
        try:
            ours = self._source.get_figures(pixel_id, top=MAX_TOP)
        except PixelNotFound:  # deleted meanwhile
            return False
        theirs = self._target.get_figures(pixel_id, top=MAX_TOP)
        if ours.pixel.purged:  # only what is left can be compared
            return (ours.pixel.kept, ours.pixel.recipients) == (theirs.pixel.kept, theirs.pixel.recipients)
        return ours == theirs


def _distinct(recipients: Sequence[Recipient], present: Collection[str]) -> list[Recipient]:
    """Return recipients with addresses and references of their own; of several, one that is there, else the first."""
    chosen: dict[tuple[str, str | None], Recipient] = {}
    for one in recipients:
        key = (comparable(one.email), one.ref)
        if key not in chosen or one.id in present:
            chosen[key] = one
    return list(chosen.values())


def _iter_pixels(storage: Storage) -> Iterator[Pixel]:
    for page in pages(lambda cursor: storage.list_pixels(limit=MAX_LIMIT, cursor=cursor, archived=None)):
        yield from page.items


def _key_ids(storage: Storage) -> set[str]:
    return {key.id for key in storage.list_keys()}


def _in_steps(pages: Iterable[Sequence[T]]) -> Iterator[list[T]]:
    """Yield the items of pages, so many at once as one step takes."""
    step: list[T] = []
    for page in pages:
        step += page
        if len(step) >= _AT_ONCE:
            yield step
            step = []
    if step:
        yield step

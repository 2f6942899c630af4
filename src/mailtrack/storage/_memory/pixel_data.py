"""`PixelData`: one pixel in memory, with everything it owns. All numbers are counted from its opens."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain, islice
from typing import Any

import attrs

from mailtrack._addresses import comparable, domain_of
from mailtrack._columns import Hours, Opens
from mailtrack._counts import Count
from mailtrack._errors import InvalidSentTime, RecipientNotFound
from mailtrack._figures import DayCount, DelayCount, Facet, FacetCount, Figures
from mailtrack._model import Erased, Image, Judgement, Open, Pixel, Recipient, Target
from mailtrack._times import from_milliseconds, to_milliseconds
from mailtrack.storage._counting.digests import digest
from mailtrack.storage._counting.firsts import find_firsts
from mailtrack.storage._counting.openers import Openers
from mailtrack.storage._counting.spans import NO_SPANS, Spans, to_open_spans
from mailtrack.storage._counting.tallies import DAY, Tally
from mailtrack.storage._counting.top import find_top


@attrs.define
class PixelData:
    """Everything that belongs to one pixel. Not thread-safe.

    Attributes:
        place: its place in the order of creation.
        image: the pixel's image.
    """

    place: int
    image: Image | None
    _pixel: Pixel
    _recipients: dict[int, Recipient] = attrs.Factory(dict)  # by place, in order; without their opens
    _last_recipient: int = 0
    _by_id: dict[str, int] = attrs.Factory(dict)
    _by_key: dict[tuple[str, str | None], int] = attrs.Factory(dict)  # by the comparable address and the reference
    _by_token: dict[str, int] = attrs.Factory(dict)
    _opens: list[Open | None] = attrs.Factory(list)  # in order of arrival; `None` where one was purged
    _open_places: dict[str, int] = attrs.Factory(dict)
    _firsts: list[int] = attrs.Factory(list)  # the bits of each open, see `find_firsts`
    _opened: set[str] = attrs.Factory(set)  # the ids of the recipients that have ever opened
    _counted: Counter[str] = attrs.Factory(Counter)  # the number of opens that count, by recipient
    _purged: list[Open] = attrs.Factory(list)  # only the parts of them that are counted
    _erased: set[int] = attrs.Factory(set)  # digests of the tokens and ids of erased recipients
    _tally: Tally | None = None  # of all opens, purged ones included; `None` where they have changed

    @property
    def pixel(self) -> Pixel:
        """The pixel with its counts."""
        tally, openers = self._count(), self._count_openers()
        return attrs.evolve(
            self._pixel,
            recipients=len(self._recipients),
            opens=to_open_spans(*tally.opens[:6]),
            views=tally.views,
            opened=openers.opened,
            prefetched=openers.prefetched,
            purged=len(self._purged),
        )

    @property
    def id(self) -> str:
        """The UUID of the pixel."""
        return self._pixel.id

    @property
    def bare(self) -> Pixel:
        """The pixel without its counts."""
        return self._pixel

    def update(self, changes: Mapping[str, Any]) -> None:
        """Change fields of the pixel."""
        self._pixel = attrs.evolve(self._pixel, **changes)

    def add_recipient(self, recipient: Recipient) -> Recipient:
        """Add a recipient, or return the one with the same address and reference, with the new data if there is any."""
        key = _key(recipient)
        place = self._by_key.get(key)
        if place is not None:
            if recipient.data is not None:
                self._recipients[place] = attrs.evolve(self._recipients[place], data=recipient.data)
            return self._with_opens(place)
        self._last_recipient += 1
        place = self._last_recipient
        self._recipients[place] = recipient
        self._by_id[recipient.id] = self._by_key[key] = self._by_token[recipient.token] = place
        return recipient

    def get_recipient(self, recipient_id: str) -> Recipient | None:
        """Return a recipient with its opens, `None` where it does not exist."""
        place = self._by_id.get(recipient_id)
        return None if place is None else self._with_opens(place)

    def iter_recipients(self, *, after: int) -> Iterator[tuple[int, Recipient]]:
        """Iterate over the recipients behind a place, in order of creation, each with its place."""
        return ((place, self._with_opens(place)) for place in self._recipients if place > after)

    def find_recipients(self, email: str) -> Iterator[tuple[tuple[int, int, int], Recipient]]:
        """Yield the recipients with an address, each with its place among those of all pixels: time, pixel, number."""
        key = comparable(email)
        for (own, _), place in self._by_key.items():
            if own == key:
                at = to_milliseconds(self._recipients[place].created_at)
                yield (at, self.place, place), self._with_opens(place)

    def delete_recipient(self, recipient_id: str) -> Recipient:
        """Delete a recipient, and return it as it was.

        Raises:
            RecipientNotFound: there is none.
        """
        if recipient_id not in self._by_id:
            raise RecipientNotFound
        place = self._by_id[recipient_id]
        deleted = self._with_opens(place)
        del self._recipients[place], self._by_id[recipient_id]
        del self._by_key[_key(deleted)], self._by_token[deleted.token]
        return deleted

    def erase(self, email: str) -> Erased:
        """Delete the recipients with an address, and take them out of their opens."""
        gone = {one.id: one.token for _, one in list(self.find_recipients(email))}
        for recipient_id, token in gone.items():
            self.delete_recipient(recipient_id)
            self._erased |= {digest(recipient_id), digest(token)}
        opens = sum(one.recipient_id in gone for one in self._kept())
        self._opens = [one.as_erased() if one is not None and one.recipient_id in gone else one for one in self._opens]
        self._purged = [one.as_erased() if one.recipient_id in gone else one for one in self._purged]
        self._tally = None
        return Erased(recipients=len(gone), opens=opens)

    def mark_sent(self, recipient_ids: Collection[str] | None, at: datetime) -> int:
        """Set when the mails of recipients were sent, and return how many of them there are.

        Raises:
            InvalidSentTime: one of the tokens was made later. Nothing is changed.
        """
        places = self._recipients if recipient_ids is None else {self._by_id.get(one) for one in recipient_ids}
        found = {place: self._recipients[place] for place in places if place is not None}
        earliest = max((one.created_at for one in found.values()), default=at)
        if earliest > at:
            raise InvalidSentTime(earliest)
        self._recipients.update((place, attrs.evolve(one, sent_at=at)) for place, one in found.items())
        return len(found)

    def resolve(self, token: str | None) -> Target:
        """Return the target of a hit with a token."""
        place = None if token is None else self._by_token.get(token)
        if place is None:
            return Target(pixel_id=self.id, erased=token is not None and digest(token) in self._erased)
        found = self._recipients[place]
        return Target(
            pixel_id=self.id,
            recipient_id=found.id,
            token_made_at=found.created_at,
            sent_at=found.sent_at,
            domain=domain_of(found.email),
        )

    def add_open(self, new: Open) -> Open | None:
        """Add an open, and return it as it is stored; `None` where it was there."""
        if new.id in self._open_places:
            return None
        owner = new.recipient_id
        if owner is not None and owner not in self._by_id and digest(owner) in self._erased:
            new = new.as_erased()
        self._open_places[new.id] = len(self._opens)
        self._opens.append(new)
        self._firsts.append(self._find_firsts(new))
        self._tally = None
        return new

    def _find_firsts(self, new: Open) -> int:
        owner = new.recipient_id
        if owner is None or owner not in self._by_id:
            return 0
        unopened = {owner} - self._opened
        (bits,) = find_firsts([(owner, new.counted)], unopened, {owner} if not self._counted[owner] else set())
        self._opened.add(owner)
        self._counted[owner] += new.counted
        return bits

    @property
    def last_open(self) -> int:
        """The place of the open that was added last, from 1; 0 without any."""
        return len(self._opens)

    def has_open(self, place: int) -> bool:
        """Return whether the open at a place was not purged."""
        return self._opens[place - 1] is not None

    def get_open(self, place: int) -> Open:
        """Return the open at a place, which was not purged."""
        ((_, found),) = islice(self.iter_opens(last=place), 1)
        return found

    def get_firsts(self, place: int) -> int:
        """Return the bits of the open at a place."""
        return self._firsts[place - 1]

    def iter_opens(self, *, last: int | None) -> Iterator[tuple[int, Open]]:
        """Iterate over the opens that were not purged, each with its place from 1, down from a place or the newest."""
        newest = len(self._opens) if last is None else min(last, len(self._opens))
        for place in range(newest, 0, -1):
            found = self._opens[place - 1]
            if found is not None:
                owner = None if found.recipient_id is None else self._by_id.get(found.recipient_id)
                yield place, attrs.evolve(found, token=None if owner is None else self._recipients[owner].token)

    def rejudge(self, judgements: Sequence[Judgement]) -> int:
        """Apply judgements, and return how many of them are of opens that are there."""
        found = [(self._open_places[one.open_id], one) for one in judgements if one.open_id in self._open_places]
        for place, judgement in found:
            stored = self._opens[place]
            if stored is not None:
                judged = self._opens[place] = judgement.apply(stored)
                if stored.recipient_id is not None:
                    self._counted[stored.recipient_id] += judged.counted - stored.counted
        self._tally = None
        return len(found)

    def count_opens(self, before: datetime) -> int:
        """Return how many opens that were not purged are older than a time."""
        return sum(one.opened_at < before for one in self._kept())

    def purge_opens(self, before: datetime, limit: int) -> int:
        """Delete up to `limit` opens that are older than a time, the first arrived first, and return how many."""
        found = list(islice((one for one in self._kept() if one.opened_at < before), limit))
        for one in found:
            self._opens[self._open_places.pop(one.id)] = None
            self._purged.append(attrs.evolve(one, id="", ip=None, user_agent="", referer=""))
        if found:
            until = max(before, self._pixel.purged_before or before)
            self._pixel = attrs.evolve(self._pixel, purged_before=until)
        return len(found)

    def delete_opens(self) -> None:
        """Delete all opens, as of a pixel that is deleted."""
        self._opens = [None] * len(self._opens)

    def count_by_day(self, since: datetime) -> list[DayCount]:
        """Return the numbers of opens by day, in order."""
        days: dict[int, Count] = {}
        for key, count in sorted(self._count().hours.items()):
            if key.hour >= to_milliseconds(since):
                day = key.hour - key.hour % DAY
                days[day] = days.get(day, Count()) + count
        return [DayCount(day=from_milliseconds(day), opens=count) for day, count in days.items()]

    def get_figures(self, limit: int) -> Figures:
        """Return the figures, with up to `limit` names of each facet, and recipients in the top list."""
        counted = {place: self._spans(one).counted for place, one in self._recipients.items()}
        hours = sorted(self._count().hours.items())
        return Figures(
            pixel=self.pixel,
            hours=Hours.of_rows([(key.hour, key.kind, count.counted, count.raw) for key, count in hours]),
            facets=tuple(self._count_facets(limit)),
            delays=tuple(
                DelayCount(bucket=bucket, recipients=count)
                for bucket, count in self._count_openers().delays.buckets.items()
            ),
            top=tuple(self._with_opens(place) for place in find_top(counted, limit)),
        )

    def _count(self) -> Tally:
        if self._tally is None:
            self._tally = Tally(Opens.of(list(self._kept_and_purged())))
        return self._tally

    def _count_openers(self) -> Openers:
        openers = Openers()
        for one in self._recipients.values():
            sent_at = None if one.sent_at is None else to_milliseconds(one.sent_at)
            openers.change(to_milliseconds(one.created_at), sent_at, NO_SPANS, self._spans(one))
        return openers

    def _count_facets(self, limit: int) -> Iterator[FacetCount]:
        found = sorted(self._count().facets.items(), key=lambda item: (-item[1].raw, item[0].name))
        for facet in Facet:
            named = ((key.name, count) for key, count in found if key.facet == facet)
            for name, count in islice(named, limit):
                yield FacetCount(facet=facet, name=name, opens=count)

    def _spans(self, recipient: Recipient) -> Spans:
        return self._count().recipients.get(recipient.id, NO_SPANS)

    def _with_opens(self, place: int) -> Recipient:
        recipient = self._recipients[place]
        spans = self._spans(recipient)
        return attrs.evolve(recipient, opens=to_open_spans(*spans[:6]), prefetches=spans.prefetches)

    def _kept(self) -> Iterator[Open]:
        return (one for one in self._opens if one is not None)

    def _kept_and_purged(self) -> Iterable[Open]:
        return chain(self._purged, self._kept())


def _key(recipient: Recipient) -> tuple[str, str | None]:
    return comparable(recipient.email), recipient.ref

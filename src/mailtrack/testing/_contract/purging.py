"""Tests of purging."""

from datetime import timedelta

import attrs
import pytest

from mailtrack._counts import NEVER_OPENED, OpenSpan
from mailtrack._figures import Facet, Figures
from mailtrack._model import Pixel, VerdictKind
from mailtrack.storage import Storage
from mailtrack.testing._contract.full_scan import BOT, CLIENT, VERDICT, delay_count, everything, some_opens
from mailtrack.testing._contract.helpers import (
    add_pixel,
    add_recipients,
    all_opens,
    all_recipients,
    at_once,
    make_judgement,
    namesake,
    rejudge,
    walk,
)
from mailtrack.testing._factories import NOON, make_open, make_pixel

_HOUR = timedelta(hours=1)
_ALL = NOON + timedelta(days=365)


class PurgingContract:
    """Tests of `count_opens` and `purge_opens`."""

    def test_purging_deletes_the_opens_before_a_time_and_no_other(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        opens = [make_open(pixel, at=NOON + hours * _HOUR) for hours in (0, 5, 1, 4, 2, 3)]
        storage.add_opens(opens)
        assert storage.purge_opens(pixel.id, before=NOON + 2 * _HOUR, limit=9) == 2
        assert all_opens(storage, pixel) == [opens[place] for place in (5, 4, 3, 1)]
        assert storage.purge_opens(pixel.id, before=NOON + 2 * _HOUR, limit=9) == 0

    def test_purging_deletes_no_more_than_the_limit_and_the_first_arrived_first(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        opens = [make_open(pixel, at=NOON - hours * _HOUR) for hours in range(5)]
        storage.add_opens(opens)
        numbers = []
        for _ in range(4):
            numbers.append(storage.purge_opens(pixel.id, before=_ALL, limit=2))
            assert all_opens(storage, pixel) == opens[: sum(numbers) - 1 if sum(numbers) else None : -1]
        assert numbers == [2, 2, 1, 0]

    def test_opens_that_could_be_purged_are_counted(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        storage.add_opens([make_open(pixel, at=NOON + hours * _HOUR) for hours in (0, 3, 1, 2)])
        found = [storage.count_opens(pixel.id, before=NOON + hours * _HOUR) for hours in (0, 1, 2, 9)]
        assert found == [0, 1, 2, 4]
        storage.purge_opens(pixel.id, before=NOON + _HOUR, limit=9)
        assert storage.count_opens(pixel.id, before=_ALL) == 3

    def test_a_pixel_that_does_not_exist_has_nothing_to_purge(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        storage.add_opens([make_open(pixel)])
        for pixel_id in (make_pixel().id, namesake(pixel)):
            assert storage.count_opens(pixel_id, before=_ALL) == 0
            assert storage.purge_opens(pixel_id, before=_ALL, limit=9) == 0
        assert len(all_opens(storage, pixel)) == 1

    def test_purging_one_pixel_leaves_the_others_alone(self, storage: Storage) -> None:
        pixel, other = add_pixel(storage), add_pixel(storage)
        storage.add_opens([make_open(one) for one in (pixel, other) for _ in range(3)])
        before = everything(storage, other)
        assert storage.purge_opens(pixel.id, before=_ALL, limit=9) == 3
        assert everything(storage, other) == before

    def test_a_pixel_shows_how_many_of_its_opens_were_purged_and_up_to_when(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        storage.add_opens([make_open(pixel, at=NOON + hours * _HOUR) for hours in range(4)])
        shown = []
        for hours in (0, 2, 1, 3):
            storage.purge_opens(pixel.id, before=NOON + hours * _HOUR, limit=9)
            found = storage.get_pixel(pixel.id)
            shown.append((found.purged, found.purged_before and found.purged_before - NOON, found.kept))
        assert shown == [(0, None, 4), (2, 2 * _HOUR, 2), (2, 2 * _HOUR, 2), (3, 3 * _HOUR, 1)]

    @pytest.mark.parametrize("hours", [-2, 10, 50, 200])
    def test_no_count_changes_when_opens_are_purged(self, storage: Storage, hours: int) -> None:
        pixel = add_pixel(storage)
        recipients = add_recipients(storage, pixel, 12)
        storage.add_opens(some_opens(pixel, recipients, 200))
        storage.delete_recipient(recipients[3].id)
        before = _figures(storage, pixel), all_recipients(storage, pixel)
        storage.purge_opens(pixel.id, before=NOON + hours * _HOUR, limit=1000)
        assert (_figures(storage, pixel), all_recipients(storage, pixel)) == before

    def test_counts_go_on_from_where_they_were(self, storage: Storage) -> None:
        purged, whole = add_pixel(storage), add_pixel(storage)
        for pixel in (purged, whole):
            recipients = add_recipients(storage, pixel, 5)
            opens = some_opens(pixel, recipients, 90)
            storage.add_opens(opens[:60])
            if pixel is purged:
                storage.purge_opens(pixel.id, before=NOON + 40 * _HOUR, limit=1000)
            storage.add_opens(opens[60:])
            storage.delete_recipient(recipients[0].id)
        assert _anonymous(storage, purged) == _anonymous(storage, whole)

    @pytest.mark.parametrize("hours", [10, 50, 90, 200])
    def test_judging_again_changes_only_what_the_opens_that_are_left_amount_to(
        self, storage: Storage, hours: int
    ) -> None:
        purged, whole = add_pixel(storage), add_pixel(storage)
        until = NOON + hours * _HOUR
        for pixel in (purged, whole):
            opens = some_opens(pixel, add_recipients(storage, pixel, 5), 150)
            storage.add_opens(opens)
            if pixel is purged:
                storage.purge_opens(pixel.id, before=until, limit=1000)
            judgements = [
                make_judgement(one, verdict=verdict, client=CLIENT, counted=place % 5 == 0)
                for place, one in enumerate(opens)
                for verdict in ((VERDICT, BOT)[place % 2],)
                if pixel is purged or one.opened_at >= until
            ]
            left = sum(one.opened_at >= until for one in opens)
            assert storage.rejudge(pixel.id, judgements) == left
        assert _anonymous(storage, purged) == _anonymous(storage, whole)

    def test_the_first_and_the_last_that_count_may_be_purged_ones(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (recipient,) = add_recipients(storage, pixel, 1)
        opens = [make_open(pixel, recipient, at=NOON + minutes * _HOUR / 60) for minutes in (0, 5, 70, 80, 90)]
        storage.add_opens(opens)
        storage.purge_opens(pixel.id, before=NOON + _HOUR, limit=9)
        spans = []
        for one, counted in ((opens[4], False), (opens[3], False), (opens[2], False), (opens[3], True)):
            storage.rejudge(pixel.id, [make_judgement(one, counted=counted)])
            (shown,) = all_recipients(storage, pixel)
            spans.append(shown.opens.counted)
            assert storage.get_pixel(pixel.id).opens == shown.opens
        lasts = [(4, 80), (3, 70), (2, 5), (3, 80)]
        assert spans == [OpenSpan(number=n, first=NOON, last=NOON + minutes * _HOUR / 60) for n, minutes in lasts]

    @pytest.mark.parametrize("limit", [1, 2, 1000])
    def test_pages_of_what_is_left_are_full_wherever_the_gaps_are(self, storage: Storage, limit: int) -> None:
        pixel = add_pixel(storage)
        opens = [make_open(pixel, at=NOON + (_HOUR if n % 7 in (0, 3, 4) else -_HOUR)) for n in range(30)]
        storage.add_opens(opens)
        storage.purge_opens(pixel.id, before=NOON, limit=1000)
        left = [one for one in reversed(opens) if one.opened_at > NOON]
        assert walk(lambda cursor: storage.list_opens(pixel.id, limit=limit, cursor=cursor)) == left
        for skip in range(len(left) + 2):
            page = storage.list_opens(pixel.id, limit=limit, skip=skip)
            assert page.items == tuple(left[skip : skip + limit])
            assert (page.next is None) == (skip + limit >= len(left))
            if page.next is not None:
                assert storage.list_opens(pixel.id, limit=9, cursor=page.next).items[0] == left[skip + limit]

    def test_a_cursor_stays_usable_when_its_place_is_purged(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        opens = [make_open(pixel, at=NOON + hours * _HOUR) for hours in (0, 3, 1, 2)]
        storage.add_opens(opens)
        cursor = storage.list_opens(pixel.id, limit=1).next
        storage.purge_opens(pixel.id, before=NOON + 2 * _HOUR, limit=9)
        assert storage.list_opens(pixel.id, limit=9, cursor=cursor).items == (opens[1],)
        storage.purge_opens(pixel.id, before=_ALL, limit=9)
        assert storage.list_opens(pixel.id, limit=9, cursor=cursor).items == ()

    def test_what_is_left_is_found_by_kind_and_recipient(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        ann, bob = add_recipients(storage, pixel, 2)
        opens = [
            make_open(pixel, who, at=NOON + hours * _HOUR, verdict=verdict)
            for hours in range(2)
            for who in (ann, bob)
            for verdict in (BOT, VERDICT)
        ]
        storage.add_opens(opens)
        storage.purge_opens(pixel.id, before=NOON + _HOUR, limit=9)
        bots = storage.list_opens(pixel.id, limit=9, kind=VerdictKind.BOT).items
        assert [one.id for one in bots] == [opens[6].id, opens[4].id]
        assert [one.id for one in storage.list_opens(pixel.id, limit=9, recipient_id=ann.id).items] == [
            opens[5].id,
            opens[4].id,
        ]

    def test_opens_that_arrive_after_all_were_purged_are_listed(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        storage.add_opens([make_open(pixel) for _ in range(3)])
        storage.purge_opens(pixel.id, before=_ALL, limit=9)
        late = make_open(pixel, at=NOON - _HOUR)
        assert storage.add_opens([late]) == [late]
        assert all_opens(storage, pixel) == [late]
        assert storage.list_opens(pixel.id, limit=9, skip=1).items == ()

    def test_a_pixel_is_deleted_with_what_is_kept_of_its_purged_opens(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        storage.add_opens([make_open(pixel) for _ in range(3)])
        storage.purge_opens(pixel.id, before=_ALL, limit=2)
        storage.delete_pixel(pixel.id)
        storage.add_pixel(attrs.evolve(pixel))
        found = storage.get_pixel(pixel.id)
        assert (found.purged, found.purged_before, found.opens.raw.number) == (0, None, 0)

    def test_up_to_when_opens_were_purged_never_goes_back(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        storage.add_opens([make_open(pixel, at=NOON)])
        storage.purge_opens(pixel.id, before=NOON + 5 * _HOUR, limit=9)
        storage.add_opens([make_open(pixel, at=NOON)])
        assert storage.purge_opens(pixel.id, before=NOON + _HOUR, limit=9) == 1
        found = storage.get_pixel(pixel.id)
        assert (found.purged, found.purged_before) == (2, NOON + 5 * _HOUR)

    def test_a_purged_open_that_is_given_again_is_new(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        old, other = make_open(pixel), make_open(pixel)
        storage.add_opens([old, other])
        storage.purge_opens(pixel.id, before=_ALL, limit=1)
        storage.add_opens([old, other])
        assert all_opens(storage, pixel) == [old, other]
        assert storage.get_pixel(pixel.id).opens.raw.number == 3

    def test_a_recipient_has_opened_though_all_that_count_were_purged_and_the_rest_is_judged_anew(
        self, storage: Storage
    ) -> None:
        pixel = add_pixel(storage)
        (recipient,) = add_recipients(storage, pixel, 1)
        opens = [make_open(pixel, recipient, at=NOON + hours * _HOUR) for hours in (0, 0, 2)]
        storage.add_opens(opens)
        storage.purge_opens(pixel.id, before=NOON + _HOUR, limit=9)
        rejudge(storage, pixel, make_judgement(opens[2], verdict=BOT, counted=False))
        figures = storage.get_figures(pixel.id, top=9)
        assert (figures.pixel.opened.counted, [one.opens.counted.number for one in figures.top]) == (1, [2])
        assert figures.pixel.opens.counted == figures.top[0].opens.counted == OpenSpan(number=2, first=NOON, last=NOON)

    def test_spans_of_several_purges_are_joined(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (recipient,) = add_recipients(storage, pixel, 1)
        opens = [make_open(pixel, recipient, at=NOON + hours * _HOUR) for hours in range(5)]
        storage.add_opens(opens)
        for hours in (1, 2, 3):
            storage.purge_opens(pixel.id, before=NOON + hours * _HOUR, limit=9)
        rejudge(storage, pixel, *(make_judgement(one, counted=False) for one in opens))
        span = OpenSpan(number=3, first=NOON, last=NOON + 2 * _HOUR)
        assert [one.opens.counted for one in (storage.get_pixel(pixel.id), all_recipients(storage, pixel)[0])] == [
            span
        ] * 2

    def test_purged_opens_that_do_not_count_are_in_no_counted_span(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (recipient,) = add_recipients(storage, pixel, 1)
        opens = [make_open(pixel, recipient, at=NOON + hours * _HOUR, counted=hours > 0) for hours in (0, 5)]
        storage.add_opens(opens)
        storage.purge_opens(pixel.id, before=NOON + _HOUR, limit=9)
        rejudge(storage, pixel, make_judgement(opens[1], counted=False))
        assert [one.opens.counted for one in (storage.get_pixel(pixel.id), all_recipients(storage, pixel)[0])] == [
            NEVER_OPENED
        ] * 2

    def test_no_count_of_zero_is_left_when_opens_are_purged_and_others_judged_anew(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        gone, kept = add_recipients(storage, pixel, 2)
        opens = [make_open(pixel, one, at=NOON + n * _HOUR, verdict=BOT) for n, one in enumerate((gone, kept))]
        storage.add_opens(opens)
        storage.purge_opens(pixel.id, before=NOON + _HOUR, limit=9)
        rejudge(storage, pixel, make_judgement(opens[1], verdict=VERDICT, client=CLIENT))
        storage.delete_recipient(gone.id)
        figures = storage.get_figures(pixel.id, top=9)
        assert [(one.hour, one.kind, one.opens.raw) for one in figures.hours] == [
            (NOON, VerdictKind.BOT, 1),
            (NOON + _HOUR, VerdictKind.PROXY, 1),
        ]
        assert [(one.name, one.opens.raw) for one in figures.facets if one.facet is Facet.VENDOR] == [
            ("Müller", 1),
            ("Robots", 1),
        ]
        assert figures.delays == (delay_count(_HOUR, 1, 1),)

    def test_the_days_stay_when_opens_are_purged(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        storage.add_opens([make_open(pixel, at=NOON + hours * _HOUR, counted=hours > 0) for hours in (0, 1, 24)])
        before = storage.count_by_day([pixel.id], since=NOON - 24 * _HOUR)
        storage.purge_opens(pixel.id, before=NOON + 2 * _HOUR, limit=9)
        assert storage.count_by_day([pixel.id], since=NOON - 24 * _HOUR) == before

    def test_a_purged_open_is_still_the_first_where_another_of_its_time_counts_no_more(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        opens = [make_open(pixel, at=NOON + minutes * _HOUR / 60) for minutes in (0, 9, 0, 9, 5)]
        storage.add_opens(opens)
        storage.purge_opens(pixel.id, before=_ALL, limit=2)
        rejudge(storage, pixel, *(make_judgement(opens[place], counted=False) for place in (2, 3)))
        span = OpenSpan(number=3, first=NOON, last=NOON + 9 * _HOUR / 60)
        assert storage.get_pixel(pixel.id).opens.counted == span

    def test_each_open_is_purged_once_while_opens_arrive_and_others_purge(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        recipients = add_recipients(storage, pixel, 3)
        opens = [make_open(pixel, recipients[n % 3], at=NOON + (n % 2) * _HOUR) for n in range(120)]
        storage.add_opens(opens[:60])

        def purge() -> int:
            return sum(iter(lambda: storage.purge_opens(pixel.id, before=NOON + _HOUR, limit=3), 0))

        def add() -> int:
            for start in range(60, 120, 10):
                storage.add_opens(opens[start : start + 10])
            return 0

        purged = sum(at_once([purge, add, purge])) + purge()
        found = storage.get_pixel(pixel.id)
        assert (purged, found.purged, found.opens.raw.number, found.kept) == (60, 60, 120, 60)
        assert {one.id for one in all_opens(storage, pixel)} == {one.id for one in opens[1::2]}


def _figures(storage: Storage, pixel: Pixel) -> Figures:
    """Return the figures of a pixel without its numbers of purged opens."""
    found = storage.get_figures(pixel.id, top=100)
    return attrs.evolve(found, pixel=attrs.evolve(found.pixel, purged=0, purged_before=None))


def _anonymous(storage: Storage, pixel: Pixel) -> Figures:
    """Return the figures of a pixel without its name and the ids in them."""
    found = _figures(storage, pixel)
    return attrs.evolve(
        found,
        pixel=attrs.evolve(found.pixel, id="", name=""),
        top=tuple(attrs.evolve(one, id="", token="", pixel_id="") for one in found.top),
    )

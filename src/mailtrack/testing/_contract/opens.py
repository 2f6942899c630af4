"""Tests of opens."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial

import attrs
import pytest

from mailtrack._counts import Count, OpenSpan, OpenSpans
from mailtrack._errors import InvalidPaging
from mailtrack._figures import DayCount, HourCount
from mailtrack._model import Certainty, Judgement, Open, Page, Verdict, VerdictKind
from mailtrack.storage import Storage
from mailtrack.testing._contract.helpers import (
    UNUSABLE_CURSORS,
    add_pixel,
    add_recipients,
    all_opens,
    all_recipients,
    hours_of,
    namesake,
    walk,
)
from mailtrack.testing._factories import NOON, make_open, make_pixel, make_recipient

_HOUR = timedelta(hours=1)


class OpensContract:
    """Tests of `add_opens`, `list_opens` and `count_by_day`."""

    def test_an_open_is_read_back_with_the_token_of_its_recipient(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (recipient,) = add_recipients(storage, pixel, 1)
        new = make_open(pixel, recipient, at=NOON + timedelta(milliseconds=1))
        assert storage.add_opens([new]) == [new]
        assert all_opens(storage, pixel) == [attrs.evolve(new, token=recipient.token)]

    def test_an_open_without_a_recipient_is_read_back(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        new = Open(id=make_open(pixel).id, pixel_id=pixel.id, opened_at=NOON)
        storage.add_opens([new])
        assert all_opens(storage, pixel) == [new]

    @pytest.mark.parametrize("kind", VerdictKind)
    @pytest.mark.parametrize("certainty", [None, *Certainty])
    def test_a_verdict_is_kept_whole(self, storage: Storage, kind: VerdictKind, certainty: Certainty | None) -> None:
        pixel = add_pixel(storage)
        verdict = Verdict(kind=kind, vendor="Müller", reasons=("a-b", 'c"d'), certainty=certainty, rules_version=7)
        storage.add_opens([make_open(pixel, verdict=verdict)])
        assert [one.verdict for one in all_opens(storage, pixel)] == [verdict]

    def test_texts_of_strangers_come_back_as_given(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        new = attrs.evolve(make_open(pixel), user_agent="<svg onload=a>'; -- %s \ufffd", referer="x" * 512, ip=None)
        storage.add_opens([new])
        assert all_opens(storage, pixel) == [new]

    def test_opens_are_listed_the_last_arrived_first_whatever_their_times(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        opens = [make_open(pixel, at=NOON + timedelta(days=days)) for days in (2, 0, 3, 1)]
        for new in opens:
            storage.add_opens([new])
        assert all_opens(storage, pixel) == opens[::-1]

    def test_within_one_call_the_order_given_is_the_order_of_arrival(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        opens = [make_open(pixel, at=NOON + timedelta(days=days)) for days in (2, 0, 3, 1)]
        storage.add_opens(opens)
        assert all_opens(storage, pixel) == opens[::-1]

    def test_one_call_takes_opens_of_many_pixels(self, storage: Storage) -> None:
        pixels = [add_pixel(storage) for _ in range(3)]
        opens = [make_open(pixels[n % 3]) for n in range(9)]
        assert storage.add_opens(opens) == opens
        assert [all_opens(storage, pixel) for pixel in pixels] == [opens[6 + n :: -3] for n in range(3)]

    def test_adding_no_opens_adds_none(self, storage: Storage) -> None:
        assert storage.add_opens([]) == []

    def test_adding_opens_again_changes_nothing(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (recipient,) = add_recipients(storage, pixel, 1)
        opens = [make_open(pixel, recipient), make_open(pixel)]
        storage.add_opens(opens)
        before = storage.get_pixel(pixel.id), all_recipients(storage, pixel), all_opens(storage, pixel)
        assert storage.add_opens(opens) == []
        assert (storage.get_pixel(pixel.id), all_recipients(storage, pixel), all_opens(storage, pixel)) == before
        assert hours_of(storage, pixel) == (HourCount(hour=NOON, kind=VerdictKind.UNKNOWN, opens=Count(2, 2)),)

    def test_of_two_opens_with_one_id_the_first_stays(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        first = make_open(pixel)
        storage.add_opens([first])
        assert storage.add_opens([make_open(pixel, open_id=first.id, at=NOON + _HOUR)]) == []
        assert all_opens(storage, pixel) == [first]

    def test_an_open_given_twice_in_one_call_is_one(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        one, other = make_open(pixel), make_open(pixel)
        assert storage.add_opens([one, other, one, other, one]) == [one, other]
        assert all_opens(storage, pixel) == [other, one]
        assert storage.get_pixel(pixel.id).opens.raw.number == 2

    def test_of_two_opens_with_one_id_in_one_call_the_first_stays(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        first = make_open(pixel)
        storage.add_opens([first, make_open(pixel, open_id=first.id, at=NOON + _HOUR, counted=False)])
        assert all_opens(storage, pixel) == [first]
        span = OpenSpan(number=1, first=NOON, last=NOON)
        assert storage.get_pixel(pixel.id).opens == OpenSpans(counted=span, raw=span)

    def test_a_batch_of_two_pixels_that_comes_again_with_more_adds_only_what_is_new(self, storage: Storage) -> None:
        pixel, other = add_pixel(storage), add_pixel(storage)
        opens = [make_open(one) for _ in range(3) for one in (pixel, other)]
        storage.add_opens(opens[:3])
        storage.add_opens(opens)
        assert all_opens(storage, pixel) == opens[4::-2]
        assert all_opens(storage, other) == opens[5::-2]
        assert [storage.get_pixel(one.id).opens.raw.number for one in (pixel, other)] == [3, 3]

    def test_new_opens_among_old_ones_are_added(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        opens = [make_open(pixel) for _ in range(5)]
        storage.add_opens([opens[1], opens[3]])
        assert storage.add_opens(opens) == [opens[n] for n in (0, 2, 4)]
        assert all_opens(storage, pixel) == [opens[n] for n in (4, 2, 0, 3, 1)]

    def test_one_id_in_two_pixels_is_two_opens(self, storage: Storage) -> None:
        pixels = [add_pixel(storage), add_pixel(storage)]
        opens = [make_open(pixel, open_id="0" * 32) for pixel in pixels]
        assert storage.add_opens(opens) == opens
        assert [all_opens(storage, pixel) for pixel in pixels] == [[opens[0]], [opens[1]]]

    def test_opens_of_pixels_that_do_not_exist_are_left_out(self, storage: Storage) -> None:
        pixel, gone = add_pixel(storage), add_pixel(storage)
        storage.delete_pixel(gone.id)
        new = make_open(pixel)
        others = [make_open(gone), make_open(make_pixel()), make_open(make_pixel(pixel_id=namesake(pixel)))]
        assert storage.add_opens([*others, new, *others]) == [new]
        assert all_opens(storage, pixel) == [new]
        assert all_opens(storage, gone) == []

    def test_of_opens_of_many_pixels_the_new_ones_are_returned_in_the_order_given(self, storage: Storage) -> None:
        pixels = [add_pixel(storage) for _ in range(3)]
        opens = [make_open(pixels[n % 3]) for n in range(9)]
        assert storage.add_opens([opens[n] for n in (7, 3, 1)]) == [opens[n] for n in (7, 3, 1)]
        assert storage.add_opens([*opens[::-1], *opens]) == [opens[n] for n in (8, 6, 5, 4, 2, 0)]

    def test_an_open_of_a_deleted_recipient_counts_for_the_pixel_only(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        gone, kept = add_recipients(storage, pixel, 2)
        storage.delete_recipient(gone.id)
        new = make_open(pixel, gone)
        assert storage.add_opens([new]) == [new]
        assert all_opens(storage, pixel) == [new]
        assert storage.get_pixel(pixel.id).opens.raw.number == 1
        assert all_recipients(storage, pixel) == [kept]

    def test_a_span_has_the_earliest_and_the_latest_time_whatever_the_order_of_arrival(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (recipient,) = add_recipients(storage, pixel, 1)
        for hours in ((1, 3), (2,), (0,)):
            storage.add_opens([make_open(pixel, recipient, at=NOON + hour * _HOUR) for hour in hours])
        span = OpenSpan(number=4, first=NOON, last=NOON + 3 * _HOUR)
        spans = OpenSpans(counted=span, raw=span)
        assert storage.get_pixel(pixel.id).opens == spans
        assert [one.opens for one in all_recipients(storage, pixel)] == [spans]

    def test_an_open_counts_for_its_own_recipient_only(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        recipients = add_recipients(storage, pixel, 3)
        storage.add_opens([make_open(pixel, recipients[1])])
        assert [one.opens.raw.number for one in all_recipients(storage, pixel)] == [0, 1, 0]

    def test_hours_begin_at_minute_zero_of_utc(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        storage.add_opens([make_open(pixel, at=NOON + timedelta(milliseconds=ms)) for ms in (-1, 0, 3_599_999)])
        assert [(one.hour, one.opens.raw) for one in hours_of(storage, pixel)] == [(NOON - _HOUR, 1), (NOON, 2)]

    def test_hours_come_in_order_of_time_then_kind(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        keys = [(hour, kind) for hour in (2, 0, 1) for kind in (VerdictKind.PROXY, VerdictKind.BOT, VerdictKind.HUMAN)]
        for hour, kind in keys:
            storage.add_opens([make_open(pixel, at=NOON + hour * _HOUR, verdict=Verdict(kind=kind))])
        found = [(one.hour, one.kind) for one in hours_of(storage, pixel)]
        assert found == sorted((NOON + hour * _HOUR, kind) for hour, kind in keys)

    def test_a_pixel_without_opens_has_no_hours(self, storage: Storage) -> None:
        assert hours_of(storage, add_pixel(storage)) == ()

    def test_all_counts_equal_a_full_scan(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        recipients = add_recipients(storage, pixel, 5)
        dice = random.Random(0)  # noqa: S311  # the same figures each time
        kinds = list(VerdictKind)
        opens = [
            make_open(
                pixel,
                dice.choice([None, *recipients]),
                at=NOON + timedelta(minutes=dice.randrange(600)),
                verdict=Verdict(kind=dice.choice(kinds)),
            )
            for _ in range(300)
        ]
        for start in range(0, 300, 20):
            storage.add_opens(opens[start : start + 30])  # a third of each batch comes again
        scanned = all_opens(storage, pixel)
        assert scanned == [
            attrs.evolve(one, token={r.id: r.token for r in recipients}.get(one.recipient_id or ""))
            for one in opens[::-1]
        ]
        hours = Counter((one.opened_at.replace(minute=0), one.verdict.kind) for one in scanned)
        assert {(one.hour, one.kind): one.opens.raw for one in hours_of(storage, pixel)} == hours
        for found, span in [
            (scanned, storage.get_pixel(pixel.id).opens.raw),
            *(([o for o in scanned if o.recipient_id == r.id], r.opens.raw) for r in all_recipients(storage, pixel)),
        ]:
            times = [one.opened_at for one in found]
            assert span == OpenSpan(number=len(times), first=min(times), last=max(times))

    @pytest.mark.parametrize("limit", [1, 2, 5, 6, 1000])
    def test_pages_of_opens_make_the_whole_log(self, storage: Storage, limit: int) -> None:
        pixel = add_pixel(storage)
        opens = [make_open(pixel) for _ in range(6)]
        storage.add_opens(opens)
        assert walk(lambda cursor: storage.list_opens(pixel.id, limit=limit, cursor=cursor)) == opens[::-1]

    @pytest.mark.parametrize("number", [2, 4])
    def test_a_full_last_page_of_opens_has_no_next(self, storage: Storage, number: int) -> None:
        pixel = add_pixel(storage)
        (recipient,) = add_recipients(storage, pixel, 1)
        storage.add_opens([make_open(pixel, recipient) for _ in range(number)])
        for filters in ({}, {"kind": VerdictKind.UNKNOWN}, {"recipient_id": recipient.id}):
            get_page = partial(storage.list_opens, pixel.id, limit=2, **filters)
            page = get_page()
            assert len(page.items) == 2
            assert (page.next is None) == (number == 2)
            if page.next is not None:
                assert get_page(cursor=page.next).next is None

    def test_a_page_of_opens_does_not_move_when_opens_arrive(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        opens = [make_open(pixel) for _ in range(4)]
        storage.add_opens(opens)
        cursor = storage.list_opens(pixel.id, limit=2).next
        storage.add_opens([make_open(pixel) for _ in range(3)])
        assert storage.list_opens(pixel.id, limit=2, cursor=cursor) == Page(items=(opens[1], opens[0]))

    def test_a_page_of_opens_does_not_move_when_a_recipient_is_deleted(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (recipient,) = add_recipients(storage, pixel, 1)
        opens = [make_open(pixel, recipient) for _ in range(4)]
        storage.add_opens(opens)
        cursor = storage.list_opens(pixel.id, limit=2).next
        storage.delete_recipient(recipient.id)
        assert storage.list_opens(pixel.id, limit=2, cursor=cursor).items == (opens[1], opens[0])

    def test_skipping_passes_over_the_newest(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        opens = [make_open(pixel) for _ in range(5)]
        storage.add_opens(opens)
        pages = [storage.list_opens(pixel.id, limit=2, skip=skip) for skip in range(7)]
        assert [page.items for page in pages] == [tuple(opens[::-1][skip : skip + 2]) for skip in range(7)]
        assert [page.next is None for page in pages] == [False, False, False, True, True, True, True]

    def test_skipping_goes_on_from_a_cursor(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        opens = [make_open(pixel) for _ in range(6)]
        storage.add_opens(opens)
        cursor = storage.list_opens(pixel.id, limit=2).next
        assert storage.list_opens(pixel.id, limit=2, cursor=cursor, skip=1).items == (opens[2], opens[1])

    def test_a_page_after_a_skip_leads_on(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        opens = [make_open(pixel) for _ in range(6)]
        storage.add_opens(opens)
        cursor = storage.list_opens(pixel.id, limit=2, skip=1).next
        assert storage.list_opens(pixel.id, limit=9, cursor=cursor).items == tuple(opens[2::-1])

    @pytest.mark.parametrize("skip", [1, 50, 2**63 - 1])
    def test_skipping_past_the_end_leaves_nothing(self, storage: Storage, skip: int) -> None:
        pixel = add_pixel(storage)
        storage.add_opens([make_open(pixel)])
        assert storage.list_opens(pixel.id, limit=1, skip=skip) == Page(items=())

    @pytest.mark.parametrize("limit", [1, 2, 1000])
    def test_opens_are_found_by_the_kind_of_their_verdict(self, storage: Storage, limit: int) -> None:
        pixel = add_pixel(storage)
        kinds = [VerdictKind.BOT, VerdictKind.HUMAN, VerdictKind.BOT, VerdictKind.BOT, VerdictKind.PROXY]
        opens = [make_open(pixel, verdict=Verdict(kind=kind)) for kind in kinds]
        storage.add_opens([make_open(add_pixel(storage), verdict=Verdict(kind=VerdictKind.BOT)), *opens])
        bots = walk(lambda cursor: storage.list_opens(pixel.id, limit=limit, cursor=cursor, kind=VerdictKind.BOT))
        assert bots == [opens[3], opens[2], opens[0]]
        assert storage.list_opens(pixel.id, limit=limit, kind=VerdictKind.SCANNER) == Page(items=())

    @pytest.mark.parametrize("limit", [1, 2, 1000])
    def test_opens_are_found_by_their_recipient_even_when_it_is_deleted(self, storage: Storage, limit: int) -> None:
        pixel = add_pixel(storage)
        ann, bob, cem = add_recipients(storage, pixel, 3)
        opens = [make_open(pixel, one) for one in (ann, bob, None, ann, bob, ann)]
        storage.add_opens(opens)

        def ids_of(recipient_id: str) -> list[str]:
            found = walk(
                lambda cursor: storage.list_opens(pixel.id, limit=limit, cursor=cursor, recipient_id=recipient_id)
            )
            return [one.id for one in found]

        assert ids_of(ann.id) == [opens[n].id for n in (5, 3, 0)]
        assert ids_of(cem.id) == []
        storage.delete_recipient(bob.id)
        assert ids_of(bob.id) == [opens[n].id for n in (4, 1)]

    def test_opens_are_found_by_kind_and_recipient_together(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        ann, bob = add_recipients(storage, pixel, 2)
        bot, human = Verdict(kind=VerdictKind.BOT), Verdict(kind=VerdictKind.HUMAN)
        opens = [make_open(pixel, who, verdict=what) for who in (ann, bob) for what in (bot, human)]
        storage.add_opens(opens)
        found = storage.list_opens(pixel.id, limit=9, kind=VerdictKind.BOT, recipient_id=bob.id)
        assert [one.id for one in found.items] == [opens[2].id]

    def test_skipping_counts_also_what_is_left_out(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        kinds = [VerdictKind.BOT, VerdictKind.HUMAN, VerdictKind.BOT]
        opens = [make_open(pixel, verdict=Verdict(kind=kind)) for kind in kinds]
        storage.add_opens(opens)
        pages = [storage.list_opens(pixel.id, limit=9, skip=skip, kind=VerdictKind.BOT).items for skip in range(4)]
        assert pages == [(opens[2], opens[0]), (opens[0],), (opens[0],), ()]

    def test_an_open_judged_again_is_found_by_its_new_kind(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        new = make_open(pixel, verdict=Verdict(kind=VerdictKind.BOT))
        storage.add_opens([new])
        human = Verdict(kind=VerdictKind.HUMAN)
        storage.rejudge(pixel.id, [Judgement(open_id=new.id, verdict=human, client=new.client, counted=True)])
        assert storage.list_opens(pixel.id, limit=9, kind=VerdictKind.BOT).items == ()
        assert [one.id for one in storage.list_opens(pixel.id, limit=9, kind=VerdictKind.HUMAN).items] == [new.id]

    def test_days_are_counted_in_utc_by_pixel_from_a_day_on(self, storage: Storage) -> None:
        pixel, other, quiet = (add_pixel(storage) for _ in range(3))
        midnight = NOON.replace(hour=0)
        day = timedelta(days=1)
        times = [midnight - timedelta(milliseconds=1), midnight, NOON, midnight + day - timedelta(milliseconds=1)]
        storage.add_opens([make_open(pixel, at=at) for at in [*times, NOON + 2 * day]])
        storage.add_opens(
            [attrs.evolve(make_open(other), counted=False), make_open(other), make_open(quiet, at=NOON - day)]
        )
        found = storage.count_by_day([pixel.id, other.id, quiet.id, make_pixel().id], since=midnight)
        assert found == {
            pixel.id: [
                DayCount(day=midnight, opens=Count(3, 3)),
                DayCount(day=midnight + 2 * day, opens=Count(1, 1)),
            ],
            other.id: [DayCount(day=midnight, opens=Count(1, 2))],
        }
        assert storage.count_by_day([], since=midnight) == {}

    def test_days_are_those_of_the_pixel_with_the_whole_id(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        storage.add_opens([make_open(pixel)])
        assert storage.count_by_day([namesake(pixel), pixel.short_id], since=NOON - _HOUR) == {}

    def test_hours_and_days_before_1970_begin_at_their_start(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        at = datetime(1969, 12, 31, 22, 59, tzinfo=UTC)
        storage.add_opens([make_open(pixel, at=at)])
        assert [one.hour for one in storage.get_figures(pixel.id, top=1).hours] == [at.replace(minute=0)]
        midnight = at.replace(hour=0, minute=0)
        assert [one.day for one in storage.count_by_day([pixel.id], since=midnight)[pixel.id]] == [midnight]

    def test_the_token_of_an_open_is_its_recipients_whatever_was_given(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        kept, gone = add_recipients(storage, pixel, 2)
        opens = [attrs.evolve(make_open(pixel, one), token="tok_" + "0" * 32) for one in (kept, gone)]
        storage.add_opens(opens)
        storage.delete_recipient(gone.id)
        assert [one.token for one in all_opens(storage, pixel)] == [None, kept.token]

    def test_a_pixel_that_does_not_exist_has_no_opens(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        storage.add_opens([make_open(pixel)])
        for pixel_id in (make_pixel().id, namesake(pixel)):
            assert storage.list_opens(pixel_id, limit=1) == Page(items=())

    @pytest.mark.parametrize("cursor", UNUSABLE_CURSORS)
    def test_an_unusable_cursor_of_opens_is_refused(self, storage: Storage, cursor: str) -> None:
        with pytest.raises(InvalidPaging):
            storage.list_opens(add_pixel(storage).id, limit=1, cursor=cursor)

    def test_recipients_added_after_their_opens_do_not_take_them_over(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        storage.add_opens([make_open(pixel)])
        recipient = make_recipient(pixel)
        assert storage.add_recipients(pixel.id, [recipient]) == [recipient]
        assert [one.recipient_id for one in all_opens(storage, pixel)] == [None]

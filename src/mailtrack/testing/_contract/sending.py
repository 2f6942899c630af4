"""Tests of sent times."""

from datetime import timedelta

import attrs
import pytest

from mailtrack._errors import InvalidSentTime, PixelNotFound
from mailtrack._model import Open
from mailtrack.storage import Storage
from mailtrack.testing._contract.full_scan import assert_scan, delay_count, everything, some_opens
from mailtrack.testing._contract.helpers import (
    add_pixel,
    add_recipients,
    all_opens,
    all_recipients,
    make_judgement,
    namesake,
    rejudge,
)
from mailtrack.testing._factories import NOON, make_hit, make_open, make_pixel, make_recipient

_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)


class SendingContract:
    """Tests of `mark_sent`."""

    def test_the_recipients_given_have_the_time(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        given = add_recipients(storage, pixel, 3)
        assert storage.mark_sent(pixel.id, [given[2].id, given[0].id], at=NOON + _HOUR) == 2
        found = all_recipients(storage, pixel)
        assert found == [attrs.evolve(one, sent_at=NOON + _HOUR if one is not given[1] else None) for one in given]
        assert storage.get_recipients([given[0].id]) == {given[0].id: found[0]}

    def test_all_recipients_have_the_time_where_none_are_given(self, storage: Storage) -> None:
        pixel, other = add_pixel(storage), add_pixel(storage)
        add_recipients(storage, pixel, 3)
        add_recipients(storage, other, 1)
        assert storage.mark_sent(pixel.id, None, at=NOON) == 3
        assert {one.sent_at for one in all_recipients(storage, pixel)} == {NOON}
        assert {one.sent_at for one in all_recipients(storage, other)} == {None}

    def test_no_recipient_has_the_time_where_an_empty_collection_is_given(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        add_recipients(storage, pixel, 3)
        before = everything(storage, pixel)
        assert storage.mark_sent(pixel.id, [], at=NOON) == 0
        assert everything(storage, pixel) == before

    def test_ids_of_others_and_of_none_are_passed_over_and_repeated_ones_counted_once(self, storage: Storage) -> None:
        pixel, other = add_pixel(storage), add_pixel(storage)
        (own,), (foreign,) = add_recipients(storage, pixel, 1), add_recipients(storage, other, 1)
        given = [make_recipient(pixel).id, foreign.id, own.id, own.id]
        assert storage.mark_sent(pixel.id, given, at=NOON) == 1
        assert [one.sent_at for one in all_recipients(storage, pixel) + all_recipients(storage, other)] == [NOON, None]

    def test_twenty_thousand_ids_are_marked_at_once(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        given = [one.id for one in add_recipients(storage, pixel, 20_000)]
        assert storage.mark_sent(pixel.id, given, at=NOON) == 20_000

    def test_marking_again_replaces_the_time(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (recipient,) = add_recipients(storage, pixel, 1)
        storage.add_opens([make_open(pixel, recipient, at=NOON + 3 * _HOUR)])
        for hours in (2, 1):
            storage.mark_sent(pixel.id, [recipient.id], at=NOON + hours * _HOUR)
            (found,) = all_recipients(storage, pixel)
            assert found.sent_at == NOON + hours * _HOUR
            assert storage.get_figures(pixel.id, top=9).delays == (delay_count((3 - hours) * _HOUR, 1, 1),)

    def test_a_recipient_that_is_added_again_keeps_its_time(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        add_recipients(storage, pixel, 1)
        storage.mark_sent(pixel.id, None, at=NOON)
        assert [one.sent_at for one in add_recipients(storage, pixel, 2)] == [NOON, None]

    def test_a_pixel_that_does_not_exist_is_an_error(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        for pixel_id in (make_pixel().id, namesake(pixel)):
            for recipient_ids in (None, [pixel.id]):
                with pytest.raises(PixelNotFound):
                    storage.mark_sent(pixel_id, recipient_ids, at=NOON)

    def test_a_time_before_one_of_the_tokens_changes_nothing(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        early, late = storage.add_recipients(
            pixel.id, [make_recipient(pixel), make_recipient(pixel, at=NOON + _MINUTE)]
        )
        storage.add_opens([make_open(pixel, one, at=NOON + _HOUR) for one in (early, late)])
        before = everything(storage, pixel)
        for recipient_ids in (None, [early.id, late.id]):
            with pytest.raises(InvalidSentTime) as caught:
                storage.mark_sent(pixel.id, recipient_ids, at=NOON)
            assert caught.value.earliest == NOON + _MINUTE
        assert everything(storage, pixel) == before
        assert storage.mark_sent(pixel.id, [early.id], at=NOON) == 1
        assert storage.mark_sent(pixel.id, None, at=NOON + _MINUTE) == 2

    def test_a_hit_is_resolved_to_the_sent_time(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        sent, other = add_recipients(storage, pixel, 2)
        storage.mark_sent(pixel.id, [sent.id], at=NOON + _MINUTE)
        found = storage.resolve([make_hit(pixel, token=one.token) for one in (sent, other)])
        assert [one and (one.token_made_at, one.sent_at) for one in found] == [(NOON, NOON + _MINUTE), (NOON, None)]

    def test_delays_of_opens_run_from_the_sent_time(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (recipient,) = add_recipients(storage, pixel, 1)
        storage.mark_sent(pixel.id, None, at=NOON + _HOUR)
        storage.add_opens([make_open(pixel, recipient, at=NOON + _HOUR + 5 * _MINUTE)])
        assert storage.get_figures(pixel.id, top=9).delays == (delay_count(5 * _MINUTE, 1, 1),)

    def test_delays_of_recipients_that_have_opened_already_are_corrected(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        ann, bob = add_recipients(storage, pixel, 2)
        storage.add_opens(
            [
                make_open(pixel, ann, at=NOON + 70 * _MINUTE, counted=False),
                make_open(pixel, ann, at=NOON + 90 * _MINUTE),
                make_open(pixel, bob, at=NOON + 70 * _MINUTE),
            ]
        )
        storage.mark_sent(pixel.id, [ann.id], at=NOON + _HOUR)
        minutes = [(10, 1, 0), (30, 0, 1), (70, 1, 1)]
        assert storage.get_figures(pixel.id, top=9).delays == tuple(
            delay_count(number * _MINUTE, raw, counted) for number, raw, counted in minutes
        )

    def test_an_open_before_the_sent_time_is_measured_from_the_token(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        ann, bob = add_recipients(storage, pixel, 2)
        storage.add_opens([make_open(pixel, ann, at=NOON + 5 * _MINUTE)])
        storage.mark_sent(pixel.id, None, at=NOON + _HOUR)
        storage.add_opens([make_open(pixel, bob, at=NOON + _HOUR)])
        expected = (delay_count(timedelta(0), 1, 1), delay_count(5 * _MINUTE, 1, 1))
        assert storage.get_figures(pixel.id, top=9).delays == expected

    def test_delays_stay_right_whatever_happens_afterwards(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        recipients = add_recipients(storage, pixel, 12)
        opens = some_opens(pixel, recipients, 150)
        storage.add_opens(opens[:75])
        storage.mark_sent(pixel.id, [one.id for one in recipients[::2]], at=NOON + 30 * _HOUR)
        storage.add_opens(opens[75:])
        assert_scan(storage, pixel)
        rejudge(storage, pixel, *(make_judgement(one, counted=place % 3 == 0) for place, one in enumerate(opens)))
        assert_scan(storage, pixel)
        storage.mark_sent(pixel.id, None, at=NOON + 20 * _HOUR)
        storage.delete_recipient(recipients[4].id)
        assert_scan(storage, pixel)
        before = storage.get_figures(pixel.id, top=9).delays
        storage.purge_opens(pixel.id, before=NOON + 40 * _HOUR, limit=1000)
        assert storage.get_figures(pixel.id, top=9).delays == before
        for one in recipients:
            if one is not recipients[4]:
                storage.delete_recipient(one.id)
        assert storage.get_figures(pixel.id, top=9).delays == ()

    def test_stored_opens_stay_as_they_are(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (recipient,) = add_recipients(storage, pixel, 1)
        storage.add_opens([attrs.evolve(make_open(pixel, recipient, at=NOON + _HOUR), age=3600.0)])
        before = all_opens(storage, pixel)
        storage.mark_sent(pixel.id, None, at=NOON + _MINUTE)
        assert all_opens(storage, pixel) == before

    @pytest.mark.parametrize("age", [None, 0.0, 61.25])
    @pytest.mark.parametrize("networks", [None, (), ("apple", "microsoft-365")])
    def test_judging_again_stores_the_age_and_the_networks_that_are_given(
        self, storage: Storage, age: float | None, networks: tuple[str, ...] | None
    ) -> None:
        pixel = add_pixel(storage)
        made = attrs.evolve(make_open(pixel), age=1.5, networks=("proofpoint",))
        storage.add_opens([made])
        rejudge(storage, pixel, attrs.evolve(make_judgement(made), age=age, networks=networks))
        wanted: Open = attrs.evolve(
            made, age=1.5 if age is None else age, networks=("proofpoint",) if networks is None else networks
        )
        assert all_opens(storage, pixel) == [wanted]

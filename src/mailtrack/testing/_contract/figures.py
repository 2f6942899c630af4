"""Tests of figures."""

from datetime import timedelta
from functools import partial

import attrs
import pytest

from mailtrack._counts import NEVER_OPENED, Count, OpenSpan
from mailtrack._errors import PixelNotFound
from mailtrack._figures import DelayCount, Facet, Figures, HourCount
from mailtrack._model import Client, Pixel, Recipient, RecipientState, Verdict, VerdictKind
from mailtrack.storage import Storage
from mailtrack.testing._contract.full_scan import (
    BOT,
    CLIENT,
    VERDICT,
    assert_scan,
    delay_count,
    everything,
    facets,
    some_opens,
)
from mailtrack.testing._contract.helpers import add_pixel, add_recipients, all_opens, all_recipients, at_once, namesake
from mailtrack.testing._factories import NOON, make_open, make_pixel

_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)


class FiguresContract:
    """Tests of `get_figures`, and of the counts of pixels and recipients."""

    def test_what_is_known_of_an_open_is_read_back(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (recipient,) = add_recipients(storage, pixel, 1)
        new = attrs.evolve(
            make_open(pixel, recipient, signals=["range", "repeat"], verdict=VERDICT, client=CLIENT, counted=False),
            age=12.345,
        )
        storage.add_opens([new])
        assert all_opens(storage, pixel) == [attrs.evolve(new, token=recipient.token)]

    @pytest.mark.parametrize("age", [None, 0.0, 0.001, 1.001, -0.001, -1.001, -3600.5, 86_399.999, 3_155_760_000.123])
    def test_an_age_is_kept_to_the_millisecond(self, storage: Storage, age: float | None) -> None:
        pixel = add_pixel(storage)
        storage.add_opens([attrs.evolve(make_open(pixel), age=age)])
        assert [one.age for one in all_opens(storage, pixel)] == [age]

    def test_spans_of_opens_that_count_are_kept_beside_those_of_all(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (recipient,) = add_recipients(storage, pixel, 1)
        for hours, counted in ((1, True), (3, False), (2, True), (0, False)):
            storage.add_opens([make_open(pixel, recipient, at=NOON + hours * _HOUR, counted=counted)])
        for owner in (storage.get_pixel(pixel.id), all_recipients(storage, pixel)[0]):
            assert owner.opens.raw == OpenSpan(number=4, first=NOON, last=NOON + 3 * _HOUR)
            assert owner.opens.counted == OpenSpan(number=2, first=NOON + _HOUR, last=NOON + 2 * _HOUR)

    def test_where_nothing_counts_the_span_is_empty(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (recipient,) = add_recipients(storage, pixel, 1)
        storage.add_opens([make_open(pixel, recipient, counted=False)])
        owners: list[Pixel | Recipient] = [storage.get_pixel(pixel.id), all_recipients(storage, pixel)[0]]
        assert [one.opens.counted for one in owners] == [NEVER_OPENED, NEVER_OPENED]

    def test_views_are_opens_without_repeats(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        signals = [(), ("repeat",), ("range", "repeat"), ("range",), ("burst", "repeat")]
        storage.add_opens(
            [make_open(pixel, signals=some, counted=counted) for some in signals for counted in (True, False)]
        )
        storage.add_opens([make_open(pixel)])
        found = storage.get_pixel(pixel.id)
        assert found.views == Count(3, 5)

    def test_a_recipient_has_opened_once_however_often_and_only_by_opens_that_count(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        human, machine, both, _ = add_recipients(storage, pixel, 4)
        storage.add_opens([make_open(pixel, both, counted=False), make_open(pixel, human), make_open(pixel)])
        storage.add_opens([make_open(pixel, machine, counted=False)] * 2)
        storage.add_opens([make_open(pixel, both), make_open(pixel, both), make_open(pixel, human)])
        found = storage.get_pixel(pixel.id)
        assert found.opened == Count(2, 3)

    def test_recipients_are_listed_by_opens_that_count(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        human, machine, neither, both = add_recipients(storage, pixel, 4)
        storage.add_opens([make_open(pixel, one, counted=False) for one in (machine, both)])
        storage.add_opens([make_open(pixel, one) for one in (human, both)])
        ids = []
        for states in ([RecipientState.OPENED], [RecipientState.SCANNED, RecipientState.NONE]):
            first = storage.list_recipients(pixel.id, limit=1, states=states)
            rest = storage.list_recipients(pixel.id, limit=9, cursor=first.next, states=states)
            ids.append([one.id for one in first.items + rest.items])
        assert ids == [[human.id, both.id], [machine.id, neither.id]]

    def test_a_deleted_recipient_has_opened_no_more(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        human, machine, neither = add_recipients(storage, pixel, 3)
        storage.add_opens([make_open(pixel, human), make_open(pixel, machine, counted=False)])
        shown = []
        for one in (human, machine, neither):
            storage.delete_recipient(one.id)
            found = storage.get_pixel(pixel.id)
            shown.append((found.recipients, found.opened))
        assert shown == [(2, Count(0, 1)), (1, Count()), (0, Count())]

    def test_opens_of_a_deleted_recipient_change_no_number_of_recipients(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (gone,) = add_recipients(storage, pixel, 1)
        storage.delete_recipient(gone.id)
        storage.add_opens([make_open(pixel, gone), make_open(pixel, gone)])
        figures = storage.get_figures(pixel.id, top=9)
        assert (figures.pixel.opened, figures.delays, figures.top) == (Count(), (), ())
        assert figures.pixel.opens.counted.number == 2

    def test_hours_have_the_number_of_opens_that_count(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        for hours, verdict, counted in (
            (0, BOT, False),
            (0, VERDICT, True),
            (1, VERDICT, True),
            (1, VERDICT, False),
        ):
            at = NOON + hours * _HOUR
            storage.add_opens([make_open(pixel, at=at, verdict=verdict, counted=counted) for _ in range(2)])
        expected = (
            HourCount(hour=NOON, kind=VerdictKind.BOT, opens=Count(0, 2)),
            HourCount(hour=NOON, kind=VerdictKind.PROXY, opens=Count(2, 2)),
            HourCount(hour=NOON + _HOUR, kind=VerdictKind.PROXY, opens=Count(2, 4)),
        )
        assert storage.get_figures(pixel.id, top=9).hours == expected

    def test_facets_have_the_number_of_opens_with_a_name(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        new = partial(make_open, pixel, verdict=VERDICT)
        storage.add_opens([new(client=CLIENT), new(client=attrs.evolve(CLIENT, device="mobile"))])
        storage.add_opens([new(client=attrs.evolve(CLIENT, name="Änderung", os="Android"), counted=False)])
        figures = storage.get_figures(pixel.id, top=9)
        assert facets(figures, Facet.VENDOR) == [("Müller", 3, 2)]
        assert facets(figures, Facet.CLIENT) == [("Thunderbird", 2, 2), ("Änderung", 1, 0)]
        assert facets(figures, Facet.OS) == [("Linux", 2, 2), ("Android", 1, 0)]
        assert facets(figures, Facet.DEVICE) == [("desktop", 2, 1), ("mobile", 1, 1)]

    def test_a_vendor_is_listed_only_where_one_is_known(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        storage.add_opens([make_open(pixel), make_open(pixel, verdict=Verdict(kind="bot"))])
        figures = storage.get_figures(pixel.id, top=9)
        assert facets(figures, Facet.VENDOR) == []
        assert facets(figures, Facet.CLIENT) == facets(figures, Facet.OS) == [("unknown", 2, 2)]

    def test_facets_come_the_most_frequent_first_then_by_name(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        numbers = {"b": 2, "a": 2, "B": 2, "é": 2, "z": 3, "c": 1}
        storage.add_opens(
            [make_open(pixel, client=Client(name=name), counted=False) for name, n in numbers.items() for _ in range(n)]
        )
        found = [name for name, _, _ in facets(storage.get_figures(pixel.id, top=9), Facet.CLIENT)]
        assert found == ["z", "B", "a", "b", "é", "c"]

    @pytest.mark.parametrize("top", [1, 2, 3, 100])
    def test_each_facet_has_at_most_the_given_number_of_names(self, storage: Storage, top: int) -> None:
        pixel = add_pixel(storage)
        storage.add_opens(
            [
                make_open(pixel, client=Client(name=f"c{n}", os=f"o{n}"), verdict=Verdict(vendor=f"v{n}"))
                for n in range(3)
            ]
        )
        figures = storage.get_figures(pixel.id, top=top)
        assert [len(facets(figures, facet)) for facet in Facet] == [min(top, 3)] * 3 + [1]

    def test_delays_are_those_of_first_opens(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        recipients = add_recipients(storage, pixel, 4)
        for one, minutes, counted in (
            (recipients[0], 5, True),
            (recipients[1], 5, False),
            (recipients[1], 60, True),
            (recipients[2], 60, False),
            (recipients[0], 500, True),
        ):
            storage.add_opens([make_open(pixel, one, at=NOON + minutes * _MINUTE, counted=counted)])
        assert storage.get_figures(pixel.id, top=9).delays == (delay_count(5 * _MINUTE, 2, 1), delay_count(_HOUR, 1, 1))

    def test_an_open_before_the_token_was_made_is_no_delay(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (recipient,) = add_recipients(storage, pixel, 1)
        storage.add_opens([make_open(pixel, recipient, at=NOON - _HOUR)])
        assert storage.get_figures(pixel.id, top=9).delays == (DelayCount(bucket=0, recipients=Count(1, 1)),)

    def test_an_earlier_open_that_arrives_later_is_the_first(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (recipient,) = add_recipients(storage, pixel, 1)
        shown = []
        for minutes, counted in ((60, True), (30, False), (5, True), (10, True)):
            storage.add_opens([make_open(pixel, recipient, at=NOON + minutes * _MINUTE, counted=counted)])
            shown.append(storage.get_figures(pixel.id, top=9).delays)
        assert shown == [
            (delay_count(_HOUR, 1, 1),),
            (delay_count(30 * _MINUTE, 1, 0), delay_count(_HOUR, 0, 1)),
            (delay_count(5 * _MINUTE, 1, 1),),
            (delay_count(5 * _MINUTE, 1, 1),),
        ]

    def test_a_deleted_recipient_has_no_delay(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        gone, kept = add_recipients(storage, pixel, 2)
        storage.add_opens([make_open(pixel, one, at=NOON + _HOUR) for one in (gone, kept)])
        storage.add_opens([make_open(pixel, gone, at=NOON + _MINUTE, counted=False)])
        storage.delete_recipient(gone.id)
        assert storage.get_figures(pixel.id, top=9).delays == (delay_count(_HOUR, 1, 1),)
        storage.delete_recipient(kept.id)
        assert storage.get_figures(pixel.id, top=9).delays == ()

    def test_the_top_are_those_with_the_most_opens_that_count_at_least_two(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        recipients = add_recipients(storage, pixel, 6)
        numbers = [2, 0, 4, 1, 2, 3]
        for one, number in zip(recipients, numbers, strict=True):
            storage.add_opens([make_open(pixel, one) for _ in range(number)])
        storage.add_opens([make_open(pixel, recipients[1], counted=False) for _ in range(9)])
        top = storage.get_figures(pixel.id, top=9).top
        assert [one.id for one in top] == [recipients[place].id for place in (2, 5, 0, 4)]
        assert top == tuple(storage.get_recipients([one.id])[one.id] for one in top)

    @pytest.mark.parametrize("top", [1, 2, 100])
    def test_the_top_are_as_many_as_asked_for(self, storage: Storage, top: int) -> None:
        pixel = add_pixel(storage)
        recipients = add_recipients(storage, pixel, 3)
        storage.add_opens([make_open(pixel, one) for one in recipients for _ in range(2)])
        found = storage.get_figures(pixel.id, top=top).top
        assert [one.id for one in found] == [one.id for one in recipients[:top]]

    def test_the_next_recipient_moves_up_when_one_of_the_top_is_deleted(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        recipients = add_recipients(storage, pixel, 150)
        for _ in range(2):
            storage.add_opens([make_open(pixel, one) for one in reversed(recipients)])
        for one in recipients[:20]:
            storage.delete_recipient(one.id)
        found = storage.get_figures(pixel.id, top=100).top
        assert [one.id for one in found] == [one.id for one in recipients[20:120]]

    def test_a_recipient_with_more_and_more_opens_gets_to_the_top(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        recipients = add_recipients(storage, pixel, 150)
        for _ in range(2):
            storage.add_opens([make_open(pixel, one) for one in recipients])
        storage.add_opens([make_open(pixel, recipients[149])])
        found = storage.get_figures(pixel.id, top=100).top
        assert [one.id for one in found] == [recipients[149].id, *(one.id for one in recipients[:99])]

    def test_a_pixel_without_opens_has_empty_figures(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        assert storage.get_figures(pixel.id, top=9) == Figures(pixel=pixel, hours=(), facets=(), delays=(), top=())

    def test_the_figures_of_a_pixel_that_does_not_exist_are_an_error(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        for pixel_id in (make_pixel().id, namesake(pixel)):
            with pytest.raises(PixelNotFound):
                storage.get_figures(pixel_id, top=1)

    def test_figures_are_those_of_one_pixel(self, storage: Storage) -> None:
        pixel, other = add_pixel(storage), add_pixel(storage)
        (recipient,) = add_recipients(storage, other, 1)
        storage.add_opens([make_open(other, recipient, verdict=VERDICT, client=CLIENT) for _ in range(2)])
        assert storage.get_figures(pixel.id, top=9) == Figures(pixel=pixel, hours=(), facets=(), delays=(), top=())

    def test_adding_opens_again_changes_no_figure(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        recipients = add_recipients(storage, pixel, 2)
        opens = some_opens(pixel, recipients, 40)
        storage.add_opens(opens)
        before = everything(storage, pixel)
        storage.add_opens(opens[::-1])
        assert everything(storage, pixel) == before

    def test_all_figures_equal_a_full_scan(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        recipients = add_recipients(storage, pixel, 12)
        opens = some_opens(pixel, recipients, 300)
        for start in range(0, 300, 20):
            storage.add_opens(opens[start : start + 30])  # a third of each batch comes again
            if start % 100 == 0:
                storage.delete_recipient(recipients.pop().id)
        assert_scan(storage, pixel)

    def test_a_deleted_pixel_leaves_no_figures(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        recipients = add_recipients(storage, pixel, 2)
        storage.add_opens(some_opens(pixel, recipients, 20))
        storage.delete_pixel(pixel.id)
        with pytest.raises(PixelNotFound):
            storage.get_figures(pixel.id, top=9)
        again = attrs.evolve(pixel)
        storage.add_pixel(again)
        assert storage.get_figures(pixel.id, top=9) == Figures(pixel=again, hours=(), facets=(), delays=(), top=())

    def test_figures_are_of_one_moment_while_opens_arrive(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        recipients = add_recipients(storage, pixel, 10)

        def write() -> list[bool]:
            return [len(storage.add_opens([make_open(pixel, one) for one in recipients])) == 10 for _ in range(10)]

        def read() -> list[bool]:
            return [_agrees(storage.get_figures(pixel.id, top=100)) for _ in range(30)]

        assert all(all(shown) for shown in at_once([write, read, read, read]))


def _agrees(figures: Figures) -> bool:
    number = figures.pixel.opens.raw.number
    hours = sum(one.opens.raw for one in figures.hours)
    clients, systems = (sum(opens for _, opens, _ in facets(figures, facet)) for facet in (Facet.CLIENT, Facet.OS))
    in_top = sum(one.opens.counted.number for one in figures.top)
    delayed = sum(one.recipients.raw for one in figures.delays)
    return (
        hours == clients == systems == number
        and in_top in (number, 0)  # opening once is nothing special
        and delayed == figures.pixel.opened.raw
    )

"""Tests of rejudging."""

from datetime import timedelta

import attrs

from mailtrack._counts import Count, OpenSpan
from mailtrack._figures import Facet
from mailtrack._model import Client, RecipientState, Verdict, VerdictKind
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
from mailtrack.testing._contract.helpers import (
    add_pixel,
    add_recipients,
    all_opens,
    all_recipients,
    at_once,
    make_judgement,
    namesake,
    rejudge,
)
from mailtrack.testing._factories import NOON, make_open, make_pixel

_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)


class RejudgingContract:
    """Tests of `rejudge`."""

    def test_judging_again_changes_what_is_known_of_an_open_and_nothing_else(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (recipient,) = add_recipients(storage, pixel, 1)
        opens = [attrs.evolve(make_open(pixel, recipient, signals=["repeat"]), age=1.5) for _ in range(3)]
        storage.add_opens(opens)
        judgement = make_judgement(opens[1], verdict=BOT, client=CLIENT, counted=False)
        assert storage.rejudge(pixel.id, [judgement]) == 1
        changed = attrs.evolve(opens[1], verdict=BOT, client=CLIENT, counted=False)
        assert all_opens(storage, pixel) == [
            attrs.evolve(one, token=recipient.token) for one in (opens[2], changed, opens[0])
        ]

    def test_judging_again_corrects_the_counts_of_the_pixel_and_of_its_recipients(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        human, machine = add_recipients(storage, pixel, 2)
        first = make_open(pixel, human, at=NOON, counted=False)
        second = make_open(pixel, machine, at=NOON + _HOUR)
        third = make_open(pixel, machine, at=NOON + 2 * _HOUR)
        storage.add_opens([first, second, third])
        judgements = [
            make_judgement(first, verdict=VERDICT, client=CLIENT),
            *(make_judgement(one, verdict=BOT, counted=False) for one in (second, third)),
        ]
        assert storage.rejudge(pixel.id, judgements) == 3
        figures = storage.get_figures(pixel.id, top=9)
        found = figures.pixel
        assert (found.opens.raw.number, found.opens.counted) == (3, OpenSpan(number=1, first=NOON, last=NOON))
        assert (found.views, found.opened) == (Count(1, 3), Count(1, 2))
        assert [one.opens.counted.number for one in all_recipients(storage, pixel)] == [1, 0]
        assert [(one.kind, one.opens.raw, one.opens.counted) for one in figures.hours] == [
            (VerdictKind.PROXY, 1, 1),
            (VerdictKind.BOT, 1, 0),
            (VerdictKind.BOT, 1, 0),
        ]
        assert facets(figures, Facet.VENDOR) == [("Robots", 2, 0), ("Müller", 1, 1)]
        assert facets(figures, Facet.CLIENT) == [("unknown", 2, 0), ("Thunderbird", 1, 1)]
        assert figures.delays == (delay_count(timedelta(0), 1, 1), delay_count(_HOUR, 1, 0))
        assert figures.top == ()

    def test_the_span_of_opens_that_count_follows_whatever_the_order_of_arrival(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        opens = [make_open(pixel, at=NOON + minutes * _MINUTE) for minutes in (70, 5, 130, 0, 200, 75, 10)]
        storage.add_opens(opens)
        shown = []
        for place, counted in (
            (3, False),
            (4, False),
            (2, False),
            (1, False),
            (6, False),
            (0, False),
            (5, False),
            (2, True),
        ):
            storage.rejudge(pixel.id, [make_judgement(opens[place], counted=counted)])
            span = storage.get_pixel(pixel.id).opens.counted
            shown.append((span.number, span.first and span.first - NOON, span.last and span.last - NOON))
        spans = [
            (6, 5, 200),
            (5, 5, 130),
            (4, 5, 75),
            (3, 10, 75),
            (2, 70, 75),
            (1, 75, 75),
            (0, None, None),
            (1, 130, 130),
        ]
        assert shown == [(number, first and first * _MINUTE, last and last * _MINUTE) for number, first, last in spans]

    def test_of_two_judgements_of_one_open_the_later_stands(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (recipient,) = add_recipients(storage, pixel, 1)
        old = make_open(pixel, recipient)
        storage.add_opens([old])
        judgements = [make_judgement(old, verdict=BOT, counted=False), make_judgement(old, verdict=VERDICT)]
        assert storage.rejudge(pixel.id, judgements) == 2
        assert [(one.verdict, one.counted) for one in all_opens(storage, pixel)] == [(VERDICT, True)]
        assert_scan(storage, pixel)

    def test_judging_again_finds_the_top_anew(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        one, other = add_recipients(storage, pixel, 2)
        opens = [make_open(pixel, who, counted=who is one) for who in (one, other) for _ in range(3)]
        storage.add_opens(opens)
        judgements = [make_judgement(old, counted=old.recipient_id == other.id) for old in opens]
        storage.rejudge(pixel.id, judgements)
        assert [found.id for found in storage.get_figures(pixel.id, top=9).top] == [other.id]

    def test_judging_again_keeps_what_deleted_recipients_have_opened(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (gone,) = add_recipients(storage, pixel, 1)
        old = make_open(pixel, gone, counted=False)
        storage.add_opens([old])
        storage.delete_recipient(gone.id)
        storage.rejudge(pixel.id, [make_judgement(old)])
        figures = storage.get_figures(pixel.id, top=9)
        assert (figures.pixel.opens.counted.number, figures.pixel.opened, figures.delays) == (1, Count(), ())

    def test_judging_again_twice_is_the_same_as_once(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        opens = some_opens(pixel, add_recipients(storage, pixel, 3), 30)
        storage.add_opens(opens)
        judgements = [make_judgement(one, verdict=BOT, client=CLIENT, counted=False) for one in opens[::2]]
        assert storage.rejudge(pixel.id, judgements) == 15
        before = everything(storage, pixel)
        assert storage.rejudge(pixel.id, judgements) == 15
        assert everything(storage, pixel) == before

    def test_judging_as_it_was_changes_nothing(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        recipients = add_recipients(storage, pixel, 5)
        opens = some_opens(pixel, recipients, 50)
        storage.add_opens(opens)
        storage.delete_recipient(recipients[0].id)
        before = everything(storage, pixel)
        storage.rejudge(
            pixel.id,
            [make_judgement(one, verdict=one.verdict, client=one.client, counted=one.counted) for one in opens],
        )
        assert everything(storage, pixel) == before

    def test_all_figures_equal_a_full_scan_after_judging_again_and_more_opens(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        recipients = add_recipients(storage, pixel, 12)
        opens = some_opens(pixel, recipients, 200)
        storage.add_opens(opens[:150])
        storage.delete_recipient(recipients[3].id)
        storage.rejudge(
            pixel.id,
            [
                make_judgement(one, verdict=other.verdict, client=other.client, counted=other.counted)
                for one, other in zip(opens[:150], opens[50:], strict=True)
            ],
        )
        assert_scan(storage, pixel)
        storage.add_opens(opens[150:])
        storage.delete_recipient(recipients[4].id)
        assert_scan(storage, pixel)

    def test_no_count_of_zero_is_left_when_all_opens_are_judged_anew(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        recipients = add_recipients(storage, pixel, 2)
        old = Client(name="Outlook", os="Windows", device="tablet")
        opens = [
            make_open(pixel, one, at=NOON + hours * _HOUR, verdict=BOT, client=old, counted=True)
            for one in recipients
            for hours in range(3)
        ]
        storage.add_opens(opens)
        rejudge(storage, pixel, *(make_judgement(one, verdict=VERDICT, client=CLIENT, counted=False) for one in opens))
        figures = storage.get_figures(pixel.id, top=9)
        assert [(one.facet, one.name, one.opens.raw, one.opens.counted) for one in figures.facets] == [
            (Facet.VENDOR, "Müller", 6, 0),
            (Facet.CLIENT, "Thunderbird", 6, 0),
            (Facet.OS, "Linux", 6, 0),
            (Facet.DEVICE, "desktop", 6, 0),
        ]
        assert [(one.kind, one.opens.raw, one.opens.counted) for one in figures.hours] == [
            (VerdictKind.PROXY, 2, 0)
        ] * 3
        assert (figures.delays, figures.top) == ((delay_count(timedelta(0), 2, 0),), ())

    def test_a_name_keeps_its_place_among_the_facets_while_one_open_has_it(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        opens = [make_open(pixel, verdict=BOT, client=CLIENT) for _ in range(2)]
        storage.add_opens(opens)
        rejudge(storage, pixel, make_judgement(opens[0], verdict=VERDICT, client=Client(name="Gmail")))
        figures = storage.get_figures(pixel.id, top=1)
        assert facets(figures, Facet.VENDOR) == [("Müller", 1, 1)]
        figures = storage.get_figures(pixel.id, top=9)
        assert facets(figures, Facet.VENDOR) == [("Müller", 1, 1), ("Robots", 1, 1)]
        assert facets(figures, Facet.CLIENT) == [("Gmail", 1, 1), ("Thunderbird", 1, 1)]
        assert [(one.kind, one.opens.raw) for one in figures.hours] == [(VerdictKind.BOT, 1), (VerdictKind.PROXY, 1)]

    def test_whether_an_open_counts_may_be_all_that_changes(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        opens = [make_open(pixel, verdict=VERDICT, client=CLIENT) for _ in range(3)]
        storage.add_opens(opens)
        rejudge(storage, pixel, make_judgement(opens[1], verdict=VERDICT, client=CLIENT, counted=False))
        figures = storage.get_figures(pixel.id, top=9)
        assert [(one.opens.raw, one.opens.counted) for one in figures.hours] == [(3, 2)]
        assert {(one.opens.raw, one.opens.counted) for one in figures.facets} == {(3, 2)}
        (day,) = storage.count_by_day([pixel.id], since=NOON - _HOUR)[pixel.id]
        assert day.opens == Count(counted=2, raw=3)

    def test_repeats_are_no_counted_views_however_they_are_judged(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        opens = [make_open(pixel, signals=signals, counted=False) for signals in ((), ("repeat",), ("repeat",))]
        storage.add_opens(opens)
        shown = []
        for counted in (True, False):
            rejudge(storage, pixel, *(make_judgement(one, counted=counted) for one in opens))
            found = storage.get_pixel(pixel.id)
            shown.append((found.views.raw, found.views.counted, found.opens.counted.number))
        assert shown == [(1, 1, 3), (1, 0, 0)]

    def test_an_open_gets_the_signals_that_a_judgement_adds(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        opens = [make_open(pixel, signals=signals) for signals in ((), ("no-language", "repeat"), ("burst",))]
        storage.add_opens(opens)
        judgements = [attrs.evolve(make_judgement(one), added_signals=("burst",)) for one in opens]
        for _ in range(2):
            assert storage.rejudge(pixel.id, judgements) == 3
            assert [one.signals for one in reversed(all_opens(storage, pixel))] == [
                ("burst",),
                ("no-language", "burst", "repeat"),
                ("burst",),
            ]

    def test_an_open_keeps_the_signals_of_all_judgements_in_one_call(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (one,) = storage.add_opens([make_open(pixel)])
        rejudge(storage, pixel, attrs.evolve(make_judgement(one), added_signals=("repeat",)), make_judgement(one))
        assert [found.signals for found in all_opens(storage, pixel)] == [("repeat",)]
        assert storage.get_pixel(pixel.id).views == Count(counted=0, raw=0)

    def test_an_open_that_becomes_a_repeat_is_a_view_no_more(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        opens = [make_open(pixel) for _ in range(2)]
        storage.add_opens(opens)
        rejudge(storage, pixel, attrs.evolve(make_judgement(opens[1]), added_signals=("repeat",)))
        assert storage.get_pixel(pixel.id).views == Count(counted=1, raw=1)
        assert_scan(storage, pixel)

    def test_a_recipient_has_opened_until_the_last_of_its_counted_opens_counts_no_more(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (recipient,) = add_recipients(storage, pixel, 1)
        opens = [make_open(pixel, recipient, at=NOON + minutes * _MINUTE) for minutes in (5, 60)]
        storage.add_opens(opens)
        shown = []
        for one, counted in ((opens[0], False), (opens[1], False), (opens[0], True)):
            rejudge(storage, pixel, make_judgement(one, counted=counted))
            figures = storage.get_figures(pixel.id, top=9)
            listed = len(storage.list_recipients(pixel.id, limit=9, states=[RecipientState.OPENED]).items)
            shown.append((figures.pixel.opened.counted, figures.pixel.opened.raw, listed, figures.top, figures.delays))
        raw = delay_count(5 * _MINUTE, 1, 0)
        assert shown == [
            (1, 1, 1, (), (raw, delay_count(_HOUR, 0, 1))),
            (0, 1, 0, (), (raw,)),
            (1, 1, 1, (), (delay_count(5 * _MINUTE, 1, 1),)),
        ]

    def test_of_two_first_opens_at_one_time_one_may_count_no_more(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (recipient,) = add_recipients(storage, pixel, 1)
        opens = [make_open(pixel, recipient, at=NOON + hours * _HOUR) for hours in (0, 0, 1, 2, 2)]
        storage.add_opens(opens)
        rejudge(storage, pixel, *(make_judgement(opens[place], counted=False) for place in (0, 4)))
        span = OpenSpan(number=3, first=NOON, last=NOON + 2 * _HOUR)
        assert [one.opens.counted for one in (storage.get_pixel(pixel.id), all_recipients(storage, pixel)[0])] == [
            span
        ] * 2

    def test_an_hour_in_which_nothing_counts_any_more_has_neither_the_first_nor_the_last(
        self, storage: Storage
    ) -> None:
        pixel = add_pixel(storage)
        opens = [make_open(pixel, at=NOON + minutes * _MINUTE) for minutes in (0, 10, 70, 75, 130, 140)]
        storage.add_opens(opens)
        rejudge(storage, pixel, *(make_judgement(opens[place], counted=False) for place in (0, 1, 4, 5)))
        span = OpenSpan(number=2, first=NOON + 70 * _MINUTE, last=NOON + 75 * _MINUTE)
        assert storage.get_pixel(pixel.id).opens.counted == span

    def test_the_first_and_the_last_are_found_wherever_they_arrived_in_their_hour(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        opens = [make_open(pixel, at=NOON + minutes * _MINUTE) for minutes in (50, 30, 20, 10, 0, 59)]
        storage.add_opens(opens)
        rejudge(storage, pixel, *(make_judgement(one, counted=False) for one in opens[4:]))
        span = OpenSpan(number=4, first=NOON + 10 * _MINUTE, last=NOON + 50 * _MINUTE)
        assert storage.get_pixel(pixel.id).opens.counted == span

    def test_an_open_with_the_same_id_in_another_pixel_stays_as_it_is(self, storage: Storage) -> None:
        pixel, other = add_pixel(storage), add_pixel(storage)
        mine, others = (make_open(one, open_id="0" * 32) for one in (pixel, other))
        storage.add_opens([mine, others])
        before = everything(storage, other)
        rejudge(storage, pixel, make_judgement(mine, verdict=BOT, client=CLIENT, counted=False))
        assert [one.verdict for one in all_opens(storage, pixel)] == [BOT]
        assert everything(storage, other) == before

    def test_the_top_follows_in_the_order_of_creation_where_counts_are_equal(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        recipients = add_recipients(storage, pixel, 104)
        storage.add_opens([make_open(pixel, one) for one in reversed(recipients) for _ in range(2)])
        fewer = make_open(pixel, recipients[0])
        storage.add_opens([fewer])
        rejudge(storage, pixel, make_judgement(fewer, counted=False))
        found = storage.get_figures(pixel.id, top=100).top
        assert [one.id for one in found] == [one.id for one in recipients[:100]]

    def test_a_recipient_with_one_counted_open_left_is_in_the_top_no_more(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        recipients = add_recipients(storage, pixel, 3)
        opens = [make_open(pixel, one) for one in recipients for _ in range(2)]
        storage.add_opens(opens)
        rejudge(storage, pixel, make_judgement(opens[0], counted=False))
        top = storage.get_figures(pixel.id, top=9).top
        assert [(one.id, one.opens.counted.number) for one in top] == [(one.id, 2) for one in recipients[1:]]

    def test_judging_again_passes_over_opens_that_do_not_exist(self, storage: Storage) -> None:
        pixel, other = add_pixel(storage), add_pixel(storage)
        old, foreign = make_open(pixel), make_open(other)
        storage.add_opens([old, foreign])
        before = everything(storage, other)
        judgements = [make_judgement(one, verdict=BOT, counted=False) for one in (make_open(pixel), foreign, old)]
        assert storage.rejudge(pixel.id, judgements) == 1
        assert [one.verdict for one in all_opens(storage, pixel)] == [BOT]
        assert everything(storage, other) == before

    def test_judging_nothing_again_changes_nothing(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        storage.add_opens([make_open(pixel)])
        before = everything(storage, pixel)
        assert storage.rejudge(pixel.id, []) == 0
        assert everything(storage, pixel) == before

    def test_a_pixel_that_does_not_exist_has_nothing_to_rejudge(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        old = make_open(pixel)
        storage.add_opens([old])
        for pixel_id in (make_pixel().id, namesake(pixel)):
            assert storage.rejudge(pixel_id, [make_judgement(old, verdict=BOT)]) == 0
        assert [one.verdict for one in all_opens(storage, pixel)] == [Verdict()]

    def test_figures_are_right_when_opens_arrive_while_others_are_judged_again(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        opens = some_opens(pixel, add_recipients(storage, pixel, 3), 60)
        storage.add_opens(opens[:30])

        def judge() -> int:
            return sum(
                storage.rejudge(pixel.id, [make_judgement(one, verdict=BOT, counted=False)]) for one in opens[:10]
            )

        def write() -> int:
            return sum(len(storage.add_opens([one])) for one in opens[30:])

        assert at_once([judge, write]) == [10, 30]
        assert_scan(storage, pixel)

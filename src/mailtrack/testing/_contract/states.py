"""Tests of the states of recipients."""

from datetime import timedelta

import pytest

from mailtrack._model import Recipient, RecipientState, Verdict
from mailtrack.storage import Storage
from mailtrack.testing._contract.full_scan import assert_scan, some_opens
from mailtrack.testing._contract.helpers import (
    add_pixel,
    add_recipients,
    all_in,
    all_recipients,
    make_judgement,
    rejudge,
)
from mailtrack.testing._factories import NOON, make_open

_HOUR = timedelta(hours=1)
_PREFETCH = Verdict(kind="prefetch", vendor="Apple", reasons=("apple",))
_SCANNER = Verdict(kind="scanner", vendor="Barracuda", reasons=("barracuda",))


class StatesContract:
    """Tests of `Recipient.state`, and of the numbers that it depends on."""

    def test_a_recipient_is_in_the_state_that_its_opens_show(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        recipients = add_recipients(storage, pixel, 6)
        kinds = [
            [(_PREFETCH, False), (Verdict(kind="human"), True)],
            [(_SCANNER, False), (_PREFETCH, False), (_PREFETCH, False)],
            [(_SCANNER, False)],
            [],
            [(_PREFETCH, True)],
            [(Verdict(kind="human"), False)],
        ]
        for recipient, verdicts in zip(recipients, kinds, strict=True):
            storage.add_opens([make_open(pixel, recipient, verdict=one, counted=it) for one, it in verdicts])
        found = all_recipients(storage, pixel)
        assert [one.state for one in found] == ["opened", "prefetched", "scanned", "none", "opened", "scanned"]
        assert [one.prefetches for one in found] == [1, 2, 0, 0, 1, 0]
        assert storage.get_pixel(pixel.id).prefetched == 1
        assert storage.get_recipients([found[1].id]) == {found[1].id: found[1]}

    @pytest.mark.parametrize(
        ("states", "places"),
        [
            ([], []),
            (["opened"], [0, 4]),
            (["prefetched"], [1, 5]),
            (["scanned"], [2, 6]),
            (["none"], [3, 7]),
            (["none", "scanned"], [2, 3, 6, 7]),
            (["none", "opened", "prefetched", "scanned"], [0, 1, 2, 3, 4, 5, 6, 7]),
        ],
    )
    def test_recipients_are_listed_by_their_states(
        self, storage: Storage, states: list[str], places: list[int]
    ) -> None:
        pixel = add_pixel(storage)
        recipients = add_recipients(storage, pixel, 8)
        for place, recipient in enumerate(recipients):
            verdicts = [[(Verdict(), True)], [(_PREFETCH, False)], [(_SCANNER, False)], []][place % 4]
            storage.add_opens([make_open(pixel, recipient, verdict=one, counted=it) for one, it in verdicts])
        found = all_in(storage, pixel, *map(RecipientState, states))
        assert [one.id for one in found] == [recipients[place].id for place in places]

    def test_a_new_open_changes_the_state(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (recipient,) = add_recipients(storage, pixel, 1)
        shown = []
        for verdict, counted in ((_SCANNER, False), (_PREFETCH, False), (Verdict(), True), (_PREFETCH, False)):
            storage.add_opens([make_open(pixel, recipient, verdict=verdict, counted=counted)])
            shown.append((_state(storage, recipient), storage.get_pixel(pixel.id).prefetched))
        assert shown == [("scanned", 0), ("prefetched", 1), ("opened", 0), ("opened", 0)]

    def test_judging_again_changes_the_state(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (recipient,) = add_recipients(storage, pixel, 1)
        one, other = (make_open(pixel, recipient, verdict=_SCANNER, counted=False) for _ in range(2))
        storage.add_opens([one, other])
        shown = []
        for which, verdict, counted in (
            (one, _PREFETCH, False),
            (other, _PREFETCH, False),
            (one, Verdict(), True),
            (one, _SCANNER, False),
            (other, _SCANNER, False),
        ):
            rejudge(storage, pixel, make_judgement(which, verdict=verdict, counted=counted))
            (found,) = all_recipients(storage, pixel)
            shown.append((found.state, found.prefetches, storage.get_pixel(pixel.id).prefetched))
        assert shown == [
            ("prefetched", 1, 1),
            ("prefetched", 2, 1),
            ("opened", 1, 0),
            ("prefetched", 1, 1),
            ("scanned", 0, 0),
        ]

    def test_a_deleted_recipient_is_in_no_state(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        gone, stays = add_recipients(storage, pixel, 2)
        storage.add_opens([make_open(pixel, one, verdict=_PREFETCH, counted=False) for one in (gone, stays)])
        storage.delete_recipient(gone.id)
        assert storage.get_pixel(pixel.id).prefetched == 1
        storage.add_opens([make_open(pixel, gone, verdict=_PREFETCH, counted=False)])
        assert storage.get_pixel(pixel.id).prefetched == 1

    def test_purged_prefetches_are_still_known(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (recipient,) = add_recipients(storage, pixel, 1)
        opens = [
            make_open(pixel, recipient, at=NOON + hours * _HOUR, verdict=verdict, counted=False)
            for hours, verdict in ((0, _PREFETCH), (2, _PREFETCH), (3, _SCANNER))
        ]
        storage.add_opens(opens)
        storage.purge_opens(pixel.id, before=NOON + _HOUR, limit=9)
        rejudge(storage, pixel, *(make_judgement(one, verdict=_SCANNER, counted=False) for one in opens[1:]))
        (found,) = all_recipients(storage, pixel)
        assert (found.state, found.prefetches, storage.get_pixel(pixel.id).prefetched) == ("prefetched", 1, 1)

    def test_all_numbers_equal_a_full_scan_after_many_changes(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        recipients = add_recipients(storage, pixel, 40)
        opens = some_opens(pixel, recipients, 80)
        for start in range(0, 80, 20):
            storage.add_opens(opens[start : start + 20])
        assert_scan(storage, pixel)
        verdicts = [_PREFETCH, _SCANNER, Verdict()]
        rejudge(
            storage,
            pixel,
            *(
                make_judgement(one, verdict=verdicts[place % 3], counted=place % 5 == 0)
                for place, one in enumerate(opens[::2])
            ),
        )
        for recipient in recipients[::7]:
            storage.delete_recipient(recipient.id)
        assert_scan(storage, pixel)


def _state(storage: Storage, recipient: Recipient) -> RecipientState:
    return storage.get_recipients([recipient.id])[recipient.id].state

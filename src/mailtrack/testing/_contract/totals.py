"""Tests of the numbers of all opens that were ever added."""

from datetime import timedelta

import pytest

from mailtrack._counts import Count
from mailtrack._model import Verdict, VerdictKind
from mailtrack.storage import Storage
from mailtrack.testing._contract.helpers import add_pixel, add_recipients, at_once, make_judgement
from mailtrack.testing._factories import NOON, make_open, make_pixel

_HUMAN, _BOT = Verdict(kind="human"), Verdict(kind="bot")


class TotalsContract:
    """Tests of `count_by_kind`."""

    def test_opens_of_all_pixels_are_counted_by_kind(self, storage: Storage) -> None:
        assert storage.count_by_kind() == {}
        pixel, other = add_pixel(storage), add_pixel(storage)
        storage.add_opens([make_open(pixel, verdict=_HUMAN), make_open(other, verdict=_BOT, counted=False)])
        storage.add_opens(
            [
                make_open(other, verdict=_HUMAN, counted=False),
                make_open(other, at=NOON + timedelta(days=9), verdict=_BOT),
            ]
        )
        assert storage.count_by_kind() == {VerdictKind.HUMAN: Count(1, 2), VerdictKind.BOT: Count(1, 2)}

    def test_an_open_is_counted_once_and_only_where_it_is_added(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        opens = [make_open(pixel, verdict=_HUMAN), make_open(make_pixel(), verdict=_HUMAN)]
        for _ in range(2):
            storage.add_opens([*opens, opens[0]])
        assert storage.count_by_kind() == {VerdictKind.HUMAN: Count(1, 1)}

    @pytest.mark.parametrize("what", ["rejudge", "purge", "erase", "delete recipient", "delete pixel"])
    def test_nothing_lowers_the_numbers(self, storage: Storage, what: str) -> None:
        pixel = add_pixel(storage)
        (recipient,) = add_recipients(storage, pixel, 1)
        opens = [make_open(pixel, recipient, verdict=_HUMAN), make_open(pixel, verdict=_BOT, counted=False)]
        storage.add_opens(opens)
        match what:
            case "rejudge":
                storage.rejudge(pixel.id, [make_judgement(one, verdict=_BOT, counted=False) for one in opens])
            case "purge":
                assert storage.purge_opens(pixel.id, before=NOON + timedelta(days=1), limit=9) == 2
            case "erase":
                storage.erase(recipient.email)
            case "delete recipient":
                storage.delete_recipient(recipient.id)
            case "delete pixel":
                storage.delete_pixel(pixel.id)
        while storage.sweep():
            pass
        assert storage.count_by_kind() == {VerdictKind.HUMAN: Count(1, 1), VerdictKind.BOT: Count(0, 1)}

    def test_opens_that_are_added_at_once_are_all_counted(self, storage: Storage) -> None:
        pixels = [add_pixel(storage) for _ in range(4)]
        batches = [[make_open(pixel, verdict=_HUMAN) for pixel in pixels] for _ in range(8)]
        at_once([lambda batch=batch: storage.add_opens(batch) for batch in batches])  # type: ignore[misc]
        assert storage.count_by_kind() == {VerdictKind.HUMAN: Count(32, 32)}

"""Tests of erasing a person over all pixels."""

from datetime import timedelta

import attrs
import pytest

from mailtrack._errors import RecipientNotFound
from mailtrack._model import Client, Erased, Open, Page, Pixel, Recipient, Target, Verdict, VerdictKind
from mailtrack.storage import Storage
from mailtrack.testing._contract.full_scan import assert_scan, everything, some_opens
from mailtrack.testing._contract.helpers import (
    add_pixel,
    add_recipients,
    all_opens,
    all_recipients,
    at_once,
    make_judgement,
    rejudge,
)
from mailtrack.testing._factories import NOON, make_hit, make_open, make_recipient

_ANN = "ann@example.org"


class ErasureContract:
    """Tests of `erase`."""

    def test_a_person_is_deleted_in_all_pixels(self, storage: Storage) -> None:
        owned = [_add_ann(storage) for _ in range(3)]
        others = [everything(storage, pixel)[1][0] for pixel, _ in owned]
        assert storage.erase("aNN@example.org") == Erased(recipients=9, opens=9)
        for (pixel, ann), other in zip(owned, others, strict=True):
            assert all_recipients(storage, pixel) == [other]
            assert storage.get_recipients([one.id for one in ann]) == {}
            assert storage.get_pixel(pixel.id).recipients == 1
        assert storage.find_recipients(_ANN, limit=9) == Page(items=())

    def test_asked_again_it_finds_no_one(self, storage: Storage) -> None:
        _add_ann(storage)
        storage.erase(_ANN)
        assert storage.erase(_ANN) == storage.erase("nobody@example.org") == Erased(recipients=0, opens=0)

    def test_the_opens_stay_without_the_person(self, storage: Storage) -> None:
        pixel, ann = _add_ann(storage)
        before = all_opens(storage, pixel)
        storage.erase(_ANN)
        own = {one.id for one in ann}
        wanted = [one.as_erased() if one.recipient_id in own else one for one in before]
        assert all_opens(storage, pixel) == wanted
        while storage.sweep():
            assert all_opens(storage, pixel) == wanted
        assert all_opens(storage, pixel) == wanted
        for one in ann:
            assert storage.list_opens(pixel.id, limit=9, recipient_id=one.id).items == ()

    def test_what_was_judged_stays(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (ann,) = storage.add_recipients(pixel.id, [make_recipient(pixel, _ANN)])
        verdict = Verdict(kind="proxy", vendor="Google", reasons=("gmail",), rules_version=3)
        client = Client(name="Gmail", version="7", os="Linux", device="desktop")
        given = make_open(pixel, ann, signals=["no-language"], verdict=verdict, client=client)
        storage.add_opens([given])
        storage.erase(_ANN)
        (found,) = all_opens(storage, pixel)
        assert (found.verdict, found.client, found.signals, found.counted) == (verdict, client, ("no-language",), True)
        assert (found.id, found.opened_at, found.erased) == (given.id, given.opened_at, True)
        assert (found.recipient_id, found.token, found.ip, found.user_agent, found.referer, found.age) == (
            *(None, None, None),
            *("", "", None),
        )

    def test_the_figures_of_opens_stay_and_those_of_recipients_fall(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        recipients = add_recipients(storage, pixel, 8)
        ann = storage.add_recipients(pixel.id, [make_recipient(pixel, _ANN, ref=ref) for ref in "ab"])
        storage.add_opens(some_opens(pixel, [*recipients, *ann], 120))
        before = storage.get_figures(pixel.id, top=100)
        storage.erase(_ANN)
        after = storage.get_figures(pixel.id, top=100)
        assert (after.hours, after.facets) == (before.hours, before.facets)
        assert (after.pixel.opens, after.pixel.views) == (before.pixel.opens, before.pixel.views)
        assert after.pixel.recipients == 8
        assert_scan(storage, pixel)

    def test_others_keep_what_they_share_with_the_person(self, storage: Storage) -> None:
        pixel, _ = _add_ann(storage)
        other = add_pixel(storage)
        (bob,) = add_recipients(storage, other, 1)
        storage.add_opens([make_open(other, bob), make_open(other)])
        before = everything(storage, other), [one for one in all_opens(storage, pixel) if one.recipient_id is None]
        storage.erase(_ANN)
        kept = [one for one in all_opens(storage, pixel) if not one.erased and one.recipient_id is None]
        assert (everything(storage, other), kept) == before

    def test_a_late_hit_with_an_old_token_is_one_of_an_erased_person(self, storage: Storage) -> None:
        pixel, ann = _add_ann(storage)
        other, _ = _add_ann(storage)
        storage.erase(_ANN)
        hits = [
            make_hit(pixel, token=ann[0].token),
            make_hit(pixel.id, token=ann[1].token),
            make_hit(other, token=ann[0].token),
            make_hit(pixel, token="tok_" + "0" * 32),
            make_hit(pixel),
        ]
        erased, plain = Target(pixel_id=pixel.id, erased=True), Target(pixel_id=pixel.id)
        assert storage.resolve(hits) == [erased, erased, Target(pixel_id=other.id), plain, plain]

    def test_an_open_of_an_erased_recipient_is_stored_and_returned_without_it(self, storage: Storage) -> None:
        pixel, (ann, *_) = _add_ann(storage)
        (bob,) = add_recipients(storage, pixel, 1)
        storage.erase(_ANN)
        late = [make_open(pixel, ann), make_open(pixel, bob), make_open(pixel, ann)]
        wanted = [late[0].as_erased(), late[1], late[2].as_erased()]
        assert storage.add_opens(late) == wanted
        assert storage.add_opens(late) == []
        found = all_opens(storage, pixel)[2::-1]
        assert [attrs.evolve(one, token=None) for one in found] == wanted
        assert_scan(storage, pixel)

    def test_an_erased_open_can_be_added(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        given = make_open(pixel).as_erased()
        assert storage.add_opens([given]) == [given] == all_opens(storage, pixel)

    def test_a_deleted_recipient_is_not_an_erased_one(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (gone,) = add_recipients(storage, pixel, 1)
        storage.delete_recipient(gone.id)
        storage.erase(gone.email)
        assert storage.resolve([make_hit(pixel, token=gone.token)]) == [Target(pixel_id=pixel.id)]
        late = make_open(pixel, gone)
        assert storage.add_opens([late]) == [late] == all_opens(storage, pixel)

    def test_an_erased_recipient_can_not_be_deleted(self, storage: Storage) -> None:
        _, (ann, *_) = _add_ann(storage)
        storage.erase(_ANN)
        with pytest.raises(RecipientNotFound):
            storage.delete_recipient(ann.id)

    def test_the_address_can_be_added_again_as_a_new_recipient(self, storage: Storage) -> None:
        pixel, (ann, *_) = _add_ann(storage)
        storage.erase(_ANN)
        new = make_recipient(pixel, _ANN)
        assert storage.add_recipients(pixel.id, [new]) == [new]
        target = storage.resolve([make_hit(pixel, token=new.token), make_hit(pixel, token=ann.token)])
        assert [one and (one.recipient_id, one.erased) for one in target] == [(new.id, False), (None, True)]
        storage.add_opens([make_open(pixel, new)])
        assert storage.erase(_ANN) == Erased(recipients=1, opens=1)

    def test_opens_that_are_purged_are_not_counted_and_forget_the_person(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (ann,) = storage.add_recipients(pixel.id, [make_recipient(pixel, _ANN)])
        storage.add_opens([make_open(pixel, ann, at=NOON - timedelta(days=1)), make_open(pixel, ann)])
        storage.purge_opens(pixel.id, before=NOON, limit=9)
        before = storage.get_pixel(pixel.id)
        assert storage.erase(_ANN) == Erased(recipients=1, opens=1)
        after = storage.get_pixel(pixel.id)
        assert (after.opens, after.views, after.purged) == (before.opens, before.views, before.purged)
        assert (after.opened.raw, after.recipients) == (0, 0)

    def test_erased_opens_can_be_purged_and_judged_again(self, storage: Storage) -> None:
        pixel, _ = _add_ann(storage)
        storage.erase(_ANN)
        opens = all_opens(storage, pixel)
        rejudge(storage, pixel, *(make_judgement(one, verdict=Verdict(kind="bot"), counted=False) for one in opens))
        assert {one.verdict.kind for one in all_opens(storage, pixel)} == {VerdictKind.BOT}
        assert_scan(storage, pixel)
        while storage.purge_opens(pixel.id, before=NOON + timedelta(days=9), limit=9):
            pass
        assert all_opens(storage, pixel) == []

    def test_many_opens_are_overwritten_in_steps_that_show_nothing(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        ann, bob = storage.add_recipients(pixel.id, [make_recipient(pixel, one) for one in (_ANN, "bob@example.org")])
        storage.add_opens([make_open(pixel, one) for one in (ann, bob, ann) * 1500])
        assert storage.erase(_ANN) == Erased(recipients=1, opens=3000)
        shown = _count(all_opens(storage, pixel))
        assert shown == (3000, 1500)
        while storage.sweep():
            assert _count(storage.list_opens(pixel.id, limit=300).items) == (200, 100)
        assert _count(all_opens(storage, pixel)) == shown

    def test_a_pixel_can_be_deleted_while_a_person_is_erased(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (ann,) = storage.add_recipients(pixel.id, [make_recipient(pixel, _ANN)])
        storage.add_opens([make_open(pixel, ann) for _ in range(5000)])
        storage.erase(_ANN)
        storage.delete_pixel(pixel.id)
        while storage.sweep():
            pass
        assert storage.resolve([make_hit(pixel, token=ann.token)]) == [None]

    def test_of_many_that_erase_at_once_each_recipient_counts_for_one(self, storage: Storage) -> None:
        for _ in range(5):
            _add_ann(storage)
        found = at_once([lambda: storage.erase(_ANN)] * 4)
        assert (sum(one.recipients for one in found), sum(one.opens for one in found)) == (15, 15)

    def test_a_person_with_thousands_of_recipients_is_erased(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        given = [make_recipient(pixel, _ANN, ref=f"INV-{number}") for number in range(3000)]
        storage.add_recipients(pixel.id, given)
        assert storage.erase(_ANN) == Erased(recipients=3000, opens=0)
        assert all_recipients(storage, pixel) == []


def _add_ann(storage: Storage) -> tuple[Pixel, list[Recipient]]:
    """Add a pixel with a person under three references, another one, and opens of all and of no one."""
    pixel = add_pixel(storage)
    bob, *ann = storage.add_recipients(
        pixel.id,
        [
            make_recipient(pixel),
            *(make_recipient(pixel, _ANN, ref=ref, data={"name": "Ann"}) for ref in (None, "a", "b")),
        ],
    )
    storage.add_opens([make_open(pixel, one) for one in (*ann, bob, None)])
    return pixel, ann


def _count(opens: "tuple[Open, ...] | list[Open]") -> tuple[int, int]:
    """Return how many opens are erased ones, and how many others there are."""
    erased = sum(one.erased for one in opens)
    return erased, len(opens) - erased

"""A state machine that drives a storage beside a model of plain dicts, and compares the two at every step."""

import unittest
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from mailtrack._errors import (
    InvalidSentTime,
    KeyNotFound,
    PixelNotFound,
    RecipientNotFound,
    ShortIdTaken,
)
from mailtrack._model import (
    ApiKey,
    Client,
    Erased,
    Hit,
    Image,
    Judgement,
    Open,
    Pixel,
    Recipient,
    Target,
    Verdict,
)
from mailtrack.storage import Storage
from mailtrack.testing import _expected as expected
from mailtrack.testing import _strategies as strategies
from mailtrack.testing._comparison import START
from mailtrack.testing._feed_rules import FeedRules

_JUDGED = ("kind", "vendor", "client", "os", "device", "counted")


class StorageMachine(FeedRules):
    """Calls the methods of a storage in any order. `storage_machine` makes test cases of it."""

    @rule(minutes=strategies.minutes, data=st.none() | st.binary(min_size=1, max_size=20))
    def _add_pixel(self, minutes: int, data: bytes | None) -> None:
        """Add a pixel, with or without an image."""
        at, number = START + timedelta(minutes=minutes), self._next()
        pixel_id = f"{number:08x}-0000-4000-8000-000000000000"
        pixel = {"id": pixel_id, "name": f"Pixel {number}", "at": at, "image": data, "place": number}
        pixel |= {"archived": False, "note": ""}
        image = None if data is None else Image(media_type="image/png", data=data)
        self._storage.add_pixel(Pixel(id=pixel_id, name=f"Pixel {number}", created_at=at, image=f"{number}.png"), image)
        self._pixels.append(pixel | {"recipients": [], "opens": []})

    @precondition(lambda self: self._pixels)
    @rule(place=strategies.place)
    def _add_namesake(self, place: int) -> None:
        """Try to add a pixel whose short id is taken."""
        taken = self._pixel(place)["id"][:8] + "-ffff-4fff-8fff-ffffffffffff"
        with pytest.raises(ShortIdTaken):
            self._storage.add_pixel(Pixel(id=taken, name="Taken", created_at=START))

    @precondition(lambda self: self._pixels)
    @rule(place=strategies.place)
    def _delete_pixel(self, place: int) -> None:
        """Delete a pixel."""
        pixel = self._pixel(place)
        self._storage.delete_pixel(pixel["id"])
        self._pixels.remove(pixel)
        self._gone.extend([pixel, *pixel["recipients"]])

    @precondition(lambda self: self._pixels)
    @rule(place=strategies.place, changes=strategies.pixel_changes)
    def _update_pixel(self, place: int, changes: dict[str, Any]) -> None:
        """Rename a pixel, archive it or bring it back, or change its note."""
        pixel = self._pixel(place)
        self._storage.update_pixel(pixel["id"], **changes)
        pixel |= {name: value for name, value in changes.items() if value is not None}

    @rule()
    def _sweep(self) -> None:
        """Remove a part of what deletions left, which changes nothing."""
        assert self._storage.sweep() >= 0

    @precondition(lambda self: self._pixels)
    @rule(place=strategies.place, specs=strategies.new_recipients)
    def _add_recipients(self, place: int, specs: list[dict[str, Any]]) -> None:
        """Add recipients, some of which are there already."""
        pixel = self._pixel(place)
        given, wanted = [], []
        for spec in specs:
            number = self._next()
            at = START + timedelta(minutes=number % 7 - 3)
            new: dict[str, Any] = {"id": f"{pixel['id'][:8]}{number:016x}", "token": f"tok_{number:032x}", **spec}
            given.append(Recipient(pixel_id=pixel["id"], created_at=at, **new))
            present = expected.same(pixel, spec)
            if present is None:
                pixel["recipients"].append(new | {"at": at, "sent": None, "place": number})
            elif spec["data"] is not None:
                present["data"] = spec["data"]
            wanted.append((present or new)["id"])
        assert [one.id for one in self._storage.add_recipients(pixel["id"], given)] == wanted

    @precondition(lambda self: any(pixel["recipients"] for pixel in self._pixels))
    @rule(place=strategies.place)
    def _delete_recipient(self, place: int) -> None:
        """Delete a recipient."""
        owners = [(pixel, recipient) for pixel in self._pixels for recipient in pixel["recipients"]]
        pixel, recipient = owners[-1 - place % len(owners)]
        deleted = self._storage.delete_recipient(recipient["id"])
        assert (deleted.email, deleted.token, deleted.pixel_id) == (recipient["email"], recipient["token"], pixel["id"])
        pixel["recipients"].remove(recipient)
        self._gone.append(recipient)

    @rule(email=st.sampled_from(strategies.EMAILS))
    def _erase(self, email: str) -> None:
        """Erase a person over all pixels."""
        owners = [(pixel, one) for pixel in self._pixels for one in expected.own(pixel, email)]
        ids = [one["id"] for _, one in owners]
        opens = [one for pixel in self._pixels for one in expected.kept(pixel) if one["recipient"] in ids]
        assert self._storage.erase(email) == Erased(recipients=len(owners), opens=len(opens))
        for pixel, recipient in owners:
            pixel["recipients"].remove(recipient)
            self._gone.append(recipient | {"erased": True})
        for one in (it for pixel in self._pixels for it in pixel["opens"] if it["recipient"] in ids):
            one |= {"recipient": None, "erased": True}

    @precondition(lambda self: self._pixels)
    @rule(place=strategies.place, chosen=st.none() | st.lists(strategies.place, max_size=4), minutes=strategies.minutes)
    def _mark_sent(self, place: int, chosen: list[int] | None, minutes: int) -> None:
        """Set when the mails of some recipients were sent, among ids of others and of such that are gone."""
        pixel, at = self._pixel(place), START + timedelta(minutes=minutes)
        known = [one for one in self._gone if "email" in one] + [it for one in self._pixels for it in one["recipients"]]
        given = None if chosen is None else [known[-1 - one % len(known)]["id"] for one in chosen if known]
        concerned = [one for one in pixel["recipients"] if given is None or one["id"] in given]
        if any(one["at"] > at for one in concerned):
            with pytest.raises(InvalidSentTime):
                self._storage.mark_sent(pixel["id"], given, at=at)
        else:
            assert self._storage.mark_sent(pixel["id"], given, at=at) == len(concerned)
            for one in concerned:
                one["sent"] = at

    @precondition(lambda self: self._gone)
    @rule(place=strategies.place)
    def _delete_what_is_gone(self, place: int) -> None:
        """Try to delete again."""
        gone = self._gone[-1 - place % len(self._gone)]
        with pytest.raises(RecipientNotFound if "email" in gone else PixelNotFound):
            (self._storage.delete_recipient if "email" in gone else self._storage.delete_pixel)(gone["id"])

    @rule(minutes=strategies.minutes)
    def _add_key(self, minutes: int) -> None:
        """Add an API key."""
        number = self._next()
        key: dict[str, Any] = {"id": f"{number:012x}", "name": f"Key {number}", "digest": f"{number:064x}"}
        key["created_at"] = START + timedelta(minutes=minutes)
        self._storage.add_key(ApiKey(**key))
        self._keys.append(key)

    @precondition(lambda self: self._keys)
    @rule(place=strategies.place)
    def _delete_key(self, place: int) -> None:
        """Delete an API key, and try to delete it again."""
        key = self._keys.pop(-1 - place % len(self._keys))
        assert self._storage.delete_key(key["id"]) == ApiKey(**key)
        with pytest.raises(KeyNotFound):
            self._storage.delete_key(key["id"])

    @precondition(lambda self: self._pixels or self._gone)
    @rule(specs=strategies.opens)
    def _add_opens(self, specs: list[dict[str, Any]]) -> None:
        """Add opens of pixels and recipients that exist, or did, some of them again."""
        opens: list[Open] = []
        added: list[Open] = []
        new_ones: list[tuple[dict[str, Any], dict[str, Any]]] = []
        for spec in specs:
            targets = [one for one in self._gone if "email" not in one] + self._pixels
            pixel = targets[-1 - spec["pixel"] % len(targets)]
            owned = [one for one in self._gone if "email" in one and one["id"][:8] == pixel["id"][:8]]
            owned += pixel["recipients"]
            recipient = None if spec["recipient"] is None or not owned else owned[-1 - spec["recipient"] % len(owned)]
            new = {
                "id": f"{spec['id']:032x}",
                "recipient": recipient and recipient["id"],
                "at": START + timedelta(minutes=spec["minutes"]),
                **{name: spec[name] for name in (*_JUDGED, "repeat")},
            }
            opens.append(
                Open(
                    id=new["id"],
                    pixel_id=pixel["id"],
                    recipient_id=new["recipient"],
                    opened_at=new["at"],
                    signals=("repeat",) if spec["repeat"] else (),
                    **_judged(spec),
                )
            )
            if pixel in self._pixels and new["id"] not in [one["id"] for one in expected.kept(pixel)]:
                erased = recipient is not None and "erased" in recipient and pixel["id"][:8] == recipient["id"][:8]
                new |= {"recipient": None} if erased else {}
                new |= expected.firsts(pixel, new)
                pixel["opens"].append(new | {"place": self._next(), "purged": False, "erased": erased})
                new_ones.append((pixel, pixel["opens"][-1]))
                self._added.append((spec["kind"], spec["counted"]))
                added.append(attrs.evolve(opens[-1], recipient_id=None, erased=True) if erased else opens[-1])
        assert self._storage.add_opens(opens) == added
        self._hear_of(new_ones)

    @precondition(lambda self: self._pixels)
    @rule(place=strategies.place, specs=strategies.judgements)
    def _rejudge(self, place: int, specs: list[dict[str, Any]]) -> None:
        """Judge some opens of a pixel again, and one that it does not have."""
        pixel = self._pixel(place)
        judgements = [Judgement(open_id="f" * 32, verdict=Verdict(), client=Client(), counted=True)]
        kept = expected.kept(pixel)
        for spec in specs if kept else ():
            old = kept[-1 - spec["open"] % len(kept)]
            old |= {name: spec[name] for name in _JUDGED}
            old["repeat"] |= spec["repeat"]
            added = ("repeat",) if spec["repeat"] else ()
            judgements.append(Judgement(open_id=old["id"], added_signals=added, **_judged(spec)))
        assert self._storage.rejudge(pixel["id"], judgements) == len(judgements) - 1

    @precondition(lambda self: self._pixels)
    @rule(place=strategies.place, minutes=strategies.minutes, limit=strategies.limit)
    def _purge_opens(self, place: int, minutes: int, limit: int) -> None:
        """Purge some opens of a pixel that are older than a time."""
        pixel, before = self._pixel(place), START + timedelta(minutes=minutes)
        old = [one for one in expected.kept(pixel) if one["at"] < before]
        assert self._storage.count_opens(pixel["id"], before=before) == len(old)
        assert self._storage.purge_opens(pixel["id"], before=before, limit=limit) == len(old[:limit])
        for one in old[:limit]:
            one["purged"] = True
            pixel["purged_before"] = max(before, pixel.get("purged_before", before))

    @precondition(lambda self: self._pixels)
    @rule(token=strategies.place, by=st.sampled_from([8, 36]))
    def _resolve(self, token: int, by: int) -> None:
        """Look up every pixel with the token of any recipient that there is or was."""
        recipients = [one for pixel in self._pixels for one in pixel["recipients"]]
        recipients += [one for one in self._gone if "email" in one]
        secret = recipients[-1 - token % len(recipients)]["token"] if recipients else "tok_" + "0" * 32
        hits = [
            Hit(id="0" * 32, pixel=pixel["id"][:by], token=secret, at=START)
            for pixel in self._pixels + [one for one in self._gone if "email" not in one]
        ]
        targets = [Target(pixel_id=pixel["id"], **expected.target(pixel, secret, self._gone)) for pixel in self._pixels]
        assert self._storage.resolve(hits) == targets + [None] * (len(hits) - len(targets))

    @precondition(lambda self: self._pixels)
    @rule(
        what=st.sampled_from(["pixels", "recipients", "opens"]),
        place=strategies.place,
        limit=strategies.limit,
        skip=st.integers(0, 3),
    )
    def _begin_list(self, what: str, place: int, limit: int, skip: int) -> None:
        """Take the first page of a list, and keep the cursor for later."""
        self._take_page(what, self._pixel(place), None, limit, skip)

    @precondition(lambda self: self._cursors)
    @rule(choice=strategies.place, limit=strategies.limit, skip=st.integers(0, 3))
    def _go_on_with_list(self, choice: int, limit: int, skip: int) -> None:
        """Take a further page of a list, whatever happened since the cursor was made."""
        what, pixel, cursor, place = self._cursors[-1 - choice % len(self._cursors)]
        self._take_page(what, pixel, (cursor, place), limit, skip)

    def _take_page(
        self, what: str, pixel: dict[str, Any], start: tuple[str, int] | None, limit: int, skip: int
    ) -> None:
        cursor, place = start or (None, None)
        owner = pixel if pixel in self._pixels else {"recipients": [], "opens": []}
        if what == "recipients":
            page: Any = self._storage.list_recipients(pixel["id"], limit=limit, cursor=cursor)
            rest = [one for one in owner["recipients"] if place is None or one["place"] > place]
        elif what == "opens":
            page = self._storage.list_opens(pixel["id"], limit=limit, cursor=cursor, skip=skip)
            rest = [one for one in reversed(expected.kept(owner)) if place is None or one["place"] < place][skip:]
        else:
            page = self._storage.list_pixels(limit=limit, cursor=cursor, archived=None)
            rest = [one for one in reversed(self._pixels) if place is None or one["place"] < place]
        assert [one.id for one in page.items] == [one["id"] for one in rest[:limit]]
        assert (page.next is None) == (len(rest) <= limit)
        if page.next is not None:
            self._cursors.append((what, pixel, page.next, rest[limit - 1]["place"]))

    def _pixel(self, place: int) -> dict[str, Any]:
        return self._pixels[-1 - place % len(self._pixels)]


def _judged(spec: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of an open or a judgement that hold the verdict, the client and whether the open counts."""
    return {
        "verdict": Verdict(kind=spec["kind"], vendor=spec["vendor"]),
        "client": Client(name=spec["client"], os=spec["os"], device=spec["device"]),
        "counted": spec["counted"],
    }


def storage_machine(
    open_storage: Callable[[], Storage], *, settings: settings | None = None
) -> type[unittest.TestCase]:
    """Return a test case that runs `StorageMachine` against a storage.

    Give it a name that begins with `Test`, in a module that pytest collects.

    Args:
        open_storage: opens a new, empty storage each time. The machine closes it.
        settings: those of Hypothesis, where the profile in use will not do.
    """

    class Machine(StorageMachine):
        def open_storage(self) -> Storage:
            return open_storage()

    case: type[unittest.TestCase] = Machine.TestCase
    if settings is not None:
        case.settings = settings  # type: ignore[attr-defined]  # an attribute that Hypothesis reads
    return case

"""The invariant of the state machine: all that a storage returns equals what the model of plain dicts leads to."""

import itertools
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis.stateful import RuleBasedStateMachine, invariant

from mailtrack._errors import ImageNotFound, PixelNotFound
from mailtrack._model import ApiKey, Open, Page, RecipientState, VerdictKind
from mailtrack.storage import Storage
from mailtrack.testing import _expected as expected
from mailtrack.testing import _shown as shown
from mailtrack.testing._contract.helpers import walk

START = datetime(2025, 11, 6, 10, 30, tzinfo=UTC)
"""The time around which all happens."""


class Comparison(RuleBasedStateMachine):
    """Compares a storage with its model. `StorageMachine` changes both."""

    _storage: Storage
    _serial: int
    _pixels: list[dict[str, Any]]  # in order of creation; each owns "recipients" and "opens"
    _gone: list[dict[str, Any]]  # pixels and recipients that were deleted
    _added: list[tuple[str, bool]]  # kind of each open that was ever added, and whether it counted
    _keys: list[dict[str, Any]]  # in order of creation
    _cursors: list[tuple[str, dict[str, Any], str, int]]  # of which list, of which pixel, the cursor, the place

    def __init__(self) -> None:
        super().__init__()
        self._storage = self.open_storage()
        self._serial = 0
        self._pixels, self._gone, self._added, self._keys, self._cursors = [], [], [], [], []

    def open_storage(self) -> Storage:
        """Open a new, empty storage."""
        raise NotImplementedError

    def teardown(self) -> None:
        """Close the storage."""
        self._storage.close()

    @invariant()
    def _the_storage_equals_the_model(self) -> None:
        """Compare all that can be read."""
        listed = self._storage.list_pixels(limit=1000, archived=None).items
        for archived in (True, False):
            some = self._storage.list_pixels(limit=1000, archived=archived).items
            assert some == tuple(one for one in listed if one.archived is archived)
        assert [one.id for one in listed] == [one["id"] for one in reversed(self._pixels)]
        for text in ("", "PIXEL 1", "2"):
            found_names = [one.name for one in self._storage.list_pixels(limit=1000, search=text, archived=None).items]
            assert found_names == [one.name for one in listed if text.lower() in one.name.lower()]
        assert self._storage.list_keys() == [ApiKey(**key) for key in self._keys]
        self._compare_days()
        assert shown.totals(self._storage.count_by_kind()) == expected.totals(self._added)
        for email in ("ann@example.org", "BOB@example.org"):
            self._compare_person(email)
        for pixel, found in zip(reversed(self._pixels), listed, strict=True):
            assert found == self._storage.get_pixel(pixel["id"]) == self._storage.get_pixel(pixel["id"][:8])
            assert (found.name, found.created_at) == (pixel["name"], pixel["at"])
            assert (found.archived, found.note) == (pixel["archived"], pixel["note"])
            assert found.recipients == len(pixel["recipients"])
            assert found.prefetched == expected.prefetched(pixel)
            assert (found.kept, found.purged_before) == (len(expected.kept(pixel)), pixel.get("purged_before"))
            assert shown.both_spans(found) == expected.both_spans(pixel["opens"])
            self._compare_image(pixel)
            self._compare_figures(pixel)
            self._compare_recipients(pixel)
            self._compare_opens(pixel)
        for gone in self._gone:
            if "email" not in gone:
                with pytest.raises(PixelNotFound):
                    self._storage.get_pixel(gone["id"])

    def _compare_person(self, email: str) -> None:
        everywhere = walk(lambda cursor: self._storage.find_recipients(email, limit=2, cursor=cursor))
        assert [one.id for one in everywhere] == expected.found(self._pixels, email)
        assert self._storage.get_recipients([one.id for one in everywhere]) == {one.id: one for one in everywhere}

    def _compare_image(self, pixel: dict[str, Any]) -> None:
        if pixel["image"] is None:
            with pytest.raises(ImageNotFound):
                self._storage.get_image(pixel["id"])
        else:
            assert self._storage.get_image(pixel["id"]).data == pixel["image"]

    def _compare_recipients(self, pixel: dict[str, Any]) -> None:
        found = self._storage.list_recipients(pixel["id"], limit=1000).items
        assert [(one.id, one.email, one.ref, one.data, one.token) for one in found] == [
            (one["id"], one["email"], one["ref"], one["data"], one["token"]) for one in pixel["recipients"]
        ]
        for text in ("AN", "inv", "n"):
            searched = self._storage.list_recipients(pixel["id"], limit=1000, search=text).items
            assert [one.id for one in searched] == [one["id"] for one in expected.matching(pixel, text)]
        referred = self._storage.list_recipients(pixel["id"], limit=1000, ref="INV-1").items
        assert referred == tuple(one for one in found if one.ref == "INV-1")
        assert self._storage.get_recipients([one["id"] for one in self._gone + pixel["recipients"]]) == {
            one.id: one for one in found
        }
        for recipient in found:
            opens = [one for one in pixel["opens"] if one["recipient"] == recipient.id]
            assert shown.both_spans(recipient) == expected.both_spans(opens)
        states = [expected.state(pixel, one) for one in pixel["recipients"]]
        assert [(one.state.value, one.sent_at) for one in found] == [
            (state, one["sent"]) for state, one in zip(states, pixel["recipients"], strict=True)
        ]
        for chosen in (["opened"], ["prefetched"], ["scanned", "none"], []):
            wanted = [RecipientState(one) for one in chosen]
            listed = self._storage.list_recipients(pixel["id"], limit=1000, states=wanted).items
            assert listed == tuple(one for one, state in zip(found, states, strict=True) if state in chosen)

    def _compare_opens(self, pixel: dict[str, Any]) -> None:
        tokens = {one["id"]: one["token"] for one in pixel["recipients"]}
        found = self._storage.list_opens(pixel["id"], limit=1000).items
        assert [
            (
                one.id,
                one.recipient_id,
                one.token,
                one.opened_at,
                one.verdict.kind,
                one.client.name,
                one.counted,
                one.erased,
            )
            for one in found
        ] == [
            (
                one["id"],
                one["recipient"],
                tokens.get(one["recipient"]),
                one["at"],
                one["kind"],
                one["client"],
                one["counted"],
                one["erased"],
            )
            for one in reversed(expected.kept(pixel))
        ]
        self._compare_found_opens(pixel, found)

    def _compare_found_opens(self, pixel: dict[str, Any], everything: tuple[Open, ...]) -> None:
        recipients = {one["recipient"] for one in pixel["opens"]} | {None}
        for kind, recipient in itertools.product([None, *VerdictKind], recipients):

            def get_page(
                cursor: str | None, kind: VerdictKind | None = kind, recipient: str | None = recipient
            ) -> Page[Open]:
                return self._storage.list_opens(pixel["id"], limit=2, cursor=cursor, kind=kind, recipient_id=recipient)

            listed = walk(get_page)
            assert listed == [
                one for one in everything if kind in (None, one.verdict.kind) and recipient in (None, one.recipient_id)
            ]

    def _compare_days(self) -> None:
        since = START.replace(hour=0, minute=0)
        wanted = {pixel["id"]: expected.days(pixel, since) for pixel in self._pixels}
        found = self._storage.count_by_day([one["id"] for one in self._pixels + self._gone], since=since)
        assert {pixel_id: shown.days(days) for pixel_id, days in found.items()} == {
            pixel_id: days for pixel_id, days in wanted.items() if days
        }

    def _compare_figures(self, pixel: dict[str, Any]) -> None:
        for limit in (2, 100):
            figures = self._storage.get_figures(pixel["id"], top=limit)
            assert figures.pixel == self._storage.get_pixel(pixel["id"])
            assert shown.views(figures.pixel) == expected.views(pixel)
            assert shown.opened(figures.pixel) == tuple(len(some) for some in expected.openers(pixel))
            assert shown.hours(figures) == expected.hours(pixel)
            assert shown.facets(figures) == expected.facets(pixel, limit)
            assert shown.delays(figures) == expected.delays(pixel)
            assert shown.top(figures) == expected.top(pixel, limit)

    def _next(self) -> int:
        self._serial += 1
        return self._serial

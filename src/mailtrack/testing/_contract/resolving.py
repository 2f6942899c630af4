"""Tests of resolving hits."""

import pytest

from mailtrack._model import Hit, Target
from mailtrack.storage import Storage
from mailtrack.testing._contract.helpers import add_pixel, add_recipients, namesake
from mailtrack.testing._factories import make_hit, make_pixel, make_recipient, make_recipients


def _resolve(storage: Storage, hits: list[Hit]) -> list[tuple[str, str | None] | None]:
    return [None if found is None else (found.pixel_id, found.recipient_id) for found in storage.resolve(hits)]


class ResolvingContract:
    """Tests of `resolve`."""

    @pytest.mark.parametrize("key", ["id", "short_id"])
    def test_a_hit_names_its_pixel_by_either_id(self, storage: Storage, key: str) -> None:
        pixel = add_pixel(storage)
        assert storage.resolve([make_hit(getattr(pixel, key))]) == [Target(pixel_id=pixel.id)]

    def test_a_token_of_the_pixel_finds_its_recipient(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        recipients = add_recipients(storage, pixel, 3)
        found = storage.resolve([make_hit(pixel, token=recipients[1].token)])
        wanted = recipients[1]
        target = Target(
            pixel_id=pixel.id, recipient_id=wanted.id, token_made_at=wanted.created_at, domain="example.org"
        )
        assert found == [target]

    def test_a_target_has_the_domain_of_its_recipient_in_lower_case(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        emails = ["ann@EXAMPLE.org", '"b@b"@Bücher.example', "cem@localhost"]
        recipients = storage.add_recipients(pixel.id, make_recipients(pixel, emails))
        found = storage.resolve([make_hit(pixel, token=one.token) for one in recipients])
        assert [one and one.domain for one in found] == ["example.org", "bücher.example", "localhost"]

    def test_a_token_of_another_pixel_finds_no_recipient(self, storage: Storage) -> None:
        pixel, other = add_pixel(storage), add_pixel(storage)
        (recipient,) = add_recipients(storage, other, 1)
        hits = [make_hit(pixel, token=recipient.token), make_hit(other, token=recipient.token)]
        assert _resolve(storage, hits) == [(pixel.id, None), (other.id, recipient.id)]

    def test_an_unknown_token_finds_no_recipient(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        assert _resolve(storage, [make_hit(pixel, token=make_recipient(pixel).token)]) == [(pixel.id, None)]

    def test_a_pixel_that_does_not_exist_resolves_to_none(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        (recipient,) = add_recipients(storage, pixel, 1)
        stranger = make_pixel()
        hits = [make_hit(key, token=recipient.token) for key in (stranger.id, stranger.short_id, namesake(pixel))]
        assert storage.resolve(hits) == [None, None, None]

    def test_there_is_one_answer_for_each_hit_in_their_order(self, storage: Storage) -> None:
        pixels = [add_pixel(storage) for _ in range(3)]
        recipients = [add_recipients(storage, pixel, 2)[1] for pixel in pixels]
        hits = [
            make_hit(pixels[2], token=recipients[2].token),
            make_hit(make_pixel()),
            make_hit(pixels[0]),
            make_hit(pixels[2].id, token=recipients[2].token),
            make_hit(pixels[1], token=recipients[1].token),
        ]
        assert _resolve(storage, hits) == [
            (pixels[2].id, recipients[2].id),
            None,
            (pixels[0].id, None),
            (pixels[2].id, recipients[2].id),
            (pixels[1].id, recipients[1].id),
        ]

    def test_a_thousand_hits_are_resolved_at_once(self, storage: Storage) -> None:
        pixel = add_pixel(storage)
        recipients = add_recipients(storage, pixel, 1000)
        hits = [make_hit(pixel, token=recipient.token) for recipient in reversed(recipients)]
        assert _resolve(storage, hits) == [(pixel.id, recipient.id) for recipient in reversed(recipients)]

    def test_no_hits_resolve_to_nothing(self, storage: Storage) -> None:
        assert storage.resolve([]) == []

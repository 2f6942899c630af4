"""The values of the model convert and check their fields."""

from datetime import UTC, datetime, timedelta, timezone

import attrs
import pytest

from mailtrack import (
    Certainty,
    Client,
    Hit,
    Image,
    Open,
    OpenSpan,
    OpenSpans,
    Pixel,
    Recipient,
    Verdict,
    VerdictKind,
)
from mailtrack.testing import make_hit, make_image, make_open, make_pixel, make_recipient
from mailtrack.testing._factories import NOON


class TestVerdict:
    def test_nothing_is_known_by_default(self) -> None:
        assert Verdict() == Verdict(kind=VerdictKind.UNKNOWN, vendor=None, reasons=(), certainty=None, rules_version=0)

    def test_words_become_kinds_and_certainties(self) -> None:
        verdict = Verdict(kind="proxy", certainty="probable", reasons=["a"])
        assert (verdict.kind, verdict.certainty, verdict.reasons) == (VerdictKind.PROXY, Certainty.PROBABLE, ("a",))

    @pytest.mark.parametrize("values", [{"kind": "ghost"}, {"certainty": "perhaps"}])
    def test_unknown_words_are_refused(self, values: dict[str, str]) -> None:
        with pytest.raises(ValueError, match="is not a valid"):
            Verdict(**values)


class TestTimes:
    def test_times_are_utc_in_whole_milliseconds(self) -> None:
        at = datetime(2025, 11, 6, 13, 0, 0, 1999, tzinfo=timezone(timedelta(hours=1)))
        expected = NOON.replace(microsecond=1000)
        pixel = make_pixel(at=at)
        found = [pixel.created_at, make_recipient(pixel, at=at).created_at, make_open(pixel, at=at).opened_at]
        assert found == [expected] * 3
        assert {one.tzinfo for one in found} == {UTC}

    def test_naive_times_are_refused(self) -> None:
        with pytest.raises(ValueError, match="time zone"):
            make_pixel(at=datetime(2025, 11, 6, 12))


class TestPixel:
    def test_the_short_id_is_the_first_eight_digits(self) -> None:
        assert make_pixel(pixel_id="a1b2c3d4-e5f6-7890-1234-567890abcdef").short_id == "a1b2c3d4"


class TestRecipient:
    @pytest.mark.parametrize(("counted", "raw", "opened"), [(0, 0, False), (0, 2, False), (1, 2, True)])
    def test_it_has_opened_with_an_open_that_counts(self, counted: int, raw: int, opened: bool) -> None:
        spans = OpenSpans(counted=OpenSpan(number=counted), raw=OpenSpan(number=raw))
        assert attrs.evolve(make_recipient(make_pixel()), opens=spans).opened is opened


class TestOpen:
    def test_it_counts_by_default(self) -> None:
        assert make_open(make_pixel()).counted


class TestClient:
    def test_nothing_is_known_by_default(self) -> None:
        assert attrs.astuple(Client()) == ("unknown", "", "unknown", "unknown")


class TestReprs:
    def test_no_repr_shows_a_name_an_address_or_a_secret(self) -> None:
        pixel = make_pixel("zebra")
        recipient = make_recipient(pixel, "zebra@example.org")
        values = [
            pixel,
            recipient,
            attrs.evolve(make_open(pixel, recipient), token=recipient.token),
            make_hit(pixel, token=recipient.token),
            make_image(b"zebra"),
        ]
        assert [type(one) for one in values] == [Pixel, Recipient, Open, Hit, Image]
        for shown in map(repr, values):
            assert "zebra" not in shown
            assert recipient.token not in shown
            assert "192.0.2.1" not in shown

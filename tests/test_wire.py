"""The model as JSON, field by field."""

import json
from datetime import UTC, timedelta

import attrs
import pytest

from mailtrack import Certainty, Client, Count, OpenSpan, OpenSpans, Page, Urls, Verdict, VerdictKind
from mailtrack import _wire as wire
from mailtrack.report import Delay, make_report
from mailtrack.storage import Figures
from mailtrack.testing import make_api_key, make_open, make_pixel, make_recipient, make_recipients
from mailtrack.testing._factories import NOON

URLS = Urls("https://mail.example.com")
TIME = "2025-11-06T12:00:00.000Z"
NEVER = {"number": 0, "first": None, "last": None}
OPENED_ONCE = OpenSpans(raw=OpenSpan(number=1, first=NOON, last=NOON))


class TestPixel:
    def test_it_has_its_url_and_its_counts(self) -> None:
        pixel = attrs.evolve(
            make_pixel("Spring"),
            recipients=3,
            opens=OPENED_ONCE,
            views=Count(2, 4),
            opened=Count(0, 1),
            prefetched=1,
        )
        assert wire.pixel(pixel, URLS) == {
            "id": pixel.id,
            "name": "Spring",
            "createdAt": TIME,
            "imagePath": None,
            "archived": False,
            "note": "",
            "recipients": 3,
            "opens": {"number": 1, "first": TIME, "last": TIME},
            "counted": NEVER,
            "views": 4,
            "countedViews": 2,
            "opened": 0,
            "openedRaw": 1,
            "prefetched": 1,
            "trackingUrl": f"https://mail.example.com/tracker/{pixel.short_id}.png",
            "logsUrl": f"https://mail.example.com/logs/{pixel.short_id}",
        }

    def test_its_image_is_a_path(self) -> None:
        assert wire.pixel(make_pixel(image="a.png"), URLS)["imagePath"] == "/uploads/a.png"


class TestRecipient:
    def test_it_has_its_url_and_its_opens(self) -> None:
        pixel = make_pixel()
        recipient = make_recipient(pixel, "ann@example.org")
        assert wire.recipient(recipient, pixel, URLS) == {
            "id": recipient.id,
            "email": "ann@example.org",
            "ref": None,
            "data": None,
            "token": recipient.token,
            "createdAt": TIME,
            "sentAt": None,
            "state": "none",
            "opens": NEVER,
            "counted": NEVER,
            "trackingUrl": f"https://mail.example.com/tracker/{pixel.short_id}.png?token={recipient.token}",
        }

    def test_it_has_its_reference_and_its_data(self) -> None:
        pixel = make_pixel()
        recipient = attrs.evolve(make_recipient(pixel), ref="INV-1", data={"n": [1, {"m": None}]})
        found = wire.recipient(recipient, pixel, URLS)
        assert (found["ref"], found["data"]) == ("INV-1", {"n": [1, {"m": None}]})
        assert json.loads(json.dumps(found)) == found

    def test_among_those_of_several_pixels_it_has_its_pixel(self) -> None:
        pixel = make_pixel("Spring")
        recipient = make_recipient(pixel)
        found = wire.found_recipient(recipient, pixel, URLS)
        assert found == wire.recipient(recipient, pixel, URLS) | {"pixelId": pixel.id, "pixelName": "Spring"}


class TestOpen:
    def test_it_has_its_verdict_with_all_reasons_and_its_client(self) -> None:
        pixel = make_pixel()
        recipient = make_recipient(pixel)
        verdict = Verdict(
            kind=VerdictKind.PROXY, vendor="Vendor", reasons=("a", "b"), certainty=Certainty.CERTAIN, rules_version=2
        )
        client = Client(name="Thunderbird", version="128", os="Linux", device="desktop")
        judged = {"client": client, "counted": False, "signals": ("repeat",), "age": 1.5}
        value = attrs.evolve(make_open(pixel, recipient, verdict=verdict), token=recipient.token, **judged)
        assert wire.open_(value) == {
            "id": value.id,
            "recipientId": recipient.id,
            "token": recipient.token,
            "openedAt": TIME,
            "ip": "192.0.2.1",
            "userAgent": "Mozilla/5.0",
            "referer": "https://mail.example.com/",
            "verdict": {
                "kind": "proxy",
                "vendor": "Vendor",
                "reasons": ["a", "b"],
                "certainty": "certain",
                "rulesVersion": 2,
            },
            "client": {"name": "Thunderbird", "version": "128", "os": "Linux", "device": "desktop"},
            "counted": False,
        }

    def test_what_is_not_known_is_null(self) -> None:
        found = wire.open_(make_open(make_pixel()))
        assert (found["recipientId"], found["token"]) == (None, None)
        assert (found["verdict"]["kind"], found["verdict"]["certainty"]) == ("unknown", None)

    def test_it_is_made_of_the_types_of_json(self) -> None:
        found = wire.open_(make_open(make_pixel(), verdict=Verdict(kind=VerdictKind.BOT, reasons=("a",))))
        assert json.loads(json.dumps(found)) == found


class TestPage:
    def test_it_has_its_items_and_the_cursor(self) -> None:
        assert wire.page(Page(items=(1, 2), next="2"), lambda one: {"n": one}) == {
            "items": [{"n": 1}, {"n": 2}],
            "next": "2",
        }

    def test_the_last_one_has_no_cursor(self) -> None:
        assert wire.page(Page(items=()), wire.open_) == {"items": [], "next": None}


class TestGeneratedTokens:
    def test_it_is_as_documented(self) -> None:
        pixel = make_pixel()
        one, other = make_recipients(pixel, ["ann@example.org", "bob@example.org"])
        url = f"https://mail.example.com/tracker/{pixel.short_id}.png?token="
        assert wire.generated_tokens(pixel, [one, other], URLS) == {
            "success": True,
            "pixelId": pixel.id,
            "generated": 2,
            "tokens": [
                {"email": "ann@example.org", "token": one.token, "trackingUrl": url + one.token, "recipientId": one.id},
                {
                    "email": "bob@example.org",
                    "token": other.token,
                    "trackingUrl": url + other.token,
                    "recipientId": other.id,
                },
            ],
        }


class TestApiKey:
    def test_it_has_nothing_that_could_open_a_door(self) -> None:
        key = make_api_key("Nightly export")
        assert wire.api_key(key) == {"id": key.id, "name": "Nightly export", "createdAt": TIME}


class TestReport:
    @pytest.mark.parametrize(
        ("delay", "seconds"),
        [
            (timedelta(microseconds=1_234_567), 1.235),
            (timedelta(microseconds=400), 0.0),
            (timedelta(days=2), 172_800.0),
        ],
    )
    def test_spans_of_time_are_seconds_to_the_millisecond(self, delay: timedelta, seconds: float) -> None:
        figures = Figures(pixel=make_pixel(), hours=(), facets=(), delays=(), top=())
        report = attrs.evolve(make_report(figures, zone=UTC), delay=Delay(delay, None))
        assert wire.report(report, URLS)["delay"] == {"counted": seconds, "raw": None}

    def test_the_ends_of_ranges_are_whole_seconds(self) -> None:
        figures = Figures(pixel=make_pixel(), hours=(), facets=(), delays=(), top=())
        found = wire.report(make_report(figures, zone=UTC), URLS)["delays"]
        assert [one["within"] for one in found][:3] == [60.0, 300.0, 900.0]
        assert found[-1]["within"] is None

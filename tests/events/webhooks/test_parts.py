"""Signatures, and what an answer means for a delivery and its webhook."""

import base64
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import attrs
import pytest
from standardwebhooks import Webhook as Verifier

from mailtrack import InvalidInput
from mailtrack._events.webhooks.client import Answer, _to_wait
from mailtrack._events.webhooks.schedule import after_try, judge
from mailtrack._events.webhooks.signing import make_headers, new_secret, secrets_of
from mailtrack.testing._factories import make_delivery, make_webhook
from mailtrack.webhooks import DeliveryState

NOW = datetime(2025, 11, 6, 12, tzinfo=UTC)
BODY = b'{"type":"open"}'


class TestSigning:
    def test_a_secret_is_24_random_bytes(self):
        made = {new_secret() for _ in range(100)}
        assert len(made) == 100
        assert {len(base64.b64decode(one.removeprefix("whsec_"), validate=True)) for one in made} == {24}

    def test_the_signature_is_as_the_reference_library_makes_it(self):
        secret = new_secret()
        headers = make_headers("evt_1", NOW, BODY, [secret])
        expected = Verifier(secret).sign("evt_1", NOW, BODY.decode())
        assert headers == {
            "webhook-id": "evt_1",
            "webhook-timestamp": str(int(NOW.timestamp())),
            "webhook-signature": expected,
        }

    def test_several_secrets_make_several_signatures_in_one_header(self):
        secrets = [new_secret(), new_secret()]
        both = make_headers("evt_1", NOW, BODY, secrets)["webhook-signature"].split(" ")
        assert both == [make_headers("evt_1", NOW, BODY, [one])["webhook-signature"] for one in secrets]

    @pytest.mark.parametrize(("left", "number"), [(1, 2), (0, 1), (-1, 1)])
    def test_the_former_secret_signs_until_its_time(self, left, number):
        webhook = make_webhook(former_secret=new_secret(), former_until=NOW + timedelta(seconds=left))
        assert secrets_of(webhook, NOW) == [webhook.secret, webhook.former_secret][:number]

    @pytest.mark.parametrize(
        "secret",
        [
            *("", "whsec_", "secret", base64.b64encode(bytes(24)).decode(), "whsec_????", "whsec_\N{EURO SIGN}"),
            "WHSEC_" + base64.b64encode(bytes(24)).decode(),
            *("whsec_" + base64.b64encode(bytes(length)).decode() for length in (0, 1, 23, 65, 1000)),
            "whsec_" + base64.b64encode(bytes(24)).decode() + "\n",
        ],
    )
    def test_what_is_no_secret_is_refused_and_not_quoted(self, secret):
        with pytest.raises(InvalidInput) as raised:
            make_headers("evt_1", NOW, BODY, [new_secret(), secret])
        assert len(secret) < 10 or secret not in str(raised.value)


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            *(("0", 0), ("120", 120), (" 120 ", 120), ("86400", 86400), ("86401", 86400), ("9" * 5000, 86400)),
            *((None, 0), ("", 0), ("-1", 0), ("1.5", 0), ("soon", 0), ("\N{SUPERSCRIPT TWO}", 0), ("1e3", 0)),
            *(("Thu, 99 Nov 2025 12:00:00 GMT", 0), ("Thu, 06 Nov 99999 12:00:00 GMT", 0), (",", 0), ("1, 2", 0)),
        ],
    )
    def test_seconds_are_bounded_and_garbage_is_none(self, text, seconds):
        assert _to_wait(text) == timedelta(seconds=seconds)

    @pytest.mark.parametrize(("hours", "low", "high"), [(-1, 0, 0), (2, 7100, 7200), (1000, 86400, 86400)])
    def test_a_date_of_http_is_read(self, hours, low, high):
        text = format_datetime(datetime.now(UTC) + timedelta(hours=hours), usegmt=True)
        assert low <= _to_wait(text).total_seconds() <= high


class TestAfterTry:
    def test_success_ends_it(self):
        delivery = make_delivery()
        assert after_try(delivery, Answer(204), NOW) == attrs.evolve(
            delivery, state="delivered", tries=1, next_try_at=None, last_status=204, ended_at=NOW
        )

    def test_a_longer_wait_than_the_schedules_is_kept_and_a_shorter_is_not(self):
        for asked, expected in [(3600, 3600), (1, 5)]:
            tried = after_try(make_delivery(), Answer(503, "HTTP 503", timedelta(seconds=asked)), NOW)
            assert 0 <= (tried.next_try_at - NOW).total_seconds() - expected <= 1

    def test_delays_differ(self):
        assert len({after_try(make_delivery(), Answer(500, "HTTP 500"), NOW).next_try_at for _ in range(50)}) > 10

    @pytest.mark.parametrize(("tries", "state"), [(8, DeliveryState.PENDING), (9, DeliveryState.FAILED)])
    def test_the_tenth_failure_is_the_last(self, tries, state):
        delivery = attrs.evolve(make_delivery(), tries=tries)
        assert after_try(delivery, Answer(error="timed out after 15 s"), NOW).state is state


class TestJudge:
    def test_five_days_without_a_success_disable_and_no_moment_less(self):
        webhook = make_webhook(failing_since=NOW - timedelta(days=5) + timedelta(milliseconds=1))
        answer = Answer(error="connection refused")
        assert judge(webhook, answer, NOW) == webhook
        disabled = judge(webhook, answer, NOW + timedelta(milliseconds=1))
        assert not disabled.enabled
        assert disabled.disabled_reason.endswith("The last failure: connection refused")

    def test_a_success_between_begins_anew(self):
        failing = judge(make_webhook(), Answer(500, "HTTP 500"), NOW)
        assert failing.failing_since == NOW
        works = judge(failing, Answer(200), NOW + timedelta(days=4))
        later = NOW + timedelta(days=6)
        assert judge(works, Answer(500, "HTTP 500"), later).failing_since == later

    def test_what_its_owner_disabled_gets_no_reason(self):
        webhook = make_webhook(enabled=False, failing_since=NOW)
        assert judge(webhook, Answer(410, "HTTP 410"), NOW) == webhook

"""`Tracker.webhooks`: what a program does with webhooks."""

from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from mailtrack import (
    InvalidArgument,
    InvalidPaging,
    InvalidSetting,
    InvalidWebhook,
    PixelNotFound,
    StorageError,
    Tracker,
    VerdictKind,
    WebhookNotFound,
)
from mailtrack.webhooks import DeliveryState


class TestAdding:
    def test_a_new_webhook_has_a_secret_and_its_filters(self, tracker, pixel):
        added = tracker.webhooks.add(
            "https://CRM.example.org/hook?a=1",
            first="first",
            kinds=["human", VerdictKind.PROXY],
            pixels=[pixel.short_id],
        )
        assert (added.url, added.first, added.kinds) == (
            "https://crm.example.org/hook?a=1",
            "first",
            {VerdictKind.HUMAN, VerdictKind.PROXY},
        )
        assert (added.pixels, added.enabled, added.secret[:6], len(added.id)) == ({pixel.id}, True, "whsec_", 16)
        assert tracker.webhooks.list() == [tracker.webhooks.get(added.id)] == [added]

    def test_it_takes_the_first_open_that_counts_of_each_recipient_where_nothing_else_is_said(self, tracker):
        added = tracker.webhooks.add("https://crm.example.org/")
        assert (added.first, added.kinds, added.pixels) == ("firstCounted", None, None)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"first": "second"},
            {"kinds": ["person"]},
            {"kinds": []},
            {"kinds": "human"},
            {"pixels": []},
            {"pixels": "a"},
        ],
    )
    def test_a_filter_that_is_none_is_refused(self, tracker, wrong):
        with pytest.raises(InvalidArgument):
            tracker.webhooks.add("https://crm.example.org/", **wrong)
        assert tracker.webhooks.list() == []

    def test_a_pixel_that_does_not_exist_is_refused(self, tracker):
        with pytest.raises(PixelNotFound):
            tracker.webhooks.add("https://crm.example.org/", pixels=["0" * 8])

    @pytest.mark.parametrize("url", ["http://10.0.0.1/", "ftp://example.org/", "crm", ""])
    def test_a_url_that_the_guard_refuses_is_refused(self, tracker, url):
        with pytest.raises(InvalidWebhook):
            tracker.webhooks.add(url)

    def test_a_url_that_is_no_text_is_refused(self, tracker):
        with pytest.raises(InvalidArgument):
            tracker.webhooks.add(None)

    @pytest.mark.parametrize("wrong", ["127.0.0.0/8", ["127.0.0.1/8"], ["here"], [None]])
    def test_networks_that_are_none_are_refused(self, memory, wrong):
        with pytest.raises(InvalidSetting, match="webhook_allow"):
            Tracker(memory, webhook_allow=wrong)

    def test_a_storage_that_can_have_none_says_so(self, memory):
        class Bare:
            def __getattr__(self, name):
                if "webhook" in name or "deliver" in name or "outbox" in name:
                    raise AttributeError(name)
                return getattr(memory, name)

        with pytest.raises(StorageError, match="webhooks"):
            Tracker(Bare()).webhooks  # noqa: B018  # to read it is the test


class TestChanging:
    @pytest.fixture
    def added(self, tracker):
        return tracker.webhooks.add("https://crm.example.org/", kinds=["human"])

    def test_what_is_given_changes_and_the_rest_stays(self, tracker, added, pixel):
        changed = tracker.webhooks.update(added, url="https://two.example.org", first="any", pixels=[pixel])
        assert (changed.url, changed.first, changed.kinds, changed.pixels, changed.secret) == (
            "https://two.example.org/",
            "any",
            {VerdictKind.HUMAN},
            {pixel.id},
            added.secret,
        )
        assert tracker.webhooks.get(added.id) == changed

    def test_none_takes_filters_away(self, tracker, added, pixel):
        tracker.webhooks.update(added.id, pixels=[pixel])
        changed = tracker.webhooks.update(added.id, kinds=None, pixels=None)
        assert (changed.kinds, changed.pixels) == (None, None)

    @pytest.mark.parametrize("wrong", [{"enabled": "no"}, {"first": "x"}, {"kinds": []}, {"url": "x"}])
    def test_what_can_not_be_used_changes_nothing(self, tracker, added, wrong):
        with pytest.raises((InvalidArgument, InvalidWebhook)):
            tracker.webhooks.update(added.id, **wrong)
        assert tracker.webhooks.get(added.id) == added

    def test_a_deleted_one_is_gone(self, tracker, added):
        assert tracker.webhooks.delete(added.id) == added
        for method in ("get", "delete", "update", "rotate", "test", "list_deliveries"):
            with pytest.raises(WebhookNotFound):
                getattr(tracker.webhooks, method)(added.id)

    def test_an_unusable_page_is_refused(self, tracker, added):
        with pytest.raises(InvalidPaging):
            tracker.webhooks.list_deliveries(added, limit=0)
        with pytest.raises(InvalidArgument):
            tracker.webhooks.list_deliveries(added, state="lost")


class TestSigning:
    def test_the_secret_verifies_what_is_sent(self, tracker, receiver, webhook, clock):
        tracker.webhooks.test(webhook)
        (message,) = receiver.wait(1)
        verify_at(message, clock, webhook.secret)

    def test_both_secrets_verify_for_a_day_after_a_rotation(self, tracker, receiver, webhook, clock):
        rotated = tracker.webhooks.rotate(webhook)
        clock.advance(hours=23.99)
        tracker.webhooks.test(webhook)
        verify_at(receiver.wait(1)[0], clock, webhook.secret, rotated.secret)
        assert rotated.secret != webhook.secret

    def test_only_the_new_one_verifies_after_that(self, tracker, receiver, webhook, clock):
        rotated = tracker.webhooks.rotate(webhook)
        clock.advance(hours=24)
        tracker.webhooks.test(webhook)
        (message,) = receiver.wait(1)
        verify_at(message, clock, rotated.secret)
        with pytest.raises(WebhookVerificationError):
            verify_at(message, clock, webhook.secret)

    def test_all_secrets_of_the_last_day_verify_after_several_rotations(self, tracker, receiver, webhook, clock):
        secrets = [webhook.secret]
        for _ in range(2):
            clock.advance(hours=11)
            secrets.append(tracker.webhooks.rotate(webhook).secret)
        tracker.webhooks.test(webhook)
        verify_at(receiver.wait(1)[0], clock, *secrets)
        clock.advance(hours=24)
        secrets.append(tracker.webhooks.rotate(webhook).secret)
        tracker.webhooks.test(webhook)
        _, message = receiver.wait(2)
        verify_at(message, clock, *secrets[-2:])
        assert len(message.headers["webhook-signature"].split()) == 2

    def test_the_last_three_secrets_before_sign_however_often_it_is_rotated(self, tracker, receiver, webhook, clock):
        secrets = [tracker.webhooks.rotate(webhook).secret for _ in range(10)]
        tracker.webhooks.test(webhook)
        (message,) = receiver.wait(1)
        verify_at(message, clock, *secrets[-4:])
        assert len(message.headers["webhook-signature"].split()) == 4

    def test_a_body_that_was_changed_is_not_verified(self, tracker, receiver, webhook):
        tracker.webhooks.test(webhook)
        (message,) = receiver.wait(1)
        with pytest.raises(WebhookVerificationError):
            Verifier(webhook.secret).verify(message.body + b" ", message.headers)


def verify_at(message, clock, *secrets):
    """Verify a message as at the time of a clock, which the verifier does not know."""
    assert message.headers["webhook-timestamp"] == str(int(clock().timestamp()))
    for secret in secrets:
        sent = datetime.fromtimestamp(int(message.headers["webhook-timestamp"]), UTC)
        expected = Verifier(secret).sign(message.id, sent, message.body.decode())
        if expected not in message.headers["webhook-signature"].split():
            raise WebhookVerificationError


class TestTest:
    def test_a_test_is_a_message_of_its_own_kind_and_nothing_is_stored(self, tracker, receiver, webhook):
        tested = tracker.webhooks.test(webhook)
        (message,) = receiver.wait(1)
        assert (tested.state, tested.last_status, tested.error, tested.tries) == (DeliveryState.DELIVERED, 204, None, 1)
        assert message.event == {
            "id": tested.event_id,
            "type": "test",
            "timestamp": message.event["timestamp"],
            "data": {},
        }
        assert tracker.webhooks.list_deliveries(webhook).items == ()

    def test_a_failure_is_shown_and_changes_nothing(self, tracker, receiver, webhook):
        receiver.status = 500
        tested = tracker.webhooks.test(webhook)
        assert (tested.state, tested.last_status, tested.error) == (DeliveryState.FAILED, 500, "HTTP 500")
        assert tracker.webhooks.get(webhook.id) == webhook

    def test_a_disabled_one_can_be_tested(self, tracker, webhook):
        tracker.webhooks.update(webhook, enabled=False)
        assert tracker.webhooks.test(webhook).state is DeliveryState.DELIVERED


class TestReplay:
    @pytest.mark.parametrize("since", ["2025-01-01", None, datetime(2020, 1, 1)])  # one without a zone
    def test_a_time_that_is_none_is_refused(self, tracker, webhook, since):
        with pytest.raises(InvalidArgument):
            tracker.webhooks.replay(webhook, since=since)

    def test_the_future_is_refused(self, tracker, webhook, clock):
        with pytest.raises(InvalidArgument):
            tracker.webhooks.replay(webhook, since=clock() + timedelta(seconds=1))


def test_what_a_deletion_leaves_is_swept(tracker):
    swept = []
    sweep = tracker._storage.sweep
    tracker._storage.sweep = lambda: swept.append(tracker.webhooks.list()) or sweep()
    tracker.webhooks.delete(tracker.webhooks.add("https://crm.example.org/"))
    assert swept == [[]]

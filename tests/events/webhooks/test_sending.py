"""Events are sent to webhooks in the background, and tried again by the schedule."""

import logging
import threading
from datetime import timedelta

import attrs
import pytest

from mailtrack import Tracker
from mailtrack._events.webhooks.endpoint import Endpoint
from mailtrack._events.webhooks.filling import fill
from mailtrack._events.webhooks.guard import to_networks
from mailtrack.webhooks import DeliveryState

pytestmark = pytest.mark.usefixtures("webhook")

MINUTES, HOURS = 60, 3600
SCHEDULE = [5, 5 * MINUTES, 30 * MINUTES, *(hours * HOURS for hours in (2, 5, 10, 14, 20, 24))]


@pytest.fixture
def deliveries(tracker, webhook):
    """Returns all deliveries of the webhook, the first added first."""
    return lambda: tuple(reversed(tracker.webhooks.list_deliveries(webhook, limit=1000).items))


@pytest.fixture
def states(deliveries):
    return lambda: [one.state.value for one in deliveries()]


class TestDelivering:
    def test_an_open_is_sent_as_the_event_that_the_feed_has(self, tracker, receiver, open_by, states, wait_until):
        tracker.start()
        open_by("ann@example.org")
        (message,) = receiver.wait(1)
        (event,) = tracker.iter_events()
        assert (message.id, message.event["id"], message.event["type"]) == (event.id, event.id, "open")
        assert message.event["data"]["recipient"]["email"] == "ann@example.org"
        assert message.headers["content-type"] == "application/json"
        wait_until(lambda: states() == ["delivered"])

    def test_events_before_the_webhook_are_not_sent(self, tracker, make_receiver, open_by):
        open_by("ann@example.org")
        receiver = make_receiver()
        tracker.webhooks.add(receiver.url, first="any")
        tracker.start()
        open_by("bob@example.com")
        (message,) = receiver.wait(1)
        assert message.event["data"]["recipient"]["email"] == "bob@example.com"

    def test_filters_hold(self, tracker, make_receiver, pixel, thunderbird):
        other = tracker.create_pixel("Other")
        wanted = {
            "any": {"first": "any"},
            "first": {"first": "first"},
            "counted": {"first": "firstCounted"},
            "bots": {"first": "any", "kinds": ["bot"]},
            "other": {"first": "any", "pixels": [other]},
        }
        receivers = {name: make_receiver() for name in wanted}
        for name, filters in wanted.items():
            tracker.webhooks.add(receivers[name].url, **filters)
        (ann,) = tracker.generate_tokens(pixel, ["ann@example.org"])
        for user_agent in ("curl/8.0", thunderbird, thunderbird):
            tracker.record(pixel, token=ann.token, user_agent=user_agent)
        tracker.record(other, user_agent=thunderbird)
        bot, first, second, bare = (event.id for event in tracker.iter_events())
        assert not next(tracker.iter_events()).open.counted
        tracker.start()
        expected = {"any": [first, second, bare], "first": [], "counted": [first], "bots": [bot], "other": [bare]}
        for name, ids in expected.items():
            assert sorted(one.id for one in receivers[name].wait(len(ids))) == sorted(ids)
        tracker.stop()
        assert {name: len(one.messages) for name, one in receivers.items()} == {
            name: len(ids) for name, ids in expected.items()
        }

    def test_what_is_erased_before_it_is_sent_is_not_sent(self, tracker, receiver, open_by, deliveries, wait_until):
        receiver.status = 500
        tracker.start()
        open_by("ann@example.org")
        wait_until(lambda: deliveries() and deliveries()[0].tries)
        tracker.stop()
        tracker.erase("ann@example.org")
        receiver.status = 204
        tracker._clock.advance(seconds=6)
        tracker.start()
        _, message = receiver.wait(2)
        assert b"ann@example.org" in receiver.messages[0].body
        assert b"ann@example.org" not in message.body
        assert (message.event["data"]["recipient"], message.event["data"]["open"]["userAgent"]) == (None, "")

    def test_an_event_that_is_gone_is_given_up(self, tracker, receiver, open_by, pixel, deliveries, wait_until):
        receiver.status = 500
        tracker.start()
        open_by("ann@example.org")
        wait_until(lambda: deliveries() and deliveries()[0].tries)
        tracker.delete_pixel(pixel)
        tracker._clock.advance(seconds=6)
        wait_until(lambda: deliveries()[0].state is DeliveryState.FAILED)
        assert (deliveries()[0].error, len(receiver.messages)) == ("The event does not exist any more.", 1)


class TestRetrying:
    def test_a_failure_is_tried_again_by_the_schedule_and_then_given_up(
        self, tracker, receiver, webhook, open_by, deliveries, clock, wait_until
    ):
        receiver.status = 500
        tracker.start()
        open_by("ann@example.org")
        for tries, seconds in enumerate(SCHEDULE, start=1):
            wait_until(lambda tries=tries: deliveries() and deliveries()[0].tries == tries)
            delay = (deliveries()[0].next_try_at - clock()).total_seconds()
            assert seconds <= delay <= seconds * 1.1
            clock.advance(seconds=delay)
            tracker.webhooks.update(webhook, enabled=True)  # else it would be disabled after five days
        wait_until(lambda: deliveries()[0].state is DeliveryState.FAILED)
        (failed,) = deliveries()
        assert (failed.tries, failed.next_try_at, failed.last_status, failed.error) == (10, None, 500, "HTTP 500")
        assert len({message.id for message in receiver.wait(10)}) == 1

    @pytest.mark.parametrize("status", [429, 503])
    def test_an_endpoint_that_asks_to_wait_is_waited_for(
        self, tracker, receiver, open_by, deliveries, clock, wait_until, status
    ):
        receiver.status, receiver.headers = status, {"Retry-After": "1200"}
        tracker.start()
        open_by("ann@example.org")
        wait_until(lambda: deliveries() and deliveries()[0].tries)
        assert deliveries()[0].next_try_at == clock() + timedelta(seconds=1200)

    def test_an_endpoint_that_asks_to_wait_gets_nothing_else_meanwhile(
        self, tracker, receiver, open_by, deliveries, states, clock, wait_until
    ):
        receiver.status, receiver.headers = 429, {"Retry-After": "1200"}
        open_by(*(f"a{number}@example.org" for number in range(100)))
        tracker.start()
        later = clock() + timedelta(seconds=1200)
        wait_until(lambda: sum(one.next_try_at == later for one in deliveries()) >= 20)
        assert len(receiver.messages) <= 4  # one by each thread
        receiver.status, receiver.headers = 204, {}
        clock.advance(seconds=1200)
        wait_until(lambda: states() == ["delivered"] * 100)

    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    def test_a_redirect_is_a_failure(self, tracker, receiver, make_receiver, open_by, deliveries, wait_until, status):
        other = make_receiver()
        receiver.status, receiver.headers = status, {"Location": other.url}
        tracker.start()
        open_by("ann@example.org")
        wait_until(lambda: deliveries() and deliveries()[0].tries)
        assert (deliveries()[0].last_status, other.messages) == (status, [])

    def test_a_success_ends_the_failing(self, tracker, receiver, webhook, open_by, clock, states, wait_until):
        receiver.status = 500
        tracker.start()
        open_by("ann@example.org")
        wait_until(lambda: tracker.webhooks.get(webhook).failing_since == clock())
        receiver.status = 200
        clock.advance(seconds=6)
        wait_until(lambda: states() == ["delivered"])
        assert tracker.webhooks.get(webhook).failing_since is None


class TestChangingTheUrl:
    def test_the_next_events_go_to_the_new_one(self, tracker, memory, clock, receiver, make_receiver, webhook, open_by):
        other = make_receiver()
        open_by("ann@example.org", "bob@example.com")
        assert fill(memory, memory.get_webhook(webhook.id), clock())
        hook = memory.get_webhook(webhook.id)
        taken = memory.take_deliveries(hook.id, now=clock(), until=clock() + timedelta(minutes=1), limit=1)
        receiver.open.clear()
        endpoint = Endpoint(memory, hook, taken, to_networks(["127.0.0.0/8"]), clock)
        endpoint.start()
        receiver.wait(1)
        tracker.webhooks.update(webhook, url=other.url)
        receiver.open.set()
        other.wait(1)
        endpoint.join(20)
        assert not endpoint.is_alive()
        assert (len(receiver.messages), len(other.messages)) == (1, 1)

    def test_the_new_one_does_not_wait_because_the_former_asked_to(
        self, tracker, receiver, make_receiver, webhook, open_by, deliveries, wait_until
    ):
        other = make_receiver()
        receiver.status, receiver.headers = 503, {"Retry-After": "1200"}
        tracker.start()
        open_by("ann@example.org")
        wait_until(lambda: deliveries() and deliveries()[0].tries)
        tracker.webhooks.update(webhook, url=other.url)
        open_by("bob@example.com")
        assert other.wait(1)[0].event["data"]["recipient"]["email"] == "bob@example.com"


class TestDisabling:
    def test_410_disables_at_once(self, tracker, receiver, webhook, open_by, states, wait_until, caplog):
        receiver.status = 410
        tracker.start()
        with caplog.at_level(logging.WARNING, "mailtrack"):
            open_by("ann@example.org")
            wait_until(lambda: states() == ["failed"])
        found = tracker.webhooks.get(webhook)
        assert (found.enabled, found.disabled_reason) == (False, "The endpoint answered with 410 Gone.")
        assert f"Webhook {webhook.id} is disabled" in caplog.text

    def test_410_of_a_former_url_disables_nothing_and_the_new_one_gets_the_event(
        self, tracker, receiver, make_receiver, webhook, open_by
    ):
        other = make_receiver()
        receiver.status = 410
        receiver.open.clear()
        tracker.start()
        open_by("ann@example.org")
        (message,) = receiver.wait(1)
        tracker.webhooks.update(webhook, url=other.url)
        receiver.open.set()
        assert other.wait(1)[0].id == message.id
        found = tracker.webhooks.get(webhook)
        assert (found.enabled, found.failing_since) == (True, None)

    def test_five_days_of_failures_disable(self, tracker, receiver, webhook, open_by, clock, wait_until):
        receiver.status = 500
        tracker.start()
        open_by("ann@example.org")
        wait_until(lambda: tracker.webhooks.get(webhook).failing_since)
        clock.advance(days=5)
        wait_until(lambda: not tracker.webhooks.get(webhook).enabled)
        assert "failed for 5 days" in tracker.webhooks.get(webhook).disabled_reason

    def test_enabled_again_it_gets_what_was_due_and_what_came_meanwhile(
        self, tracker, receiver, webhook, open_by, clock, states, wait_until
    ):
        receiver.status = 500
        tracker.start()
        open_by("ann@example.org")
        wait_until(lambda: tracker.webhooks.get(webhook).failing_since)
        tracker.webhooks.update(webhook, enabled=False)
        open_by("bob@example.com")
        receiver.status = 204
        clock.advance(seconds=6)
        assert tracker.webhooks.update(webhook, enabled=True).failing_since is None
        wait_until(lambda: states() == ["delivered", "delivered"])
        emails = [one.event["data"]["recipient"]["email"] for one in receiver.wait(3)]
        assert sorted(emails) == ["ann@example.org", "ann@example.org", "bob@example.com"]

    def test_it_keeps_the_reason_where_it_is_disabled_again(self, tracker, receiver, webhook, open_by, wait_until):
        receiver.status = 410
        tracker.start()
        open_by("ann@example.org")
        wait_until(lambda: not tracker.webhooks.get(webhook).enabled)
        reason = "The endpoint answered with 410 Gone."
        assert tracker.webhooks.update(webhook, enabled=False).disabled_reason == reason
        assert tracker.webhooks.update(webhook, enabled=True).disabled_reason is None

    def test_a_disabled_one_gets_nothing(self, tracker, receiver, make_receiver, webhook, open_by):
        other = make_receiver()
        tracker.webhooks.add(other.url, first="any")
        tracker.webhooks.update(webhook, enabled=False)
        tracker.start()
        open_by("ann@example.org")
        other.wait(1)
        tracker.stop()
        assert receiver.messages == []


class TestReplaying:
    def test_all_events_since_a_time_are_sent_again_with_their_ids(
        self, tracker, receiver, webhook, open_by, clock, states, wait_until
    ):
        tracker.start()
        open_by("ann@example.org")
        wait_until(lambda: states() == ["delivered"])
        clock.advance(hours=1)
        since = clock()
        open_by("bob@example.com", "cem@example.org")
        wait_until(lambda: states() == ["delivered"] * 3)
        tracker.webhooks.replay(webhook, since=since)
        ids = [one.id for one in receiver.wait(5)]
        wait_until(lambda: states() == ["delivered"] * 3)
        assert sorted(ids[3:]) == sorted(ids[1:3])
        clock.advance(hours=1)
        open_by("dan@example.net")
        assert receiver.wait(6)[5].event["data"]["recipient"]["email"] == "dan@example.net"

    def test_what_failed_is_sent_again(self, tracker, receiver, webhook, open_by, clock, states, wait_until):
        receiver.status = 410
        since = clock()
        tracker.start()
        open_by("ann@example.org")
        wait_until(lambda: states() == ["failed"])
        receiver.status = 204
        tracker.webhooks.update(webhook, enabled=True)
        tracker.webhooks.replay(webhook, since=since)
        wait_until(lambda: states() == ["delivered"])

    def test_what_came_before_that_time_and_was_not_sent_yet_is_sent_as_well(
        self, tracker, receiver, webhook, open_by, clock
    ):
        tracker.webhooks.update(webhook, enabled=False)
        open_by("ann@example.org", "bob@example.com")
        clock.advance(hours=1)
        since = clock()
        open_by("cem@example.org")
        tracker.webhooks.replay(webhook, since=since)
        tracker.webhooks.update(webhook, enabled=True)
        tracker.start()
        assert len({one.id for one in receiver.wait(3)}) == 3

    def test_one_replay_takes_nothing_from_another(
        self, tracker, receiver, webhook, open_by, clock, states, wait_until
    ):
        tracker.start()
        earlier = clock()
        open_by("ann@example.org")
        clock.advance(hours=1)
        later = clock()
        open_by("bob@example.com")
        wait_until(lambda: states() == ["delivered"] * 2)
        tracker.stop()
        for since in (earlier, later):
            tracker.webhooks.replay(webhook, since=since)
        tracker.start()
        emails = [one.event["data"]["recipient"]["email"] for one in receiver.wait(4)]
        assert sorted(emails) == ["ann@example.org"] * 2 + ["bob@example.com"] * 2


class TestSharing:
    def test_an_endpoint_that_hangs_holds_back_no_other(self, tracker, receiver, make_receiver, open_by):
        other = make_receiver()
        tracker.webhooks.add(other.url, first="any")
        receiver.open.clear()
        tracker.start()
        open_by(*(f"a{number}@example.org" for number in range(50)))
        assert len({one.id for one in other.wait(50)}) == 50
        assert len(receiver.messages) <= 4
        receiver.open.set()
        assert len({one.id for one in receiver.wait(50)}) == 50

    def test_several_trackers_share_an_outbox(self, tracker, memory, clock, receiver, open_by, states, wait_until):
        others = [Tracker(memory, clock=clock, webhook_allow=["127.0.0.0/8"]) for _ in range(3)]
        for one in (tracker, *others):
            one.start()
        try:
            open_by(*(f"a{number}@example.org" for number in range(200)))
            wait_until(lambda: states() == ["delivered"] * 200)
        finally:
            for one in others:
                one.stop()
        assert len(receiver.messages) == len({one.id for one in receiver.messages}) == 200

    def test_what_ended_long_ago_is_deleted(self, tracker, open_by, states, clock, wait_until):
        tracker.start()
        open_by("ann@example.org")
        wait_until(lambda: states() == ["delivered"])
        tracker.stop()
        clock.advance(days=30, seconds=1)
        tracker.start()
        wait_until(lambda: states() == [])


class TestStopping:
    def test_a_try_that_hangs_is_interrupted_and_counts_for_none(
        self, tracker, receiver, webhook, open_by, deliveries, wait_until
    ):
        receiver.open.clear()
        tracker.start()
        open_by("ann@example.org")
        receiver.wait(1)
        tracker.stop(timeout=0.6)
        assert not [one for one in threading.enumerate() if "mailtrack-webhook" in one.name]
        assert attrs.evolve(deliveries()[0], next_try_at=None).tries == 0
        assert tracker.webhooks.get(webhook).failing_since is None
        receiver.open.set()
        tracker.start()
        first, second = receiver.wait(2)
        assert first.id == second.id
        wait_until(lambda: deliveries()[0].state is DeliveryState.DELIVERED)

    def test_it_starts_again(self, tracker, receiver, open_by):
        for number in range(3):
            tracker.start()
            open_by(f"a{number}@example.org")
            receiver.wait(number + 1)
            tracker.stop()

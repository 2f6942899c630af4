"""`mailtrack webhooks`."""

import json
from datetime import UTC, datetime, timedelta

import attrs
import pytest

from mailtrack.cli._commands import webhooks as commands
from mailtrack.webhooks import Delivery, DeliveryState

URL = "https://crm.example.org/mailtrack"
UNKNOWN = "0" * 16


@pytest.fixture
def hook(tracker):
    return tracker.webhooks.add(URL)


@pytest.fixture
def add_failed(tracker, hook, add_deliveries):
    """Leaves deliveries of opens at some ages, in hours, that were given up; and one that arrived."""

    def add(*ages):
        now = tracker.now()

        def delivery(age, state, status, error):
            at = now - timedelta(hours=age)
            return Delivery(
                event_id=f"evt_{age:032x}",
                cursor="1.1",
                event_at=at,
                state=state,
                tries=10,
                last_status=status,
                error=error,
                ended_at=now,
            )

        failed = [delivery(age, DeliveryState.FAILED, 500, "The endpoint\x1b answered with 500.") for age in ages]
        add_deliveries(tracker, hook.id, *failed, delivery(9999, DeliveryState.DELIVERED, 204, None))
        return failed

    return add


def test_add_prints_the_secret_alone_and_this_once(run, tracker):
    added = run("webhooks", "add", URL)
    (hook,) = tracker.webhooks.list()
    assert added.stdout == f"{hook.secret}\n"
    assert added.stderr == f"The id of this webhook is {hook.id}. The secret is not shown again.\n"
    assert (hook.url, hook.first, hook.kinds, hook.pixels) == (URL, "firstCounted", None, None)
    assert hook.secret not in run("webhooks", "list").output + run("webhooks", "list", "--json").output


def test_add_takes_filters_and_prints_json(run, tracker, pixel):
    options = ["--first", "any", "--kind", "human", "--kind", "bot", "--pixel", pixel.short_id]
    shown = json.loads(run("webhooks", "add", URL, *options, "--json").stdout)
    (hook,) = tracker.webhooks.list()
    assert (hook.first, hook.kinds, hook.pixels) == ("any", {"human", "bot"}, {pixel.id})
    assert (shown["id"], shown["secret"], shown["pixels"]) == (hook.id, hook.secret, [pixel.id])


@pytest.mark.usefixtures("tracker")
@pytest.mark.parametrize(
    ("arguments", "exits"),
    [
        (["http://127.0.0.1/"], 1),
        (["http://10.0.0.1/", "--webhook-allow", "10.1.0.0/16"], 1),
        (["nonsense"], 1),
        ([URL, "--pixel", "00000000"], 1),
        ([URL, "--first", "last"], 2),
        ([URL, "--kind", "person"], 2),
        ([URL, "--webhook-allow", "localhost"], 2),
        ([URL, "--webhook-allow", "10.0.0.1/8"], 2),
    ],
)
def test_add_refuses_what_can_not_be_added(run, tracker, arguments, exits):
    result = run("webhooks", "add", *arguments, exits=exits)
    assert result.stderr.splitlines()[-1].startswith("Error: ")
    assert tracker.webhooks.list() == []


@pytest.mark.parametrize("way", ["option", "environment"])
def test_a_network_can_be_allowed(run, tracker, way):
    given = {"MAILTRACK_WEBHOOK_ALLOW": "192.0.2.0/24, 10.0.0.0/8"} if way == "environment" else None
    options = [] if given else ["--webhook-allow", "192.0.2.0/24", "--webhook-allow", "10.0.0.0/8"]
    run("webhooks", "add", "http://10.0.0.1/", *options, environment=given)
    assert len(tracker.webhooks.list()) == 1


def test_list_shows_states_and_pending_deliveries(run, tracker, hook, add_deliveries):
    now = tracker.now()
    add_deliveries(tracker, hook.id, Delivery(event_id="evt_1", cursor="1.1", event_at=now, next_try_at=now))
    other = tracker.webhooks.add("https://old.example.net/in", first="any")
    tracker.webhooks.update(other.id, enabled=False)
    rows = [line.split() for line in run("webhooks", "list").stdout.splitlines()]
    assert rows == [
        ["ID", "STATE", "PENDING", "FIRST", "URL", "REASON"],
        [hook.id, "active", "1", "firstCounted", URL],
        [other.id, "disabled", "0", "any", "https://old.example.net/in"],
    ]
    shown = [json.loads(line) for line in run("webhooks", "list", "--json").stdout.splitlines()]
    assert [(one["id"], one["enabled"], one["pending"]) for one in shown] == [(hook.id, True, 1), (other.id, False, 0)]


@pytest.mark.usefixtures("tracker")
def test_without_webhooks_lists_are_empty(run):
    assert len(run("webhooks", "list").stdout.splitlines()) == 1
    assert run("webhooks", "list", "--json").stdout == ""
    assert run("webhooks", "failed", "--json").stdout == ""


def test_remove_deletes_it(run, tracker, hook):
    assert run("webhooks", "remove", hook.id).stderr == f"Removed {hook.id}.\n"
    assert tracker.webhooks.list() == []


def test_it_is_disabled_and_enabled(run, tracker, hook):
    run("webhooks", "disable", hook.id)
    assert not tracker.webhooks.get(hook.id).enabled
    run("webhooks", "enable", hook.id)
    assert tracker.webhooks.get(hook.id).enabled


def test_rotate_prints_the_new_secret_this_once(run, tracker, hook):
    rotated = run("webhooks", "rotate", hook.id)
    found = tracker.webhooks.get(hook.id)
    assert rotated.stdout == f"{found.secret}\n"
    assert (found.secret != hook.secret, found.former_secret) == (True, hook.secret)
    assert json.loads(run("webhooks", "rotate", hook.id, "--json").stdout)["id"] == hook.id


@pytest.mark.parametrize(("status", "exits"), [(204, 0), (500, 1)])
def test_test_sends_an_event_and_says_what_became_of_it(run, tracker, receiving, status, exits):
    with receiving(status) as url:
        run("webhooks", "add", url, "--webhook-allow", "127.0.0.0/8")
        (hook,) = tracker.webhooks.list()
        result = run("webhooks", "test", hook.id, "--webhook-allow", "127.0.0.0/8", exits=exits)
        shown = json.loads(
            run("webhooks", "test", hook.id, "--json", "--webhook-allow", "127.0.0.1", exits=exits).stdout
        )
    assert str(status) in result.stdout
    assert (shown["state"], shown["lastStatus"]) == ("failed" if exits else "delivered", status)


def test_test_refuses_an_address_that_is_not_allowed_any_more(run, tracker, receiving):
    with receiving(204) as url:
        run("webhooks", "add", url, "--webhook-allow", "127.0.0.0/8")
        (hook,) = tracker.webhooks.list()
        assert run("webhooks", "test", hook.id, exits=1).stdout.startswith("Not delivered: ")


def test_failed_lists_what_was_given_up(run, hook, add_failed, tracker):
    other = tracker.webhooks.add("https://example.org/other")
    failed = add_failed(2, 1)
    text = run("webhooks", "failed").stdout
    assert [line.split()[2] for line in text.splitlines()[1:]] == [one.event_id for one in reversed(failed)]
    assert r"The endpoint\x1b answered with 500." in text
    shown = [json.loads(line) for line in run("webhooks", "failed", hook.id, "--json").stdout.splitlines()]
    assert [(one["webhookId"], one["eventId"], one["tries"]) for one in shown] == [
        (hook.id, one.event_id, 10) for one in reversed(failed)
    ]
    assert len(run("webhooks", "failed", other.id).stdout.splitlines()) == 1


def test_failed_keeps_one_page_at_a_time(run, add_failed, monkeypatch):
    add_failed(3, 2, 1)
    printed = []
    monkeypatch.setattr(commands, "MAX_LIMIT", 1)
    monkeypatch.setattr(commands, "echo_json", lambda *values: printed.append(len(values)))
    run("webhooks", "failed", "--json")
    assert printed == [1, 1, 1]


def test_replay_begins_with_the_oldest_failed_delivery(run, tracker, hook, add_failed):
    failed = add_failed(1, 5, 3)
    result = run("webhooks", "replay", hook.id)
    assert result.stderr.startswith("The events since ")
    assert tracker.webhooks.get(hook.id).replay_since == failed[1].event_at


def test_replay_begins_with_a_time(run, tracker, hook):
    run("webhooks", "replay", hook.id, "--since", "2025-11-06T13:00:00+01:00")
    assert tracker.webhooks.get(hook.id).replay_since == datetime(2025, 11, 6, 12, tzinfo=UTC)


def test_without_failures_and_a_time_replay_does_nothing(run, tracker, hook):
    result = run("webhooks", "replay", hook.id)
    assert result.stderr.startswith("No delivery has failed")
    assert tracker.webhooks.get(hook.id) == attrs.evolve(hook, after=tracker.webhooks.get(hook.id).after)


@pytest.mark.parametrize(("since", "exits"), [("yesterday", 2), ("2025-11-06T12:00", 2), ("2125-11-06T12:00Z", 1)])
def test_replay_refuses_no_time_and_the_future(run, tracker, hook, since, exits):
    run("webhooks", "replay", hook.id, "--since", since, exits=exits)
    assert tracker.webhooks.get(hook.id).replay_since is None


@pytest.mark.usefixtures("tracker")
@pytest.mark.parametrize("command", ["remove", "enable", "disable", "rotate", "test", "failed", "replay"])
@pytest.mark.parametrize("webhook", [UNKNOWN, "x", "", "\udcff"])
def test_an_unknown_webhook_is_not_found(run, command, webhook):
    result = run("webhooks", command, webhook, exits=1)
    assert (result.stdout, result.stderr) == ("", "Error: Webhook not found\n")

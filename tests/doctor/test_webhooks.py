"""Webhooks that are disabled or failing, and deliveries that are overdue."""

from datetime import UTC, datetime, timedelta

import attrs
import pytest

from mailtrack import Tracker, open_storage
from mailtrack.cli._doctor.webhooks import check_webhooks
from mailtrack.testing import make_open
from mailtrack.webhooks import Delivery

URL = "https://crm.example.org/mailtrack?secret=1"


@pytest.fixture
def storage(tmp_path):
    with open_storage(f"sqlite:///{tmp_path}/mailtrack.db") as opened:
        yield opened


@pytest.fixture
def tracker(storage):
    return Tracker(storage)


@pytest.fixture
def hook(tracker):
    return tracker.webhooks.add(URL)


@pytest.fixture
def change(storage):
    """Changes what is stored of a webhook, as the sender does."""

    def replace(hook, **changes):
        former = storage.get_webhook(hook.id)
        assert storage.change_webhook(former, attrs.evolve(former, **changes))

    return replace


@pytest.fixture
def check(storage):
    """Returns the findings by the name of their checks."""

    def run(later=timedelta(0)):
        return {one.check: one for one in check_webhooks(storage, datetime.now(UTC) + later)}

    return run


def test_without_webhooks_there_is_nothing_to_check(check):
    assert {name: one.outcome for name, one in check().items()} == {"webhooks": "ok"}


@pytest.mark.usefixtures("hook")
def test_a_sound_webhook_is_ok(check):
    assert {name: one.outcome for name, one in check().items()} == {"webhooks": "ok", "deliveries": "ok"}


def test_one_that_failures_have_disabled_is_a_warning(check, hook, change):
    change(hook, enabled=False, disabled_reason="It answered with 410.", failing_since=datetime.now(UTC))
    found = check()["webhooks"]
    assert (found.outcome, hook.id in found.found) == ("warning", True)
    assert "enable" in found.advice
    assert "secret" not in found.found


def test_one_that_its_owner_has_disabled_is_ok(check, hook, tracker):
    tracker.webhooks.update(hook.id, enabled=False)
    assert check()["webhooks"].outcome == "ok"


@pytest.mark.parametrize(
    ("age", "text"),
    [(timedelta(minutes=5), "5 minutes"), (timedelta(hours=3), "3 hours"), (timedelta(days=3), "3 days")],
)
def test_one_that_fails_is_a_warning(check, hook, change, age, text):
    change(hook, failing_since=datetime.now(UTC) - age)
    found = check()["webhooks"]
    assert (found.outcome, text in found.found) == ("warning", True)


@pytest.mark.parametrize(("due_for", "outcome"), [(-60, "ok"), (1, "ok"), (3, "failed")])
def test_a_delivery_that_is_long_due_fails(check, hook, tracker, add_deliveries, due_for, outcome):
    at = datetime.now(UTC) - timedelta(minutes=due_for)
    add_deliveries(tracker, hook.id, Delivery(event_id="evt_1", cursor="1.1", event_at=at, next_try_at=at))
    assert check()["deliveries"].outcome == outcome


def test_an_open_that_no_process_has_seen_fails(check, storage, hook, tracker):
    pixel = tracker.create_pixel("Spring launch")
    storage.add_opens([attrs.evolve(make_open(pixel), opened_at=datetime.now(UTC))])
    assert check()["deliveries"].outcome == "ok"
    late = check(later=timedelta(minutes=5))["deliveries"]
    assert (late.outcome, "4 minutes" in late.found or "5 minutes" in late.found) == ("failed", True)
    tracker.webhooks.update(hook.id, enabled=False)
    assert check(later=timedelta(minutes=5))["deliveries"].outcome == "ok"

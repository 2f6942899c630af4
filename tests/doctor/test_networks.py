"""What the doctor says about the networks that rules name."""

from datetime import UTC, datetime, timedelta

from mailtrack.cli._doctor.networks import check_networks
from mailtrack.cli._networks.status import NetworkStatus

NOW = datetime(2026, 11, 26, 10, tzinfo=UTC)


def state(name="google", *, ranges=7, age=None):
    checked = None if age is None else NOW - age
    return NetworkStatus(name=name, source="x", ranges=ranges, bytes=0, checked=checked)


def findings(*states):
    return [(one.check, one.outcome.value, one.advice) for one in check_networks(states, NOW)]


def test_networks_with_ranges_and_fresh_lists_are_fine():
    assert findings(state(), state(age=timedelta(days=30))) == [("networks", "ok", None)]


def test_empty_networks_are_named_with_the_command_that_fills_them():
    (found,) = check_networks([state(), state("apple-relay", ranges=0)], NOW)
    assert "apple-relay" in found.found
    assert "google" not in found.found
    assert (found.outcome, found.advice) == ("warning", "Run mailtrack networks update.")


def test_a_network_of_systems_needs_a_database():
    assert findings(state("cisco", ranges=0))[0][2] == "Run mailtrack networks update --asn-database FILE."


def test_a_network_of_the_users_own_needs_a_source():
    assert findings(state("office", ranges=0))[0][2] == "Run mailtrack networks update --from office=URL."


def test_the_total_of_ranges_and_the_age_of_old_lists_are_shown():
    fine, old = check_networks([state(), state("apple-relay", ranges=9, age=timedelta(days=41, hours=5))], NOW)
    assert fine.found == "All 2 networks that rules name have addresses, 16 ranges in total."
    assert old.found == "Lists of networks are older than 30 days: apple-relay (41 days)."


def test_old_lists_are_named_with_the_command_that_renews_them():
    assert findings(state("apple-relay", age=timedelta(days=30, seconds=1)), state(age=timedelta())) == [
        ("networks", "ok", None),
        ("networks-age", "warning", "Run mailtrack networks update, best once a day."),
    ]

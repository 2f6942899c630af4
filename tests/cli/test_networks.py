"""`mailtrack networks`: lists from files and a database; tests/networks has the servers."""

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from mailtrack.cli._settings import Settings

FOLDER = Path("mailtrack.db.networks")
RULES = """
version = 1
[networks]
office = []
[[rules]]
code = "office"
rank = 1
kind = "bot"
certainty = "certain"
network = "office"
text = "Our office."
"""


@pytest.fixture(autouse=True)
def relays():
    Path("relays.csv").write_text("192.0.2.0/24,GB,GB-EN,London,\n2001:db8::/64,US,US-CA,,\n")


@pytest.fixture
def database():
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True)
    for number, prefix in {16417: "198.51.100.0/25", 22843: "203.0.113.0/24"}.items():
        writer.insert_network(IPSet([prefix]), {"autonomous_system_number": number})
    writer.to_db_file("asn.mmdb")
    return "asn.mmdb"


def update(run, *arguments, **options):
    return run("networks", "update", *arguments, **options).stderr.splitlines()


def states(run, *arguments):
    lines = run("networks", "status", "--json", *arguments).stdout.splitlines()
    return {one["name"]: one for one in map(json.loads, lines)}


def test_a_list_is_stored_where_the_judge_finds_it(run):
    assert update(run, "apple-relay", "--from", "apple-relay=relays.csv") == ["apple-relay: 2 ranges from relays.csv"]
    judge = Settings().make_judge()
    apple_mail = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    assert judge.judge(apple_mail, ip="192.0.2.7", age=3600).reasons[-1] == "network:apple-relay"
    assert judge.table.version > 1_000_000


def test_a_folder_may_be_named(run):
    update(run, "apple-relay", "--from", "apple-relay=relays.csv", "--networks-folder", "lists")
    assert Path("lists/apple-relay.txt").exists()
    assert states(run, "--networks-folder", "lists")["apple-relay"]["ranges"] == 2
    assert states(run)["apple-relay"]["ranges"] == 0


def test_the_folder_is_beside_the_database_unless_there_is_none(run):
    update(run, "apple-relay", "--from", "apple-relay=relays.csv", "--database", "sqlite:///news.db")
    assert Path("news.db.networks/apple-relay.txt").exists()
    assert "--networks-folder" in run("networks", "update", "--database", "memory://", exits=2).stderr


def test_networks_of_systems_come_from_a_database(run, database):
    assert update(run, "cisco", "proofpoint", "--asn-database", database) == [
        "cisco: 1 range from AS16417",
        "proofpoint: 1 range from AS22843, AS26211, AS52129",
    ]
    assert "198.51.100.7" in Settings().make_judge().table.networks["cisco"]


def test_the_database_may_come_from_the_environment(run, database):
    assert update(run, "cisco", environment={"MAILTRACK_ASN_DATABASE": database}) == ["cisco: 1 range from AS16417"]


def test_a_system_that_is_not_in_the_database_fails(run, database):
    assert update(run, "mimecast", "--asn-database", database, exits=1) == ["mimecast: failed: the list is empty"]


def test_without_a_database_a_network_of_systems_fails_if_it_is_asked_for(run):
    assert update(run, "cisco", exits=1) == ["cisco: skipped: AS16417 needs --asn-database"]


def test_without_maxminddb_the_extra_is_named_and_the_other_lists_are_updated(run, database, monkeypatch):
    monkeypatch.setitem(sys.modules, "maxminddb", None)
    printed = update(
        run, "cisco", "apple-relay", "--from", "apple-relay=relays.csv", "--asn-database", database, exits=1
    )
    assert printed == [
        "cisco: failed: an ASN database needs maxminddb: pip install 'mailtrack[mmdb]'",
        "apple-relay: 2 ranges from relays.csv",
    ]


def test_without_names_all_networks_that_rules_name_are_updated(run):
    names = ("apple-relay", "google", "microsoft-365-protection", "office")
    options = [part for name in names for part in ("--from", f"{name}=relays.csv")]
    Path("rules.toml").write_text(RULES)
    printed = update(run, *options, "--without", "google=", "--rules", "rules.toml")
    assert printed == [
        "apple-relay: 2 ranges from relays.csv",
        "cisco: skipped: AS16417 needs --asn-database",
        "google: 2 ranges from relays.csv",
        "microsoft-365-protection: 2 ranges from relays.csv",
        "mimecast: skipped: AS30031, AS39588, AS42427, AS60492 needs --asn-database",
        "office: 2 ranges from relays.csv",
        "proofpoint: skipped: AS22843, AS26211, AS52129 needs --asn-database",
    ]
    assert Settings(rules="rules.toml").make_judge().judge("x", ip="192.0.2.7").reasons == ("office",)
    assert "office" not in Settings().make_judge().table.networks  # no rule names it


def test_one_failure_does_not_stop_the_others(run):
    Path("page.html").write_text("<html></html>")
    printed = update(
        run, "google", "apple-relay", "--from", "apple-relay=relays.csv", "--from", "google=page.html",
        "--without", "google=", exits=1,
    )  # fmt: skip
    assert printed == [
        "google: failed: page.html: it is a page in HTML or XML, not a list",
        "apple-relay: 2 ranges from relays.csv",
    ]


def test_a_folder_that_can_not_be_made_is_reported(run):
    Path("file").touch()
    printed = update(run, "apple-relay", "--from", "apple-relay=relays.csv", "--networks-folder", "file/x", exits=1)
    assert printed == ["apple-relay: failed: file/x: Not a directory"]


def test_a_network_without_a_source_needs_one(run):
    assert "No source is known for office" in run("networks", "update", "office", exits=2).stderr
    assert "--from: must be NAME=URL" in run("networks", "update", "--from", "x", exits=2).stderr


def test_the_status_has_each_network_that_rules_name(run):
    update(run, "apple-relay", "--from", "apple-relay=relays.csv")
    Path("ours.txt").write_text("192.0.2.1\n")
    found = states(run, "--networks", "mimecast=ours.txt")
    assert list(found) == [
        "apple", "apple-relay", "barracuda", "cisco", "google", "microsoft-365-protection", "mimecast", "proofpoint",
    ]  # fmt: skip
    relay = found["apple-relay"]
    assert datetime.now(UTC) - datetime.fromisoformat(relay.pop("checked")) < timedelta(minutes=1)
    size = FOLDER.joinpath("apple-relay.txt").stat().st_size
    assert relay == {"name": "apple-relay", "source": "relays.csv", "ranges": 2, "bytes": size, "empty": False}
    assert found["barracuda"] == {
        "name": "barracuda", "source": "rules", "ranges": 9, "bytes": 0, "checked": None, "empty": False,
    }  # fmt: skip
    assert (found["mimecast"]["source"], found["mimecast"]["ranges"]) == ("ours.txt", 1)
    assert found["cisco"]["empty"]


def test_the_status_says_which_networks_are_empty(run):
    result = run("networks", "status")
    assert result.stdout.splitlines()[0].split() == ["NETWORK", "RANGES", "BYTES", "CHECKED", "SOURCE"]
    assert result.stderr.splitlines()[-1] == (
        "Empty, so that rules that name them never match: apple-relay, cisco, mimecast, proofpoint."
    )


def test_the_status_has_the_age_of_each_list(run):
    FOLDER.mkdir()
    (FOLDER / "apple-relay.txt").write_text("192.0.2.0/24\n")
    month_ago = (datetime.now(UTC) - timedelta(days=31, hours=1)).timestamp()
    os.utime(FOLDER / "apple-relay.txt", (month_ago, month_ago))
    result = run("networks", "status")
    assert "31 days ago" in result.stdout
    assert result.stderr.splitlines()[-1] == "Older than 30 days: apple-relay."
    update(run, "apple-relay", "--from", "apple-relay=relays.csv")
    result = run("networks", "status")
    assert "today" in result.stdout
    assert "Older" not in result.stderr


def test_a_damaged_list_is_reported_with_its_file_and_line(run):
    FOLDER.mkdir()
    (FOLDER / "cisco.txt").write_text("192.0.2.0/24\nrubbish\n")
    assert run("networks", "status", exits=1).stderr == (
        "Error: mailtrack.db.networks/cisco.txt, line 2: is not a network\n"
    )


def test_a_file_of_the_command_line_goes_before_a_stored_list(run):
    update(run, "apple-relay", "--from", "apple-relay=relays.csv")
    Path("ours.txt").write_text("198.51.100.1\n")
    table = Settings(networks="apple-relay=ours.txt").make_table()
    assert ("192.0.2.7" in table.networks["apple-relay"], "198.51.100.1" in table.networks["apple-relay"]) == (
        False,
        True,
    )


def test_the_version_of_the_rules_depends_on_the_addresses_alone(run):
    update(run, "apple-relay", "--from", "apple-relay=relays.csv")
    version = Settings().make_table().version
    Path("relays.csv").write_text("2001:DB8::/64\n192.0.2.128/25\n192.0.2.0/25\n")
    update(run, "apple-relay", "--from", "apple-relay=relays.csv")
    assert Settings().make_table().version == version
    Path("relays.csv").write_text("2001:db8::/64\n192.0.2.128/25\n")
    update(run, "apple-relay", "--from", "apple-relay=relays.csv")
    assert Settings().make_table().version != version


def test_opens_are_judged_again_by_the_stored_lists(run, tracker, pixel):
    apple_mail = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    tracker.record(pixel.short_id, ip="192.0.2.7", user_agent=apple_mail)
    update(run, "apple-relay", "--from", "apple-relay=relays.csv")
    assert "Verdicts that changed: 1." in run("rejudge").stderr
    assert tracker.list_opens(pixel.id).items[0].verdict.kind == "prefetch"

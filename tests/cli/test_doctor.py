"""`mailtrack doctor`."""

import json

import pytest


@pytest.mark.usefixtures("pixel")
def test_a_sound_deployment_exits_with_0(run):
    lines = run("doctor").stdout.splitlines()
    assert lines[-1].endswith(" failed: 0, skipped: 2")
    assert "ok       tables          The tables are those of this version." in lines


def test_what_failed_exits_with_1_and_tells_what_to_do(run, tmp_path):
    lines = run("doctor", exits=1).stdout.splitlines()
    place = lines.index(f"failed   database        There is no {tmp_path / 'mailtrack.db'}.")
    assert lines[place + 1].strip().startswith("-> ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("pixel")
def test_json_is_one_finding_a_line(run):
    found = [json.loads(line) for line in run("doctor", "--json").stdout.splitlines()]
    assert all(list(one) == ["check", "outcome", "found", "advice"] for one in found)
    assert found[-1] == {
        "check": "reachable",
        "outcome": "skipped",
        "found": "No URL is given, so nothing was checked from outside.",
        "advice": "Give it with --url.",
    }


@pytest.mark.parametrize(
    "options", [["--url", "mail.example.com"], ["--url", "ftp://mail.example.com"], ["--nonsense"]]
)
def test_wrong_usage_exits_with_2(run, options):
    run("doctor", *options, exits=2)


@pytest.mark.usefixtures("pixel")
def test_the_settings_are_those_of_the_other_commands(run):
    environment = {"MAILTRACK_DATABASE": "sqlite:///elsewhere.db", "MAILTRACK_SPOOL": "off"}
    output = run("doctor", environment=environment, exits=1).stdout
    assert "/elsewhere.db." in output
    assert "There is no spool" in output

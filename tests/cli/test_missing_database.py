"""A command that only looks or changes never makes a database, and names the one that it did not find."""

import pytest

LOOKING = [
    ["pixels", "list"],
    ["pixels", "show", "00000000"],
    ["pixels", "delete", "00000000", "--yes"],
    ["recipients", "add", "00000000"],
    ["recipients", "list", "00000000"],
    ["recipients", "export", "00000000"],
    ["recipients", "export", "00000000", "--output", "recipients.csv"],
    ["recipients", "delete", "0" * 24],
    ["recipients", "delete", "--pixel", "00000000", "--email", "ann@example.org"],
    ["opens", "00000000"],
    ["opens", "00000000", "--csv"],
    ["report", "00000000"],
    ["rejudge"],
    ["keys", "list"],
    ["keys", "revoke", "0" * 12],
    ["spool", "status"],
    ["spool", "drain"],
    ["spool", "inspect"],
]


@pytest.mark.parametrize("arguments", LOOKING, ids=" ".join)
def test_it_names_the_whole_path_and_creates_nothing(run, tmp_path, arguments):
    result = run(*arguments, exits=1, stdin="ann@example.org\n")
    assert (result.stdout, result.stderr) == ("", f"Error: No database at {tmp_path / 'mailtrack.db'}.\n")
    assert list(tmp_path.iterdir()) == []


def test_the_doctor_reports_it_and_creates_nothing(run, tmp_path):
    assert f"There is no {tmp_path / 'mailtrack.db'}." in run("doctor", exits=1).stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["pixels", "create", "Spring"], ["keys", "create"]], ids=" ".join)
def test_what_a_deployment_begins_with_creates_it(run, tmp_path, arguments):
    run(*arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["mailtrack.db"]


def test_a_spool_that_outlived_its_database_is_shown(run, tmp_path):
    (tmp_path / "mailtrack.db.spool").mkdir()
    assert run("spool", "status").stdout.startswith("Segments:      0\n")
    assert [path.name for path in tmp_path.iterdir()] == ["mailtrack.db.spool"]

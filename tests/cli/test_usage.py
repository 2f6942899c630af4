"""What all commands share: help, settings, and how they fail."""

import click
import pytest

from mailtrack import __version__, open_storage
from mailtrack.cli import main


def commands(command, *path):
    """Each command that does something, with its path."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    for name, child in command.commands.items():
        yield from commands(child, *path, name)


ALL = [pytest.param(*found, id=" ".join(found[0])) for found in commands(main)]
WITH_DATABASE = [
    pytest.param(arguments, id=" ".join(arguments))
    for arguments in (
        ["pixels", "create", "Spring"],
        ["pixels", "list"],
        ["pixels", "show", "00000000"],
        ["pixels", "rename", "00000000", "Spring"],
        ["pixels", "archive", "00000000"],
        ["pixels", "delete", "00000000"],
        ["recipients", "add", "00000000"],
        ["recipients", "list", "00000000"],
        ["recipients", "find", "ann@example.org"],
        ["recipients", "erase", "ann@example.org"],
        ["recipients", "export", "00000000"],
        ["recipients", "delete", "0" * 24],
        ["recipients", "delete", "--pixel", "00000000", "--email", "ann@example.org"],
        ["opens", "00000000"],
        ["opens", "00000000", "--csv"],
        ["report", "00000000"],
        ["rejudge"],
        ["keys", "create"],
        ["keys", "list"],
        ["keys", "revoke", "0" * 12],
        ["webhooks", "add", "https://crm.example.org/"],
        ["webhooks", "list"],
        ["webhooks", "remove", "0" * 16],
        ["webhooks", "enable", "0" * 16],
        ["webhooks", "disable", "0" * 16],
        ["webhooks", "rotate", "0" * 16],
        ["webhooks", "test", "0" * 16],
        ["webhooks", "failed"],
        ["webhooks", "replay", "0" * 16],
        ["serve"],
    )
]


@pytest.mark.parametrize("option", ["-h", "--help"])
@pytest.mark.parametrize(("path", "command"), ALL)
def test_each_command_tells_of_itself(run, path, command, option):
    told = run(*path, option).stdout
    assert told.startswith("Usage: main " + " ".join(path))
    assert all(parameter.opts[0] in told for parameter in command.params if isinstance(parameter, click.Option))


@pytest.mark.parametrize(("path", "command"), ALL)
def test_each_option_has_a_help(path, command):
    assert all(parameter.help for parameter in command.params if isinstance(parameter, click.Option)), path


def test_the_version_is_told(run):
    assert run("--version").stdout.rstrip().endswith(__version__)


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["nonsense"], id="unknown command"),
        pytest.param(["pixels", "nonsense"], id="unknown command of a group"),
        pytest.param(["pixels", "list", "--nonsense"], id="unknown option"),
        pytest.param(["pixels", "create"], id="argument missing"),
        pytest.param(["keys", "revoke"], id="id missing"),
        pytest.param(["pixels", "create", "a", "b"], id="argument too many"),
        pytest.param(["pixels", "list", "--database"], id="value missing"),
        pytest.param(["pixels", "create", "a", "--image", "missing.png"], id="no such image"),
        pytest.param(["recipients", "add", "a1b2c3d4", "missing.txt"], id="no such file"),
        pytest.param(["opens", "a1b2c3d4", "--limit", "0"], id="limit of 0"),
        pytest.param(["opens", "a1b2c3d4", "--limit", "1001"], id="limit of 1,001"),
        pytest.param(["opens", "a1b2c3d4", "--limit", "x"], id="limit of letters"),
    ],
)
def test_wrong_usage_exits_with_2_and_says_what_is_wrong(run, arguments):
    result = run(*arguments, exits=2)
    assert (result.stdout, result.stderr.splitlines()[-1].startswith("Error: ")) == ("", True)


@pytest.mark.parametrize("arguments", WITH_DATABASE)
@pytest.mark.parametrize(
    ("database", "reason"),
    [
        pytest.param("nonsense://host/db", "no installed storage knows this URL's scheme", id="unknown scheme"),
        pytest.param("mailtrack.db", "must be a URL such as sqlite:///mailtrack.db", id="no scheme"),
        pytest.param("sqlite://", "must name a file, as in sqlite:///mailtrack.db", id="no file"),
        pytest.param("sqlite:///:memory:", "must name a file, as in sqlite:///mailtrack.db", id="no file on disk"),
    ],
)
def test_a_database_url_that_cannot_be_used_is_wrong_usage(run, arguments, database, reason):
    result = run(*arguments, "--database", database, exits=2)
    assert result.stderr.splitlines()[-1] == f"Error: --database: {reason}"


@pytest.mark.parametrize("arguments", WITH_DATABASE)
def test_a_foreign_database_fails_with_one_clear_line_and_is_left_as_it_was(run, tmp_path, arguments):
    foreign = tmp_path / "foreign.db"
    foreign.write_bytes(b"no database at all\n" * 100)
    result = run(*arguments, "--database", "sqlite:///foreign.db", exits=1)
    assert (result.stdout, len(result.stderr.splitlines())) == ("", 1)
    assert result.stderr.startswith("Error: ")
    assert foreign.read_bytes() == b"no database at all\n" * 100


def test_a_database_in_a_missing_folder_fails_with_one_clear_line(run):
    result = run("pixels", "create", "Spring", "--database", "sqlite:///missing/mailtrack.db", exits=1)
    assert result.stderr == "Error: missing/mailtrack.db can't be used: No such file or directory.\n"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--port", "http"),
        ("--port", "0"),
        ("--port", "65536"),
        ("--port", "-1"),
        ("--port", "8000.0"),
        ("--workers", "0"),
        ("--workers", "65"),
        ("--workers", "two"),
        ("--trusted-proxies", "11"),
        ("--trusted-proxies", "-1"),
        ("--base-url", "mail.example.com"),
        ("--base-url", "ftp://mail.example.com"),
        ("--base-url", "https://mail.example.com/?a=b"),
        ("--spool-durability", "sometimes"),
        ("--spool-max-bytes", "1"),
        ("--webhook-allow", "localhost"),
        ("--webhook-allow", "10.0.0.1/8"),
    ],
)
@pytest.mark.parametrize("way", ["option", "environment"])
def test_a_setting_that_the_server_cannot_have_is_wrong_usage(run, tmp_path, option, value, way):
    if way == "option":
        result = run("serve", option, value, exits=2)
    else:
        result = run("serve", environment={f"MAILTRACK_{option[2:].replace('-', '_').upper()}": value}, exits=2)
    assert result.stderr.splitlines()[-1].startswith(f"Error: {option}: must be ")
    assert list(tmp_path.iterdir()) == []


def test_a_flag_that_is_neither_yes_nor_no_is_wrong_usage(run, tmp_path):
    result = run("serve", environment={"MAILTRACK_ALLOW_ANONYMOUS": "maybe"}, exits=2)
    assert result.stderr.splitlines()[-1].startswith("Error: --allow-anonymous: must be one of ")
    assert list(tmp_path.iterdir()) == []


def test_without_an_option_the_database_is_in_the_working_directory(run, tmp_path):
    run("pixels", "create", "Spring")
    assert (tmp_path / "mailtrack.db").exists()


def test_the_environment_names_the_database(run, tmp_path):
    run("pixels", "create", "Spring", environment={"MAILTRACK_DATABASE": "sqlite:///other.db"})
    assert [path.name for path in tmp_path.iterdir()] == ["other.db"]


def test_an_option_wins_over_the_environment(run, tmp_path):
    environment = {"MAILTRACK_DATABASE": "sqlite:///environment.db"}
    run("pixels", "create", "Spring", "--database", "sqlite:///option.db", environment=environment)
    assert [path.name for path in tmp_path.iterdir()] == ["option.db"]


def test_an_empty_variable_counts_as_not_set(run, tmp_path):
    run("pixels", "create", "Spring", environment={"MAILTRACK_DATABASE": ""})
    assert [path.name for path in tmp_path.iterdir()] == ["mailtrack.db"]


def test_a_database_is_named_by_an_absolute_path(run, tmp_path):
    run("pixels", "create", "Spring", "--database", f"sqlite:///{tmp_path / 'absolute.db'}")
    with open_storage("sqlite:///absolute.db") as storage:
        assert [pixel.name for pixel in storage.list_pixels(limit=10).items] == ["Spring"]

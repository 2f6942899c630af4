"""No command prints the password of a URL, whatever it does with that."""

import logging

import click
import pytest

from mailtrack.cli import main
from mailtrack.cli._logs import hide_passwords
from mailtrack.cli._settings import Settings

SECRET = "s3cret"
URLS = [
    f"postgresql://ann:{SECRET}@127.0.0.1:1/mail?connect_timeout=1",
    f"postgresql://127.0.0.1:1/mail?user=ann&password={SECRET}&connect_timeout=1",
    f"postgresql://ann:{SECRET}@127.0.0.1:port/mail",
    f"postgresql://ann:an@{SECRET}@127.0.0.1/mail",
    f"nowhere://ann:{SECRET}@127.0.0.1/mail",
    f"memory://ann:{SECRET}@127.0.0.1/mail",
]


def leaves(command, path=()):
    if isinstance(command, click.Group):
        for name, one in command.commands.items():
            yield from leaves(one, (*path, name))
    else:
        yield pytest.param(command, path, id=" ".join(path))


# `demo` has no storage, and `networks update` asks other machines first.
COMMANDS = [one for one in leaves(main) if one.values[1] not in {("demo",), ("networks", "update")}]


def arguments_of(command, url):
    """Return an argument for each that the command needs."""
    found = []
    for one in command.params:
        if isinstance(one, click.Argument) and one.required:
            found.append(url if one.name in {"source", "target"} else "a1b2c3d4")
        elif isinstance(one, click.Option) and one.required:
            found += [one.opts[0], "90d"]
    return found


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize(("command", "path"), COMMANDS)
def test_none_prints_that_of_the_database(runner, command, path, url):
    given = arguments_of(command, url)
    for result in (
        runner.invoke(main, ["--database", url, *path, *given], input="a@example.org\n"),
        runner.invoke(main, [*path, *given], env={"MAILTRACK_DATABASE": url}, input="a@example.org\n"),
    ):
        assert SECRET not in result.output


@pytest.mark.parametrize(("command", "path"), COMMANDS)
def test_none_prints_it_in_its_help_or_for_wrong_usage(runner, command, path):
    environment = {"MAILTRACK_DATABASE": URLS[0], "MAILTRACK_RATE_LIMIT_STORAGE": f"redis://:{SECRET}@localhost"}
    for rest in (["--help"], [*arguments_of(command, URLS[0]), URLS[0], URLS[1]], ["--port", URLS[0]]):
        assert SECRET not in runner.invoke(main, [*path, *rest], env=environment).output


@pytest.mark.parametrize(
    "url", [f"redis://:{SECRET}@host:port", f"valkey://ann:{SECRET}@h:0x1/0", f"nowhere://ann:{SECRET}@h"]
)
def test_none_prints_that_of_the_storage_of_limits(runner, url):
    for result in (
        runner.invoke(main, ["serve", "--port", "1", "--rate-limit-storage", url]),
        runner.invoke(main, ["doctor"], env={"MAILTRACK_RATE_LIMIT_STORAGE": url}),
    ):
        assert SECRET not in result.output


def test_settings_do_not_show_it():
    settings = Settings(database=URLS[0], rate_limit_storage=f"redis://:{SECRET}@localhost")
    assert SECRET not in repr(settings)
    assert settings.database_name == "postgresql://ann:***@127.0.0.1:1/mail?connect_timeout=1"


def test_a_log_of_the_server_hides_it_in_messages_and_tracebacks(capsys, monkeypatch):
    monkeypatch.setattr(logging, "lastResort", logging._StderrHandler(logging.WARNING))
    hide_passwords()
    record = logging.makeLogRecord({"msg": "It fails: %s", "args": (URLS[0],), "levelno": logging.WARNING})
    try:
        raise ValueError(URLS[1])
    except ValueError as error:
        record.exc_info = (type(error), error, error.__traceback__)
    logging.lastResort.handle(record)
    printed = capsys.readouterr().err
    assert SECRET not in printed
    assert "It fails: postgresql://ann:***@127.0.0.1:1" in printed
    assert "ValueError: postgresql://127.0.0.1:1/mail?user=ann&password=***" in printed

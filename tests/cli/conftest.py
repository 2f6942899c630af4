"""What the tests of the command line share: a folder of their own to work in, and no settings from outside."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from mailtrack import Tracker, open_storage
from mailtrack.cli import main


@pytest.fixture(autouse=True)
def _alone(tmp_path, monkeypatch):
    """Work in an empty folder, without the variables of whoever runs the tests."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("MAILTRACK_"):
            monkeypatch.delenv(name)


@pytest.fixture
def run():
    """Runs `mailtrack` with arguments, standard input and environment; by default it must succeed."""

    def invoke(*arguments, exits=0, stdin=None, environment=None):
        result = CliRunner().invoke(main, [str(argument) for argument in arguments], input=stdin, env=environment)
        assert (result.exit_code, isinstance(result.exception, SystemExit | None)) == (exits, True), result.output
        return result

    return invoke


@pytest.fixture
def tracker(new_database):
    """What the tests look at, and prepare, behind the command line's back: the default database."""
    new_database(Path("mailtrack.db"))
    with open_storage("sqlite:///mailtrack.db") as storage:
        yield Tracker(storage, base_url="http://127.0.0.1:8000")


@pytest.fixture
def pixel(tracker):
    return tracker.create_pixel("Spring launch")


@pytest.fixture
def recipient(tracker, pixel):
    return tracker.generate_tokens(pixel.id, ["ann@example.org"])[0]

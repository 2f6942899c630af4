"""The program as a whole: options before commands, `python -m mailtrack`, help with examples, completion."""

import json
import re
import select
import shlex
import subprocess
import sys
import time

import click
import pytest

from mailtrack import __version__, open_storage
from mailtrack.cli import main
from mailtrack.cli._base_url import remember
from mailtrack.cli._settings import Settings


def commands(command, *path):
    """Each command and group, with its path."""
    yield path, command
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from commands(child, *path, name)


ALL = [pytest.param(*found, id=" ".join(found[0]) or "mailtrack") for found in commands(main)]
NOT_HERE = (" serve", " demo", " doctor", "/srv/")  # what runs until it is ended, and what is about another machine
WEBHOOK = "0123456789abcdef"
POSTGRES = "postgresql://mail@db.example.org/mailtrack"


class TestOptionsBeforeTheCommand:
    @pytest.fixture(autouse=True)
    def _databases(self):
        for name in ("a", "b"):
            with open_storage(f"sqlite:///{name}.db"):
                pass

    @pytest.mark.parametrize(
        "arguments",
        [
            ["--database", "sqlite:///a.db", "pixels", "create", "Spring"],
            ["pixels", "--database", "sqlite:///a.db", "create", "Spring"],
            ["pixels", "create", "Spring", "--database", "sqlite:///a.db"],
            ["--database", "sqlite:///b.db", "pixels", "--database", "sqlite:///a.db", "create", "Spring"],
            ["--database", "sqlite:///b.db", "pixels", "create", "--database", "sqlite:///a.db", "Spring"],
            ["pixels", "--database", "sqlite:///b.db", "create", "--database", "sqlite:///a.db", "Spring"],
        ],
        ids=" ".join,
    )
    def test_the_nearest_to_the_command_wins(self, run, arguments):
        run(*arguments)
        found = [run("pixels", "list", "--database", f"sqlite:///{name}.db").stdout.count("Spring") for name in "ab"]
        assert found == [1, 0]

    def test_they_win_over_the_environment(self, run):
        environment = {"MAILTRACK_DATABASE": "sqlite:///b.db"}
        run("--database", "sqlite:///a.db", "pixels", "create", "Spring", environment=environment)
        assert "Spring" in run("pixels", "list", "--database", "sqlite:///a.db").stdout

    def test_the_base_url_may_stand_there(self, run):
        shown = run(
            "--base-url", "https://t.example", "--database", "sqlite:///a.db", "pixels", "create", "x", "--json"
        )
        assert json.loads(shown.stdout)["logsUrl"].startswith("https://t.example/logs/")

    def test_the_spool_may_stand_there(self, run, tmp_path):
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "elsewhere" / "1.spool").write_bytes(b"line\n")
        assert json.loads(run("--spool", "elsewhere", "spool", "status", "--json").stdout)["hits"] == 1

    def test_one_that_a_command_has_no_use_for_is_harmless(self, run):
        run("--base-url", "https://t.example", "--spool", "off", "--database", "sqlite:///a.db", "keys", "list")

    def test_a_bad_value_is_wrong_usage(self, run):
        result = run("--database", "nonsense", "pixels", "list", exits=2)
        assert result.stderr.splitlines()[-1].startswith("Error: --database: ")


def test_it_runs_as_a_module(program, end):
    code, output, errors = end(program("--version"))
    assert (code, errors) == (0, "")
    assert output.rstrip().endswith(__version__)


class TestHelp:
    @pytest.mark.parametrize(("path", "command"), ALL)
    def test_each_has_an_example(self, run, path, command):
        found = examples(run, path)
        assert found
        assert all(" ".join(["mailtrack", *path]) in example or command is main for example in found)

    @pytest.mark.parametrize("path", [pytest.param(path, id=" ".join(path)) for path, _ in commands(main)])
    def test_the_examples_work(self, run, path, tracker, prepared, follow):
        for example in examples(run, path):
            if "--follow" in example:
                assert follow(prepared(example), tracker) == 0
            elif not any(part in example for part in NOT_HERE):
                run(*prepared(example), environment={"MAILTRACK_WEBHOOK_ALLOW": "127.0.0.0/8"})


@pytest.fixture
def follow(program):
    """Runs an example that follows until it has printed an open; its exit code."""

    def until_printed(arguments, tracker):
        pixel = next(iter(tracker.iter_pixels()))
        process = program(*arguments)
        deadline = time.monotonic() + 30
        while not select.select([process.stdout], [], [], 0.05)[0]:
            assert time.monotonic() < deadline
            tracker.record(pixel.id, user_agent="Thunderbird/128.3")
        process.terminate()
        process.communicate(timeout=30)
        return process.returncode

    return until_printed


def examples(run, path):
    """The examples at the end of a command's help."""
    return re.findall(r"^    (mailtrack .+)$", run(*path, "--help").stdout, re.MULTILINE)


@pytest.fixture
def prepared(request, tracker, tmp_path):
    """Returns the arguments of an example, with what it names in the folder, in the storage and on servers."""

    def prepare(example):
        remember(Settings(base_url="https://t.example"))
        make_files(tmp_path, tracker)
        pixel = tracker.create_pixel("Spring launch")
        (ann,) = tracker.generate_tokens(pixel.id, ["ann@example.org"])
        key, _ = tracker.keys.create("Nightly export")
        known = {"a1b2c3d4": pixel.short_id, "a1b2c3d4e5f60718293a4b5c": ann.id, "0123456789ab": key.id}
        known["/mnt/node3/mailtrack.spool"] = str(tmp_path / "node3")
        known["sqlite:////backups/mailtrack.db"] = f"sqlite:///{tmp_path}/copied.db"
        if WEBHOOK in example:
            known[WEBHOOK] = request.getfixturevalue("hook").id
        if POSTGRES in example:
            known[POSTGRES] = request.getfixturevalue("database")
        _, *arguments = shlex.split(re.split(r" [>|] ", example)[0])
        return [known.get(argument, argument) for argument in arguments]

    return prepare


@pytest.fixture
def hook(run, tracker, receiving):
    """A webhook whose endpoint answers."""
    with receiving(204) as url:
        run("webhooks", "add", url, "--webhook-allow", "127.0.0.0/8")
        yield tracker.webhooks.list()[0]


@pytest.fixture
def database(request, postgres):
    """The URL of tables on a PostgreSQL server, which hold nothing yet."""
    url = postgres.url(schema=re.sub(r"\W+", "_", request.node.callspec.id))
    open_storage(url).close()
    return url


def make_files(folder, tracker):
    (folder / "addresses.txt").write_text("bob@example.org\n")
    (folder / "people.csv").write_text("Name,Mail\nBob,bob@example.org\nDan,dan\n")
    (folder / "invoices.csv").write_text("Mail,Number\nBob@example.org,INV-2031\n")
    (folder / "relays.csv").write_text("192.0.2.0/24,GB,,,\n")
    (folder / "banner.png").write_bytes(tracker.get_pixel_image("none").data)
    (folder / "node3").mkdir(exist_ok=True)


class TestCompletion:
    @pytest.mark.parametrize(
        ("words", "found"),
        [("mailtrack pix", "pixels"), ("mailtrack pixels cr", "create"), ("mailtrack opens x --cu", "--cursor")],
    )
    def test_words_are_completed(self, monkeypatch, words, found):
        monkeypatch.setenv("_MAILTRACK_COMPLETE", "zsh_complete")
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
        script = "import sys; sys.argv[0] = 'mailtrack'; from mailtrack.cli import main; main()"
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert found in done.stdout.splitlines()

    @pytest.mark.parametrize("shell", ["zsh", "fish"])
    def test_there_is_a_script_for_a_shell(self, monkeypatch, shell):
        monkeypatch.setenv("_MAILTRACK_COMPLETE", f"{shell}_source")
        script = "import sys; sys.argv[0] = 'mailtrack'; from mailtrack.cli import main; main()"
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, "_MAILTRACK_COMPLETE" in done.stdout) == (0, True)


def test_a_server_without_granian_names_the_extra(run, monkeypatch, tmp_path):
    monkeypatch.setattr("mailtrack.cli._server.server.find_spec", lambda _: None)
    assert run("serve", exits=1).stderr == "Error: The server needs granian: pip install 'mailtrack[server]'\n"
    assert not (tmp_path / "mailtrack.db").exists()


def test_commands_load_the_adapter_only_to_serve_and_for_the_doctor():
    script = "import sys; from mailtrack.cli import main; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert set(ran.stdout.split()) & {"mailtrack_wsgi", "werkzeug", "jinja2", "limits", "granian"} == set()

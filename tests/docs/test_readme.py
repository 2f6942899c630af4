"""The examples of the README and the docs work as written."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from mailtrack._images.check import TRANSPARENT_PNG
from mailtrack.cli import main
from mailtrack.cli._settings import ENVIRONMENT_PREFIX, Settings
from mailtrack.verdicts import Judge, default_rules, load_rules

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAUSE = "sleep 0.5\n"
UNTIL_STORED = """
for attempt in $(seq 500); do
  curl -s $BASE/api/v1/pixels/$PIXEL/opens | grep -q userAgent && break
done
"""
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
ONE_PROGRAM = {
    ROOT / "docs" / name for name in ("python.md", "reference/tracker.md", "sending.md")
}  # in several blocks
OTHER_TESTS = {  # that run the Python blocks of a page
    ROOT / "docs" / "django.md": "tests/server/test_django.py",
    ROOT / "docs" / "first-newsletter.md": "tests/docs/test_tutorial.py",
    ROOT / "docs" / "frameworks.md": "tests/frameworks/test_frameworks.py",
    ROOT / "docs" / "servers.md": "tests/server/test_hosts.py",
}
OUTPUT = {"text"}  # and `test_the_doctor_prints_what_its_page_shows`
RUN_ELSEWHERE = {
    "console": "test_the_session_of_curl_commands_shows_the_open_which_counts_and_the_csv, tests/docs/test_tutorial.py",
    "html": "tests/server/test_django.py",
    "ini": "tests/server/test_hosts.py",
    "caddy": "tests/server/test_proxies.py",
    "toml": "test_the_file_of_rules_judges_as_the_program_before_it",
    "nginx": "tests/server/test_proxies.py",
    "sql": "tests/storage/postgres/test_documented_queries.py",
    "{eval-rst}": "tests/docs/test_reference.py",
}


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def programs(page: Path) -> list[str]:
    """Return the Python programs of a page."""
    found = [] if page in OTHER_TESTS else blocks(page.read_text(encoding="utf-8"), "python")
    return ["\n".join(found)] if page in ONE_PROGRAM else found


def name(page: Path) -> str:
    return page.relative_to(ROOT).with_suffix("").as_posix()


@pytest.mark.skipif(shutil.which("curl") is None or shutil.which("bash") is None, reason="needs bash and curl")
def test_the_session_of_curl_commands_shows_the_open_which_counts_and_the_csv(server, tmp_path):
    (session,) = blocks(README, "console")
    session = session.replace("http://127.0.0.1:8000", f"http://127.0.0.1:{server}")  # that port may be in use
    assert PAUSE in session
    session = session.replace(PAUSE, UNTIL_STORED)  # this machine may be busy
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", session],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "200 image/png" in done.stdout
    assert ">ann@example.org</a></td>" in done.stdout
    opens, report = (
        json.loads(line) for line in done.stdout.splitlines() if line.startswith(('{"items"', '{"timeZone"'))
    )
    assert [(one["verdict"]["kind"], one["counted"]) for one in opens["items"]] == [("human", True)]
    assert (report["opened"], report["recipients"]) == ({"counted": 1, "raw": 1}, 2)
    assert report["pixel"]["counted"]["number"] == 1
    assert "\nbob@example.com,tok_" in done.stdout


def test_the_doctor_prints_what_its_page_shows(server, tmp_path):
    (example,) = blocks((ROOT / "docs" / "doctor.md").read_text(encoding="utf-8"), "text")
    url = f"http://127.0.0.1:{server}"
    command = [sys.executable, "-c", "from mailtrack.cli import main; main()", "doctor", "--url", url]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    printed = done.stdout.replace(url, "http://127.0.0.1:8000").replace(str(tmp_path), "/srv/mailtrack")
    assert [line for line in printed.splitlines() if not _MACHINES_OWN.search(line)] == [
        line for line in example.splitlines()[1:] if not _MACHINES_OWN.search(line)
    ]


# What the doctor prints about SQLite, the disk and the rules, and the numbers of outcomes.
_MACHINES_OWN = re.compile(r"^\w+ +(sqlite|disk|spool-disk|rules) |-> (Keep backups|Free some space)|^ok: ")


@pytest.mark.parametrize(
    "code",
    [pytest.param(code, id=f"{name(page)}-{number}") for page in PAGES for number, code in enumerate(programs(page))],
)
def test_python_code_in_the_docs_runs(code, tmp_path):
    (tmp_path / "logo.png").write_bytes(TRANSPARENT_PNG.data)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-W", "ignore::ResourceWarning", "-c", code],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_file_of_rules_judges_as_the_program_before_it(tmp_path):
    (rules,) = blocks((ROOT / "docs" / "verdicts.md").read_text(encoding="utf-8"), "toml")
    (tmp_path / "ours.toml").write_text(rules, encoding="utf-8")
    judge = Judge(load_rules(tmp_path / "ours.toml", base=default_rules()))
    assert judge.judge("Mozilla/4.0 (archive)", ip="192.0.2.7").reasons == ("our-archive",)


def commands(command: click.Command, path: str):
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from commands(child, f"{path} {name}")
    else:
        yield path, command


@pytest.mark.parametrize(
    ("path", "command"), [pytest.param(*found, id=found[0]) for found in commands(main, "mailtrack")]
)
def test_each_command_and_its_options_are_in_the_docs(path, command):
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert f"`{path}" in text
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.opts[0] in text


@pytest.mark.parametrize("name", list(Settings.__annotations__))
def test_each_setting_is_in_the_docs_with_its_variable(name):
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert f"| `--{name.replace('_', '-')}` | `{ENVIRONMENT_PREFIX}{name.upper()}` |" in text


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_each_fenced_block_is_run_or_is_output(page):
    """A block in another language needs a test that runs it, named in RUN_ELSEWHERE."""
    languages = re.findall(r"^ *```(.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)[::2]
    assert set(languages) <= {"python", *OUTPUT, *RUN_ELSEWHERE}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_within_the_repository_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_ci_runs_the_test_command_of_the_readme():
    found = subprocess.run(
        ["sed", "-n", r"s/^    \(python3 -m venv .*nox\)$/\1/p", "README.md"],
        cwd=ROOT, capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"]},
    ).stdout.splitlines()  # fmt: skip
    assert len(found) == 1
    assert r"s/^    \(python3 -m venv .*nox\)$/\1/p" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")

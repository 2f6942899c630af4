"""The commands of the how-to guides run as written, one after the other, on a database with a mailing to Ann."""

import os
import re
import subprocess
import tomllib
from pathlib import Path
from textwrap import dedent

import pytest

from mailtrack import Tracker, open_storage

ROOT = Path(__file__).parents[2]
OTHER_TESTS = {"first-newsletter.md": "tests/docs/test_tutorial.py"}  # that run the commands of a page
COMMANDS = {
    page.name: [
        dedent(block) for block in re.findall(r"^ *```console\n(.*?)^ *```$", page.read_text("utf-8"), re.M | re.S)
    ]
    for page in sorted((ROOT / "docs").rglob("*.md"))
    if page.name not in OTHER_TESTS
}


@pytest.mark.parametrize("name", [name for name, blocks in COMMANDS.items() if blocks])
def test_the_commands_of_a_page_run(name: str, installed: Path) -> None:
    with open_storage(f"sqlite:///{installed}/mailtrack.db") as storage:
        tracker = Tracker(storage)
        pixel = tracker.create_pixel("Spring newsletter")
        (ann,) = tracker.generate_tokens(pixel, ["ann@example.org"])
        tracker.record(pixel, token=ann.token, user_agent="Thunderbird/128.3")
    environment = os.environ | {"PATH": f"{installed}/.venv/bin:{os.environ['PATH']}"}
    for block in COMMANDS[name]:
        done = subprocess.run(
            ["sh", "-euc", block],
            cwd=installed,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr + done.stdout


def test_the_page_on_installing_lists_each_extra() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "install.md").read_text(encoding="utf-8"), re.MULTILINE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert rows == sorted(project["optional-dependencies"])

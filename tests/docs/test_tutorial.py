"""The tutorial works as written: its commands and programs, beside a running server, lead to one counted open."""

import json
import re
import subprocess
import urllib.request
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "first-newsletter.md").read_text(encoding="utf-8")
INSTALL, SERVE, SERVING, *STEPS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
FILES = re.findall(r"[Ss]ave this as `(\w+\.py)`", PAGE)


def follow(folder: Path, port: int) -> None:
    """Save the programs of the page, run its commands, and compare what they print."""
    files, printed = iter(FILES), ""
    for language, text in STEPS:
        block = text.replace(":8000", f":{port}")
        if language == "python":
            (folder / next(files)).write_text(block, encoding="utf-8")
        elif language == "text":
            assert printed == block
        else:
            done = subprocess.run(
                ["sh", "-euc", block], cwd=folder, capture_output=True, text=True, timeout=60, check=False
            )
            assert done.returncode == 0, done.stderr
            printed = done.stdout


def read(url: str) -> str:
    """Return the text of a page."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return re.sub(r"(?:<[^>]+>|\s)+", " ", answer.read().decode())


def test_the_first_block_installs_the_clone() -> None:
    assert INSTALL[1].splitlines()[-1] == ".venv/bin/pip install --quiet '/path/to/mailtrack[server]'"


def test_the_page_shows_one_counted_open_in_the_end(installed: Path, run_server) -> None:
    with run_server(installed, ["sh", "-c", f"exec {SERVE[1]}"]) as (port, line):
        assert line == SERVING[1].replace(":8000", f":{port}")
        follow(installed, port)
        base = f"http://127.0.0.1:{port}"
        with urllib.request.urlopen(f"{base}/api/v1/pixels", timeout=10) as answer:
            (pixel,) = json.load(answer)["items"]
        log = f"{base}/logs/{pixel['id']}"
        for _ in range(500):  # opens are stored within half a second, on a busy machine later
            if " ann@example.org " in read(log):
                break
        page = read(log)
        assert "Opened 1 of 2 recipients" in page
        assert "By verdict Person 1 " in page
        assert " ann@example.org " in page
        assert " bob@example.com " not in page

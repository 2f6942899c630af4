"""The page on the architecture names what exists, and its picture is that of the code."""

import importlib.util
import re
from pathlib import Path
from pkgutil import resolve_name

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
NAMES = sorted(set(re.findall(r"`(mailtrack(?:_wsgi)?(?:\.\w+)*)`", PAGE)))
WALKS = [part for part in PAGE.split("\n## ") if part.startswith("The walk of")]


@pytest.mark.parametrize("name", NAMES)
def test_every_name_on_the_page_exists(name) -> None:
    assert resolve_name(name)


def test_both_walks_name_functions_in_each_step() -> None:
    steps = [step for walk in WALKS for step in re.split(r"\n(?=\d+\. )", walk)[1:]]
    assert len(steps) == 20
    for step in steps:
        names = re.findall(r"`(mailtrack[\w.]+)`", step)
        assert any(callable(resolve_name(name)) for name in names), step


def test_every_package_is_in_the_table_of_rooms() -> None:
    rooms = re.findall(r"^\| (`.+?) \|", PAGE, re.MULTILINE)
    named = {name for room in rooms for name in re.findall(r"`(.+?)`", room)}
    packages = {f"mailtrack.{path.parent.name}" for path in (ROOT / "src" / "mailtrack").glob("*/__init__.py")}
    assert packages
    assert packages <= named


def test_the_picture_is_that_of_the_code() -> None:
    pytest.importorskip("grimp", reason="import-linter is not installed")
    spec = importlib.util.spec_from_file_location("draw_layers", ROOT / "docs" / "draw_layers.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.PICTURE.read_text(encoding="utf-8") == script.draw(), "run python docs/draw_layers.py"

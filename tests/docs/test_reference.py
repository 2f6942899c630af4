"""Each public name and member of the tracker is in the Python reference, and users are shown no other."""

import importlib
import re
from pathlib import Path

import pytest

from mailtrack import Tracker

ROOT = Path(__file__).parents[2]
REFERENCE = (ROOT / "docs" / "python-reference.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "examples").glob("*.py"))]
CODE = " ".join(re.findall(r"`([^`\n]+)`", REFERENCE))
DOORS = re.findall(r"^\| `(mailtrack[\w.]*)` \|", REFERENCE, re.MULTILINE)


def names(door: str) -> list[str]:
    return list(importlib.import_module(door).__all__)


def test_the_reference_lists_the_doors() -> None:
    assert {"mailtrack", "mailtrack.storage", "mailtrack_wsgi"} < set(DOORS)


@pytest.mark.parametrize("name", sorted({name for door in DOORS for name in names(door)}))
def test_each_public_name_is_in_the_reference(name: str) -> None:
    assert re.search(rf"\b{name}\b", CODE)


@pytest.mark.parametrize("name", [name for name in dir(Tracker) if not name.startswith("_")])
def test_each_member_of_the_tracker_is_in_the_reference(name: str) -> None:
    assert re.search(rf"\b{name}\b", CODE)


def test_the_reference_names_no_member_that_the_tracker_does_not_have() -> None:
    tables = re.findall(r"^\| method of `Tracker` \|.*\n((?:\|.*\n)+)", REFERENCE, re.MULTILINE)
    members = {name for table in tables for name in re.findall(r"^\| `(\w+)\(", table, re.MULTILINE)}
    assert len(members) > 20
    assert members <= set(dir(Tracker))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_is_shown_to_users_imports_from_the_doors_only(page: Path) -> None:
    modules = re.findall(r"^ *(?:from|import) (mailtrack[\w.]*)", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(modules) <= set(DOORS)

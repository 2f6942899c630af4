"""Each public name, and each public member of the tracker, occurs in the Python reference."""

import importlib
import re
from pathlib import Path

import pytest

from mailtrack import Tracker

REFERENCE = (Path(__file__).parents[2] / "docs" / "python-reference.md").read_text(encoding="utf-8")
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

"""Each public name is in the Python reference, each method of the tracker has an example. Pages use no other names."""

import re
from collections.abc import Iterator
from pathlib import Path
from pkgutil import resolve_name

import pytest

from mailtrack import Tracker

ROOT = Path(__file__).parents[2]
INDEX = ROOT / "docs" / "python-reference.md"
DOORS = re.findall(r"^\| `(mailtrack[\w.]*)` \|", INDEX.read_text(encoding="utf-8"), re.MULTILINE)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "examples").glob("*.py"))]
MEMBERS = [name for name in dir(Tracker) if not name.startswith("_")]


def directives(page: Path) -> Iterator[str]:
    """Yield the full names of what a page documents, those of methods included."""
    module = ""
    for kind, name in re.findall(r"^\.\. (\S+):: (\S+)", page.read_text(encoding="utf-8"), re.MULTILINE):
        if kind == "currentmodule":
            module = f"{name}."
        elif kind.startswith(("auto", "py:")):
            yield name if name in DOORS or name.rpartition(".")[0] in DOORS else module + name


DOCUMENTED = [
    name for page in (INDEX, *sorted((ROOT / "docs" / "reference").glob("*.md"))) for name in directives(page)
]


def names() -> list[str]:
    return [f"{door}.{name}" for door in DOORS for name in resolve_name(door).__all__]


def test_the_reference_lists_the_doors() -> None:
    assert {"mailtrack", "mailtrack.storage", "mailtrack_wsgi"} < set(DOORS)


@pytest.mark.parametrize("name", names())
def test_each_public_name_is_in_the_reference(name: str) -> None:
    """Add a line such as `.. autoclass:: Pixel` to a page in docs/reference, under the package that exports it."""
    short = name.rpartition(".")[2]
    same = [one for one in DOCUMENTED if one.rpartition(".")[2] == short]
    assert any(resolve_name(one) is resolve_name(name) for one in same)


@pytest.mark.parametrize("name", MEMBERS)
def test_each_member_of_the_tracker_is_in_the_reference(name: str) -> None:
    """Add a line such as `.. automethod:: Tracker.report` to docs/reference/tracker.md."""
    assert f"mailtrack.Tracker.{name}" in DOCUMENTED


@pytest.mark.parametrize("name", MEMBERS)
def test_each_member_of_the_tracker_has_an_example(name: str) -> None:
    """Use it in a Python block of docs/reference/tracker.md, or of another page."""
    blocks = [
        block for page in PAGES for block in re.findall(r"^```python\n(.*?)^```$", page.read_text("utf-8"), re.M | re.S)
    ]
    assert any(re.search(rf"\.{name}\b", block) for block in blocks)


def test_the_reference_documents_each_name_once_and_none_that_does_not_exist() -> None:
    assert sorted(DOCUMENTED) == sorted(set(DOCUMENTED))
    assert [name for name in DOCUMENTED if resolve_name(name) is None] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_is_shown_to_users_imports_from_the_doors_only(page: Path) -> None:
    modules = re.findall(r"^ *(?:from|import) (mailtrack[\w.]*)", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(modules) <= set(DOORS)

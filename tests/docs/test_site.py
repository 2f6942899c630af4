"""The site that `nox -s docs` has built, in the folder MAILTRACK_SITE, has all pages and all public names."""

import os
import re
from importlib import import_module
from pathlib import Path

import pytest

from mailtrack import Tracker

ROOT = Path(__file__).parents[2]
SITE = Path(os.environ.get("MAILTRACK_SITE", ""))
KINDS = ["Tutorial", "How-to guides", "Reference", "Explanation"]

pytestmark = pytest.mark.skipif("MAILTRACK_SITE" not in os.environ, reason="nox -s docs builds the site")


@pytest.fixture(scope="module")
def inventory() -> dict[str, str]:
    """The documented names of Python and their pages, as other projects can refer to them."""
    from sphinx.util.inventory import InventoryFile

    found = InventoryFile.loads((SITE / "objects.inv").read_bytes(), uri="")
    return {name: item.uri for kind in found.data if kind.startswith("py:") for name, item in found.data[kind].items()}


def test_the_site_begins_with_the_index_of_the_documentation() -> None:
    (target,) = re.findall(r"url=(\S+)\"", (SITE / "index.html").read_text(encoding="utf-8"))
    assert "<h1>Documentation" in (SITE / target).read_text(encoding="utf-8")


def test_each_page_shows_the_four_kinds_of_pages_at_its_side() -> None:
    pages = [path for path in SITE.rglob("*.html") if 'class="sidebar-tree"' in path.read_text(encoding="utf-8")]
    assert len(pages) > len(list((ROOT / "docs").rglob("*.md")))
    for page in pages:
        captions = re.findall(r'class="caption-text">(.+?)<', page.read_text(encoding="utf-8"))
        assert captions[: len(KINDS)] == KINDS, page


@pytest.mark.parametrize("page", sorted((ROOT / "docs").rglob("*.md")), ids=lambda page: page.stem)
def test_each_page_of_the_documentation_is_in_the_site(page: Path) -> None:
    assert (SITE / page.relative_to(ROOT).with_suffix(".html")).exists()


def test_each_public_name_and_each_method_of_the_tracker_can_be_referred_to(inventory: dict[str, str]) -> None:
    index = (ROOT / "docs" / "python-reference.md").read_text(encoding="utf-8")
    doors = re.findall(r"^\| `(mailtrack[\w.]*)` \|", index, re.MULTILINE)
    exported = {name for door in doors for name in import_module(door).__all__}
    assert len(exported) > 100
    assert exported <= {name.rpartition(".")[2] for name in inventory}
    assert {f"mailtrack.Tracker.{name}" for name in dir(Tracker) if not name.startswith("_")} <= set(inventory)

"""The index of the documentation lists every page, and the glossary can be looked up."""

import re
from pathlib import Path

import pytest

from mailtrack import VerdictKind

DOCS = Path(__file__).parents[2] / "docs"
GLOSSARY = (DOCS / "glossary.md").read_text(encoding="utf-8")


def linked_from(page: Path) -> set[str]:
    return set(re.findall(r"\]\(([^)#:]+)", page.read_text(encoding="utf-8")))


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: str(page.relative_to(DOCS)))
def test_the_index_or_that_of_the_python_reference_lists_each_page(page: Path) -> None:
    name = str(page.relative_to(DOCS))
    assert name == "README.md" or name in linked_from(DOCS / "README.md") | linked_from(DOCS / "python-reference.md")


def test_the_index_has_the_four_kinds_of_pages() -> None:
    headings = re.findall(r"^## (.+?):", (DOCS / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings == ["Tutorial", "How-to guides", "Reference", "Explanation", "Project"]


def test_the_readme_leads_to_the_index_the_reasons_and_the_glossary() -> None:
    assert {"docs/README.md", "docs/why.md", "docs/glossary.md"} <= linked_from(DOCS.parent / "README.md")


def rows(heading: str) -> list[str]:
    section = GLOSSARY.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| (.+?) \|", section, re.MULTILINE)[2:]


def test_the_words_of_the_glossary_are_in_order_and_there_once() -> None:
    words = rows("Words of mailtrack")
    assert len(words) > 20
    assert words == sorted(set(words), key=str.lower)


def test_the_glossary_names_each_kind_of_verdict() -> None:
    (verdict,) = re.findall(r"^\| verdict \| .+$", GLOSSARY, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", verdict)) == set(VerdictKind)

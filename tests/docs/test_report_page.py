"""docs/report.md says of each figure of the open rate what the pages, the commands and the API reference say."""

from pathlib import Path

import pytest

from mailtrack._rate_text import MEANINGS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", MEANINGS)
def test_the_meaning_of_each_figure_of_the_rate_is_documented_in_the_same_words(name: str) -> None:
    assert f"| {MEANINGS[name]} |" in (ROOT / "docs" / "report.md").read_text(encoding="utf-8")
